"""Stopping and starting the cluster: done once, waited for, and what still costs money meanwhile."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from azure_clients import credentials
from azure_clients.errors import ManagerRefusedError
from features.errors import BadInputError
from personalize.commands import operations as power
from personalize.commands.app import app
from personalize.stack.cluster import Power, cluster_path, power_of, switch
from personalize.terminal import ExitCode
from tests.support.azure_stack import azure_stack
from tests.support.fake_manager import Call, FakeManager

SETTINGS = azure_stack()
PATH = cluster_path("dev", SETTINGS)


@pytest.fixture
def fake() -> FakeManager:
    """A running cluster. A stop or a start is complete at the second poll."""
    made = FakeManager()
    cluster: dict[str, Any] = {"properties": {"powerState": {"code": "Running"}, "provisioningState": "Succeeded"}}
    made.resources[PATH.lower()] = cluster
    waits: list[str] = []

    def operate(call: Call) -> tuple[int, dict[str, Any]]:
        waits.extend([call.path.rpartition("/")[2]] * 2)
        return 202, {}

    def operation(_: Call) -> dict[str, Any]:
        if len(waits) > 1:
            waits.pop()
            return {"status": "InProgress"}
        cluster["properties"]["powerState"] = {"code": "Stopped" if waits.pop() == "stop" else "Running"}
        return {"status": "Succeeded"}

    made.answer(r"^POST .*/(stop|start)$", operate)
    made.answer("/operations/1$", operation)
    made.headers["POST"] = {"Azure-AsyncOperation": "https://management.azure.com/operations/1?api-version=1"}
    return made


def test_a_refusal_is_azure_s_own_sentence(fake: FakeManager) -> None:
    fake.refused["/stop$"] = (409, "OperationNotAllowed")
    with pytest.raises(ManagerRefusedError, match="OperationNotAllowed") as caught:
        switch(fake.manager(), PATH, Power.STOPPED)
    assert (caught.value.status, caught.value.code) == (409, "OperationNotAllowed")


def test_a_cluster_that_is_not_there_is_neither(fake: FakeManager) -> None:
    fake.resources.clear()
    assert power_of(fake.manager(), PATH) is None


@pytest.fixture
def stack_file(fake: FakeManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack's settings in a file of its own, and its subscription."""
    monkeypatch.setattr(credentials, "resource_manager", lambda _: fake.manager())
    file = tmp_path / "stack.yaml"
    monkeypatch.setenv("PERSONALIZE_CONFIG_FILE", str(file))
    own = {"personalization:target": "azure", "personalization:azure": SETTINGS.model_dump(mode="json")}
    file.write_text(yaml.safe_dump({"config": own}))


@pytest.mark.usefixtures("stack_file")
def test_a_pause_stops_the_cluster_once(fake: FakeManager) -> None:
    command = ["pause", "--stack", "dev", "--json"]
    first, second = (json.loads(CliRunner().invoke(app, command).stdout) for _ in range(2))
    assert (first["changed"], second["changed"], second["power"]) == (True, False, "Stopped")
    assert fake.changes() == [f"POST {PATH}/stop"]


@pytest.mark.usefixtures("stack_file")
@pytest.mark.parametrize(("seconds", "code"), [(12.0, ExitCode.OK), (None, ExitCode.FAILED)])
def test_a_resume_ends_well_only_if_the_service_answers(
    fake: FakeManager, monkeypatch: pytest.MonkeyPatch, seconds: float | None, code: int
) -> None:
    fake.resources[PATH.lower()]["properties"]["powerState"] = {"code": "Stopped"}
    monkeypatch.setattr(power, "StackSession", lambda _: None)
    service = SimpleNamespace(await_ready=lambda _: seconds)
    monkeypatch.setattr(power, "Service", SimpleNamespace(of=lambda _: service))
    done = CliRunner().invoke(app, ["resume", "--stack", "dev", "--json"])
    found = json.loads(done.stdout)
    assert (found["changed"], found["service_ready"]) == (True, seconds is not None)
    assert done.exit_code == code
    assert fake.changes() == [f"POST {PATH}/start"]


def test_a_stack_on_this_machine_has_nothing_to_pause() -> None:
    left = CliRunner().invoke(app, ["pause", "--stack", "local"])
    assert isinstance(left.exception, BadInputError)
