"""A stack's files on this machine: Pulumi's working copy, the passphrase, and the overrides."""

import stat
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml

from features.errors import BadInputError, PersonalizationError
from personalize.stack import stack_files
from personalize.stack.session import StackSession
from personalize.stack.stack_files import StackFiles


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFiles:
    monkeypatch.setattr(stack_files, "state_folder", lambda stack: tmp_path / ".personalize" / stack)
    source = tmp_path / "Pulumi.local.yaml"
    source.write_text("config:\n  personalization:dataset:\n    kind: films\n    users: 500\n")
    made = StackFiles("local", source)
    made.create_folders()
    return made


def test_the_copy_takes_the_salt_and_the_committed_file_stays_as_it_is(files: StackFiles, tmp_path: Path) -> None:
    before = files.source.read_bytes()
    written = tmp_path / "written.yaml"
    written.write_text("encryptionsalt: v1:abc\n")
    files.take_encryption(written)
    files.render()
    files.render()
    copy = yaml.safe_load(files.copy.read_text())
    assert copy["encryptionsalt"] == "v1:abc"
    assert copy["config"]["personalization:dataset"] == {"kind": "films", "users": 500}
    assert files.source.read_bytes() == before


def test_an_override_of_this_machine_wins_over_the_committed_value(files: StackFiles) -> None:
    files.source.write_text("config:\n  personalization:model_version: latest\n")
    files.write_overrides({"personalization:model_version": 3})
    files.render()
    assert yaml.safe_load(files.copy.read_text())["config"]["personalization:model_version"] == 3


def test_a_setting_that_stands_twice_is_refused_with_its_line(files: StackFiles) -> None:
    text = "config:\n  personalization:scoring:\n    port: 8200\n    workers: 2\n    port: 8123\n"
    files.source.write_text(text)
    with pytest.raises(BadInputError, match=r"the key 'port' stands in line 3 already .*line 5, column 5"):
        files.render()


def test_passphrase_and_copy_are_for_the_owner_alone(files: StackFiles) -> None:
    files.create_passphrase()
    files.render()
    for path in (files.passphrase, files.copy):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("free", "refused"), [(150e6, True), (250e6, False)])
def test_an_update_is_refused_before_the_disk_is_too_full_to_write_its_state_whole(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch, *, free: float, refused: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Mock(free=free))
    monkeypatch.setattr(StackSession, "prepare", Mock(side_effect=BadInputError("prepared")))
    said = rf"{files.folder} has 150 MB free, and this needs at least 200 MB" if refused else "prepared"
    with pytest.raises(PersonalizationError, match=said):
        StackSession("local", files.source).up(lambda _: None)


@pytest.mark.parametrize("content", [None, ""])
def test_a_lost_passphrase_names_the_file_and_the_way_out(files: StackFiles, content: str | None) -> None:
    if content is not None:
        files.passphrase.write_text(content)
    with pytest.raises(PersonalizationError, match=rf"{files.passphrase}.*backup.*personalize reset"):
        files.check_passphrase()


def test_a_stack_without_a_file_is_refused_by_name(files: StackFiles) -> None:
    files.source.unlink()
    with pytest.raises(BadInputError, match=r"Pulumi\.local\.yaml, which `--config-file` or PERSONALIZE_"):
        files.render()


def test_commands_that_are_shown_name_the_stack_and_a_file_of_ones_own(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.options == f" --config-file {files.source}"
    assert StackFiles("dev", Path("my stack.yaml")).options == " --stack dev --config-file 'my stack.yaml'"
    monkeypatch.delenv("PERSONALIZE_CONFIG_FILE", raising=False)
    assert [StackFiles(stack).options for stack in ("local", "dev")] == ["", " --stack dev"]


@pytest.mark.parametrize("content", ["config: [1, 2]", "config: {a", "- a", "config: text"])
def test_a_file_that_is_no_stack_file_is_refused(files: StackFiles, content: str) -> None:
    files.source.write_text(content)
    with pytest.raises(BadInputError, match=r"Pulumi\.local\.yaml"):
        files.render()
