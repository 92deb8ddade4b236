"""How the setup gets the Pulumi CLI and the jars, with fake programs."""

import functools
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.paths import ROOT
from tools.setup import pulumi, spark
from tools.setup.console import SetupError
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


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_recent_pulumi_on_the_path_is_used(path_folder: Path) -> None:
    program(path_folder / "pulumi", f"echo v{PULUMI}")

    assert pulumi_command() == path_folder / "pulumi"


def test_an_old_pulumi_on_the_path_gives_way_to_the_cached_one(path_folder: Path) -> None:
    program(path_folder / "pulumi", "echo v3.1.0")
    program(cached_pulumi(), f"echo v{PULUMI}")

    assert pulumi_command() == cached_pulumi()


def test_a_missing_pulumi_is_built_and_published_whole(path_folder: Path) -> None:
    makes = f'printf "#!/bin/sh\\necho v{PULUMI}\\n" >"$2"; chmod +x "$2"'
    program(
        path_folder / "go",
        f'case "$1" in\nversion) echo go version go{GO} linux/amd64 ;;\n'
        f'build) while [ "$1" != -o ]; do shift; done; {makes} ;;\nesac',
    )
    killed = cached_pulumi().parents[3] / "go-999999999-killed"
    killed.mkdir(parents=True)

    assert pulumi.ensure_pulumi() == cached_pulumi()
    assert list(cached_pulumi().parent.iterdir()) == [cached_pulumi()]
    assert pulumi_command() == cached_pulumi()
    assert not killed.exists(), "what a killed set-up left"


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
