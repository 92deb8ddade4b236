"""Trains a model once and remembers the run's files: the same run with the same code gets them again, after a destroy
or on another simulated Azure.

Permissions of the run's principal, the external location and its role are checked each time.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.simulation.fakes.cluster import LocalCluster, volumes_of
from tests.simulation.fakes.runs import Run
from tests.simulation.fakes.volumes import VOLUMES, Volumes
from tests.simulation.world import World

LEFT, SAID = ("output", "snapshots"), "said"
"""The folders in a request where a run leaves files, and its output."""
CATALOG = re.compile(r"/Volumes/\w+")


class RememberedTraining:
    """A `Task` for `Runs`. `trained` counts the runs that Spark did."""

    def __init__(self, cluster: LocalCluster, world: World, memory: Path) -> None:
        """`cluster` trains what isn't in the folder `memory`, which several processes may share."""
        self._cluster = cluster
        self._folder = world.folder
        self._memory = memory
        self.trained = 0

    def __call__(self, run: Run) -> str:
        """The output of the task."""
        request = json.loads(run.parameters["request"])
        asked = json.dumps([request, _libraries(run)], sort_keys=True)
        anywhere = CATALOG.sub("/Volumes", asked)
        kept = self._memory / hashlib.sha256(anywhere.encode()).hexdigest()[:16]
        kept.mkdir(parents=True, exist_ok=True)
        with FileLock(kept / "lock"):  # others that need the same model wait
            said = kept / SAID
            if not said.exists():
                output = self._cluster(run)
                if run.cancelled.is_set():
                    return output
                for name, folder in self._left(run.number, request):
                    if folder.is_dir():
                        shutil.copytree(folder, kept / name)
                said.write_text(output, encoding="utf-8")
                self.trained += 1
            else:
                self._give(run, kept, request)
            return said.read_text(encoding="utf-8")

    def _left(self, number: int, request: dict[str, Any]) -> Iterator[tuple[str, Path]]:
        """The folders where run `number` leaves files, by their names in the request."""
        for name in LEFT:
            if path := request[name]:
                yield name, volumes_of(self._folder, number) / path.removeprefix(VOLUMES)

    def _give(self, run: Run, kept: Path, request: dict[str, Any]) -> None:
        """Put another run's files into the lake of `run`."""
        world = World(self._folder)
        volumes = Volumes(world, run.caller, volumes_of(self._folder, run.number))
        world.close()
        volumes.refuse({request["data"]: request["fetch"], request["output"]: True})
        for name, folder in self._left(run.number, request):
            if (kept / name).is_dir():
                shutil.copytree(kept / name, folder, dirs_exist_ok=True)
        volumes.send()


def _libraries(run: Run) -> list[str]:
    """The run's code: the end of each library's path, which contains its hash."""
    libraries = run.inputs["tasks"][0].get("libraries") or ()
    paths = [path for library in libraries for name in ("whl", "jar") if (path := library.get(name))]
    return ["/".join(path.split("/")[-2:]) for path in paths]
