"""Faults that nobody chose: simple changes at random places of the program, each against the tests of its area.

Some change nothing that a test could see, so a share below one is no failure; a share that falls is a reason to look.
Libraries for this (mutmut, cosmic-ray) bring a runner, a database and a cache of their own; `Workshop` runs these.
"""

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant
from tools.paths import ROOT

AREAS: dict[str, tuple[str, ...]] = {
    "features": ("tests/features", "tests/scoring/unit", "tests/training/kernels"),
    "recommend": ("tests/recommend",),
    "training": ("tests/training/unit", "tests/training/kernels", "tests/training/runs"),
    "scoring": ("tests/scoring/unit", "tests/scoring/contract"),
    "batch": ("tests/batch",),
    "azure_clients": ("tests/azure_clients", "tests/personalize/subscription", "tests/steps/provider/azure"),
    "steps": ("tests/steps", "tests/infra/graph"),
    "infra": ("tests/infra",),
    "personalize": ("tests/personalize",),
}
"""Each package of the program, and the tests of its area."""
COMPARED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
"""What takes a comparison's place."""

SHOWN = 60
"""So many characters of a fault are shown."""


@dataclass(frozen=True, order=True)
class Fault:
    """Replaces the file's text from `begin` to `end`, offsets in bytes, by `text`."""

    begin: int
    end: int
    text: str
    rule: str


def faults(source: str) -> list[Fault]:
    """Every fault that the rules allow in a Python file's text."""
    return sorted(_Rules(source).found)


def drawn(seed: int, *, areas: tuple[str, ...] = tuple(AREAS)) -> Iterator[Mutant]:
    """Mutants without end, in the order that `seed` draws: area after area, in each a file, in it a fault."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    files = {area: sorted((ROOT / area).rglob("*.py")) for area in areas}
    serial = 0
    while True:
        for area in chance.sample(areas, k=len(areas)):
            file = chance.choices(files[area], [one.stat().st_size for one in files[area]])[0]
            found = faults(file.read_text(encoding="utf-8"))
            if found:
                serial += 1
                yield _mutant(chance.choice(found), file, area, f"blind-{seed}-{serial}")


def _mutant(fault: Fault, file: Path, area: str, name: str) -> Mutant:
    content = file.read_bytes()
    after = content[: fault.begin] + fault.text.encode() + content[fault.end :]
    line = content[: fault.begin].count(b"\n") + 1
    place = file.relative_to(ROOT)
    return Mutant(
        name=f"{name}: {fault.rule} in {place}:{line}, {_shown(content[fault.begin : fault.end], fault)}",
        file=str(place),
        before=content.decode(),
        after=after.decode(),
        tests=(*_nearest(place, area), *AREAS[area]),
    )


def _nearest(place: Path, area: str) -> Iterator[str]:
    """The area's test files that import the module, which are run first."""
    module = str(place.with_suffix("")).replace("/", ".").removesuffix(".__init__")
    package, _, name = module.rpartition(".")
    imports = re.compile(
        rf"^from {re.escape(module)} import|^from {re.escape(package)} import .*\b{name}\b", re.MULTILINE
    )
    for folder in AREAS[area]:
        for file in sorted((ROOT / folder).rglob("test_*.py")):
            if imports.search(file.read_text(encoding="utf-8")):
                yield str(file.relative_to(ROOT))


def _shown(before: bytes, fault: Fault) -> str:
    old, new = (" ".join(text.split())[:SHOWN] for text in (before.decode(), fault.text))
    return f"`{old}` -> `{new}`"


class _Rules(ast.NodeVisitor):
    """Collects the faults of a file. Docstrings, annotations, decorators and type checking are left alone."""

    def __init__(self, source: str) -> None:
        self.found: list[Fault] = []
        self._lines = [len(line.encode()) for line in source.splitlines(keepends=True)]
        self._source = source.encode()
        self.visit(ast.parse(source))

    def visit_If(self, node: ast.If) -> None:
        """Negate the condition; skip what is for type checkers or for a script."""
        test = ast.unparse(node.test)
        if "TYPE_CHECKING" in test or "__name__" in test:
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Only what is inside: a negated loop runs never or for ever, which any test notices."""
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Flip a comparison of two values."""
        if len(node.ops) == 1:
            left, right = self._text(node.left), self._text(node.comparators[0])
            self._add(node, f"(({left}) {COMPARED[type(node.ops[0])]} ({right}))", "comparison")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Drop the last clause of a rule."""
        word = " and " if isinstance(node.op, ast.And) else " or "
        self._add(node, f"({word.join(f'({self._text(one)})' for one in node.values[:-1])})", "clause")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Add one to a number, turn a truth value round."""
        if isinstance(node.value, bool):
            self._add(node, str(not node.value), "constant")
        elif isinstance(node.value, int | float):
            self._add(node, f"({self._text(node)} + 1)", "constant")

    def visit_Expr(self, node: ast.Expr) -> None:
        """Drop a call whose result nobody uses."""
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call):
            self._add(node, "pass", "statement")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Drop it."""
        self._add(node, "pass", "statement")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Drop it; its message is not looked at."""
        self._add(node, "pass", "statement")

    def visit_Call(self, node: ast.Call) -> None:
        """Drop the last named argument."""
        if node.keywords and node.keywords[-1].arg and not node.keywords[-1].arg.startswith("description"):
            given: list[ast.expr | ast.keyword] = [*node.args, *node.keywords[:-1]]
            parts = [self._text(one) for one in given]
            if not any(isinstance(one, ast.GeneratorExp) for one in node.args):
                self._add(node, f"{self._text(node.func)}({', '.join(parts)})", "argument")
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """The body and the defaults."""
        for default in (*node.args.defaults, *(one for one in node.args.kw_defaults if one)):
            self.visit(default)
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that `ast` calls

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The body."""
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The value."""
        if node.value is not None:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Texts are no faults of this kind, and the places of their parts are not exact before Python 3.12."""

    def _negate(self, test: ast.expr) -> None:
        self._add(test, f"(not ({self._text(test)}))", "condition")

    def _add(self, node: ast.stmt | ast.expr, text: str, rule: str) -> None:
        self.found.append(Fault(*self._place(node), text, rule))

    def _text(self, node: ast.expr | ast.keyword) -> str:
        begin, end = self._place(node)
        return self._source[begin:end].decode()

    def _place(self, node: ast.stmt | ast.expr | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin, end = sum(self._lines[: node.lineno - 1]), sum(self._lines[: node.end_lineno - 1])
        return begin + node.col_offset, end + node.end_col_offset
