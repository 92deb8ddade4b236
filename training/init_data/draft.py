"""A guessed dataset config as YAML, with the reason beside each guess, for a person to correct."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.config import POSITIVES
from training.init_data.columns import Decided, Line
from training.init_data.guess import Guess
from training.init_data.profile import TableProfile
from training.init_data.roles import Link, reason
from training.tables.files import USUAL

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_./-]*$")
_OPTIONS = ("separator", "encoding", "quote", "decimal", "line_breaks")
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


DRAFT, LEFT_OUT = "# A draft", "# Left out:"
"""How a draft begins, and the line above what it leaves out. Its other lines of comments are doubts."""


def to_yaml(guessed: Guess, folder: Path) -> str:
    """The text of the config file in `folder`."""
    return "\n".join(_lines(guessed, folder)) + "\n"


def _lines(guessed: Guess, folder: Path) -> Iterator[str]:
    roles = guessed.roles
    yield f"{DRAFT}, guessed from the files by `.venv/bin/personalize init-data`; each guess has its reason beside it."
    leaks = ", and remove columns that are known only after a click: they leak the target"
    yield f"# Correct what is wrong{'' if guessed.label.of_choices else leaks}."
    table, *written = [*_table(roles.interactions, folder), *_written(guessed.lines["interactions"])]
    yield from ["interactions:", table, *written] if written else ["interactions" + table.removeprefix("  path")]
    for role, link in roles.links.items():
        yield from _entity(role, link, folder)
        yield from _written(guessed.lines[role])
    yield from (
        f"# No column seems to have the keys of {role}, without which nothing is recommended. If there is one: "
        f"`{role}: {{key: COLUMN}}`."
        for role in ("users", "items")
        if role not in roles.links
    )
    yield from (
        f"# Not used, since it does not have one row for each user or item: {path.name}"
        for table in roles.others
        for path in table.source.paths
    )
    yield from (f"# Not used, since a row has an attribute and its value: {path.name}" for path in guessed.attributes)
    yield from (f"# Ignored, since its format is unknown: {name}" for name in guessed.ignored)
    yield ""
    if (label := guessed.label).column:
        what = "What counts as a choice" if label.choice else "The label, and what counts as a click"
        yield f"# {what}: {label.why}."
        yield f"label: {_inline({'column': label.column, **label.rule})}"
    else:
        yield f"# Every row is a choice, such as a purchase: {label.why}."
        yield f"label: {POSITIVES}"
    if lines := guessed.lines[""]:
        yield from ("", *_written(lines, indent=""))
    if features := list(_features(guessed)):
        yield from ("", *features)
    if left_out := list(_left_out(guessed)):
        yield from ("", LEFT_OUT, *left_out)


def _features(guessed: Guess) -> Iterator[str]:
    for kind in ("numeric", "categorical"):
        keys = list(_keys(guessed)) if guessed.has_keys and kind == "categorical" else []
        if columns := [*keys, *(_column(one) for one in guessed.features if one.kind == kind)]:
            yield from (f"{kind}:", *columns)
    if guessed.has_keys and (gains := guessed.gains):
        # What each gains beside all that is named before it.
        made = [(f"  - {_inline([*pair])}", gained) for pair, gained in gains.crosses.items()]
        yield from ["crosses:"] if made else []
        made += [(f"factors: {_inline([*pair])}", gained) for pair, gained in gains.factors.items()]
        yield from (f"{line} # {gained:+.3f} AUC on {gains.rows}" for line, gained in made)


def _keys(guessed: Guess) -> Iterator[str]:
    """The keys as categories, with what they gain together."""
    if (gains := guessed.gains) and guessed.features:
        yield f"  # The keys: {gains.keys:+.3f} AUC on {gains.rows} ({gains.without:.3f} without them)."
        yield "  # They tell nothing of new users and items."
    for name, mean in guessed.keys.items():
        yield f"  - {_inline(name)} # {mean:.0f} rows each on average"


def _left_out(guessed: Guess) -> Iterator[str]:
    for unused in guessed.left_out:
        yield f"#   {unused.column} ({unused.table}): {unused.why}"
    if guessed.label.of_choices:
        return
    used = guessed.keys if guessed.has_keys else {}
    if keys := " and ".join(link.foreign_key for link in guessed.roles.links.values() if link.foreign_key not in used):
        yield f"#   {keys}: as categories they describe known users and items, but say nothing about new ones"
        if guessed.gains and not used:
            yield f"#     (tried: {guessed.gains.keys:+.3f} AUC on {guessed.gains.rows})"


def _entity(role: str, link: Link, folder: Path) -> Iterator[str]:
    yield f"{role}:"
    if link.table is None:
        yield f"  key: {_inline(link.foreign_key)} # {reason(role, link)}"
        return
    yield from _table(link.table, folder)
    yield f"  key: {_inline(link.key)} # {reason(role, link)}"
    if link.foreign_key != link.key:
        yield f"  interactions_key: {_inline(link.foreign_key)}"


def _table(table: TableProfile, folder: Path) -> Iterator[str]:
    """The table's path, what is unusual in its text files, and what is joined to it."""
    yield f"  path: {_inline(_places(table, folder))} # {table.shown_rows}"
    for name in _OPTIONS:
        if (written := getattr(table.source, name)) != getattr(USUAL, name):
            yield f"  {name}: {_inline(written)}{' # its first bytes are not UTF-8' * (name == 'encoding')}"

    if fill := table.source.fill:
        written = _inline({"by": fill.by, "columns": list(fill.columns)})
        yield f"  fill: {written} # named in one row of each {fill.by} alone"
    for position, (other, key) in enumerate(table.joined):
        if not position:
            yield "  join: # the columns of each row's order, and so on"
        options = {name: one for name in _OPTIONS if (one := getattr(other.source, name)) != getattr(USUAL, name)}
        yield f"    - {_inline({'path': _places(other, folder), 'key': key, **options})} # {other.shown_rows}"


def _places(table: TableProfile, folder: Path) -> str | list[str]:
    places = [str(one.relative_to(folder) if one.is_relative_to(folder) else one) for one in table.source.paths]
    return places[0] if len(places) == 1 else places


def _written(lines: Sequence[Line], indent: str = "  ") -> Iterator[str]:
    yield from (f"{indent}{line.name}: {_inline(line.value)} # {line.why}" for line in lines)


def _column(feature: Decided) -> str:
    options = {"separator": feature.separator, "length": feature.length, "missing": [*feature.missing]}
    if given := {name: option for name, option in options.items() if option}:
        return f"  - {_inline({'column': feature.column, **given})} # {feature.table}: {feature.why}"
    return f"  - {_inline(feature.column)} # {feature.table}: {feature.why}"


def _inline(value: object) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_inline(name)}: {_inline(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    is_plain = isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _WORDS_OF_YAML
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)
