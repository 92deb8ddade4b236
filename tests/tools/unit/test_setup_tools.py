"""How the setup gets the Pulumi CLI and the jars, with fake programs."""

import functools
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.paths import ROOT, cache_folder
from tools.setup import golang, pulumi, spark
from tools.setup.console import SetupError
from tools.setup.golang import GoProgram, Toolchain
from tools.toolchain import PulumiMissingError, cached_pulumi, pulumi_command, version_numbers
from tools.versions import GO, PULUMI
from training import runtime

JARS = [{"group": "g", "artifact": "a", "version": "1", "sha256": hashlib.sha256(b"good").hexdigest()}]


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder on PATH, before the system's folders; the cache is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PERSONALIZATION_JARS", raising=False)
    return folder


@pytest.fixture
def repository(path_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder, in a local Maven repository, of the only pinned jar, whose content must be `good`."""
    assert path_folder.exists()
    monkeypatch.setattr(runtime, "pinned_jars", lambda: JARS)
    monkeypatch.setattr(spark, "pinned_jars", lambda: JARS)
    folder = tmp_path / "maven" / "g" / "a" / "1"
    folder.mkdir(parents=True)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "maven"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(spark.REPOSITORY, f"http://127.0.0.1:{server.server_port}")
        yield folder
        server.shutdown()


@pytest.fixture
def recent_go(path_folder: Path) -> None:
    """Put a sufficiently recent Go on PATH."""
    program(path_folder / "go", f"echo go version go{GO} linux/amd64")


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def compiler_that_makes(version: str) -> Callable[[GoProgram, Path, Toolchain], None]:
    return lambda _program, target, _toolchain: program(target, f"echo {version}")


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


@pytest.mark.usefixtures("recent_go")
def test_a_new_pulumi_is_published_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "build", compiler_that_makes(f"v{PULUMI}"))

    assert pulumi.ensure_pulumi() == cached_pulumi()
    assert list(cached_pulumi().parent.iterdir()) == [cached_pulumi()]


@pytest.mark.usefixtures("recent_go")
def test_what_a_killed_set_up_left_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "build", compiler_that_makes(f"v{PULUMI}"))
    cached_pulumi().parent.mkdir(parents=True)
    cached_pulumi().with_name(".pulumi.killed").touch()

    pulumi.ensure_pulumi()

    assert list(cached_pulumi().parent.iterdir()) == [cached_pulumi()]


@pytest.mark.usefixtures("recent_go")
def test_a_pulumi_of_another_version_is_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "build", compiler_that_makes("v3.1.0"))

    with pytest.raises(SetupError, match=r"reports version 3\.1\.0"):
        pulumi.ensure_pulumi()
    assert not list(cached_pulumi().parent.iterdir())


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


def test_a_build_leaves_the_caches_of_the_machine_s_own_go_alone(path_folder: Path) -> None:
    program(path_folder / "go", f"echo go version go{GO} linux/amd64")

    with golang.go_toolchain() as (command, environment):
        assert command == [str(path_folder / "go")]
        assert Path(environment["GOCACHE"]).parent in cache_folder().iterdir()
    assert not list(cache_folder().iterdir())


def test_the_pinned_jars_are_fetched(repository: Path) -> None:
    (repository / "a-1.jar").write_text("good")

    assert (spark.ensure_jars() / "a-1.jar").read_text() == "good"


def test_jars_that_are_there_are_not_fetched_again(repository: Path) -> None:
    (repository / "a-1.jar").write_text("good")
    folder = spark.ensure_jars()
    (repository / "a-1.jar").unlink()

    assert spark.ensure_jars() == folder


def test_jars_with_other_bytes_never_reach_the_cache(repository: Path) -> None:
    (repository / "a-1.jar").write_text("evil")

    with pytest.raises(SetupError, match=r"a-1\.jar is not the pinned file"):
        spark.ensure_jars()
    assert not list(runtime.jars_folder().iterdir())


def test_a_changed_jar_in_the_cache_is_replaced(repository: Path) -> None:
    (repository / "a-1.jar").write_text("good")
    changed = spark.ensure_jars() / "a-1.jar"
    changed.write_text("gooD")

    spark.ensure_jars()

    assert changed.read_text() == "good"


@pytest.mark.usefixtures("repository")
def test_a_jar_that_the_repository_has_not_is_named_with_the_way_out() -> None:
    with pytest.raises(SetupError, match=r"/g/a/1/a-1\.jar cannot be fetched .*404.*a mirror .* MAVEN_REPOSITORY"):
        spark.ensure_jars()


def test_the_image_s_recipe_runs_the_fetcher_by_itself(repository: Path, tmp_path: Path) -> None:
    (repository / "a-1.jar").write_text("good")
    (tmp_path / "jars.json").write_text(json.dumps(JARS))
    command = [sys.executable, "-I", str(ROOT / "scoring" / "fetch_jars.py"), os.environ[spark.REPOSITORY]]

    subprocess.run([*command, "jars.json", "jars"], cwd=tmp_path, check=True)

    assert (tmp_path / "jars" / "a-1.jar").read_text() == "good"


def test_a_folder_of_the_user_s_own_is_never_written_to(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZATION_JARS", str(repository))

    with pytest.raises(SetupError, match=r"PERSONALIZATION_JARS=.*a-1\.jar is missing"):
        spark.ensure_jars()


def test_version_numbers_are_compared_as_numbers() -> None:
    assert version_numbers("go version go1.26.10") > version_numbers("1.26.9")


@pytest.mark.parametrize("target", ["up", "deploy", "env"])
def test_a_stack_without_a_file_is_refused_before_anything_is_prepared(target: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PERSONALIZE_CACHE": str(tmp_path / "cache")}
    command = ["make", target, "STACK=nope"]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, text=True)

    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no stack nope: Pulumi.nope.yaml does not exist. Copy")
    assert not list(tmp_path.iterdir())
