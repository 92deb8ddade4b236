"""CONTRIBUTING's example of a new step input: the diff applies, touches three files, and the value reaches the step."""

from pathlib import Path

from tests.support.contributing import example, files_of, run_in_changed_copy

PACKAGES = ("infra", "steps", "azure_clients", "tools", "training", "scoring", "recommend", "features")
FOLLOW = """
from infra.graph import deploy
from infra.settings import Settings
from steps.kinds import Kind
from steps.local.catalogue import local_steps
from tests.infra.graph.recorder import run

recorder, _ = run(lambda: deploy(Settings(), "test"))
step, given = local_steps()[Kind.TRAINING_RUN], recorder.steps["training"].inputs
print(step.parse(given).note, *step.diff({**given, "note": "another"}, given).changed, sep=", ")
"""
PATCH = example("A new input of a step")


def test_a_new_input_of_a_step_touches_three_files() -> None:
    assert files_of(PATCH) == 3


def test_it_reaches_the_step_and_counts_as_a_change(tmp_path: Path) -> None:
    followed = run_in_changed_copy(PATCH, FOLLOW, tmp_path, *PACKAGES, "tests/infra/graph/recorder.py", "uv.lock")
    assert followed == "for stack test, note\n"
