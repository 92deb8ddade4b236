"""Sentences for exports that are no tables yet, each with the command or query that makes one."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from training.errors import GuessError
from training.init_data.profile import TableProfile

_SHOWN = re.compile(r"\S+-[01]( \S+-[01])*")
"""What was shown in one row, each with whether it was clicked, such as `N55689-1 N35729-0`."""
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}\b.*")
_ATTRIBUTES = ("key", "property", "attribute", "name")
_FEW = 8


def refuse_unknown(path: Path) -> None:
    """Raise `GuessError` for a file of a known form that is no table: a dump, or fields between `::`."""
    place = shlex.quote(str(path))
    if path.suffix == ".sql":
        raise GuessError(
            f"{path} is a database's dump. Load it into a database, and write its tables to files, as by "
            "`mysql --batch --execute 'TABLE orders' DATABASE > orders.tsv`."
        )
    with path.open("rb") as stream:
        first = stream.readline(10_000).decode("latin-1").rstrip("\r\n")
    if fields := first.count("::"):
        names = r"\t".join(f"name{place}" for place in range(1, fields + 2))
        raise GuessError(
            f"{path} has '::' between fields, and doesn't name them. With the columns' names in place of name1 and so "
            rf"on, `(printf '{names}\n'; sed 's/::/\t/g' {place}) > {shlex.quote(path.stem)}.tsv` makes a table."
        )


def refuse_shown_lists(path: Path, names: Sequence[str]) -> None:
    """Raise `GuessError` if the first row is one of impressions: a user, and a list of what was shown and clicked."""
    shown = next((place for place, name in enumerate(names) if _SHOWN.fullmatch(name)), None)
    if shown is None:
        return
    at = next((place for place, name in enumerate(names) if _DATE.fullmatch(name)), None)
    user = next((place for place, name in enumerate(names) if not name.isdigit() and place not in (shown, at)), 0)
    columns = {user: "user_id", **({at: "at"} if at is not None else {})}
    kept = [*columns.values(), "item_id", "clicked"]
    times = f"d[{at}] = p.to_datetime(d[{at}]); " if at is not None else ""
    raise GuessError(
        f"The rows of {path} list what was shown and clicked ({names[shown][:40]}), and no row names the columns. Make "
        f'a table with a row for each: `.venv/bin/python -c "import pandas as p; d = p.read_csv({str(path)!r}, '
        rf"sep='\t', header=None); d[{shown}] = d[{shown}].str.split(); d = d.explode({shown}); "
        f"d[['item_id', 'clicked']] = d[{shown}].str.rsplit('-', n=1, expand=True).to_numpy(); {times}"
        f"d.rename(columns={columns})[{kept}].to_csv('impressions.csv', index=False)\"`."
    )


def attributes(table: TableProfile) -> tuple[str, str] | None:
    """The columns of a table that has an attribute of something and its value in each row; None for other tables."""
    for name in table.columns:
        stem, _, word = name.lower().rpartition("_")
        value = next((one for one in table.columns if one.lower() == f"{stem}_value".lstrip("_")), None)
        if word in _ATTRIBUTES and value and not table.columns[name].is_unique:
            return name, value
    return None


def refuse_attributes(tables: Sequence[tuple[TableProfile, str, str]]) -> GuessError:
    """The error for tables with these columns of attributes and values, if no other says who chose what."""
    table, name, value = max(tables, key=lambda one: len(_keyed(one[0].columns[one[1]].values)))
    key = next((one for one in table.columns if one not in (name, value) and not table.columns[one].is_unique), "KEY")
    found = table.columns[name].values
    chosen = sorted(_keyed(found) or found)[:_FEW]
    made = ", ".join(f"MAX(CASE WHEN {name} = '{one}' THEN {value} END) AS {one}" for one in chosen)
    query = f"SELECT {key}, {made} FROM {table.path.name.split('.')[0]} GROUP BY {key}"  # noqa: S608 - it is only shown
    return GuessError(
        f"No table says who chose what: {table.path.name} has an attribute and its value in a row ({name}, {value}). "
        f"Make columns of them, and join the other tables by {key}: `{query}`."
    )


def _keyed(attributes: Iterable[str]) -> list[str]:
    """Those that name keys or quantities."""
    return [one for one in attributes if re.search("(^|_)(id|qty|quantity|sku|user|customer|product|email)$", one)]
