"""Guesses which rows and keys need cleaning, and the lines of the dataset config that do it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

from features.values import key_of, microseconds
from training.init_data.columns import LabelGuess, Line, TimestampGuess
from training.init_data.profile import TableProfile, folded, words
from training.init_data.roles import Link, Roles, is_order
from training.tables.files import files_of
from training.tables.quick import SAMPLE_CHARACTERS, repeats
from training.tables.texts import Beginning

_QUANTITIES = {"quantity", "qty", "unit", "count", "piece", "menge", "anzahl", "stück", "stückzahl"}
_FEW_KEYS = 0.01
"""Share of the keys that must be written in several ways before these are one key; for e-mail addresses one will do."""
_SEEN_AGAIN = 0.1
"""Share of the pairs of user and item on several days from which on items are recommended again."""
_DAY = 86_400_000_000


def guess_basket(interactions: TableProfile, keys: Collection[str]) -> str:
    """The column with the number of an order, which several rows share; "" if there is none."""
    for column in interactions.columns.values():
        is_number = is_order(column.name) or (column.values and all(text[0] == "#" for text in column.values))
        if is_number and column.filled > len(column.values) > 1 and not (column.name in keys or column.time_formats):
            return column.name
    return ""


def guess_refunds(interactions: TableProfile) -> str:
    """The column of quantities some of which are negative; "" if there is none."""
    for column in interactions.columns.values():
        is_quantity = _QUANTITIES & {*words(column.name)} and column.is_complete and not column.not_numbers
        if is_quantity and column.numbers[0] < 0 < column.numbers[-1]:
            return column.name
    return ""


def guess_cleaning(
    roles: Roles, label: LabelGuess, timestamp: TimestampGuess | None, basket: str, refunds: str
) -> dict[str, list[Line]]:
    """The lines of each table, and under "" those of the whole config."""
    lines = {"interactions": [*_of_rows(roles, label, basket, refunds)]}
    for role, link in roles.links.items():
        rules = [*_rule_of_keys(link, roles.interactions)]
        lines[role] = [*rules, *_duplicates(link, is_folded=bool(rules))]
    lines[""] = [*_seen_again(roles, label, timestamp, refunds)] if label.of_choices and timestamp else []
    return lines


def _of_rows(roles: Roles, label: LabelGuess, basket: str, refunds: str) -> Iterator[Line]:
    table = roles.interactions
    events = table.columns[label.column].values if label.choice else {}
    if others := [event for event in events if event not in label.choice]:
        why = f"no purchase, cart or view: {', '.join(others)}"
        yield Line("where", {label.column: {"is": label.choice}}, why)
    missing = {link.foreign_key: table.columns[link.foreign_key].texts[""] for link in roles.links.values()}
    if counted := [f"{count:,} rows have no {name}" for name, count in missing.items() if count]:
        is_guest = label.of_choices and basket and roles.users and missing[roles.users.foreign_key]
        then = "; what a guest orders together is learned from, too" if is_guest else ""
        yield Line("missing_keys", "one_time" if is_guest else "drop", " and ".join(counted) + then)
    if basket and label.of_choices:
        yield Line("basket", basket, f"{len(table.columns[basket].values):,} orders in {table.shown_rows}")
    if refunds and label.of_choices:
        negative = sum(count for text, count in table.columns[refunds].values.items() if text[0] == "-")
        yield Line("refunds", refunds, f"{negative:,} rows have less than 0")


def _rule_of_keys(link: Link, interactions: TableProfile) -> Iterator[Line]:
    """The rule that makes one key of those that differ in case or spaces alone."""
    listed = link.table.columns[link.key].values if link.table else {}
    texts = {*interactions.columns[link.foreign_key].values, *listed}
    stripped = {text.strip() for text in texts}
    lowered = {text.lower() for text in stripped}
    more = len(texts) - len(lowered)
    if more and (more >= _FEW_KEYS * len(texts) or any("@" in text for text in texts)):
        rule = {"lowercase": len(lowered) < len(stripped), "strip": len(stripped) < len(texts)}
        why = f"{len(texts):,} keys are {len(lowered):,} if case and spaces around them do not count"
        yield Line("keys", {name: True for name, needed in rule.items() if needed}, why)


def _duplicates(link: Link, *, is_folded: bool) -> Iterator[Line]:
    if link.table is None:
        return
    key = folded if is_folded else key_of
    counts = Counter(map(key, link.table.columns[link.key].values.elements()))
    if repeated := [one for one, count in counts.items() if count > 1]:
        why = repeats(files_of(link.table.source), link.key, repeated, key)
        yield Line("duplicates", "drop", f"{why}; the latest or one of them is kept")


def _seen_again(roles: Roles, label: LabelGuess, timestamp: TimestampGuess, refunds: str) -> Iterator[Line]:
    """Whether what was chosen most strongly is chosen again by the same user on another day."""
    keys = [link.foreign_key for link in roles.links.values()]
    names = [*keys, timestamp.column, label.column or timestamp.column, refunds or timestamp.column]
    days = defaultdict[tuple[str, str], set[int]](set)
    for chunk in Beginning(files_of(roles.interactions.source), [*dict.fromkeys(names)], SAMPLE_CHARACTERS):
        texts = chunk.texts()
        for user, item, when, event, quantity in zip(*(texts[name].to_pylist() for name in names), strict=True):
            is_strongest = not label.choice or event == label.choice[0]
            if user and item and is_strongest and not (refunds and quantity.startswith("-")):
                days[folded(user), folded(item)].add((microseconds(when, timestamp.format) or 0) // _DAY)
    again = sum(len(one) > 1 for one in days.values())
    if again and again >= _SEEN_AGAIN * len(days):
        why = f"{again:,} of {len(days):,} pairs of user and item are on several days"
        yield Line("recommend_seen", True, why)  # noqa: FBT003 - the value of a line
