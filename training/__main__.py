"""`python -m training`: train a click model and write its bundle. Exit code 0: trained, 1: failed, 2: bad input."""

import sys
from collections.abc import Sequence

from features.errors import PersonalizationError
from training.arguments import UsageError, parse
from training.datasets import check_split, describe
from training.datasets.manifest import recorded
from training.engines import chosen
from training.errors import DatasetError
from training.model.unneeded import without
from training.parameters import EngineName
from training.progress import ERROR, Format

TRAINED, FAILED, BAD_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    try:
        parsed = parse(sys.argv[1:] if arguments is None else arguments)
        # Arrow would import it, which takes a second, and engine local needs none.
        with without(*(["pandas"] if chosen(parsed.training.engine) is EngineName.LOCAL else [])):
            manifest = recorded(parsed.data) or describe(parsed.dataset)
        check_split(parsed.dataset, parsed.training.split)
        from training.run import end_on_signals, train  # noqa: PLC0415 - takes seconds; wrong options come before

        end_on_signals()
        result = train(parsed, manifest)
    except PersonalizationError as error:
        sys.stderr.write(f"{ERROR}{error}\n")
        return BAD_INPUT if isinstance(error, UsageError | DatasetError) else FAILED
    sys.stdout.write((result.to_json() if parsed.result is Format.JSON else result.to_text()) + "\n")
    return TRAINED


if __name__ == "__main__":
    sys.exit(main())
