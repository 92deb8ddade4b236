"""The examples of Databricks, created in order."""

from typing import Any

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.examples.databricks import EXAMPLES


def of(kind: str) -> dict[str, Any]:
    """The example of a type."""
    return next(inputs for name, inputs in EXAMPLES if name == kind)


def create_before(cloud: Databricks, kind: str | None) -> None:
    """Create the examples that come before `kind`, or all of them."""
    for name, inputs in EXAMPLES:
        if name == kind:
            return
        cloud.create(name, inputs)
