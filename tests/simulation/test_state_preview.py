"""A preview of a stack that has no state yet, or none any more."""

from pathlib import Path

import pytest

from personalize.stack import state_store
from tests.simulation.state_machines import SETTINGS_MODEL, Machine, bootstrapped, ignore
from tests.simulation.world import World

pytestmark = pytest.mark.engine

IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"


def test_a_preview_without_a_stack_is_a_plan_by_an_identity_that_may_only_read(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the first deployment, and after `destroy`: the check is required, and nothing may wait for a role."""
    monkeypatch.setattr(state_store, "ROLE_SECONDS", -1.0)
    bootstrapped(simulated, SETTINGS_MODEL.model_copy(update={"github_repository": "octo/clicks"}))
    (previewing,) = [one for one in simulated.all(IDENTITY) if one.id.endswith("-preview")]
    deployer = simulated.setting("caller")

    def blobs() -> set[Path]:
        return {path for path in (simulated.folder / "azurite" / "__blobstorage__").rglob("*") if path.is_file()}

    for name in ("before", "after"):
        simulated.set("caller", previewing.outputs["principalId"])
        stored = blobs()
        assert machine(name).preview(ignore).changes == {"create": 1}, "the stack itself"
        assert blobs() == stored
        assert not (tmp_path / name / "dev").exists()
        simulated.set("caller", deployer)
        if name == "before":
            machine("one").up(ignore)
            machine("one").destroy(ignore)
