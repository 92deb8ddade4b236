"""A candidate that the gate rejected: what serves instead, what stays as it is, and where it is reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from features.bundle import METADATA, checked_hash, seal
from steps.champion import ChampionHere
from steps.folders import StackFolder
from steps.model_version import ModelVersionHere
from steps.model_versions import GateFailedError
from steps.registry_here import LocalRegistry
from tests.steps.provider.steps import BASE, Take
from tests.steps.provider.test_model_and_image import candidate
from tests.support.bundles import MakeBundle


def rejected(folder: StackFolder, bundle: Path, **metrics: Any) -> dict[str, Any]:
    """Inputs of a model version that the gate rejected."""
    inputs = candidate(folder, bundle)
    metadata = folder.path / inputs["bundle"] / METADATA
    content = json.loads(metadata.read_bytes())
    content["verdict"] = {"accepted": False, "reasons": ["The AUC 0.51 is below 0.6."]}
    content["metrics"] |= metrics
    metadata.write_text(json.dumps(content))
    return inputs | {"bundle_hash": seal(metadata.parent)}


def test_instead_of_a_rejected_candidate_the_newest_version_serves_that_the_stack_has_trained(
    registry: LocalRegistry, folder: StackFolder, take: Take, bundle_of: MakeBundle
) -> None:
    registry.register_imported(bundle_of(3))
    for _ in range(2):
        with pytest.raises(GateFailedError, match=r"rejected model version 2: The AUC 0\.51 is below 0\.6\."):
            take(ModelVersionHere, rejected(folder, bundle_of(4)))
    assert [version.accepted for version in registry.list()] == [True, False], "an imported one is not the latest"
    for seed in (1, 2):
        take(ModelVersionHere, candidate(folder, bundle_of(seed)))
    served = take(ModelVersionHere, rejected(folder, bundle_of(4))).outputs
    assert (served.version, served.served_hash) == (4, checked_hash(bundle_of(2)))
    assert served.refusal.startswith("The gate rejected model version 2: The AUC 0.51 is below 0.6. Version 4 serves.")
    inputs = {**BASE, "version": served.version, "refusal": served.refusal}
    for _ in range(2):
        with pytest.raises(GateFailedError, match="rejected model version 2"):
            take(ChampionHere, inputs)
        assert [version.number for version in registry.list() if version.champion] == [4]
    registry.register_imported(bundle_of(5))
    assert take(ModelVersionHere, rejected(folder, bundle_of(4))).outputs.version == 4
    take(ModelVersionHere, candidate(folder, bundle_of(5)))
    assert take(ModelVersionHere, rejected(folder, bundle_of(4))).outputs.version == 5, "which it has trained, too"
