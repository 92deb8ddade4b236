"""A stack's name never leads out of the folder of all stacks, and nothing but a stack's own folder is deleted."""

import sys
from pathlib import Path

import pytest

from features.errors import PersonalizationError
from personalize.commands import app as command_line
from personalize.stack.stack_files import StackFiles
from personalize.terminal import ExitCode
from tools.paths import state_folder
from tools.stack_names import StackNameError

WRONG = ["", ".", "..", "../other", "a/b", "/", "/etc", ".hidden", "-s", "a b", "a\n", "ü", "a" * 101]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all stacks, with two of them."""
    made = tmp_path / "checkout" / "stacks"
    for stack in ("local", "other"):
        (made / stack).mkdir(parents=True)
    (made.parent / "kept").touch()
    monkeypatch.setenv("PERSONALIZE_STATE", str(made))
    return made


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("command", [("reset", "--yes"), ("destroy", "--yes"), ("up",), ("key",), ("estimate",)])
def test_no_command_takes_a_name_that_leads_elsewhere(
    base: Path,
    command: tuple[str, ...],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(base.parent.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["personalize", *command, f"--stack={name}"])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == ExitCode.BAD_INPUT
    assert "can't be the name of a stack" in " ".join(capsys.readouterr().err.split())
    assert sorted(base.parent.rglob("*")) == before


def test_the_variable_is_checked_as_the_option_is(
    base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONALIZE_STACK", "..")
    monkeypatch.setattr(sys, "argv", ["personalize", "reset", "--yes"])
    with pytest.raises(SystemExit):
        command_line.main()
    assert "can't be the name of a stack" in " ".join(capsys.readouterr().err.split())
    assert (base.parent / "kept").exists()


@pytest.mark.parametrize("name", WRONG)
def test_no_folder_has_such_a_name(name: str) -> None:
    with pytest.raises(StackNameError):
        state_folder(name)


def test_only_the_stacks_own_folder_is_deleted(base: Path) -> None:
    StackFiles("local").delete()
    assert [path.name for path in base.iterdir()] == ["other"]
    StackFiles("other").delete()
    assert not base.exists()
    assert (base.parent / "kept").exists()


@pytest.mark.parametrize("folder", [".", "..", "local/..", "../elsewhere", "local/registry", "link"])
def test_what_is_not_a_folder_beside_other_stacks_is_not_deleted(base: Path, folder: str) -> None:
    (base / "local" / "registry").mkdir()
    (base.parent / "elsewhere").mkdir()
    (base / "link").symlink_to(base.parent / "elsewhere")
    before = sorted(base.parent.rglob("*"))
    files = StackFiles("local")
    files.folder = base / folder
    with pytest.raises(PersonalizationError, match="is not a folder inside"):
        files.delete()
    assert sorted(base.parent.rglob("*")) == before


def test_a_deletion_that_was_interrupted_is_finished(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    (base / "local" / "models").touch()
    files = StackFiles("local")
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            files.delete()
    assert not files.folder.exists()
    monkeypatch.setattr(sys, "argv", ["personalize", "destroy", "--yes"])
    with pytest.raises(SystemExit):
        command_line.main()
    assert [path.name for path in base.iterdir()] == ["other"]
