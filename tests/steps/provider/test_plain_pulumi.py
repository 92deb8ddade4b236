"""Plain `pulumi up` works with what `make env` exports: it has all that the CLI's Python language host looks for.

Only Pulumi's official release contains the language host. `sdk/python/toolchain/uv.go` in
`github.com/pulumi/pulumi/sdk/v3` shows what it does before it starts the program: it looks for `uv` on PATH, asks for
its version, runs `uv sync --inexact`, and starts Python from the `.venv` beside `uv.lock`.
"""

import os
import subprocess
import sys

import pytest

from tools.paths import ROOT
from tools.toolchain import version_numbers

OLDEST_UV = (0, 6, 15)
"""`minUvVersion` in that file as of Pulumi 3.274.1."""
SYSTEM_FOLDERS = "/usr/bin:/bin"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of `make env` for a new stack, on a machine with neither uv nor Pulumi on PATH."""
    state = tmp_path_factory.mktemp("plain") / "state"
    environment = os.environ | {"PATH": SYSTEM_FOLDERS, "PERSONALIZE_STATE": str(state)}
    command = [sys.executable, "-m", "personalize.stack.shell_exports", "local"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def run(exports: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command, as the language host does, in a shell that evaluated these exports."""
    return subprocess.run(
        ["/bin/bash", "-c", f'{exports}\nexec "$@"', "bash", *command],
        cwd=ROOT,
        env={"PATH": SYSTEM_FOLDERS, "HOME": os.environ["HOME"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.engine
class TestWhatTheLanguageHostLooksFor:
    """Each check runs with the exports of a real, new stack."""

    def test_uv_is_on_the_path_and_recent_enough(self, exports: str) -> None:
        answer = run(exports, "uv", "--version")
        assert answer.returncode == 0, answer.stderr
        assert version_numbers(answer.stdout) >= OLDEST_UV

    def test_its_sync_changes_no_package_and_asks_no_index(self, exports: str) -> None:
        nobody = "http://127.0.0.1:9/simple"
        answer = run(exports, "uv", "sync", "--inexact", "--check", UV_DEFAULT_INDEX=nobody, UV_HTTP_RETRIES="0")
        assert answer.returncode == 0, answer.stderr
        assert "Would make no changes" in answer.stderr

    def test_the_environment_beside_the_lock_file_runs_the_program(self, exports: str) -> None:
        assert (ROOT / "uv.lock").is_file()
        code = "import pulumi, infra.program"
        answer = run(exports, str(ROOT / ".venv" / "bin" / "python"), "-c", code)
        assert answer.returncode == 0, answer.stderr

    def test_the_cli_works_on_the_stack(self, exports: str) -> None:
        answer = run(exports, "pulumi", "stack", "--show-name")
        assert answer.stdout.strip() == "local", answer.stderr
