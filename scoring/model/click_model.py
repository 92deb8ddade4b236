"""What computes click probabilities: a bundle's click model with its request types, encoder and engine.

Drift is measured beside it: population stability indices of a sample of a worker's rows against the model's baseline
sample. The request path only keeps references to arrays that it made anyway, until there are enough rows.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import Bundle, GoldenRecord
from features.reference import Reference, column_values, stability_index
from features.schema import Schema
from scoring.engines import Engine, EngineName, open_engine
from scoring.engines.lightgbm import Booster, Prediction
from scoring.errors import GoldenError
from scoring.model.encoding import RowEncoder
from scoring.model.records import RequestTypes, Values
from scoring.request_errors import Rejection

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
