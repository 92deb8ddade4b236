"""The environment of a plain `pulumi up`, as lines for a shell: `eval "$(make env)"`."""

import os
import shlex
import sys

from features.errors import PersonalizationError
from personalize.stack.session import StackSession
from tools.paths import ROOT
from tools.setup.console import say
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


def main(stack: str) -> int:
    """Print the lines and return the exit status."""
    try:
        lines = shell_exports(stack)
    except PersonalizationError as error:
        say(f"error: {error}")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
