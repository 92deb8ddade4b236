"""All Azure steps together: what the graph and the provider expect of each."""

import subprocess
import sys

import pytest

from steps.azure.catalogue import azure_steps
from steps.kinds import COMPUTED, Kind, Place


@pytest.mark.parametrize("kind", COMPUTED[Place.AZURE])
def test_every_kind_has_a_step_whose_computed_values_are_no_inputs(kind: Kind) -> None:
    step = azure_steps()[kind]
    assert set(COMPUTED[Place.AZURE][kind]).isdisjoint(step.inputs.model_fields)
    assert step.secrets <= {*COMPUTED[Place.AZURE][kind], *step.inputs.model_fields}
    assert step.replaced_by <= set(step.inputs.model_fields)
    assert {"stack"} <= set(step.check({}))


def test_the_local_stack_imports_none_of_azures_packages() -> None:
    code = "import sys, steps.server; print([name for name in sys.modules if name.startswith('azure')])"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
