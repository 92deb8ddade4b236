"""The log of a stack's service: files on this machine, or the logs of its pods."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.clients.cluster import Cluster
from tools.paths import state_folder

POLL_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True)
class Log:
    """The last lines of the service's log by file or pod, and its new lines."""

    last: dict[str, list[str]]
    new: Iterator[str]


def file_log(stack: str, count: int) -> Log:
    """The last `count` lines of each log file. Raises `BadInputError` if there is no file."""
    folder = state_folder(stack) / "service"
    files = sorted(folder.rglob("*.log"))
    if not files:
        raise BadInputError(f"Stack {stack} has no logs: it has no service. `.venv/bin/personalize up` starts one.")
    new = follow_lines(files)  # starts before the last lines are read, so that no line is lost
    return Log(last={str(file.relative_to(folder)): last_lines(file, count) for file in files}, new=new)


def pod_log(stack: str, settings: AzureSettings, count: int) -> Log:
    """The last `count` lines of each pod. A new line starts with its pod's name.

    Raises `BadInputError` if there are no pods, `ClusterUnreachableError`.
    """
    cluster = Cluster.of(stack, settings)
    names = [pod.name for pod in cluster.pods()]
    if not names:
        raise BadInputError(
            f"Stack {stack} has no logs: it has no pods. `.venv/bin/personalize up --stack {stack}` starts them."
        )
    new = (f"{name}: {line}" for name, line in cluster.follow(names))
    return Log(last={name: cluster.lines(name, count) for name in names}, new=new)


def last_lines(file: Path, count: int) -> list[str]:
    """The last `count` lines of a file."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]


def follow_lines(files: list[Path]) -> Iterator[str]:
    """Lines that are added from now on, also after a file was rotated."""
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
