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
from training.config import CandidatesFrom, TablesSpec
from training.tables.columns import KEYS, table_rules
from training.tables.quick import ROWS, matches
from training.tables.reading import read_all, read_heads

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
    """The choices among the interactions whose user and item are in their tables.

    Users and items are numbered by their keys. Raises `TooManyInteractionsError` for more than `MOST_ROWS`.
    """
    users, items, labels, times, found = [], [], [], [], Counter[str]()
    rules = table_rules(spec)
    entities = {table: read_all(spec, replace(rules[table], features=[])) for table in spec.joined}
    known_keys = {table: entity.known[KEYS[table]] for table, entity in entities.items()}
    for own in read_heads(spec, rules["interactions"], rules):
        _, known, counts = matches(own.keys, known_keys, own.rows)
        found += counts + Counter({ROWS: int(known.sum())})
        if found[ROWS] > MOST_ROWS:
            raise TooManyInteractionsError(f"There are more than {MOST_ROWS:,} interactions.")
        users.append(own.keys[KEYS["users"]].filter(pa.array(known)))
        items.append(own.keys[KEYS["items"]].filter(pa.array(known)))
        if own.label is not None:
            labels.append(own.label[known])
        if own.time is not None:
            times.append(own.time[known])
    (user, user_keys), (item, item_keys) = _numbered(users), _numbered(items)
    interactions = Interactions(
        users=user,
        items=item,
        values=np.ones(found[ROWS]),
        times=np.concatenate(times) / MICROSECONDS if times else None,
        user_count=len(user_keys),
        item_count=len(item_keys),
    )
    everything = spec.candidates_from is CandidatesFrom.ALL or spec.label.only_positives
    return Chosen(
        found=found,
        choices=interactions if everything else interactions.only(np.concatenate(labels) == 1),
        users=user_keys.to_pylist(),
        items=item_keys.to_pylist(),
        listed=np.ones(len(item_keys), np.bool_),
    )


def _numbered(parts: list[pa.StringArray]) -> tuple[npt.NDArray[np.int64], pa.StringArray]:
    """The number of each key, int64[n], and the keys by number, sorted."""
    encoded = pa.chunked_array(parts, pa.string()).combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places[encoded.indices.to_numpy()], encoded.dictionary.take(pa.array(order))
