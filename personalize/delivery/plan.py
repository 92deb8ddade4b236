"""The plan of an `up` from `personalize preview --json`, and whether it would delete data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.errors import PersonalizationError, reason
from personalize.engine.events import Change

DATA_HOLDERS = {
    "azure-native:storage:StorageAccount": "the training data and the model bundles",
    "azure-native:storage:BlobContainer": "the training data or the model bundles in it",
    "azure-native:keyvault:Vault": "the keys that clients have, and the certificate",
    "azure-native:databricks:Workspace": "the history of the training runs with their logs, and the workspace's files",
    "azure-native:machinelearningservices:Workspace": "all model versions",
    "azure-native:containerregistry:Registry": "all images",
    "azure-native:operationalinsights:Workspace": "the logs",
    "personalize:azure:Registry": "all model versions, bundles and images",
    "personalize:local:Registry": "all model versions, bundles and images",
}
"""The data that is deleted with a resource, by its type."""
LOSES = frozenset({"replace", "delete"})
LABEL = "replaces-data"
"""The label of a pull request that allows deleting data."""


class DataAtRiskError(PersonalizationError):
    """An update would delete data, and no label allows it."""


class PlanUnreadableError(PersonalizationError):
    """The output of `personalize preview --json` is not a plan."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of an `up`."""

    counts: Mapping[str, int]
    """Number of resources by the engine's operation."""
    changes: tuple[Change, ...]
    seconds: float
    data_read: bool = True
    """False if data in containers was taken as the last deployment listed it."""

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Plan":
        """The plan in the JSON object of `preview`. Raises `PlanUnreadableError`."""
        try:
            changes = tuple(
                Change(**{**one, "properties": tuple(one["properties"]), "replaces": tuple(one["replaces"])})
                for one in content["resources"]
            )
            return cls(
                counts=dict(content["changes"]),
                changes=changes,
                seconds=float(content["seconds"]),
                data_read=bool(content["data_read"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlanUnreadableError(
                f"What `.venv/bin/personalize preview --json` printed is not a plan ({reason(error)}). "
                "Run it by hand to see its output."
            ) from error

    @property
    def data_at_risk(self) -> tuple[Change, ...]:
        """The changes that would delete data."""
        return tuple(change for change in self.changes if change.operation in LOSES and change.type in DATA_HOLDERS)


def refuse_data_loss(plan: Plan, labels: frozenset[str], *, where: str = "the pull request") -> None:
    """Raise `DataAtRiskError` if the plan deletes data and `labels` do not allow it."""
    risks = plan.data_at_risk
    if not risks or LABEL in labels:
        return
    losses = "; ".join(
        f"{change.name} ({change.operation}), and with it {DATA_HOLDERS[change.type]}" for change in risks
    )
    raise DataAtRiskError(
        f"This would delete data: {losses}. Copy the data first, then allow it with the label `{LABEL}` on {where}."
    )
