"""The compared servers: how each is started, and its format of the same records.

The others get encoded features, because none of them encodes. Ours get the raw record, check every field and the key,
and encode it. All have one worker and one thread for the model.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.serving.load import Load
from tests.support.bundles import Record
from tools.setup.uv import ensure_uv
from training.runtime import cache_folder, jars, java_home

PEERS = Path(__file__).parents[1] / "peers"
ADAPTIVE = {"max_batch_size": 64, "max_batch_time": 0.002}
"""The most requests that MLServer answers together, and the seconds that it waits for them."""
KEY = "a-key-of-the-benchmark-0123456789"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One server."""

    name: str
    port: int
    command: list[str]
    path: str
    body: Callable[[list[Record], list[list[float]]], object]
    """Makes the request from records and their encoded features."""
    variables: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    folder: Path = PEERS
    java: bool = False
    """Whether it runs Java, whose threads get all cores; others get one, and their clients another."""

    def load(self, bodies: Sequence[bytes], seconds: float) -> Load:
        """A load of this server."""
        return Load(
            host="127.0.0.1", port=self.port, path=self.path, bodies=bodies, headers=self.headers, seconds=seconds
        )


def peers(bundle: Path, folder: Path, port: int) -> list[Peer]:
    """All servers on `port`; their files are written below `folder`."""
    model = bundle / "model.txt"
    return [
        ours(bundle, folder, port, "lightgbm"),
        ours(bundle, folder, port, "spark-serving"),
        _azureml(model, port),
        _mlserver(model, folder, port, {}),
        _mlserver(model, folder, port, ADAPTIVE),
    ]


def ours(bundle: Path, folder: Path, port: int, engine: str) -> Peer:
    """The service."""
    keys = folder / "keys"
    keys.write_text(KEY)
    command = [sys.executable, "-m", "scoring", "--bundle", str(bundle), "--keys-file", str(keys)]
    return Peer(
        name=f"ours, {engine}",
        port=port,
        command=[*command, "--port", str(port), "--engine", engine],
        path="/score",
        body=lambda records, _: records[0] if len(records) == 1 else {"records": records},
        variables=_spark() if engine == "spark-serving" else {},
        headers={"authorization": f"Bearer {KEY}"},
        java=engine == "spark-serving",
    )


def recommending(bundle: Path, folder: Path, port: int, snapshots: Path) -> Peer:
    """The service, which looks up users and items in these snapshots."""
    plain = ours(bundle, folder, port, "lightgbm")
    return replace(plain, command=[*plain.command, "--snapshots", str(snapshots)], path="/recommend")


def _azureml(model: Path, port: int) -> Peer:
    return Peer(
        name="azureml-inference-server-http",
        port=port,
        command=[_tool("azureml", "azmlinfsrv"), "--entry_script", "score.py", "--port", str(port)],
        path="/score",
        body=lambda _, rows: {"data": rows},
        variables={"MODEL_FILE": str(model), "WORKER_COUNT": "1", "PATH": _path("azureml")},
        folder=PEERS / "azureml",
    )


def _mlserver(model: Path, folder: Path, port: int, batching: dict[str, float]) -> Peer:
    name = "mlserver, adaptive batching" if batching else "mlserver"
    place = folder / name
    place.mkdir()
    settings = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "parallel_workers": 0}
    (place / "settings.json").write_text(json.dumps({**settings, "debug": False, "host": "127.0.0.1"}))
    about = {"name": "ctr", "implementation": "mlserver_lightgbm.LightGBMModel"}
    (place / "model-settings.json").write_text(json.dumps({**about, **batching, "parameters": {"uri": str(model)}}))
    return Peer(
        name=name,
        port=port,
        command=[_tool("mlserver", "mlserver"), "start", str(place)],
        path="/v2/models/ctr/infer",
        body=lambda _, rows: {
            "inputs": [{"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}]
        },
        variables={"OMP_NUM_THREADS": "1", "PATH": _path("mlserver")},
        folder=place,
    )


def _spark() -> dict[str, str]:
    return {"PERSONALIZATION_JARS": str(jars()[0].parent), "JAVA_HOME": str(java_home())}


def _environment(peer: str) -> Path:
    return cache_folder() / "peers" / peer


def _tool(peer: str, name: str) -> str:
    return str(_environment(peer) / "bin" / name)


def _path(peer: str) -> str:
    return f"{_environment(peer) / 'bin'}{os.pathsep}{os.environ['PATH']}"


def install_all() -> None:
    """Update every peer's locked environment, which is outside the working tree."""
    for lock in sorted(PEERS.glob("*/uv.lock")):
        variables = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(_environment(lock.parent.name))}
        subprocess.run([ensure_uv(), "sync", "--frozen", "--quiet"], cwd=lock.parent, env=variables, check=True)
