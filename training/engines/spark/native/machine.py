"""The tasks of one barrier stage: a machine's tasks copy blocks into files there, and one of them runs the fit.

LightGBM's processes, one per machine, exchange their addresses through Spark's barrier.
"""

import base64
import os
import pickle
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
from pyspark import BarrierTaskContext

from features.schema import Schema
from training.engines import chunks
from training.engines.fitting import Together, fit
from training.engines.spark.store.blobs import PIECE, unpacked
from training.engines.spark.store.groups import Group
from training.kernels.columns import FEATURES, LABEL, PART
from training.parameters import TrainingParameters
from training.platform import own_disk
from training.progress import Format, Progress

FITTED = pa.schema([("fitted", pa.binary())])
SILENT_MINUTES = 10
"""How long LightGBM's processes wait for a silent one; one that ended is noticed at once."""
_GOING_ON = "+"
"""Prefix of the messages of tasks that fit. Those of the other tasks are empty."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One task of the fit on the `rows` encoded rows in `groups`, with `threads` threads per machine."""

    groups: tuple[Group, ...]
    schema: Schema
    parameters: TrainingParameters
    rows: int
    threads: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Take part in the fit; one task yields the pickled model."""
        for _ in batches:
            pass
        stage = _Stage(BarrierTaskContext.get())
        folder = stage.folder
        try:
            self._copy(folder, share=stage.task, of=stage.tasks)
            stage.wait()
            yield from self._fit(stage, chunks.files(folder) if stage.leads else ())
        finally:
            if stage.leads:
                shutil.rmtree(folder, ignore_errors=True)

    def _copy(self, folder: Path, *, share: int, of: int) -> None:
        """Copy every n-th group of blocks into files that sort by piece."""
        for number, group in list(enumerate(self.groups))[share::of]:
            content = group.read([PIECE, LABEL, PART, FEATURES])
            for row, piece in enumerate(content.column(PIECE).to_pylist()):
                (blobs,) = content.select([LABEL, PART, FEATURES]).slice(row, 1).to_batches()
                target = folder / f"{piece:09d}-{number:06d}-{row:06d}{chunks.SUFFIX}"
                chunks.write(target, unpacked([blobs]))

    def _fit(self, stage: "_Stage", files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
        with closing(socket.create_server(("", 0))) as server:
            port = server.getsockname()[1]
            machines = stage.machines(port if files else None)
        stage.wait()  # until then, a connection could reach the sockets above instead of LightGBM
        if not files:
            stage.follow(machines)
            return
        first = stage.task == min(machines)
        progress = Progress(sys.stderr if first else StringIO(), style=Format.JSON)
        fitted = fit(
            files,
            self.schema,
            self.parameters,
            rows=self.rows,
            threads=self.threads,
            progress=progress,
            together=stage.together(machines, port) if len(machines) > 1 else None,
        )
        stage.end(machines)
        if first:
            yield pa.RecordBatch.from_pylist([{"fitted": pickle.dumps(fitted)}], schema=FITTED)


class _Stage:
    """The stage's tasks, which all run at once and make the same calls in the same order."""

    def __init__(self, context: BarrierTaskContext) -> None:
        """Find out which tasks share a machine, and agree on its folder."""
        self._context = context
        self.task = context.partitionId()
        address = context.getTaskInfos()[self.task].address.split(":")[0]
        places = context.allGather(f"{address} {os.getppid()}")  # tasks of one executor have one parent process
        self.tasks = len(places)
        first = places.index(places[self.task])
        self.leads = first == self.task
        self._address = socket.gethostbyname(address)
        own_folder = mkdtemp(prefix="fit-", dir=own_disk()) if self.leads else ""
        self.folder = Path(context.allGather(own_folder)[first])

    def wait(self) -> None:
        """Wait until every task has reached this point."""
        self._context.barrier()

    def machines(self, port: int | None) -> dict[int, str]:
        """The address of each task that fits, by task number; this task listens at `port` if it has rows."""
        answers = self._context.allGather(f"{self._address}:{port}" if port else "")
        return {task: address for task, address in enumerate(answers) if address}

    def together(self, machines: dict[int, str], port: int) -> Together:
        """The connection between the machines."""
        shared = {"tree_learner": "data", "num_machines": len(machines)}
        network = {"machines": ",".join(machines.values()), "local_listen_port": port, "time_out": SILENT_MINUTES}

        def gather(own: bytes) -> list[bytes]:
            messages = self._context.allGather(_GOING_ON + base64.b64encode(own).decode())
            return [base64.b64decode(messages[task].removeprefix(_GOING_ON)) for task in machines]

        return Together(network=shared | network, shared=shared, gather=gather)

    def follow(self, machines: dict[int, str]) -> None:
        """Take part in the exchanges of the tasks that fit until they are done."""
        while len(machines) > 1 and any(self._context.allGather("")):
            pass

    def end(self, machines: dict[int, str]) -> None:
        """Release the tasks that follow."""
        if len(machines) > 1:
            self._context.allGather("")
