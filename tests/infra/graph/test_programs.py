"""The two programs, side by side: a step that both have is given the same on this machine and on Azure."""

from functools import partial

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.program import deploy
from tests.infra.graph.recorder import run
from tests.infra.wiring.recording import committed

ONLY_HERE = {"service"}
"""Kubernetes objects replace it."""
ONLY_ON_AZURE = {"libraries", "workspace-ready", "service-certificate", "cluster-ready"}


def test_both_have_the_same_steps_but_for_what_only_one_needs_and_give_them_the_same() -> None:
    """Also what other steps compute: the mocks name each value after its step and output."""
    azure = committed("dev")
    machine = azure.model_copy(update={"target": "local", "azure": None})
    here, there = (run(partial(deploy, settings, "test"))[0].steps for settings in (machine, azure))
    assert here.keys() - there.keys() == ONLY_HERE
    assert there.keys() - here.keys() == ONLY_ON_AZURE
    del here["model"]["bundle"]  # a folder of this machine; on Azure the lake has it
    for name in here.keys() & there.keys():
        assert here[name] == {given: there[name][given] for given in here[name]}, name
