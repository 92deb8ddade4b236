"""A stack's outputs: from the state and the service's key file; the engine only decrypts secrets missing there."""

import json
from pathlib import Path

import pytest

from personalize.errors import StackMissingError
from personalize.stack import session as sessions
from personalize.stack.session import StackSession

ENCRYPTED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
STATED = {"endpoint": "http://127.0.0.1:1", "metrics": {"auc": 0.5}, "report": "registry/report.html"}
ENGINE = """#!/bin/sh
echo "$@" >> {calls}
echo '{{"endpoint": "http://127.0.0.1:1", "key": "the-engine-s", "token": "another"}}'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a deployed stack, with a stand-in for the engine that records its calls."""
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path))
    engine = tmp_path / "pulumi"
    engine.write_text(ENGINE.format(calls=tmp_path / "calls"))
    engine.chmod(0o700)
    monkeypatch.setattr(sessions, "pulumi_command", lambda: engine)
    made = StackSession().files.folder
    (made / "service").mkdir(parents=True)
    (made / "passphrase").write_text("secret")
    return made


def state(folder: Path, **outputs: object) -> None:
    """Write the stack's state."""
    stack = {"type": "pulumi:pulumi:Stack", "outputs": STATED | outputs}
    file = folder / "state" / ".pulumi" / "stacks" / "personalization" / "local.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"checkpoint": {"latest": {"resources": [stack]}}}))


def test_the_key_is_the_one_that_the_service_of_this_machine_reads(folder: Path) -> None:
    state(folder, key=ENCRYPTED)
    (folder / "service" / "keys").write_text("the-service-s\nthe-one-before\n")
    found, secret = StackSession().outputs()
    assert found == STATED | {"key": "the-service-s", "report": str(folder / "registry/report.html")}
    assert secret == {"key"}
    assert not (folder.parent / "calls").exists()


@pytest.mark.parametrize("left", [None, ""], ids=["no file", "an empty file"])
def test_a_key_that_is_in_the_state_alone_is_asked_of_the_engine(folder: Path, left: str | None) -> None:
    state(folder, key=ENCRYPTED)
    if left is not None:
        (folder / "service" / "keys").write_text(left)
    found, secret = StackSession().outputs()
    assert (found["key"], found["metrics"]) == ("the-engine-s", {"auc": 0.5})
    assert secret == {"key"}
    assert "--show-secrets" in (folder.parent / "calls").read_text()


def test_a_secret_beside_the_key_is_asked_of_the_engine(folder: Path) -> None:
    state(folder, key=ENCRYPTED, token=ENCRYPTED)
    (folder / "service" / "keys").write_text("the-service-s\n")
    found, secret = StackSession().outputs()
    assert found["token"] == "another"  # noqa: S105 - the stand-in's
    assert secret == {"key", "token"}


@pytest.mark.usefixtures("folder")
def test_a_stack_that_was_never_up_has_no_outputs() -> None:
    with pytest.raises(StackMissingError, match="not up"):
        StackSession().outputs()
