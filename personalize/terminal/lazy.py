"""Commands that are imported when they are run, so that `personalize --help` imports none."""

import ast
import importlib
import importlib.util
import re
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """The function `module.function` as a command. Its summary is read from the source; its options need the import."""

    def __init__(self, module: str, function: str, panel: str) -> None:
        """`panel` is its heading in `--help`. Nothing is imported yet."""
        described = _docstrings(module)[function]
        super().__init__(function.replace("_", "-"), help=described, rich_help_panel=panel, rich_markup_mode="rich")
        self._place = module, function

    @cached_property
    def _command(self) -> Any:  # noqa: ANN401 - typer keeps the classes of its Click to itself
        module, function = self._place
        alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
        run = getattr(importlib.import_module(module), function)
        alone.command(self.name, help=self.help, rich_help_panel=self.rich_help_panel)(run)
        return typer.main.get_command(alone)

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - see `_command`
        """Import the command and parse its arguments."""
        return self._command.make_context(*arguments, **options)

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - see `_command`
        """The command's parameters."""
        return self._command.get_params(ctx)


@cache
def _docstrings(module: str) -> dict[str, str]:
    """The docstrings of a module's functions, read without importing it, with a line for each paragraph."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"There is no module {module}.")
    content = ast.parse(Path(found.origin).read_text(encoding="utf-8")).body
    described = {node.name: ast.get_docstring(node) or "" for node in content if isinstance(node, ast.FunctionDef)}
    return {name: re.sub(r"(?<!\n)\n(?!\n)", " ", text) for name, text in described.items()}
