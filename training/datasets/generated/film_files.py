"""Invented users, films and views as three tables with a dataset config: from there on, like anybody's tables."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from pyarrow import csv

from training.config import TablesSpec
from training.datasets.generated import films
from training.datasets.generated.films import DEVICE, FILM, USER
from training.datasets.manifest import Manifest, manifest, written_aside
from training.datasets.tables import SPEC, load_copy
from training.parameters import FilmsDataset
from training.runtime import cache_folder
from training.tables.progress import STAGE, Reporter, silent

CONFIG = {
    "interactions": "views.csv",
    "users": {"path": "users.csv", "key": USER},
    "items": {"path": "films.csv", "key": FILM},
    "label": {"column": "watched"},
    "timestamp": "shown_at",
    "numeric": ["age", "year", "minutes"],
    "categorical": [USER, FILM, "country", "favourite_genre", {"column": "genres", "separator": "|"}, DEVICE],
    "crosses": [[USER, "genres"], ["favourite_genre", "genres"]],
    "factors": [USER, FILM],
}
START = np.datetime64("2026-01-01T00:00:00", "s")
BYTES_A_USER, BYTES_A_FILM, BYTES_A_VIEW = 22, 50, 42
"""On average."""


def describe(dataset: FilmsDataset) -> Manifest:
    """The manifest of the tables: the generator's version and its parameters."""
    views = dataset.users * int(films.VIEWS)
    return manifest(
        dataset.kind,
        f"{dataset.users:,} users and {dataset.films:,} films, seed {dataset.seed}, generator version {films.VERSION}",
        (),
        size=dataset.users * BYTES_A_USER + dataset.films * BYTES_A_FILM + views * BYTES_A_VIEW,
        generator=films.VERSION,
        users=dataset.users,
        films=dataset.films,
        seed=dataset.seed,
    )


def materialize(dataset: FilmsDataset, folder: Path, report: Reporter) -> None:
    """Write the tables and their config into `folder`."""
    world = films.world(dataset)
    with written_aside(folder) as aside:
        csv.write_csv(_users(world), aside / "users.csv", _OPTIONS)
        csv.write_csv(_films(world), aside / "films.csv", _OPTIONS)
        drawn = []
        for first in range(0, dataset.users, films.USERS_TOGETHER):
            drawn.append(_views(films.views(world, first)))
            done = min(first + films.USERS_TOGETHER, dataset.users)
            report(STAGE, f"views of {done:,} of {dataset.users:,} users drawn", done=done, total=dataset.users)
        csv.write_csv(pa.concat_tables(drawn).sort_by("shown_at"), aside / "views.csv", _OPTIONS)
        (aside / SPEC).write_text(yaml.safe_dump(CONFIG, sort_keys=False), encoding="utf-8")


def spec_of(dataset: FilmsDataset) -> TablesSpec:
    """The config of a copy in the cache, which is written if it isn't there yet."""
    copy = cache_folder() / dataset.kind / describe(dataset).hash
    if not copy.exists():
        materialize(dataset, copy, silent)
    return load_copy(copy)


_OPTIONS = csv.WriteOptions(quoting_style="needed")


def _users(of: films.World) -> pa.Table:
    number = len(of.ages)
    return pa.table(
        {
            USER: [films.key("u", user) for user in range(number)],
            "age": of.ages,
            "country": np.take(films.COUNTRIES, of.countries),
            "favourite_genre": np.take(films.GENRES, of.favourites),
        }
    )


def _films(of: films.World) -> pa.Table:
    return pa.table(
        {
            FILM: [films.key("f", film) for film in range(len(of.titles))],
            "title": of.titles,
            "genres": ["|".join(films.GENRES[genre] for genre in own) for own in of.genres],
            "year": of.years,
            "minutes": of.minutes,
        }
    )


def _views(of: films.Views) -> pa.Table:
    seconds = (of.moments * films.DAYS * 24 * 60 * 60).astype("timedelta64[s]")
    return pa.table(
        {
            USER: [films.key("u", user) for user in of.users],
            FILM: [films.key("f", film) for film in of.films],
            DEVICE: np.take(films.DEVICES, of.devices),
            "shown_at": np.datetime_as_string(START + seconds),
            "watched": of.label,
        }
    )
