"""Names of stacks. A name becomes part of paths, and `destroy` and `reset` delete the folder of that name."""

import re

from features.errors import BadInputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""Pulumi's own rule for names, without those that start with a dot, a hyphen or an underscore."""


class StackNameError(BadInputError):
    """A name that no stack can have."""


def require_stack_name(stack: str) -> str:
    """`stack`, if it can be the name of a stack; raises `StackNameError`."""
    if NAME.fullmatch(stack):
        return stack
    raise StackNameError(
        f"{stack!r} can't be the name of a stack. A name starts with a letter or digit, goes on with letters, digits, "
        "`-`, `_` and `.`, and has at most 100 characters, for example `local`."
    )
