"""`python3 -m personalize.delivery.stacks`: which stacks a workflow works on, from the repository's variables.

A workflow asks before anything is installed, so this keeps to the standard library. A fork has none of the variables:
then there is nothing to do, and a notice says so. Some of them without the others are a mistake.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import PersonalizationError
from tools.stack_names import NAME

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = ("ARM_TENANT_ID", "ARM_SUBSCRIPTION_ID")
STACKS, PREVIEWS = "STACKS", "PREVIEW_STACKS"
HOW = "`bootstrap` prints the commands that set them; see docs/how-to/github.md."
NONE = f"No variable of this repository names a stack on Azure, so there is nothing to do. {HOW}"


class VariablesError(PersonalizationError):
    """The repository's variables do not go together."""


@dataclass(frozen=True, kw_only=True)
class Stacks:
    """The stacks of the repository, by name."""

    listed: tuple[str, ...] = ()
    """All of them. Each push to the main branch deploys the first one."""
    previewed: tuple[str, ...] = ()
    """Those that pull requests preview."""

    def outputs(self) -> dict[str, str]:
        """The outputs of the workflow's job. GitHub's expressions read lists as JSON."""
        first = self.listed[0] if self.listed else ""
        return {"all": json.dumps(self.listed), "previews": json.dumps(self.previewed), "first": first}


def stacks_of(variables: Mapping[str, str], *, root: Path = ROOT) -> Stacks:
    """The stacks that the variables name. Raises `VariablesError` if some are missing or wrong."""
    needed = (*IDENTITY, STACKS)
    missing = [name for name in needed if not variables.get(name)]
    if len(missing) == len(needed) and not variables.get(PREVIEWS):
        return Stacks()
    if missing:
        there = [name for name in (*needed, PREVIEWS) if variables.get(name)]
        raise VariablesError(f"The repository has {_named(there)}, but not {_named(missing)}. {HOW}")
    listed = _names(STACKS, variables[STACKS])
    if unknown := [name for name in listed if not (root / f"Pulumi.{name}.yaml").is_file()]:
        raise VariablesError(
            f"The repository's variable {STACKS} names {_named(unknown)}, which has no stack file Pulumi.<stack>.yaml. "
            f'Name stacks that have one, for example ["dev"].'
        )
    previewed = _names(PREVIEWS, variables[PREVIEWS]) if variables.get(PREVIEWS) else listed[:1]
    if others := [name for name in previewed if name not in listed]:
        raise VariablesError(f"{PREVIEWS} names {_named(others)}, which {STACKS} does not. Add it there too.")
    return Stacks(listed=listed, previewed=previewed)


def require_listed(stacks: Stacks, wanted: str) -> None:
    """Raise `VariablesError` if `wanted`, the stack that a person chose, is not one of the repository's."""
    if wanted and wanted not in stacks.listed:
        known = _named(stacks.listed) or "none"
        raise VariablesError(f"{wanted} is not a stack of this repository; its variable {STACKS} names {known}. {HOW}")


def _names(variable: str, text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if (
        not isinstance(found, list)
        or not found
        or not all(isinstance(name, str) and NAME.fullmatch(name) for name in found)
    ):
        raise VariablesError(f'The repository\'s variable {variable} is {text!r}, not a list such as ["dev", "prod"].')
    return tuple(found)


def _named(names: "tuple[str, ...] | list[str]") -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> int:
    """Write the outputs and a notice or an error for the workflow's run; returns the exit status."""
    try:
        stacks = stacks_of(os.environ)
        require_listed(stacks, os.environ.get("STACK", ""))
    except VariablesError as error:
        sys.stdout.write(f"::error::{error}\n")
        return 1
    sys.stdout.write(f"stacks: {', '.join(stacks.listed)}\n" if stacks.listed else f"::notice::{NONE}\n")
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in stacks.outputs().items())
    return 0


if __name__ == "__main__":
    sys.exit(main())
