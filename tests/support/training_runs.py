"""A training run in the test's own process, on engine local, which needs no Java."""

import io
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.encoder import FOLDER
from recommend.forgotten import NOBODY, Forgotten
from tests.support.criteo_rows import criteo
from training.arguments import parse
from training.datasets import describe, tables_of
from training.local.engine import LocalEngine
from training.parameters import Dataset
from training.progress import Format, Progress
from training.protocols import TrainingEngine
from training.result import Result
from training.run import train_with
from training.tables.columns import table_rules
from training.tables.progress import silent
from training.tables.reading import Piece, opened

OPTIONS = (
    *("--num-iterations", "12", "--num-leaves", "8", "--early-stopping-rounds", "0"),
    *("--feature-fraction-by-node", "0.7"),
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run: its result, its folder, and the lines of its progress."""

    result: Result
    output: Path
    progress: list[str]


def encoder_of(run: Run) -> dict[str, bytes]:
    """The files of the encoder in a run's bundle."""
    return {file.name: file.read_bytes() for file in (Path(run.result.bundle) / FOLDER).iterdir()}


def train(output: Path, *options: str, processes: int = 1) -> Run:
    """Train in `processes` processes, on rows like Criteo's unless the options name a dataset."""
    with closing(LocalEngine(data_size=0, processes=processes)) as engine:
        return train_on(engine, output, *options)


def train_on(engine: TrainingEngine, output: Path, *options: str) -> Run:
    """The same on any engine."""
    arguments = parse([*OPTIONS, *(() if "--dataset" in options else criteo()), *options])
    stream = io.StringIO()
    progress = Progress(stream, style=Format.JSON)
    result = train_with(engine, arguments, describe(arguments.dataset), output=output, progress=progress)
    return Run(result=result, output=output, progress=stream.getvalue().splitlines())


def prepared(
    engine: TrainingEngine, dataset: Dataset, folder: Path, passed_over: Forgotten = NOBODY
) -> tuple[Any, Counter[str]]:
    """A dataset's rows as an engine writes them to a folder, and what it counted."""
    return engine.prepare(tables_of(dataset, None, passed_over), folder, silent)


def pieces_of(dataset: Dataset, data: Path | None = None, passed_over: Forgotten = NOBODY) -> list[Piece]:
    """The pieces in which engine local reads a dataset, or its copy."""
    spec = tables_of(dataset, data, passed_over)
    return opened(spec, table_rules(spec))[0]
