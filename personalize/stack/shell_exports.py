"""What a plain `pulumi up` needs in its environment, as lines for a shell: `eval "$(make env)"`."""

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
    """`export` lines for `stack`, which is prepared (folders, passphrase, an empty state) when it is new."""
    session = StackSession(stack)
    session.prepare()
    # The language host runs the uv that PATH has. Before the program it syncs the packages, which is not to ask the
    # package index whether the lock file still holds, or to rewrite that file for another index.
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
