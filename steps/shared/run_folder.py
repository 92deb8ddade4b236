"""A training run's folder in the stack's folder: reused if it is complete, owned by one resource."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.bundle import BundleError, checked_hash
from features.files import write_whole
from recommend.forgotten import NOBODY, Forgotten
from steps.descriptions.training_run import MODEL_INPUTS, Inputs, Outputs
from steps.provider.step import State
from steps.shared.child import end_orphan
from steps.shared.claim import claim, owns, release
from steps.shared.folders import StackFolder
from steps.shared.model_versions import Earlier

RESULT = "result.json"
PATHS = ("bundle", "report")
"""What in a result is a path."""
OUTPUT = "output"
"""The folder for training's output."""


def run_id(inputs: Inputs[str], earlier: Earlier, forgotten: Forgotten = NOBODY) -> str:
    """16 hexadecimal digits, different for each set of values that the run's bundle or verdict depends on.

    `forgotten` are the users whose rows it does not read.
    """
    fields = inputs.model_dump(mode="json", include=set(MODEL_INPUTS))
    champion = earlier.champion.bundle_hash if earlier.champion else None
    best = [earlier.best.bundle_hash] if earlier.best else []
    return hashlib.sha256(
        json.dumps([fields, champion, *best, *sorted(forgotten.users)], sort_keys=True).encode()
    ).hexdigest()[:16]


@dataclass(frozen=True)
class RunFolder:
    """The folder of the run `identity`."""

    stack: StackFolder
    identity: str

    @property
    def path(self) -> Path:
        """Its path."""
        return self.stack.runs / self.identity

    def begin(self) -> None:
        """Create it; files from which training can resume are kept."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / RESULT).unlink(missing_ok=True)

    def keep(self, result: dict[str, Any]) -> None:
        """Save the result, with paths relative to this folder; from now on the run is reused."""
        paths = {name: Path(result[name]).relative_to(self.path).as_posix() for name in PATHS}
        write_whole(self.path / RESULT, json.dumps(result | paths))

    def finished(self) -> dict[str, Any] | None:
        """The result, if there is one and its bundle is complete, else None."""
        try:
            result: dict[str, Any] = json.loads((self.path / RESULT).read_text())
            result |= {name: str(self.path / result[name]) for name in PATHS}
            return result if checked_hash(Path(result["bundle"])) == result["bundle_hash"] else None
        except (OSError, ValueError, KeyError, BundleError):
            return None

    def outputs(self, result: dict[str, Any]) -> Outputs:
        """The outputs of a finished run, for the resource that owns the folder from now on."""
        return Outputs(
            bundle=self.stack.relative(Path(result["bundle"])),
            bundle_hash=result["bundle_hash"],
            verdict=result["verdict"],
            metrics=result["metrics"],
            report=self.stack.relative(Path(result["report"])),
            claim=claim(self.path),
        )

    def remove_interrupted(self) -> None:
        """Remove what other runs left that never finished: it may have rows of users who were forgotten since."""
        for path in self.stack.runs.glob("[!.]*"):
            if path != self.path and not (path / RESULT).is_file():
                end_orphan(path)
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, state: State) -> None:
        """Delete it, unless another resource owns it now; the registry has its own copies of bundles."""
        if owns(self.path, state["claim"]):
            end_orphan(self.path)
            shutil.rmtree(self.path, ignore_errors=True)
            release(self.path)
