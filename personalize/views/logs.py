"""The log of a stack's service: its files on this machine, or what its pods wrote."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.clients.cluster import Cluster
from tools.paths import state_folder

POLL_SECONDS = 0.3


def log_files(stack: str) -> list[Path]:
    """The files, the supervisor's own first; raises when there are none."""
    folder = state_folder(stack) / "service"
    files = sorted(folder.rglob("*.log"))
    if not files:
        raise BadInputError(f"Stack {stack} has no logs: it has no service. `.venv/bin/personalize up` starts one.")
    return files


def last_lines(files: list[Path], count: int) -> Iterator[str]:
    """The last `count` lines of each file, under the file's name when there are several."""
    for file in files:
        if len(files) > 1:
            yield f"==> {file.name} <=="
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from (line.rstrip("\n") for line in deque(lines, maxlen=count))


def follow_lines(files: list[Path]) -> Iterator[str]:
    """Lines that are added from now on; a file that is rotated is read on from its new start."""
    return _follow({file: file.stat().st_size for file in files})


def _follow(positions: dict[Path, int]) -> Iterator[str]:
    while True:
        for file, position in list(positions.items()):
            size = file.stat().st_size if file.exists() else 0
            start = position if size >= position else 0
            if size > start:
                with file.open("rb") as stream:
                    stream.seek(start)
                    complete = stream.read(size - start).rpartition(b"\n")
                positions[file] = start + len(complete[0]) + len(complete[1])
                yield from complete[0].decode("utf-8", errors="replace").splitlines()
            else:
                positions[file] = start
        time.sleep(POLL_SECONDS)


def pod_lines(stack: str, settings: AzureSettings, count: int, *, follow: bool) -> Iterator[str]:
    """The last `count` lines of each pod under its name; with `follow` new ones after them, each with its pod's name.

    Raises `BadInputError` when there are no pods, `ClusterUnreachableError`.
    """
    cluster = Cluster.of(stack, settings)
    names = [pod.name for pod in cluster.pods()]
    if not names:
        raise BadInputError(
            f"Stack {stack} has no logs: it has no pods. `.venv/bin/personalize up --stack {stack}` starts them."
        )
    for name in names:
        yield f"==> {name} <=="
        yield from cluster.lines(name, count)
    if follow:
        for name, line in cluster.follow(names):
            yield f"{name}: {line}"
