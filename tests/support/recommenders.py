"""Small recommenders for tests, in bundles."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import GOLDEN, METADATA, MODEL, Metadata, seal
from features.encoder import FOLDER as ENCODER
from features.encoder import Encoder
from features.reference import FILE as REFERENCE
from features.schema import Schema
from recommend import catalogue, histories
from recommend.catalogue import ItemRow, Layout, State
from recommend.columns import PairColumns
from recommend.first_stage import ItemWeights
from recommend.histories import UserRow
from recommend.ranking import CandidateRanking, FirstStageInputs
from recommend.recommender import FOLDER, Recommender
from tests.support.bundles import make_bundle
from tests.support.services import RunningService
from training.model.native import lightgbm

SCHEMA = Schema(numeric=("age",), categorical=("genre",))
ITEM_TO_ITEM = np.array(
    [
        [0.0, 0.5, 0.25, 0.0, 0.0],
        [0.5, 0.0, 0.5, 0.0, -0.25],
        [0.25, 0.5, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.125, -0.25, 0.0, 0.0, 0.0],
    ]
)
"""What each of five items adds to the others: a and c go with b, nothing goes with d."""
ITEMS = ["a", "b", "c", "d", "17"]
STORED_ITEMS = ["gone", "d", "b"]
"""The items in stored histories, by the numbers there."""
REJECTED = "NDCG@10 0.1000 is 0.1000 lower than that of the most popular items, so it does not serve."


def recommender() -> Recommender:
    """A recommender of five items."""
    return Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM))


def ranking_recommender() -> Recommender:
    """The same, with a second stage by the items' years: users over 50 prefer old ones, all others new ones."""
    columns = PairColumns(
        schema=Schema(numeric=("age", "year"), categorical=("town",)),
        items={"year": [2020.0, 1980.0, 1990.0, 2000.0, None]},
    )
    first_stage = FirstStageInputs(choices=np.arange(5, 0, -1), columns=columns)
    names = [*first_stage.names, *columns.schema.encoded_features]
    inputs = np.random.default_rng(1).normal(size=(1_000, len(names)))
    inputs[:, names.index("age")] = inputs[:, names.index("age")] * 20 + 50
    inputs[:, names.index("year")] = inputs[:, names.index("year")] * 20 + 2000
    is_new = inputs[:, names.index("year")] > 1995
    liked = is_new ^ (inputs[:, names.index("age")] > 50)
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True}
    booster = lightgbm.train(settings, lightgbm.Dataset(inputs, liked), 20)
    ranking = CandidateRanking(
        weight=10.0,
        first_stage=first_stage,
        encoder=encoder_of(columns.schema),
        model=booster.model_to_string(),
        predict=lambda inputs: np.asarray(booster.predict(inputs)),
    )
    return replace(recommender(), ranking=ranking)


def encoder_of(schema: Schema, *tables: npt.NDArray[np.int64]) -> Encoder:
    """An encoder with other inputs for each value of the `tables`, ascending hashes by column; without any, of none."""
    values = tables or [np.empty(0, np.int64)] * len(schema.categories)
    hashes = np.concatenate(values)
    return Encoder(
        columns=schema.categories,
        offsets=np.cumsum([0, *map(len, values)]),
        hashes=hashes,
        rates=np.linspace(0.1, 0.9, len(hashes), dtype=np.float32),
        log_counts=np.linspace(1, 5, len(hashes), dtype=np.float32),
        unseen=np.zeros((len(schema.categories), 2), np.float32),
    )


def make_recommending_bundle(folder: Path, made: Recommender | None, *, schema: Schema = SCHEMA) -> Path:
    """A sealed bundle with this recommender, or with training's rejection of one, in the new folder `folder`."""
    make_bundle(folder, schema=schema, rows=300, trees=3)
    metadata = msgspec.json.decode((folder / METADATA).read_bytes(), type=Metadata)
    judgement = {"accepted": made is not None, "reason": REJECTED}
    changed = msgspec.structs.replace(metadata, metrics={"recommender": judgement})
    (folder / METADATA).write_bytes(msgspec.json.encode(changed))
    if made is not None:
        made.save(folder / FOLDER, seed=1)
    seal(folder)
    return folder


def make_bundle_of_positives(folder: Path, made: Recommender) -> Path:
    """The same as training writes it of positives alone: with this recommender, and without a click model."""
    make_recommending_bundle(folder, made)
    for name in (MODEL, GOLDEN, REFERENCE):
        (folder / name).unlink()
    shutil.rmtree(folder / ENCODER)
    seal(folder)
    return folder


def write_snapshots(
    folder: Path,
    *,
    genres: dict[str, str] | None = None,
    withdrawn: Sequence[str] = (),
    show: tuple[str, ...] = (),
) -> Path:
    """The histories of three users and a catalogue of all items but 17, in `folder`; some were `withdrawn` from it.

    u1 chose b and is 30; u2 only is in the users' table; "3" chose an item that the recommender does not know.
    """
    rows = [
        UserRow("3", _packed("gone"), {}),
        UserRow("u1", _packed("b"), {"age": "30"}),
        UserRow("u2", b"", {"age": "40"}),
    ]
    histories.write(folder / histories.FILE, STORED_ITEMS, rows, "user_id")
    write_catalogue(folder, genres or {"a": "x", "b": "x|y", "c": "y", "d": ""}, withdrawn, show)
    return folder


def write_catalogue(
    folder: Path, genres: dict[str, str], withdrawn: Sequence[str] = (), show: tuple[str, ...] = ()
) -> str:
    """A catalogue of items with these genres in `folder`, which cost 9.5 each if that is shown, and its version."""
    price = {"price": "9.5"} if "price" in show else {}
    items = [
        ItemRow(key, {"title": f"Film {key}"} | price | ({"genre": genre} if genre else {}), State.TRAINED)
        for key, genre in genres.items()
    ]
    items += [ItemRow(key, {"genre": "x"}, State.WITHDRAWN) for key in withdrawn]
    separators = {"title": "", **dict.fromkeys(price, ""), "genre": "|"}
    layout = Layout(item_column="item_id", separators=separators, numbers=tuple(price), show=show)
    return catalogue.write(folder / catalogue.FILE, items, layout)


def _packed(*keys: str) -> bytes:
    return np.array([STORED_ITEMS.index(key) for key in keys], histories.PACKED).tobytes()


def asked(running: RunningService, **body: object) -> Any:
    """The answer to a `POST /recommend` that must succeed."""
    answer = running.client.post("/recommend", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def items(answer: Any) -> list[str]:
    """The items that an answer recommends, in order."""
    return [one["item"] for one in answer["items"]]
