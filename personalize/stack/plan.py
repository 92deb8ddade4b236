"""What the plan of an `up` means: whether it would delete data, bring new data alone, or differs from what is there."""

import re
from collections.abc import Sequence

from features.errors import PersonalizationError
from personalize.stack.events import Change
from steps.step import Kind

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
DATA_INPUTS = frozenset({"manifest_hash", "location"})
"""The inputs of upload and training that identify the data. Any other difference is in settings or code."""
AFTER_TRAINING = frozenset({Kind.MODEL_VERSION, Kind.SERVING_IMAGE, Kind.SCORING_SERVICE, Kind.CHAMPION})
"""Steps that change with a new model, whatever their difference."""
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
"""Changes because the pods' image has a new digest."""
NOTHING_NEW = "No new data since the last training: nothing to do."
UNFINISHED = (
    "The data is unchanged, but the service would change: the last deployment did not finish. Deploy again. No model "
    "was trained."
)
HARMLESS = (
    (r"azure-native:.*", r'tags\["hidden-.*"\]', "the portal's own tags"),
    (DEPLOYMENT, r'spec\.template\.metadata\.annotations\[".*/restartedAt"\]', "somebody restarted the pods"),
    (
        r"azure-native:containerservice:ManagedCluster",
        r"agentPoolProfiles\[1\].*",
        "AKS lists the scoring pool, a resource of its own, in the cluster too",
    ),
)
"""Differences that need nobody's attention: type, path of the input, and why."""
SHOWN = 6
"""Names or paths in one sentence."""


def lost_with(change: Change) -> str | None:
    """The data that a change would delete; None if it would delete none."""
    return DATA_HOLDERS.get(change.type) if change.operation in LOSES else None


def refuse_data_loss(changes: Sequence[Change]) -> None:
    """Raise `PersonalizationError` if the changes would delete data."""
    losses = [f"{one.name} ({one.operation}), and with it {lost}" for one in changes if (lost := lost_with(one))]
    if losses:
        raise PersonalizationError(
            f"This would delete data: {'; '.join(losses)}. Nothing was changed. Copy the data first, then leave out "
            "`--refuse-data-loss`; on GitHub the label `replaces-data` on the pull request does that."
        )


def harmless(change: Change) -> str | None:
    """Why a difference from the last deployment needs nobody's attention; None if it does."""
    reasons = [_reason(change.type, path) for path in change.properties]
    if change.operation != "update" or not reasons or None in reasons:
        return None
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def refuse_changes(changes: Sequence[Change], stack: str) -> None:
    """Raise `PersonalizationError` for changes that are not harmless."""
    if names := [one.name for one in changes if harmless(one) is None]:
        raise PersonalizationError(
            f"Stack {stack} differs from its settings, its data or its last deployment in {_listed(names)}. "
            f"`.venv/bin/personalize up --stack {stack} --refresh` makes it as the settings say."
        )


def why_not_to_train(changes: Sequence[Change]) -> str | None:
    """Why an `up` for new data alone does nothing; None if it trains.

    Other changes of the repository need their own, reviewed deployment.
    """
    if not changes:
        return NOTHING_NEW
    if others := [one.name for one in changes if not _follows_from_data(one)]:
        return (
            f"More than the data has changed: {_listed(others)} would change too. Deploy first. No model was trained."
        )
    if not {_kind(one.type) for one in changes} & {Kind.DATA_UPLOAD, Kind.TRAINING_RUN}:
        return UNFINISHED
    return None


def _follows_from_data(change: Change) -> bool:
    match _kind(change.type):
        case Kind.DATA_UPLOAD | Kind.TRAINING_RUN:
            return {path.partition(".")[0].partition("[")[0] for path in change.properties} <= DATA_INPUTS
        case step:
            return step in AFTER_TRAINING or change.type == DEPLOYMENT


def _kind(token: str) -> str:
    return token.rpartition(":")[2] if token.startswith("personalize:") else ""


def _reason(kind: str, path: str) -> str | None:
    return next(
        (why for types, paths, why in HARMLESS if re.fullmatch(types, kind) and re.fullmatch(paths, path)), None
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
