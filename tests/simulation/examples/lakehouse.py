"""The examples of Databricks, created in order."""

from typing import Any

from steps.shared.volumes import Volume
from tests.simulation.databricks.cloud import Databricks
from tests.simulation.examples.databricks import EXAMPLES
from tests.simulation.services.unity import LOCATION, VOLUME


def of(kind: str) -> dict[str, Any]:
    """The example of a type."""
    return next(inputs for name, inputs in EXAMPLES if name == kind)


def create_before(cloud: Databricks, kind: str | None) -> None:
    """Create the examples that come before `kind`, or all of them."""
    for name, inputs in EXAMPLES:
        if name == kind:
            return
        cloud.create(name, inputs)


def create_volumes(cloud: Databricks) -> None:
    """Create the stack's volumes beside the examples, of which `work` is one."""
    lake = "abfss://{}@lakeabc.dfs.core.windows.net/"
    for container in (Volume.MODELS.container, Volume.SNAPSHOTS.container):
        cloud.create(LOCATION, of(LOCATION) | {"name": f"{container}-dev", "url": lake.format(container)})
    for volume in sorted({*Volume} - {Volume.WORK}):
        place = {"name": volume.value, "storageLocation": lake.format(volume.container) + volume.folder}
        cloud.create(VOLUME, of(VOLUME) | place)
