"""Small recommenders for tests, in bundles."""

from pathlib import Path

import msgspec
import numpy as np

from features.bundle import METADATA, Metadata, seal
from features.schema import Schema
from recommend.recommender import FOLDER, Recommender
from recommend.weights import ItemWeights
from tests.support.bundles import make_bundle

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
REJECTED = "NDCG@10 0.1000 is 0.1000 lower than that of the most popular items, so it does not serve."


def recommender() -> Recommender:
    """A recommender of five items."""
    return Recommender(items=ITEMS, weights=ItemWeights.cut(ITEM_TO_ITEM))


def make_recommending_bundle(folder: Path, made: Recommender | None) -> Path:
    """A sealed bundle with this recommender, or with training's rejection of one, in the new folder `folder`."""
    make_bundle(folder, schema=SCHEMA, rows=300, trees=3)
    metadata = msgspec.json.decode((folder / METADATA).read_bytes(), type=Metadata)
    judgement = {"accepted": made is not None, "reason": REJECTED}
    changed = msgspec.structs.replace(metadata, metrics={"recommender": judgement})
    (folder / METADATA).write_bytes(msgspec.json.encode(changed))
    if made is not None:
        made.save(folder / FOLDER, seed=1)
    seal(folder)
    return folder
