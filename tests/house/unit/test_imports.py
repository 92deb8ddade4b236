"""What starts without what: a command that a person waits for, and the program that each machine runs."""

import subprocess
import sys

import pytest

from personalize.commands.app import command_names

HEAVY = {"azure", "databricks", "mlflow", "pyspark"}
SDKS = {"azure", "databricks", "pulumi_azure_native", "pulumi_databricks", "pulumi_kubernetes"}
COMMANDS = (
    "from personalize.commands.app import main\n"
    "for call in {calls!r}:\n"
    "    sys.argv = ['personalize', *call.split()]\n"
    "    try:\n"
    "        main()\n"
    "    except SystemExit as left:\n"
    "        assert not left.code\n"
)


def calls(*calls: str) -> str:
    """A program that runs these commands."""
    return COMMANDS.format(calls=calls)


@pytest.mark.parametrize(
    ("program", "without"),
    [
        pytest.param(
            calls("--help"), HEAVY | {"grpc", "pulumi", "httpx", "lightgbm", "numpy", "pandas", "pydantic"}, id="--help"
        ),
        pytest.param(
            calls(*(f"{name} --help" for name in command_names())), HEAVY | {"pulumi"}, id="help of each command"
        ),
        pytest.param(
            calls("estimate --stack prod"), HEAVY | {"grpc", "httpx", "numpy", "pandas", "pulumi"}, id="estimate"
        ),
        pytest.param("import infra.program", SDKS, id="a stack on this machine"),
        pytest.param(
            "import steps.server", HEAVY | {"httpx", "lightgbm", "pandas", "pyarrow", "scipy"}, id="its steps"
        ),
        pytest.param("from steps.registry_here import LocalRegistry", {"mlflow"}, id="the registry"),
    ],
)
def test_it_starts_without_what_takes_long(program: str, without: set[str]) -> None:
    code = f"import sys\n{program}\nprint('\\nimported', *{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("imported ")]
    assert set(line.split()) & without == set()
