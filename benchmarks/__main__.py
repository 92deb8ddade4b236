"""`make bench`: measures the local stack's times and its models' quality; writes `benchmarks/results/local.json`."""

import argparse
import os
from pathlib import Path

from benchmarks.lifecycle import local_stack
from benchmarks.quality import generated_rows, real_rows
from benchmarks.results import publish

SAMPLE = "PERSONALIZATION_CRITEO_SAMPLE"


def main() -> None:
    """Measure everything; without Criteo's rows, report which part is missing."""
    argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__).parse_args()
    figures, targets = {}, []
    for name, measure in (("local_stack", local_stack), ("generated_rows", generated_rows)):
        figures[name], reached = measure()
        targets += reached
    if sample := os.environ.get(SAMPLE):
        figures["real_rows"], reached = real_rows(Path(sample))
        targets += reached
    else:
        print(f"The comparison on real rows was left out: {SAMPLE} names no file of Criteo's rows.")
    print(publish("local", figures, targets))


if __name__ == "__main__":
    main()
