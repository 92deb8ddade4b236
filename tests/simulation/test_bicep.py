"""Every body that the stacks send matches Microsoft's published type definitions, and not only the models of the
SDKs."""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from tests.infra.graph.cloud_recorder import run_cloud
from tests.infra.wiring.page import OPTIONS
from tests.infra.wiring.recording import committed
from tests.simulation.models.bicep import VARIABLE, Definitions, checkout
from tests.simulation.models.sent import sent


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    """The published ones."""
    folder = checkout()
    if folder is None:
        pytest.skip(f"needs a checkout of github.com/Azure/bicep-types-az, named by {VARIABLE}")
    return Definitions(folder)


@pytest.mark.full
@pytest.mark.parametrize(("stack", "options"), [("dev", {}), ("prod", {}), ("dev", OPTIONS)])
def test_what_a_stack_sends_matches_the_published_types(
    definitions: Definitions, stack: str, options: dict[str, Any]
) -> None:
    recorder, _ = run_cloud(lambda: deploy(committed(stack, **options), stack), stack)
    bodies = [one for one in sent((item.typ, item.inputs) for item in recorder.resources) if "@" in one["type"]]
    assert len(bodies) > 50
    found = {one["type"]: problems for one in bodies if (problems := definitions.problems(one["type"], one["body"]))}
    assert found == {}
