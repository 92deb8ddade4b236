"""Who chose what, from the tables of a dataset config: read in this process, for the recommender."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import PersonalizationError
from recommend.arrays import Mask
from recommend.interactions import Interactions
from training.config import TablesSpec
from training.kernels.columns import LABEL, TIME
from training.memory import available
from training.tables.columns import KEYS, table_rules
from training.tables.quick import ROWS, matches, unknown
from training.tables.reading import explain, read_all, read_heads
from training.tables.refunds import codes_of, standing
from training.tables.typed import AMOUNT, BASKET

BYTES_OF_A_ROW = 600
"""What an interaction takes in memory while a recommender is learned; see `docs/explanation/scale.md`."""
BLOCKS_TOGETHER = 20
"""Blocks of rows whose keys are numbered in one go: of more, all texts would be held until then."""
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
    more than the memory that is left can hold, and `EmptyDatasetError` if nothing is left.
    """
    most = (left := available()) // BYTES_OF_A_ROW
    rules = table_rules(spec, listed=True)
    entities = {table: read_all(spec, replace(rules[table], features=[])) for table in spec.joined}
    known = {table: entity.known[KEYS[table]] for table, entity in entities.items()}
    found = sum((entity.uses for entity in entities.values()), Counter[str]())
    inner = {table: keys for table, keys in known.items() if table != "items"}

    def blocks() -> Iterator[dict[str, pa.Array]]:
        for own in read_heads(spec, rules["interactions"], rules):
            _, kept, counts = matches(own.columns, inner, own.rows, inner)
            found.update(counts + own.uses + Counter({ROWS: int(kept.sum())}))
            if found[ROWS] > most:
                raise TooManyInteractionsError(
                    f"There are more than {most:,} interactions, and no more fit in the {left / 1e9:.1f} GB of memory "
                    "that are left. Read fewer, by `interactions.days` or `where`, or train where there is more memory."
                )
            if kept.any():
                yield {name: values.filter(pa.array(kept)) for name, values in own.columns.items()}

    read, parts = blocks(), []
    while some := [*islice(read, BLOCKS_TOGETHER)]:
        parts.append({name: _encoded([one[name] for one in some]) for name in some[0]})
    if not found[ROWS]:
        explain(spec, rules)
    columns = {name: _together([part.pop(name) for part in parts]) for name in [*parts[0]]}
    user, user_keys, user_count = _users(columns)
    item, item_keys = _numbered(columns[KEYS["items"]])
    is_listed = np.ones(len(item_keys), np.bool_)
    if "items" in known:
        is_listed = known["items"].find(item_keys.cast(pa.string())).is_valid().to_numpy(zero_copy_only=False)
        found[unknown("items")] = int((~is_listed[item]).sum())
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
    return Chosen(
        found=found,
        choices=interactions if everything else interactions.only(columns[LABEL].to_numpy() == 1),
        users=user_keys.to_pylist(),
        items=item_keys.to_pylist(),
        listed=is_listed,
    )


def _encoded(blocks: Sequence[pa.Array]) -> pa.Array:
    """Some blocks of a column; of texts the different ones, and which of them each row has."""
    if not pa.types.is_string(blocks[0].type):
        return pa.concat_arrays(blocks)
    encoded = pa.chunked_array(blocks).dictionary_encode().chunks
    texts = encoded[0].dictionary.cast(pa.large_string())  # those of all blocks may take more than 2 GB
    return pa.DictionaryArray.from_arrays(pa.concat_arrays([one.indices for one in encoded]), texts)


def _together(parts: Sequence[pa.Array]) -> pa.Array:
    """A column of all rows, from what `_encoded` made."""
    if not pa.types.is_dictionary(parts[0].type):
        return pa.concat_arrays(parts)
    unified = pa.chunked_array(parts).unify_dictionaries().chunks
    return pa.DictionaryArray.from_arrays(pa.concat_arrays([one.indices for one in unified]), unified[0].dictionary)


def _users(columns: Mapping[str, pa.Array]) -> tuple[npt.NDArray[np.int64], pa.LargeStringArray, int]:
    """The number of each row's user, int64[n], the keys of those who are not one-time users, and the number of all."""
    numbers, keys = _numbered(columns[KEYS["users"]])
    if keys[0].as_py():
        return numbers, keys, len(keys)
    is_one_time = numbers == 0  # without a key, which is sorted before all others
    keys, numbers = keys[1:], numbers - 1
    baskets, places = np.unique(_numbered(columns[BASKET])[0][is_one_time], return_inverse=True)
    numbers[is_one_time] = len(keys) + places
    return numbers, keys, len(keys) + len(baskets)


def _numbered(texts: pa.DictionaryArray) -> tuple[npt.NDArray[np.int64], pa.LargeStringArray]:
    """The number of each key, int64[n], and the keys by number, sorted."""
    order = pc.sort_indices(texts.dictionary).to_numpy()
    return np.argsort(order)[texts.indices.to_numpy()], texts.dictionary.take(pa.array(order))
