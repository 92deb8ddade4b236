"""A training run in its own folder, with cleanup and readable errors."""

import hashlib
import logging
import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from training import engines, work
from training.datasets import tables_of
from training.datasets.manifest import Manifest
from training.failure import explain
from training.progress import Progress
from training.protocols import TrainingEngine
from training.provenance import training_code_hash
from training.request import TrainingRequest
from training.spark import ALL_CORES
from training.streams import LOG, output_to

if TYPE_CHECKING:
    from training.result import Result

STOPPED = 128
"""Added to a signal's number for the exit code, as shells do."""


def train(arguments: TrainingRequest, manifest: Manifest, *, master: str = ALL_CORES, share: float = 1.0) -> "Result":
    """Train in the run's folder; libraries' output goes to the log. `master` is for engine spark.

    Only the rows of a `share` of the users are read. Raises a `PersonalizationError` for every failure.
    """
    output = arguments.output or Path("runs") / run_hash(arguments, manifest)
    log_file = output / LOG
    try:
        output.mkdir(parents=True, exist_ok=True)
        with output_to(log_file) as terminal:
            progress = Progress(terminal, style=arguments.progress)
            return _run(arguments, manifest, output, progress, master=master, share=share)
    except Exception as error:
        raise explain(error, log=log_file) from error


def end_on_signals() -> None:
    """Let SIGTERM and Ctrl-C end this process by a `SystemExit`, which removes intermediate files."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def _run(
    arguments: TrainingRequest, manifest: Manifest, output: Path, progress: Progress, *, master: str, share: float
) -> "Result":
    opened = engines.opened(
        arguments.training, log=output / LOG, progress=progress, data_size=manifest.size, master=master
    )
    try:
        with opened as engine:
            return train_with(engine, arguments, manifest, output=output, progress=progress, share=share)
    except Exception:
        logging.getLogger("training").exception("The run failed")
        raise
    finally:
        shutil.rmtree(arguments.work or output / work.FOLDER, ignore_errors=True)


def train_with(
    engine: TrainingEngine,
    arguments: TrainingRequest,
    manifest: Manifest,
    *,
    output: Path,
    progress: Progress,
    share: float = 1.0,
) -> "Result":
    """Train with an open engine and write the bundle to `output / "bundle"`: of positives alone, a recommender."""
    with engine.stage(progress, "read", "find the rows"):
        spec = tables_of(arguments.dataset, arguments.data, arguments.passed_over, progress).of_users(share)
    if spec.label.only_positives:
        from training.recommending import train_recommender  # noqa: PLC0415 - as below

        return train_recommender(engine, arguments, manifest, spec, output=output, progress=progress)
    from training.pipeline import Pipeline  # noqa: PLC0415 - takes a second, while the engine starts

    return Pipeline(engine, arguments, manifest, spec, output=output, progress=progress).run()


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(STOPPED + number)


def run_hash(arguments: TrainingRequest, manifest: Manifest) -> str:
    """16 hexadecimal digits for what a model depends on besides its libraries."""
    inputs = [
        manifest.hash,
        training_code_hash(),
        arguments.training.model_dump_json(),
        arguments.gate.model_dump_json(),
    ]
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:16]
