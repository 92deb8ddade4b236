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

from tools.paths import ROOT
from tools.setup import pulumi, spark
from tools.setup.console import SetupError
from tools.setup.golang import GoProgram, Toolchain
from tools.toolchain import cached_pulumi, pulumi_command
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


def test_the_pinned_jars_are_fetched(repository: Path) -> None:
    (repository / "a-1.jar").write_text("good")

    assert (spark.ensure_jars() / "a-1.jar").read_text() == "good"


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


def test_the_image_s_recipe_runs_the_fetcher_by_itself(repository: Path, tmp_path: Path) -> None:
    (repository / "a-1.jar").write_text("good")
    (tmp_path / "jars.json").write_text(json.dumps(JARS))
    command = [sys.executable, "-I", str(ROOT / "scoring" / "fetch_jars.py"), os.environ[spark.REPOSITORY]]

    subprocess.run([*command, "jars.json", "jars"], cwd=tmp_path, check=True)

    assert (tmp_path / "jars" / "a-1.jar").read_text() == "good"


@pytest.mark.parametrize("target", ["up", "stack", "env"])
def test_a_stack_without_a_file_is_refused_before_anything_is_prepared(target: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PERSONALIZE_CACHE": str(tmp_path / "cache")}
    command = ["make", target, "STACK=nope"]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, text=True)

    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no stack nope: Pulumi.nope.yaml does not exist. Copy")
    assert not list(tmp_path.iterdir())
