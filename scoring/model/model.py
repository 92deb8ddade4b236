"""A loaded model: its click model, its recommender, or both.

Drift is measured beside the click model: population stability indices of a sample of a worker's rows against the
model's baseline sample. The request path only keeps references to arrays that it made anyway, until there are enough
rows.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import Bundle, GoldenRecord
from features.errors import PersonalizationError
from features.reference import Reference, column_values, stability_index
from features.schema import Schema
from recommend.arrays import Indices, Numbers
from recommend.first_stage import ItemWeights
from recommend.ranking import Predict
from recommend.recommender import FOLDER, GOLDEN_TOP, METRIC, Recommender, read_golden
from scoring.engines import Engine, EngineName, open_engine
from scoring.engines.lightgbm import Booster, LightGbmEngine, Prediction
from scoring.model.encoding import RowEncoder
from scoring.model.records import RequestTypes, Values
from scoring.native import KERNEL, Kernel
from scoring.request_errors import Refusal, Rejection
from scoring.responses import ModelName

_NO_REASON = -1
BATCH_ROWS = 1_000
"""How many rows are compared together. With fewer, chance would dominate."""
BATCH_SECONDS = 5.0
"""The shortest time between two comparisons, which take a millisecond or two each."""
KEPT = 0.95
"""By how much each batch reduces the weight of earlier ones: the figures reflect about the last 20,000 rows."""
Weights = npt.NDArray[np.floating[Any]]
"""Weighted row counts of a histogram's bins, [k]; earlier rows count less."""

GOLDEN_TOLERANCE = 1e-9
"""The largest accepted difference between training's figure for a golden record or request and the service's."""


class GoldenError(PersonalizationError):
    """The model does not reproduce the probabilities that training computed."""


class Watch:
    """Compares a sample of the scored rows with the model's baseline sample."""

    def __init__(self, schema: Schema, reference: Reference) -> None:
        self._schema = schema
        self._reference = reference
        self._wanted = BATCH_ROWS
        self._next = time.monotonic()
        self._seen: list[tuple[npt.NDArray[np.float64], Sequence[float]]] = []
        self._places = {column.name: place for place, column in enumerate(schema.columns)}
        self._counts: dict[str, Weights] = {
            name: np.zeros(len(histogram.rows)) for name, histogram in reference.columns.items()
        }
        self._prediction: Weights = np.zeros(len(reference.prediction.rows))

    def see(self, inputs: npt.NDArray[np.float64], probabilities: Sequence[float]) -> None:
        """Keep scored rows, inputs float64[n, m], if more are needed."""
        if self._wanted > 0:
            if len(probabilities) > self._wanted:  # copied, since a slice would keep the whole array alive
                inputs, probabilities = inputs[: self._wanted].copy(), probabilities[: self._wanted]
            self._wanted -= len(probabilities)
            self._seen.append((inputs, probabilities))

    def compare(self) -> tuple[int, float, dict[str, float]] | None:
        """The number of compared rows, and the index of the prediction and of each column; None if no batch is due."""
        if self._wanted > 0 or time.monotonic() < self._next:
            return None
        inputs = np.concatenate([inputs for inputs, _ in self._seen])
        probabilities = np.concatenate([probabilities for _, probabilities in self._seen])
        self._seen.clear()
        self._wanted = BATCH_ROWS
        self._next = time.monotonic() + BATCH_SECONDS
        values = column_values(self._schema, inputs)
        self._prediction = KEPT * self._prediction + self._reference.prediction.count(probabilities)
        indices = {}
        for name, histogram in self._reference.columns.items():
            self._counts[name] = KEPT * self._counts[name] + histogram.count(values[:, self._places[name]])
            indices[name] = stability_index(histogram.rows, self._counts[name])
        return len(inputs), stability_index(self._reference.prediction.rows, self._prediction), indices


@dataclass(frozen=True, kw_only=True)
class ClickModel:
    """A loaded click model. `types` are the requests that name its columns."""

    schema: Schema
    golden: tuple[GoldenRecord, ...]
    types: RequestTypes
    encoder: RowEncoder
    booster: Booster
    engine: Engine
    watch: Watch

    @classmethod
    def load(cls, bundle: Bundle, *, engine: EngineName, max_records: int, by_id: bool) -> Self | None:
        """The click model of a bundle, None if it has none. Raises a `PersonalizationError` if it cannot be served."""
        clicks = bundle.clicks
        if clicks is None:
            return None
        booster = Booster(clicks.trees, len(bundle.schema.encoded_features))
        return cls(
            schema=bundle.schema,
            golden=clicks.golden,
            types=RequestTypes(bundle.schema, max_records=max_records, by_id=by_id),
            encoder=RowEncoder(bundle.schema, clicks.encoder),
            booster=booster,
            engine=open_engine(engine, clicks.trees, booster),
            watch=Watch(bundle.schema, clicks.reference),
        )

    async def score(self, rows: list[Values]) -> list[float]:
        """The click probability of each record."""
        return await self.engine.score(self.encoder.encode(rows))

    def probabilities(self, rows: list[Values]) -> list[float]:
        """The same in this process, whichever the engine; slower where that scores elsewhere."""
        inputs = self.encoder.encode(rows)
        if self.engine.score_now is not None:
            return self.engine.score_now(inputs)
        found: list[float] = self.booster.predict(inputs, Prediction.PROBABILITY).tolist()
        return found

    def explain(self, inputs: npt.NDArray[np.float64]) -> tuple[float, float, dict[str, float]]:
        """The raw score (log odds) of a record with these `inputs`, float64[1, f], the average one, and what each
        feature adds to that: LightGBM's SHAP values, of a feature with several inputs their sum.

        Safe outside the event loop's thread.
        """
        *contributions, average = self.booster.predict(inputs, Prediction.CONTRIBUTIONS)[0].tolist()
        raw_score = float(self.booster.predict(inputs, Prediction.RAW_SCORE)[0])
        return raw_score, average, {name: sum(contributions[own]) for name, own in self.schema.places.items()}

    def close(self) -> None:
        """Free the engine and the model."""
        self.engine.close()
        self.booster.close()

    async def check_golden(self, bundle_hash: str) -> int:
        """Start the engine, score the golden records as requests and return how many there are.

        Raises `GoldenError` if one differs from training's probability by more than `GOLDEN_TOLERANCE`.
        """
        if not self.golden:
            raise GoldenError(f"The bundle {bundle_hash[:12]} has no golden record. Train the model again.")
        try:
            rows = [self.types.read_score(msgspec.json.encode(one.record))[0][0] for one in self.golden]
        except Rejection as error:
            raise GoldenError(f"A golden record is not a valid request: {error.message}") from error
        await self.engine.start()
        single = [(await self.score([row]))[0] for row in rows]
        together = await self.score(rows)
        for index, one in enumerate(self.golden):
            for found in (single[index], together[index]):
                # Written so that NaN is a mismatch too.
                if not abs(found - one.probability) <= GOLDEN_TOLERANCE:
                    raise GoldenError(
                        f"Golden record {index} of the bundle {bundle_hash[:12]} scores {found!r} here, but "
                        f"training computed {one.probability!r}. Serve another version, or train the model again."
                    )
        return len(self.golden)


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model with everything that requests need."""

    name: ModelName
    bundle: Bundle
    clicks: ClickModel | None
    """None if the dataset has only positives."""
    recommender: Recommender | None
    """None if the dataset has no users and items, or if training rejected it."""

    @classmethod
    def load(cls, path: Path, *, name: ModelName, engine: EngineName, max_records: int) -> Self:
        """Load the bundle in `path`; raises a `PersonalizationError` if it was altered or cannot be served."""
        bundle = Bundle.load(path)
        by_id, folder = METRIC in bundle.metadata.metrics, path / FOLDER
        return cls(
            name=name,
            bundle=bundle,
            clicks=ClickModel.load(bundle, engine=engine, max_records=max_records, by_id=by_id),
            recommender=with_kernel(Recommender.load(folder, open_ranking)) if folder.is_dir() else None,
        )

    @property
    def click_model(self) -> ClickModel:
        """The click model; raises `NO_CLICK_MODEL` if there is none."""
        if self.clicks is None:
            raise Refusal.NO_CLICK_MODEL(
                "This model does not give click probabilities: it was trained only on positives, which tell what users "
                "choose, and not how often they don't. It answers /recommend and /similar."
            )
        return self.clicks

    @property
    def ready(self) -> bool:
        """Whether it can answer now."""
        return self.clicks is None or self.clicks.engine.ready

    @property
    def has_users_and_items(self) -> bool:
        """Whether training tried a recommender."""
        return METRIC in self.bundle.metadata.metrics

    @property
    def compared_columns(self) -> list[str]:
        """The categorical columns, by which new items are compared with known ones."""
        return [field.name for field in self.bundle.schema.texts]

    @property
    def why_no_recommender(self) -> str:
        """Why training rejected the recommender, for a model that has none."""
        return str(self.bundle.metadata.metrics[METRIC]["reason"])

    def close(self) -> None:
        """Free the engine and the model."""
        if self.clicks is not None:
            self.clicks.close()

    async def check_golden(self) -> int:
        """Start the engine, compare the golden records and requests with training, and return how many there are: the
        records, or without a click model the requests.

        Raises `GoldenError` if one differs by more than `GOLDEN_TOLERANCE`, or if there is nothing to serve.
        """
        if self.clicks is None and self.recommender is None:
            raise GoldenError(f"The bundle {self.bundle.hash[:12]} has no model to serve. Train the model again.")
        records = 0 if self.clicks is None else await self.clicks.check_golden(self.bundle.hash)
        requests = 0 if self.recommender is None else check_recommender(self.recommender, self.bundle)
        return records or requests


def open_ranking(model: Path, inputs: int) -> Predict:
    """The probabilities by the recommender's second stage, in this process."""
    return LightGbmEngine(model, Booster(model, inputs)).score_now


def check_recommender(recommender: Recommender, bundle: Bundle) -> int:
    """The number of golden requests; raises `GoldenError` unless each gets what training recommended."""
    golden = read_golden(bundle.path / FOLDER)
    for index, one in enumerate(golden):
        history = np.array([recommender.numbers[key] for key in one.history], dtype=np.int64)
        kinds = None if one.kinds is None else np.array(one.kinds, np.int8)
        found = recommender.recommend(history, GOLDEN_TOP, np.empty(0, np.int64), one.user, kinds, new=one.new)
        items = [recommender.items[item.item] for item in found]
        differences = [abs(item.score - score) for item, score in zip(found, one.scores, strict=False)]
        # Written so that NaN is a mismatch too.
        if items != one.items or not all(difference <= GOLDEN_TOLERANCE for difference in differences):
            here = ", ".join(f"{key} ({item.score!r})" for key, item in zip(items, found, strict=True))
            wanted = ", ".join(f"{key} ({score!r})" for key, score in zip(one.items, one.scores, strict=True))
            raise GoldenError(
                f"Golden request {index} of the bundle {bundle.hash[:12]} gets the items {here} here, but training "
                f"recommended {wanted}. Serve another version, or train the model again."
            )
    return len(golden)


@dataclass(frozen=True, kw_only=True)
class KernelWeights(ItemWeights):
    """The same weights, and to the last bit the same results."""

    kernel: Kernel

    def scores(self, history: Indices, counts: Numbers | None = None) -> Numbers:
        """See `ItemWeights.scores`."""
        scores, each = np.zeros(self.items), np.ones(len(history)) if counts is None else counts
        self.kernel.add_weights(self.starts, self.others, self.weights, history, scores, each)
        return scores

    def reasons(self, history: Indices, best: Indices, most: int, least: Numbers | None = None) -> list[list[int]]:
        """See `ItemWeights.reasons`."""
        found, left = np.full((len(best), most), _NO_REASON), np.full(len(best), -np.inf)
        if least is not None:
            left[:] = least
        self.kernel.reasons(self.starts, self.others, self.weights, history, found, best, left)
        found[left >= 0] = _NO_REASON
        return [[item for item in row if item != _NO_REASON] for row in found.tolist()]


def with_kernel(recommender: Recommender, kernel: Kernel | None = KERNEL) -> Recommender:
    """The recommender, which computes by the kernel what that can, if there is one."""
    if kernel is None:
        return recommender
    weights = KernelWeights(**vars(recommender.first_stage), kernel=kernel)
    return replace(recommender, first_stage=weights, best_of=partial(best_of, kernel))


def best_of(kernel: Kernel, scores: npt.NDArray[np.float64], top: int) -> Indices:
    """See `recommend.ranking.best_of`."""
    places = np.empty(min(top, len(scores)), np.int64)
    return places[: kernel.best(scores, places)]
