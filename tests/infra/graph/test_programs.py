"""The two programs, side by side: a step that both have is given the same on this machine and on Azure."""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.program import deploy
from tests.infra.graph.cloud_recorder import run_cloud
from tests.infra.graph.recorder import run
from tests.infra.wiring.recording import committed

ONLY_HERE = {"service"}
"""Kubernetes objects replace it."""
ONLY_ON_AZURE = {"libraries", "workspace-ready", "image-record", "service-certificate", "cluster-ready"}


@pytest.fixture(scope="module")
def declared() -> dict[str, dict[str, Any]]:
    """The inputs of each step by name, on this machine and on Azure, with the same settings."""
    azure = committed("dev")
    here, _ = run(lambda: deploy(azure.model_copy(update={"target": "local", "azure": None}), "test"))
    there, _ = run_cloud(lambda: deploy(azure, "test"))
    return {
        "here": {name: one.inputs for name, one in here.steps.items()},
        "on Azure": {one.name: one.inputs for one in there.resources if one.typ.startswith("personalize:")},
    }


def test_both_have_the_same_steps_but_for_what_only_one_needs(declared: dict[str, dict[str, Any]]) -> None:
    here, there = set(declared["here"]), set(declared["on Azure"])
    assert here - there == ONLY_HERE
    assert there - here == ONLY_ON_AZURE


def test_a_step_of_both_is_given_the_same(declared: dict[str, dict[str, Any]]) -> None:
    """Also what other steps compute: the mocks name each value after its step and output."""
    here, there = declared["here"], declared["on Azure"]
    for name in here.keys() & there.keys():
        assert here[name] == {given: there[name][given] for given in here[name]}, name
