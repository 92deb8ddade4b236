"""How the set-up brings the Pulumi CLI and the jars, with programs that the test makes up."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.paths import cache_folder
from tools.setup import golang, jars, pulumi
from tools.setup.console import SetupError
from tools.setup.golang import GoProgram
from tools.toolchain import PulumiMissingError, cached_pulumi, pulumi_command, version_numbers
from tools.versions import GO, PULUMI
from training import runtime

JARS = [{"group": "g", "artifact": "a", "version": "1", "sha256": hashlib.sha256(b"good").hexdigest()}]


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that PATH names first, before the system's own; the cache is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PERSONALIZATION_JARS", raising=False)
    return folder


@pytest.fixture
def one_jar(path_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One jar is pinned, whose content is `good`; the path is the folder that PATH names first."""
    monkeypatch.setattr(runtime, "pinned_jars", lambda: JARS)
    monkeypatch.setattr(jars, "pinned_jars", lambda: JARS)
    return path_folder


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def maven_that_fetches(content: str) -> str:
    folder = "for last; do :; done; folder=${last#-DoutputDirectory=}"
    return f'{folder}; mkdir -p "$folder"; printf {content} > "$folder/a-1.jar"'


def compiler_that_makes(version: str) -> Callable[[GoProgram, Path], None]:
    return lambda _, target: program(target, f"echo {version}")


def test_a_recent_pulumi_on_the_path_is_used(path_folder: Path) -> None:
    program(path_folder / "pulumi", f"echo v{PULUMI}")

    assert pulumi_command() == path_folder / "pulumi"


def test_an_old_pulumi_on_the_path_gives_way_to_the_cached_one(path_folder: Path) -> None:
    program(path_folder / "pulumi", "echo v3.1.0")
    program(cached_pulumi(), f"echo v{PULUMI}")

    assert pulumi_command() == cached_pulumi()


def test_an_old_pulumi_alone_is_an_error_with_its_version(path_folder: Path) -> None:
    program(path_folder / "pulumi", "echo v3.1.0")

    with pytest.raises(PulumiMissingError, match=r"PATH is 3\.1\.0.*make setup"):
        pulumi_command()


def test_a_pulumi_that_does_not_start_is_not_used(path_folder: Path) -> None:
    program(path_folder / "pulumi", "exit 1")

    with pytest.raises(PulumiMissingError):
        pulumi_command()


@pytest.mark.usefixtures("path_folder")
def test_a_new_pulumi_is_published_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "build", compiler_that_makes(f"v{PULUMI}"))

    assert pulumi.ensure_pulumi() == cached_pulumi()
    assert [path.name for path in cached_pulumi().parents[2].iterdir()] == [f"v{PULUMI}"]


@pytest.mark.usefixtures("path_folder")
def test_what_a_killed_set_up_left_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "build", compiler_that_makes(f"v{PULUMI}"))
    (cached_pulumi().parents[2] / f"{pulumi.ASIDE}killed" / "pulumi").mkdir(parents=True)

    pulumi.ensure_pulumi()

    assert [path.name for path in cached_pulumi().parents[2].iterdir()] == [f"v{PULUMI}"]


@pytest.mark.usefixtures("path_folder")
def test_a_pulumi_of_another_version_is_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "build", compiler_that_makes("v3.1.0"))

    with pytest.raises(SetupError, match=r"says version 3\.1\.0"):
        pulumi.ensure_pulumi()
    assert not list(cached_pulumi().parents[2].iterdir())


@pytest.mark.parametrize(("found", "used"), [(GO, True), ("1.99.0", True), ("1.20.1", False)])
def test_go_on_the_path_is_used_when_it_is_recent_enough(path_folder: Path, found: str, used: bool) -> None:  # noqa: FBT001 - a parameter of the test
    program(path_folder / "go", f"echo go version go{found} linux/amd64")

    assert bool(golang.go_on_path()) is used


def test_a_go_of_the_lock_keeps_its_caches_in_a_folder_that_goes_away(path_folder: Path) -> None:
    program(path_folder / "go", "echo go version go1.20.1 linux/amd64")
    program(path_folder / "uv", "echo uv 99.0.0")
    gone = cache_folder() / "go-999999999-killed"
    gone.mkdir(parents=True)

    with golang.go_toolchain() as (command, environment):
        assert command[-3:] == ["--only-group", "tool-go", "go"]
        assert Path(environment["GOMODCACHE"]).parent in cache_folder().iterdir()
        assert not gone.exists()
    assert not list(cache_folder().iterdir())


def test_maven_fetches_the_jars_where_there_is_one(one_jar: Path) -> None:
    program(one_jar / "mvn", maven_that_fetches("good"))

    assert (jars.ensure_jars() / "a-1.jar").read_text() == "good"


def test_jars_that_are_there_are_not_fetched_again(one_jar: Path) -> None:
    program(one_jar / "mvn", maven_that_fetches("good"))
    folder = jars.ensure_jars()
    program(one_jar / "mvn", "exit 1")

    assert jars.ensure_jars() == folder


def test_jars_with_other_bytes_never_reach_the_cache(one_jar: Path) -> None:
    program(one_jar / "mvn", maven_that_fetches("evil"))
    program(one_jar / "uv", "echo uv 99.0.0")

    with pytest.raises(SetupError, match="not what is pinned"):
        jars.ensure_jars()
    assert not runtime.jars_folder().exists()


def test_a_changed_jar_in_the_cache_is_replaced(one_jar: Path) -> None:
    program(one_jar / "mvn", maven_that_fetches("good"))
    changed = jars.ensure_jars() / "a-1.jar"
    changed.write_text("gooD")

    jars.ensure_jars()

    assert changed.read_text() == "good"


def test_the_locked_fetcher_follows_a_failing_maven(one_jar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(one_jar / "mvn", "echo no route to the repository; exit 1")
    fetch = 'while [ "${1##*/}" != fetch_jars.py ]; do shift; done; printf good > "$2/a-1.jar"'
    program(one_jar / "uv", f'if [ "$1" = --version ]; then echo uv 99.0.0; exit; fi; {fetch}')

    jars.ensure_jars()

    assert "no route to the repository; going on with the locked fetcher" in capsys.readouterr().err


def test_a_folder_of_the_user_s_own_is_never_written_to(one_jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZATION_JARS", str(one_jar))

    with pytest.raises(SetupError, match=r"PERSONALIZATION_JARS=.*a-1\.jar is missing"):
        jars.ensure_jars()


def test_version_numbers_are_compared_as_numbers() -> None:
    assert version_numbers("go version go1.26.10") > version_numbers("1.26.9")
