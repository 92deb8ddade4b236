"""The environment of a plain `pulumi up`, as lines for a shell: `eval "$(make env)"`."""

import os
import shlex
import sys

from personalize.stack.session import StackSession
from tools.paths import ROOT
from tools.setup.console import exit_status
from tools.setup.uv import ensure_uv
from tools.toolchain import pulumi_command


def shell_exports(stack: str) -> list[str]:
    """`export` lines for `stack`. A new stack gets its folders and an empty state."""
    session = StackSession(stack)
    session.prepare()
    # The language host runs the uv on PATH, and syncs the packages before it runs the program. `UV_FROZEN` keeps it
    # from asking the package index, and from rewriting the lock file.
    folders = [str(pulumi_command().parent), str(ROOT / ".venv" / "bin"), str(ensure_uv().parent)]
    variables = session.environment() | {"UV_FROZEN": "1"}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [*lines, f"export PATH={shlex.quote(os.pathsep.join(folders))}:$PATH"]


if __name__ == "__main__":
    sys.exit(exit_status(lambda: sys.stdout.write("\n".join(shell_exports(sys.argv[1])) + "\n")))
