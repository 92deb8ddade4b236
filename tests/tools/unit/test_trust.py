"""The setup works behind a proxy that inspects TLS, whose authority is trusted only by this machine's store."""

import functools
import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.simulation.fakes.proxy import Proxy
from tools.paths import ROOT
from tools.setup import trust
from tools.setup.packages import STACK
from tools.setup.uv import ensure_uv

IN_OWN_MOUNTS = ("unshare", "--mount", "--map-root-user")
HOST = "repository.example"
STORE = next((path for path in trust.BUNDLES if Path(path).is_file()), "")
"""This machine's certificate store. The test replaces it inside its own mount namespace."""
WHEEL = "uv-1.0.0-py3-none-any.whl"

pytestmark = pytest.mark.skipif(
    not STORE or subprocess.run([*IN_OWN_MOUNTS, "true"], capture_output=True, check=False).returncode != 0,
    reason="another store of certificates needs a mount namespace, which this machine does not allow",
)

SYNC = """
import subprocess, sys
from pathlib import Path
from tools.setup import packages
from tools.setup.trust import trusting
packages.ROOT, uv = Path("project").absolute(), Path(sys.argv[1])
subprocess.run([uv, "lock"], cwd="project", env=trusting(), check=True)
packages.ensure_packages(uv)
"""
JARS = """
import hashlib
from tools.setup import spark
from training import runtime
jar = {"group": "g", "artifact": "a", "version": "1", "sha256": hashlib.sha256(b"good").hexdigest()}
spark.pinned_jars = runtime.pinned_jars = lambda: [jar]
spark.ensure_jars()
"""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment variables of a machine that reaches the host only through the proxy."""
    content = tmp_path / "content"
    _publish(content)
    _project(tmp_path / "project")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(content))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    proxy = Proxy(authority, {HOST: server.server_port})
    yield {
        "HTTPS_PROXY": proxy.open(),
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PERSONALIZE_CACHE": str(tmp_path / "cache"),
        "MAVEN_REPOSITORY": "https://repository.example/maven",
        "UV_DEFAULT_INDEX": "https://repository.example",
        "UV_NO_CACHE": "1",
    }
    proxy.close()
    server.shutdown()
    server.server_close()


def _publish(content: Path) -> None:
    """A package index and a Maven repository, each with one item."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("uv-1.0.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1.0.0\n")
        archive.writestr("uv-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("uv-1.0.0.dist-info/RECORD", "")
    for path, data in {
        f"uv/{WHEEL}": wheel.getvalue(),
        "uv/index.html": f'<a href="{WHEEL}#sha256={hashlib.sha256(wheel.getvalue()).hexdigest()}">uv</a>'.encode(),
        "maven/g/a/1/a-1.jar": b"good",
    }.items():
        (content / path).parent.mkdir(parents=True, exist_ok=True)
        (content / path).write_bytes(data)


def _project(folder: Path) -> None:
    """A project like ours, as far as the setup reads it."""
    described = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["uv"]\n'
    folder.mkdir()
    extras = "".join(f"{name} = []\n" for name in STACK)
    (folder / "pyproject.toml").write_text(f"{described}[project.optional-dependencies]\n{extras}")


def run(script: str, python: str, network: dict[str, str], folder: Path, *arguments: str) -> str:
    """Run `script` with a system store that contains only the proxy's authority; returns its output."""
    replaced = f'mount --bind {folder}/ca.crt {STORE} && exec "$@"'
    command = [*IN_OWN_MOUNTS, "sh", "-c", replaced, "sh", python, "-c", script, *arguments]
    done = subprocess.run(command, cwd=folder, env=network, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_uv_installs_the_packages(network: dict[str, str], tmp_path: Path) -> None:
    run(SYNC, sys.executable, network, tmp_path, str(ensure_uv()))

    assert list((tmp_path / "project" / ".venv").rglob("uv-1.0.0.dist-info"))


def test_the_jars_are_fetched(network: dict[str, str], tmp_path: Path) -> None:
    run(JARS, sys.executable, network, tmp_path)

    assert (tmp_path / "cache" / "jars" / "a-1.jar").read_text() == "good"
