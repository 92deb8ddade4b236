"""Tables with every kind of column, under names that engines and files could misread."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROWS, USERS, NEW_USERS, ITEMS = 6_000, 32, 12, 300
GENRES = ("Action", "Comedy", "Drama", "Noir")
NUMERIC = ("length.min", "a`b", "größe", "x[0]{y}:z")
CATEGORICAL = ("user.id", "item.id", "genres", "wohn ort", "said 'so'")
CROSS = ("user.id", "genres")
RELEASED = {"column": "released", "format": "day-first", "zone": "Europe/Lisbon", "missing": ["?"]}
LATE = 0.9
"""In the last tenth of the time a third of the rows are of users who are new."""


def write_kinds(folder: Path) -> Path:
    """The config of users as Parquet, items as TSV and interactions as CSV.

    Each user likes one genre, and each genre is liked by as many. In each of six months new items come, and one in
    twenty has no time. Films of a user's genre are clicked more, and so are those that are younger than 30 days.
    """
    random = np.random.default_rng(5)
    pairs = [f"{one}|{other}" for one in GENRES for other in GENRES if one < other]
    first = pd.Timestamp("2025-10-01")
    came = first + pd.to_timedelta(random.integers(0, 180 * 24 * 60, ITEMS), "min")
    items = pd.DataFrame({"item.id": [f"i{item}" for item in range(ITEMS)], "genres": (pairs * 50)[:ITEMS]})
    items["released"] = came.strftime("%d/%m/%Y %H:%M")
    items.loc[::20, "released"] = "?"
    items["length.min"], items["größe"] = random.integers(60, 200, ITEMS), random.normal(size=ITEMS)
    items.to_csv(folder / "items.tsv", sep="\t", index=False)

    everybody = USERS + NEW_USERS
    users = pd.DataFrame({"user.id": [f"u{user}" for user in range(everybody)]})
    users["joined"] = random.integers(1_500_000_000, 1_750_000_000, everybody)
    users["a`b"], users["wohn ort"] = random.normal(size=everybody), random.choice(["Köln", "Bonn", ""], everybody)
    users.to_parquet(folder / "users.parquet")

    seen = first + pd.to_timedelta(np.sort(random.choice(180 * 24 * 3_600, ROWS, replace=False)), "s")
    is_new = (np.arange(ROWS) >= LATE * ROWS) & (random.random(ROWS) < 1 / 3)
    user = np.where(is_new, USERS + random.integers(0, NEW_USERS, ROWS), random.integers(0, USERS, ROWS))
    item = random.integers(0, ITEMS, ROWS)
    rows = pd.DataFrame({"user.id": users["user.id"].to_numpy()[user], "item.id": items["item.id"].to_numpy()[item]})
    rows["seen.at"] = seen.strftime("%F %T")
    rows["x[0]{y}:z"], rows["said 'so'"] = random.normal(size=ROWS), random.choice(["yes", "no"], ROWS)
    liked = [GENRES[one % 4] in items["genres"][other].split("|") for one, other in zip(user, item, strict=True)]
    days = (seen - came[item]) / pd.Timedelta(days=1)
    young = (days > 0) & (days < 30) & (item % 20 != 0)
    odds = -2.5 + 3 * np.array(liked) + 3 * young
    rows["clicked"] = (random.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(int)
    rows.to_csv(folder / "interactions.csv", index=False)
    return write_config(folder, "dataset")


def write_config(folder: Path, name: str, **changes: object) -> Path:
    """A config of these tables in `folder`."""
    content: dict[str, object] = {
        "interactions": "interactions.csv",
        "users": {"path": "users.parquet", "key": "user.id"},
        "items": {"path": "items.tsv", "key": "item.id"},
        "label": {"column": "clicked"},
        "numeric": [*NUMERIC],
        "categorical": [{"column": one, "separator": "|"} if one == "genres" else one for one in CATEGORICAL],
        "crosses": [[*CROSS]],
        "times": [RELEASED, "joined"],
        "timestamp": "seen.at",
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content | changes, allow_unicode=True), encoding="utf-8")
    return file
