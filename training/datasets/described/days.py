"""Tables that come in days: folders that are named after a date, of which only the latest are read."""

from collections.abc import Iterable
from datetime import date
from pathlib import PurePosixPath
from urllib.parse import unquote

from training.datasets.described.sources import Days
from training.datasets.errors import SpecError

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark write where a partition's value is missing."""


def folder_values(name: str) -> dict[str, str]:
    """The columns that a file's folders name, such as `day` in `day=2026-11-01`, as Hive and Spark write them."""
    parts = (folder.partition("=") for folder in PurePosixPath(name).parts[:-1] if "=" in folder)
    return {column: "" if value == _NO_VALUE else unquote(value) for column, _, value in parts}


def latest_days(names: Iterable[str], days: Days, shown: str) -> set[str]:
    """The names of the files of the latest days; `shown` is the table's name.

    Raises `SpecError` for a file that is in no such folder, a folder that names no date, or fewer days than asked for.
    """
    dated = {name: _day(name, days, shown) for name in names}
    found = sorted({*dated.values()})
    if len(found) < days.last:
        raise SpecError(
            f"`days` asks for the last {days.last} of {shown}, which has {len(found)}, from {found[0]} to {found[-1]}. "
            f"Write `last: {len(found)}`, or wait until there are more."
        )
    kept = {*found[-days.last :]}
    return {name for name, day in dated.items() if day in kept}


def _day(name: str, days: Days, shown: str) -> str:
    value = folder_values(name).get(days.column)
    if value is None:
        raise SpecError(
            f"`days` reads folders called {days.column}=2026-11-01, and the file {name} of {shown} is in none. Move it "
            "into one, name the column that its folders have, or leave `days` out."
        )
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise SpecError(
            f"`days` needs dates, but the file {name} of {shown} has {value!r} as its {days.column}. Call the folder "
            f"{days.column}=2026-11-01, or leave `days` out."
        ) from error
