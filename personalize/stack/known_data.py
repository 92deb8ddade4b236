"""What the last update knew of data in containers, for a plan by an identity that may not read them."""

from collections.abc import Mapping
from typing import Any

from infra.program import UNREAD
from steps.data_upload import DataUploadOnAzure
from steps.datasets import located
from training.datasets.manifest import Manifest
from training.datasets.placed.dataset import addresses
from training.parameters import Dataset

UPLOAD = DataUploadOnAzure.token()


def listed_before(snapshot: Mapping[str, Any], dataset: Dataset) -> Manifest | None:
    """What identified the data at the last update; None for data that is not in containers, which anybody may read."""
    if not addresses(located(dataset)):
        return None
    for resource in snapshot.get("resources") or ():
        if resource["type"] == UPLOAD:
            inputs = resource["inputs"]
            return Manifest(
                kind="",
                hash=inputs["manifest_hash"],
                partitions=(),
                description="listed by the last update",
                versions=inputs.get("versions") or {},
            )
    return UNREAD
