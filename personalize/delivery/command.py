"""`personalize` as the workflows call it: its JSON object, while its progress goes on to the workflow's log."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from features.errors import PersonalizationError

COMMAND = Path(sys.executable).with_name("personalize")


class CommandFailedError(PersonalizationError):
    """A command ended with an error, which stands above in the log."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended; `content` is the JSON object that it printed."""

    code: int
    content: Mapping[str, Any] = field(default_factory=dict)


class Personalize(Protocol):
    """Runs `personalize` with arguments and `--json`."""

    def __call__(self, *arguments: str) -> Ended:
        """Run it to its end."""
        ...


def personalize(*arguments: str) -> Ended:
    """The command of this environment."""
    done = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    return Ended(code=done.returncode, content=json.loads(done.stdout) if done.stdout.strip() else {})


def result(run: Personalize, *arguments: str) -> Mapping[str, Any]:
    """What a command printed; raises `CommandFailedError` when it did not end well."""
    ended = run(*arguments)
    if ended.code != 0:
        raise CommandFailedError(f"`personalize {' '.join(arguments)}` ended with exit code {ended.code}; see above.")
    return ended.content
