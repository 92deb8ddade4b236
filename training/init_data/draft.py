"""A guessed dataset config as YAML, with the reason beside each guess, for a person to correct."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from features.values import TimeFormat
from training.config import POSITIVES, Source
from training.init_data.cleaning import Line
from training.init_data.columns import Feature, LabelGuess, TimestampGuess
from training.init_data.guess import Gains, Guess
from training.init_data.roles import Link, reason
from training.tables.files import USUAL

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_./-]*$")
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def to_yaml(guessed: Guess, folder: Path) -> str:
    """The text of the config file in `folder`."""
    return "\n".join(_lines(guessed, folder)) + "\n"


def _lines(guessed: Guess, folder: Path) -> Iterator[str]:
    roles = guessed.roles
    yield "# A draft, guessed from the files by `.venv/bin/personalize init-data`; each guess has its reason beside it."
    leaks = (
        ""
        if guessed.label.of_choices
        else ", and remove columns that are known only after a click: they leak the target"
    )
    yield f"# Correct what is wrong{leaks}."
    seen = roles.interactions
    if written := [*_written(seen.source), *_cleaned(guessed.cleaning["interactions"])]:
        yield "interactions:"
        yield f"  path: {scalar(_place(seen.path, folder))} # {seen.shown_rows}"
        yield from written
    else:
        yield f"interactions: {scalar(_place(seen.path, folder))} # {seen.shown_rows}"
    if len(roles.links) == 2 and not roles.is_sure:  # noqa: PLR2004 - users and items
        yield "# Nothing tells the users' table from the items': swap the two if they are the wrong way round."
    for role, link in roles.links.items():
        yield from _entity(role, link, folder)
        yield from _cleaned(guessed.cleaning[role])
    yield from (
        f"# No column seems to have the keys of {role}, without which nothing is recommended. If there is one: "
        f"`{role}: {{key: COLUMN}}`."
        for role in ("users", "items")
        if role not in roles.links
    )
    yield from (
        f"# Not used, since the interactions have no column with its keys: {table.path.name}" for table in roles.others
    )
    yield from (f"# Ignored, since its format is unknown: {name}" for name in guessed.ignored)
    yield ""
    yield from _label(guessed.label)
    if rows := guessed.rows:
        yield f"# Events that are the same in these are one row: {rows.why}."
        yield f"one_row_per: [{', '.join(map(scalar, rows.columns))}]"
    if guessed.timestamp:
        yield from ("", *_timestamp(guessed.timestamp, guessed.label), *_cleaned(guessed.cleaning[""], indent=""))
    if features := list(_features(guessed)):
        yield from ("", *features)
    if left_out := list(_left_out(guessed)):
        yield from ("", "# Left out:", *left_out)


def _label(label: LabelGuess) -> Iterator[str]:
    if not label.column:
        yield f"# Every row is a choice, such as a purchase: {label.why}."
        yield f"label: {POSITIVES}"
        return
    what = "What counts as a choice" if label.choice else "The label, and what counts as a click"
    yield f"# {what}: {label.why}."
    yield "label:"
    yield f"  column: {scalar(label.column)}"
    for rule, value in label.rule.items():
        yield f"  {rule}: {_inline(value)}"


def _features(guessed: Guess) -> Iterator[str]:
    for title, is_numeric in (("numeric", True), ("categorical", False)):
        keys = list(_keys(guessed)) if guessed.has_keys and not is_numeric else []
        columns = [one for one in guessed.features if one.is_numeric is is_numeric]
        if keys or columns:
            yield f"{title}:"
            yield from keys
            for one in columns:
                yield from _column(one)
    if guessed.has_keys and guessed.gains:
        yield from _made_of_keys(guessed.gains)


def _keys(guessed: Guess) -> Iterator[str]:
    """The keys as categories, with what they gain together."""
    if (gains := guessed.gains) and guessed.features:
        yield f"  # The keys: {gains.keys:+.3f} AUC on {gains.rows} ({gains.without:.3f} without them)."
        yield "  # They tell nothing of new users and items."
    for name, mean in guessed.keys.items():
        yield f"  - {scalar(name)} # {mean:.0f} rows each on average"


def _made_of_keys(gains: Gains) -> Iterator[str]:
    """Crosses and factors, with what each gains beside all that is named before it."""
    if gains.crosses:
        yield "crosses:"
        for pair, gained in gains.crosses.items():
            yield f"  - [{', '.join(map(scalar, pair))}] # {gained:+.3f} AUC on {gains.rows}"
    for pair, gained in gains.factors.items():
        yield f"factors: [{', '.join(map(scalar, pair))}] # {gained:+.3f} AUC on {gains.rows}"


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


def _timestamp(guessed: TimestampGuess, label: LabelGuess) -> Iterator[str]:
    remark = guessed.why if label.of_choices else f"{guessed.why}; `split: time` holds out the latest"
    if guessed.format is TimeFormat.ISO:
        yield f"timestamp: {scalar(guessed.column)} # {remark}"
        return
    yield "timestamp:"
    yield f"  column: {scalar(guessed.column)} # {remark}"
    yield f"  format: {guessed.format}"


def _entity(role: str, link: Link, folder: Path) -> Iterator[str]:
    yield f"{role}:"
    if link.table is None:
        yield f"  key: {scalar(link.foreign_key)} # {reason(link)}"
        return
    yield f"  path: {scalar(_place(link.table.path, folder))} # {link.table.shown_rows}"
    yield from _written(link.table.source)
    yield f"  key: {scalar(link.key)} # {reason(link)}"
    if link.foreign_key != link.key:
        yield f"  interactions_key: {scalar(link.foreign_key)}"


def _written(source: Source) -> Iterator[str]:
    """What is unusual in the table's text files."""
    if source.separator is not None:
        yield f"  separator: {scalar(source.separator)}"
    if source.encoding != USUAL.encoding:
        yield f"  encoding: {source.encoding} # its first bytes are not UTF-8"
    if source.quote != USUAL.quote:
        yield f"  quote: {scalar(source.quote)}"
    if source.decimal != USUAL.decimal:
        yield f"  decimal: {scalar(source.decimal)}"


def _cleaned(lines: Sequence[Line], indent: str = "  ") -> Iterator[str]:
    yield from (f"{indent}{line.name}: {_inline(line.value)} # {line.why}" for line in lines)


def _column(feature: Feature) -> Iterator[str]:
    if not feature.missing and feature.separator is None and feature.length is None:
        yield f"  - {scalar(feature.column)} # {feature.why}"
        return
    yield f"  - column: {scalar(feature.column)} # {feature.why}"
    if feature.separator is not None:
        yield f"    separator: {scalar(feature.separator)}"
    if feature.length is not None:
        yield f"    length: {feature.length}"
    if feature.missing:
        yield f"    missing: [{', '.join(map(scalar, feature.missing))}] # look like missing values"


def scalar(text: str) -> str:
    """A text as a YAML scalar with exactly this value."""
    plain = _PLAIN.match(text) and text.lower() not in _WORDS_OF_YAML
    return text if plain else json.dumps(text, ensure_ascii=False)


def _inline(value: object) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(name)}: {_inline(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)


def _place(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
