"""An `up` that leaves something out: what depends on it is not made either, and nobody waits for its outputs."""

from pathlib import Path

import pytest
import yaml

from personalize.engine.events import Phase, StepUpdate
from personalize.stack.session import StackSession

pytestmark = pytest.mark.engine
PORT = 18831


def test_what_is_left_out_is_unmade_with_all_that_depends_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    file = tmp_path / "Pulumi.local.yaml"
    settings = {"dataset": {"kind": "synthetic", "rows": 1000}, "scoring": {"port": PORT, "workers": 1}}
    file.write_text(yaml.safe_dump({"config": {f"personalization:{name}": value for name, value in settings.items()}}))
    session = StackSession("local", settings_file=file)
    made: set[str] = set()

    def note(update: StepUpdate) -> None:
        if update.phase is Phase.FINISHED and update.operation == "create":
            made.add(update.step)

    session.up(note, without=("local:TrainingRun",))
    assert made == {"Registry", "DataUpload", "ApiKey"}
    session.destroy(lambda _: None)
