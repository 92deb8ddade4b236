"""Leaves rows of users who were forgotten out of a table, before anything else reads them."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from training.datasets.described.columns import KEYS
from training.datasets.described.fields import TableRules, keys_of


def without_forgotten(texts: Mapping[str, pa.StringArray], rules: TableRules) -> Mapping[str, pa.StringArray]:
    """The rows of users who were not forgotten."""
    column = rules.keys.get(KEYS["users"])
    if column is None or not rules.forgotten.users:
        return texts
    users = keys_of(texts[column])
    gone = [user for user in pc.unique(users).to_pylist() if user in rules.forgotten]
    kept = pc.invert(pc.is_in(users, pa.array(gone, pa.string())))
    return {name: values.filter(kept) for name, values in texts.items()}
