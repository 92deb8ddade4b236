"""Tables as files, for runs on own data."""

from pathlib import Path
from typing import Any

import pandas as pd


def write_tables(
    folder: Path, *, interactions: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame
) -> dict[str, Any]:
    """Write the tables to `folder`, and return what a description of them begins with: it has no features yet."""
    tables = {"interactions": interactions, "users": users, "items": items}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {
        "interactions": "interactions.csv",
        "users": {"path": "users.csv", "key": "user_id"},
        "items": {"path": "items.csv", "key": "item_id"},
        "label": {"column": "clicked"},
    }
