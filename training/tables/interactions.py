"""Who chose what, from the tables of a dataset config: read in this process, for the recommender."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import PersonalizationError
from recommend.arrays import Mask
from recommend.interactions import Interactions
from training.config import TablesSpec
from training.kernels.columns import LABEL, TIME
from training.tables.columns import KEYS, table_rules
from training.tables.quick import ROWS, matches
from training.tables.reading import explain, read_all, read_heads
from training.tables.refunds import codes_of, standing
from training.tables.typed import AMOUNT, BASKET

MOST_ROWS = 20_000_000
"""The most interactions that a recommender is trained from: they come together in one process."""
MICROSECONDS = 1e6


class TooManyInteractionsError(PersonalizationError):
    """More interactions than a recommender is trained from."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The choices to learn from, and the keys of all users and items by number, also of those that only occur in other
    interactions. `found` counts rows; see `training.tables.quick`. `listed`, bool[m], says whether an item may be
    recommended: it is in the items' table, and fulfils the `where` of that.
    """

    choices: Interactions
    found: Mapping[str, int]
    users: list[str]
    items: list[str]
    listed: Mask


def read_chosen(spec: TablesSpec) -> Chosen:
    """The choices among the interactions whose user is in its table, or known by the basket alone, and which no refund
    takes back.

    Users and items are numbered by their keys, one-time users behind all others. Raises `TooManyInteractionsError` for
    more than `MOST_ROWS`, and `EmptyDatasetError` if nothing is left.
    """
    rules = table_rules(spec, listed=True)
    entities = {table: read_all(spec, replace(rules[table], features=[])) for table in spec.joined}
    known = {table: entity.known[KEYS[table]] for table, entity in entities.items()}
    found = sum((entity.uses for entity in entities.values()), Counter[str]())
    parts = []
    for own in read_heads(spec, rules["interactions"], rules):
        _, kept, counts = matches(own.columns, known, own.rows, known.keys() - {"items"})
        found += counts + own.uses + Counter({ROWS: int(kept.sum())})
        if found[ROWS] > MOST_ROWS:
            raise TooManyInteractionsError(f"There are more than {MOST_ROWS:,} interactions.")
        parts.append({name: values.filter(pa.array(kept)) for name, values in own.columns.items()})
    if not found[ROWS]:
        explain(spec, rules)
    columns = {name: pa.chunked_array([part[name] for part in parts]).combine_chunks() for name in parts[0]}
    user, user_keys, user_count = _users(columns)
    item, item_keys = _numbered(columns[KEYS["items"]])
    choice, basket = spec.label.choice, columns.get(BASKET)
    interactions = Interactions(
        users=user,
        items=item,
        values=np.ones(found[ROWS]),
        times=columns[TIME].to_numpy() / MICROSECONDS if TIME in columns else None,
        user_count=user_count,
        item_count=len(item_keys),
        kinds=columns[LABEL].to_numpy() if choice else None,
        baskets=None if basket is None else np.where(pc.equal(basket, ""), -1, codes_of(basket)),
    )
    stands, counts = standing(columns, rules["interactions"])
    found += counts
    if AMOUNT in columns:
        interactions = interactions.only(stands)
    everything = spec.candidates_from == "all" or spec.label.only_positives
    is_listed = known["items"].find(item_keys).is_valid() if "items" in known else pc.is_valid(item_keys)
    return Chosen(
        found=found,
        choices=interactions if everything else interactions.only(columns[LABEL].to_numpy() == 1),
        users=user_keys.to_pylist(),
        items=item_keys.to_pylist(),
        listed=is_listed.to_numpy(zero_copy_only=False),
    )


def _users(columns: Mapping[str, pa.Array]) -> tuple[npt.NDArray[np.int64], pa.StringArray, int]:
    """The number of each row's user, int64[n], the keys of those who are not one-time users, and the number of all."""
    users = columns[KEYS["users"]]
    is_one_time = pc.equal(users, "")
    codes, keys = _numbered(users.filter(pc.invert(is_one_time)))
    if BASKET not in columns or len(codes) == len(users):
        return codes, keys, len(keys)
    baskets, orders = _numbered(columns[BASKET].filter(is_one_time))
    numbers = np.empty(len(users), np.int64)
    once = is_one_time.to_numpy(zero_copy_only=False)
    numbers[~once], numbers[once] = codes, len(keys) + baskets
    return numbers, keys, len(keys) + len(orders)


def _numbered(texts: pa.StringArray) -> tuple[npt.NDArray[np.int64], pa.StringArray]:
    """The number of each key, int64[n], and the keys by number, sorted."""
    encoded = texts.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    places = np.argsort(order)
    return places[encoded.indices.to_numpy()], encoded.dictionary.take(pa.array(order))
