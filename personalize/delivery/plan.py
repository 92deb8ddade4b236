"""What an `up` would do, as `personalize preview --json` says it, and whether data would be lost by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.errors import PersonalizationError, reason
from personalize.engine.events import Change

DATA_HOLDERS = {
    "azure-native:resources:ResourceGroup": "everything in the group",
    "azure-native:storage:StorageAccount": "the training data and the model bundles",
    "azure-native:storage:BlobContainer": "the training data or the model bundles in it",
    "azure-native:keyvault:Vault": "the keys that clients have, and the certificate",
    "azure-native:machinelearningservices:Workspace": "all model versions",
    "azure-native:containerregistry:Registry": "all images",
    "azure-native:operationalinsights:Workspace": "the logs",
    "personalize:azure:Registry": "all model versions, bundles and images",
    "personalize:local:Registry": "all model versions, bundles and images",
}
"""What is gone with a resource, by its type."""
LOSES = frozenset({"replace", "delete"})
LABEL = "replaces-data"
"""A pull request with this label may lose data; whoever puts it there says that the loss is meant."""


class DataAtRiskError(PersonalizationError):
    """An update would delete something that holds data, and nobody has said that this is meant."""


class PlanUnreadableError(PersonalizationError):
    """The output of `personalize preview --json` is not what is expected of it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an `up` would do."""

    counts: Mapping[str, int]
    """Resources by the engine's word for what would happen to them."""
    changes: tuple[Change, ...]
    seconds: float

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Plan":
        """The plan in the JSON object of `preview`; raises `PlanUnreadableError`."""
        try:
            changes = tuple(
                Change(**{**one, "properties": tuple(one["properties"]), "replaces": tuple(one["replaces"])})
                for one in content["resources"]
            )
            return cls(counts=dict(content["changes"]), changes=changes, seconds=float(content["seconds"]))
        except (KeyError, TypeError, ValueError) as error:
            raise PlanUnreadableError(
                f"What `.venv/bin/personalize preview --json` printed is not a plan ({reason(error)}). "
                "Run it by hand and look at its output."
            ) from error

    @property
    def data_at_risk(self) -> tuple[Change, ...]:
        """The changes that delete what holds data."""
        return tuple(change for change in self.changes if change.operation in LOSES and change.type in DATA_HOLDERS)


def refuse_data_loss(plan: Plan, labels: frozenset[str], *, where: str = "the pull request") -> None:
    """Raise `DataAtRiskError` when the plan deletes what holds data and `labels` do not say that this is meant."""
    risks = plan.data_at_risk
    if not risks or LABEL in labels:
        return
    losses = "; ".join(
        f"{change.name} ({change.operation}), and with it {DATA_HOLDERS[change.type]}" for change in risks
    )
    raise DataAtRiskError(
        f"This would delete what holds data: {losses}. Copy it first, then put the label `{LABEL}` on {where} "
        "to say that the loss is meant."
    )
