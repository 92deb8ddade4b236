"""`python -m training.drift`: compare data with a model's baseline sample, as a page with plots.

Exit code 0: within the limit, or no limit was given; 1: failed, 2: bad input, 3: above the limit.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from features.bundle import Bundle
from recommend.forgotten import NOBODY, Forgotten
from training import engines
from training.arguments import KINDS, add_dataset, dataset_fields
from training.datasets import describe, has_only_positives
from training.datasets.errors import DatasetError
from training.datasets.progress import silent
from training.evaluation import reference
from training.evaluation.gate import drift_check
from training.failure import explain
from training.parameters import Dataset, EngineName, FilmsDataset, SyntheticDataset, TrainingParameters
from training.progress import Progress
from training.protocols import Source
from training.report import drift as page
from training.streams import LOG, output_to

_KINDS = {kind: model for kind, model in KINDS.items() if model not in (SyntheticDataset, FilmsDataset)}
"""The kinds of dataset whose rows can drift."""
_ADAPTER: TypeAdapter[Dataset] = TypeAdapter(Dataset)
WITHIN, FAILED, BAD_INPUT, ABOVE = 0, 1, 2, 3


class NotComparableError(DatasetError):
    """Data that lacks a model's columns, or a model without a baseline sample."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: `drift` has the index of each column, `page` is the page's path."""

    passed: bool
    reason: str
    drift: dict[str, Any]
    page: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says; returns the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        dataset = _ADAPTER.validate_python(dataset_fields(vars(given), _KINDS))
    except ValidationError as error:
        wrong = ", ".join(f"--{found['loc'][-1]}: {found['msg']}" for found in error.errors())
        parser.error(f"{wrong} for --dataset {given.dataset}")
    with TemporaryDirectory(prefix="drift-") as folder:
        logged = Path(folder) / LOG
        try:
            with output_to(logged):
                result = _run(given, dataset, logged)
        except Exception as error:  # noqa: BLE001 - `explain` finds the sentence of each
            explained = explain(error, log=logged)
            sys.stderr.write(f"error: {explained}\n")
            return BAD_INPUT if isinstance(explained, DatasetError) else FAILED
    sys.stdout.write((msgspec.json.encode(result).decode() if given.json else _text(result)) + "\n")
    return WITHIN if result.passed else ABOVE


def compare_source(bundle: Bundle, source: Source, folder: Path) -> reference.Drift:
    """How far a sample of the rows of `source` has drifted from the model's baseline sample.

    Intermediate files go to `folder`. Raises a `DatasetError` for malformed rows, and `NotComparableError` if the data
    and the model can't be compared.
    """
    schema = source.schema
    rows, _ = source.prepare(folder)
    sampled = reference.lowest(rows, schema)
    drift = reference.compare(bundle, sampled)
    if drift is None:
        missing = bundle.schema.lacking(schema)
        why = f"the data lacks its columns {', '.join(missing[:5])}" if missing else "it has no baseline sample"
        raise NotComparableError(f"The data can't be compared with model {bundle.hash[:12]}: {why}. Train it again.")
    return drift


def _run(given: argparse.Namespace, dataset: Dataset, logged: Path) -> Result:
    bundle = Bundle.load(given.bundle)
    _require_click_model(bundle, dataset)
    manifest = describe(dataset)
    parameters = TrainingParameters(engine=EngineName(given.engine), driver_memory_gib=given.driver_memory_gib)
    opened = engines.opened(parameters, log=logged, progress=Progress(sys.stderr), data_size=manifest.size)
    with opened as engine:
        passed_over = NOBODY if given.forgotten is None else Forgotten.load(given.forgotten)
        source = engine.open_source(dataset, None, silent, passed_over)
        drift = compare_source(bundle, source, logged.with_name("rows"))
    check = drift_check(drift, given.max_drift, of=f"model {bundle.hash[:12]}")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    page.write(given.output, drift, check, dataset=manifest.description, bundle_hash=bundle.hash)
    return Result(passed=check.passed, reason=check.reason, drift=drift.scalars(), page=str(given.output))


def _require_click_model(bundle: Bundle, dataset: Dataset) -> None:
    """Raise `NotComparableError` if the model or the data has only positives: drift is measured on a model's inputs."""
    if bundle.clicks is None:
        raise NotComparableError(
            f"Model {bundle.hash[:12]} was trained on positives alone. Drift is measured on the inputs and predictions "
            "of a click model, which it does not have."
        )
    if has_only_positives(dataset):
        raise NotComparableError(
            "The data has only positives (`label: positives`), which can't be compared with the data of a click model. "
            "Give data with clicked and unclicked rows."
        )


def _text(result: Result) -> str:
    columns = sorted(result.drift["columns"].items(), key=lambda column: -column[1])
    lines = [f"prediction  {result.drift['prediction']:.4f}", *(f"{name}  {index:.4f}" for name, index in columns)]
    return "\n".join([*lines, result.reason, f"page: {result.page}"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.drift", description="Compare data with a model's baseline sample."
    )
    add: Any = parser.add_argument
    add("--bundle", type=Path, required=True, help="bundle of the model")
    add_dataset(parser.add_argument_group("dataset"), _KINDS, default="criteo")
    add("--output", type=Path, default=Path("drift.html"), help="page to write")
    add("--max-drift", type=float, default=0.0, help="index above which the exit code is 3; 0: no limit")
    add("--forgotten", type=Path, help="file with the users whose rows are not read; by default all rows are")
    add("--engine", choices=[name.value for name in EngineName], default=EngineName.AUTO, help="reads the data")
    add("--driver-memory-gib", type=int, default=4, help="heap of the Spark driver, in GiB")
    add("--json", action="store_true", help="print one JSON object on standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
