"""The settings as tables: with a stack's values for the terminal, with the defaults for the documentation."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from infra.settings import NAMESPACE, Settings, load_settings
from infra.settings_text import SettingRow, describe_settings
from personalize.stack.stack_files import StackFiles
from personalize.terminal.output import results


def setting_rows(stack: str, settings_file: Path | None = None) -> list[dict[str, Any]]:
    """Each setting with its value in the stack, its default, its allowed values and its meaning."""
    settings = load_settings(StackFiles(stack, settings_file).effective())
    return [
        row._asdict() | {"key": f"{NAMESPACE}:{key}", "value": _value(settings, key)}
        for row in describe_settings(Settings)
        if (key := _plain_key(row, settings)) is not None
    ]


def show_settings(rows: list[dict[str, Any]]) -> None:
    """Print the settings. Values other than the default are bold."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("setting", no_wrap=True)
    for title in ("value", "what it is", "allowed"):
        table.add_column(title, overflow="fold")
    for row in rows:
        value = Text(str(row["value"]), style="" if str(row["value"]) == row["default"] else "bold")
        key = Text(row["key"].removeprefix(f"{NAMESPACE}:"))
        table.add_row(key, value, Text(row["description"]), Text(row["kind"]))
    results.print(table)


def markdown_table(rows: Iterable[SettingRow]) -> Iterator[str]:
    """A table of settings with their defaults, line by line."""
    yield "| setting | what it is | allowed | default |"
    yield "|---|---|---|---|"
    for row in rows:
        kind = row.kind.replace("|", "\\|")
        default = row.default if row.default in ("required", "none") else f"`{row.default}`"
        yield f"| `{row.key}` | {row.description} | {kind} | {default} |"


def _plain_key(row: SettingRow, settings: Settings) -> str | None:
    """`dataset.users` for `dataset (films).users` if the stack's dataset is of that kind, else None.

    Also None for the fields of an object that the stack leaves out.
    """
    name, _, rest = row.key.partition(" (")
    if not rest:
        return None if getattr(settings, name.partition(".")[0]) is None else row.key
    kind, _, inner = rest.partition(").")
    return f"{name}.{inner}" if getattr(settings, name).kind == kind else None


def _value(settings: Settings, key: str) -> Any:  # noqa: ANN401 - whatever a setting holds
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
