"""Interprets enough of a GitHub Actions workflow to run its shell steps: expressions, environment, conditions."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tools.paths import ROOT

FOLDER = ROOT / ".github" / "workflows"
EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
TOKEN = re.compile(r"\s*(\|\||&&|==|!=|!|\(|\)|'(?:[^']|'')*'|[A-Za-z_][\w.-]*)")
"""The supported tokens of GitHub's expressions; anything else raises an error."""

FUNCTIONS: dict[str, Callable[[Any], Any]] = {"fromJSON": json.loads, "toJSON": partial(json.dumps, indent=2)}
STATUS = {"failure": False, "always": True, "cancelled": False}
"""Values of the status functions, for a job whose previous steps succeeded."""


class UnknownExpressionError(Exception):
    """The expression is not supported: extend this module, or simplify the workflow."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What starts a workflow, and the values that the repository defines for it."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    vars: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    github: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, Any] = field(default_factory=dict)
    """The results and outputs of the jobs before a job, by name."""
    matrix: Mapping[str, Any] = field(default_factory=dict)
    """The matrix values of one of the job's runs."""


def load(name: str) -> dict[str, Any]:
    """A workflow by its file's name. YAML 1.1 reads the key `on` as `true`."""
    content: dict[Any, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    content["on"] = content.pop(True)
    return content


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every job with its workflow's name."""
    for file in sorted(FOLDER.glob("*.yml")):
        for job in load(file.stem)["jobs"].values():
            yield file.stem, job


def evaluate(expression: str, event: Event) -> Any:
    """The value of an expression. Raises `UnknownExpressionError`."""
    tokens = TOKEN.findall(expression)
    if "".join(tokens) != re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", expression):
        raise UnknownExpressionError(expression)
    value, rest = _either(tokens, event)
    if rest:
        raise UnknownExpressionError(expression)
    return value


def _either(tokens: list[str], event: Event) -> tuple[Any, list[str]]:
    value, rest = _both(tokens, event)
    while rest[:1] == ["||"]:
        other, rest = _both(rest[1:], event)
        value = value or other
    return value, rest


def _both(tokens: list[str], event: Event) -> tuple[Any, list[str]]:
    value, rest = _compared(tokens, event)
    while rest[:1] == ["&&"]:
        other, rest = _compared(rest[1:], event)
        value = value and other
    return value, rest


def _compared(tokens: list[str], event: Event) -> tuple[Any, list[str]]:
    value, rest = _single(tokens, event)
    if rest[:1] in (["=="], ["!="]):
        other, remaining = _single(rest[1:], event)
        return (value == other) == (rest[0] == "=="), remaining
    return value, rest


def _single(tokens: list[str], event: Event) -> tuple[Any, list[str]]:
    value: Any
    first, *rest = tokens
    if first.startswith("'"):
        return first[1:-1].replace("''", "'"), rest
    if first == "(":
        value, rest = _either(rest, event)
        return value, rest[1:]
    if first == "!":
        value, rest = _single(rest, event)
        return not value, rest
    if first in FUNCTIONS and rest[:1] == ["("]:
        value, rest = _either(rest[1:], event)
        return FUNCTIONS[first](value), rest[1:]
    if first in STATUS and rest[:2] == ["(", ")"]:
        return STATUS[first], rest[2:]
    root, *path = first.split(".")
    value = vars(event)[root]
    for name in path:
        value = value.get(name, "") if isinstance(value, Mapping) else ""
    return value, rest


def fill(text: Any, event: Event) -> str:
    """A text with its expressions replaced by their values."""
    return EXPRESSION.sub(lambda found: str(evaluate(found[1], event)), str(text))


def holds(condition: str | None, event: Event) -> bool:
    """Whether a job or a step with this `if` runs."""
    return condition is None or bool(evaluate(condition.removeprefix("${{").removesuffix("}}").strip(), event))


def runs(job: Mapping[str, Any], event: Event) -> list[Event]:
    """The runs of a job: one per value of its matrix, which has at most one dimension."""
    matrix: Mapping[str, Any] = job.get("strategy", {}).get("matrix", {})
    for name, values in matrix.items():
        listed = values
        if isinstance(values, str):
            listed = evaluate(values.removeprefix("${{").removesuffix("}}").strip(), event)
        return [replace(event, matrix={name: value}) for value in listed]
    return [event]


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A shell step: its command, and the environment variables of its job and step."""

    run: str
    env: dict[str, str]

    def start(self, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run it as GitHub does, with this machine's environment variables."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.run],
            cwd=folder,
            env={**os.environ, **self.env, **more},
            capture_output=True,
            text=True,
            check=False,
        )


def shells(workflow: Mapping[str, Any], event: Event) -> list[Shell]:
    """The shell steps that run for an event, in order, with their variables."""
    jobs = [job for job in workflow["jobs"].values() if "steps" in job]
    return [shell for job in jobs for run in runs(job, event) for shell in _shells(workflow, job, run)]


def signed_in(workflow: Mapping[str, Any], event: Event) -> list[Shell]:
    """Those of them whose job signs in to Azure."""
    return [shell for shell in shells(workflow, event) if "ARM_USE_OIDC" in shell.env]


def _shells(workflow: Mapping[str, Any], job: Mapping[str, Any], run: Event) -> Iterator[Shell]:
    if not holds(job.get("if"), run):
        return
    for step in job["steps"]:
        if "run" in step and holds(step.get("if"), run):
            env = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
            yield Shell(run=fill(step["run"], run), env={name: fill(value, run) for name, value in env.items()})
