"""The entry script in Azure ML's real server, which has an environment of its own because its pins conflict."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.serving_peers import install
from features.bundle import Bundle
from tests.support.checkout import free_port
from tools.paths import ROOT

pytestmark = pytest.mark.full
START_SECONDS = 90.0


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The server with one worker on the bundle."""
    place = install("azureml")
    port = free_port()
    variables = os.environ | {
        "AZUREML_MODEL_DIR": str(bundle.path.parent),
        "MODEL_NAME": "clicks",
        "MODEL_VERSION": "7",
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "WORKER_COUNT": "1",
    }
    command = [str(place / "bin" / "azmlinfsrv"), "--entry_script", str(ROOT / "scoring" / "azureml_entry.py")]
    log = tmp_path_factory.mktemp("azureml") / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, "--port", str(port)], env=variables, stdout=stream, stderr=stream)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
            _wait(client, process, log)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def test_the_golden_records_score_as_in_training(server: httpx.Client, bundle: Bundle) -> None:
    for golden in bundle.golden[:10]:
        answer = server.post("/score", json=golden.record)
        assert answer.status_code == 200
        assert answer.json()["probability"] == pytest.approx(golden.probability, abs=1e-9)
        assert answer.json()["model"] == {"name": "clicks", "version": "7"}


def test_several_records_are_scored_at_once(server: httpx.Client, bundle: Bundle) -> None:
    answer = server.post("/score", json={"records": [golden.record for golden in bundle.golden]})
    assert answer.json()["probabilities"] == pytest.approx([golden.probability for golden in bundle.golden], abs=1e-9)


def test_a_wrong_record_is_refused_with_its_field(server: httpx.Client) -> None:
    answer = server.post("/score", json={"int00": "one"})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "int00"


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if client.get("/").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
