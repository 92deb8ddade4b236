"""What the graph and the provider expect of every Azure step."""

import subprocess
import sys

import pytest

from steps.azure.catalogue import azure_steps
from steps.kinds import Kind


@pytest.mark.parametrize("kind", azure_steps())
def test_every_step_belongs_to_a_stack(kind: Kind) -> None:
    assert {"stack"} <= set(azure_steps()[kind].check({}))


def test_the_local_stack_imports_none_of_azures_packages_and_nothing_that_reads_data() -> None:
    slow = ("azure", "httpx", "lightgbm", "mlflow", "pandas", "pyarrow", "scipy")
    code = f"import sys, steps.server; print([name for name in sys.modules if name.startswith({slow})])"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
