"""The example record with which a user can try the service: a held-out one, so that it fits any dataset."""

import json
from pathlib import Path

from features.bundle import GOLDEN
from features.files import write_private
from steps.shared.folders import StackFolder


def write_example(folder: StackFolder, bundle: Path) -> None:
    """Write the first golden record of `bundle` into the stack's folder, as a JSON object."""
    with (bundle / GOLDEN).open(encoding="utf-8") as lines:
        record = json.loads(next(lines))["record"]
    write_private(folder.example, json.dumps(record, indent=2) + "\n")
