"""`python -m tools.new_tests`: runs tests that are new or changed since a commit five times, to find flaky ones.

A test counts as changed if its own code changed, or anything else in its file except imports. Changes in other files
don't count: `make test` runs everything once.
"""

import argparse
import ast
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Tuple

from tools.paths import ROOT
from tools.setup.console import elapsed, say

ROUNDS = 5
BUDGET_MINUTES = 20.0
NOTHING_COLLECTED = 5
"""pytest's exit status if the markers deselect every test."""


def changed_tests(root: Path, base: str) -> List[str]:
    """The tests in `root` that are new or changed since the commit `base`, such as `tests/unit/test_a.py::test_b`.

    Untracked files count. Raises `subprocess.CalledProcessError` if `base` is not a commit.
    """
    start = _git(root, "merge-base", base, "HEAD").strip()
    changed = _git(root, "diff", "--name-only", "--diff-filter=d", start, "--", "tests").splitlines()
    unknown = _git(root, "ls-files", "--others", "--exclude-standard", "--", "tests").splitlines()
    found = []
    for path in sorted({*changed, *unknown}):
        if Path(path).name.startswith("test_") and path.endswith(".py"):
            now = (root / path).read_text(encoding="utf-8")
            found += [f"{path}::{name}" for name in _differing(_before(root, start, path), now)]
    return found


def _before(root: Path, commit: str, path: str) -> Optional[str]:
    command = ["git", "show", f"{commit}:{path}"]
    answer = subprocess.run(command, cwd=root, capture_output=True, check=False)  # noqa: S603 - git
    return answer.stdout.decode() if answer.returncode == 0 else None


def _differing(before: Optional[str], now: str) -> List[str]:
    """Names of the tests in the source `now` that differ from `before`; in a class, `TestA::test_b`."""
    tests, rest = _parts(now)
    old_tests, old_rest = _parts(before or "")
    return [name for name, code in tests.items() if rest != old_rest or old_tests.get(name) != code]


def _parts(source: str) -> Tuple[Dict[str, str], Set[str]]:
    """The code of each test, and all other code without imports and docstrings; comments and layout don't count."""
    tests: Dict[str, str] = {}
    rest: Set[str] = set()
    pending = [("", node) for node in ast.parse(source).body]
    while pending:
        prefix, node = pending.pop(0)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            pending = [(f"{node.name}::", part) for part in node.body] + pending
            rest.update(ast.dump(decorator) for decorator in node.decorator_list)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            tests[prefix + node.name] = ast.dump(node)
        elif not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_text(node):
            rest.add(ast.dump(node))
    return tests, rest


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def run_rounds(root: Path, tests: Sequence[str], options: Sequence[str], budget_minutes: float) -> int:
    """Run `tests` `ROUNDS` times, each in a new process; returns 1 as soon as a test fails.

    A round that would exceed `budget_minutes` is not started, except for the first.
    """
    started = time.monotonic()
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "tests"
        listed.write_text("\n".join(tests), encoding="utf-8")
        for number in range(1, ROUNDS + 1):
            began = time.monotonic()
            if number > 1 and began - started + longest > 60 * budget_minutes:
                spent = elapsed(began - started)
                say(f"no time for round {number} of {ROUNDS}: {spent} of {budget_minutes:g} min spent")
                return 0
            say(f"round {number} of {ROUNDS}")
            command = [sys.executable, "-m", "pytest", *options, f"@{listed}"]
            status = subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603 - pytest on our own tests
            if status not in (0, NOTHING_COLLECTED):
                say(f"round {number} of {ROUNDS} failed: a new or changed test must pass every time")
                return 1
            longest = max(longest, time.monotonic() - began)
    say(f"{ROUNDS} rounds passed in {elapsed(time.monotonic() - started)}")
    return 0


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode()  # noqa: S603 - git


def main() -> int:
    """Find the tests, list them and run them."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.new_tests", description="Run new and changed tests several times."
    )
    parser.add_argument("--base", required=True, help="the commit to compare with")
    parser.add_argument("--minutes", type=float, default=BUDGET_MINUTES, help="start no round that would end later")
    parser.add_argument("options", nargs="*", help="options for pytest, after --")
    asked = parser.parse_args()
    try:
        tests = changed_tests(ROOT, asked.base)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"error: git cannot compare with {asked.base}: {error.stderr.decode().strip()}\n")
        return 1
    say("\n".join([f"new or changed since {asked.base}: {len(tests)} tests, at most {asked.minutes:g} min", *tests]))
    return run_rounds(ROOT, tests, asked.options, asked.minutes) if tests else 0


if __name__ == "__main__":
    sys.exit(main())
