"""A loaded model: its request types, encoder and engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import MODEL, Bundle
from recommend.ranking import Predict
from recommend.recommender import FOLDER, GOLDEN_TOP, METRIC, Recommender, read_golden
from scoring.engines import Engine, EngineName, open_engine
from scoring.engines.booster import Booster, Prediction
from scoring.engines.lightgbm import LightGbmEngine
from scoring.errors import GoldenError
from scoring.model.drift import Watch
from scoring.model.encoding import RowEncoder
from scoring.model.item_weights import with_kernel
from scoring.model.records import RequestTypes, Values
from scoring.request_errors import Rejection
from scoring.responses import ModelName

GOLDEN_TOLERANCE = 1e-9
"""The largest accepted difference between training's probability for a golden record and the service's."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A record's raw score (log odds) as the average plus each feature's contribution: LightGBM's SHAP values."""

    raw_score: float
    average: float
    contributions: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model with everything that requests need."""

    name: ModelName
    bundle: Bundle
    types: RequestTypes
    encoder: RowEncoder
    booster: Booster
    engine: Engine
    watch: Watch
    recommender: Recommender | None
    """None if the dataset has no users and items, or if training rejected it."""

    @classmethod
    def load(cls, path: Path, *, name: ModelName, engine: EngineName, max_records: int) -> Self:
        """Load the bundle in `path`; raises a `PersonalizationError` if it was altered or cannot be served."""
        bundle = Bundle.load(path)
        booster = Booster(path / MODEL, len(bundle.schema.encoded_features))
        return cls(
            name=name,
            bundle=bundle,
            types=RequestTypes(bundle.schema, max_records=max_records, by_id=METRIC in bundle.metadata.metrics),
            encoder=RowEncoder(bundle.schema, bundle.encoder),
            booster=booster,
            engine=open_engine(engine, path / MODEL, booster),
            watch=Watch(bundle.schema, bundle.reference),
            recommender=_recommender(path / FOLDER),
        )

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

    def explain(self, inputs: npt.NDArray[np.float64]) -> Explanation:
        """Explain the score of a record from its `inputs`, float64[1, f]. Safe outside the event loop's thread.

        A feature with several inputs gets the sum of their contributions.
        """
        *contributions, average = self.booster.predict(inputs, Prediction.CONTRIBUTIONS)[0].tolist()
        return Explanation(
            raw_score=float(self.booster.predict(inputs, Prediction.RAW_SCORE)[0]),
            average=average,
            contributions={name: sum(contributions[own]) for name, own in self.bundle.schema.places.items()},
        )

    def close(self) -> None:
        """Free the engine and the model."""
        self.engine.close()
        self.booster.close()

    async def check_golden(self) -> int:
        """Start the engine, score the golden records as requests and return how many there are.

        Raises `GoldenError` if one differs from training's probability by more than `GOLDEN_TOLERANCE`.
        """
        golden = self.bundle.golden
        if not golden:
            raise GoldenError(f"The bundle {self.bundle.hash[:12]} has no golden record. Train the model again.")
        try:
            rows = [self.types.read_score(msgspec.json.encode(one.record))[0][0] for one in golden]
        except Rejection as error:
            raise GoldenError(f"A golden record is not a valid request: {error.message}") from error
        await self.engine.start()
        single = [(await self.score([row]))[0] for row in rows]
        together = await self.score(rows)
        for index, one in enumerate(golden):
            for found in (single[index], together[index]):
                # Written so that NaN is a mismatch too.
                if not abs(found - one.probability) <= GOLDEN_TOLERANCE:
                    raise GoldenError(
                        f"Golden record {index} of the bundle {self.bundle.hash[:12]} scores {found!r} here, but "
                        f"training computed {one.probability!r}. Serve another version, or train the model again."
                    )
        if self.recommender is not None:
            check_recommender(self.recommender, self.bundle)
        return len(golden)


def _recommender(folder: Path) -> Recommender | None:
    return with_kernel(Recommender.load(folder, open_ranking)) if folder.is_dir() else None


def open_ranking(model: Path, inputs: int) -> Predict:
    """The probabilities by the recommender's second stage, in this process."""
    return LightGbmEngine(model, Booster(model, inputs)).score_now


def check_recommender(recommender: Recommender, bundle: Bundle) -> None:
    """Raise `GoldenError` unless `recommender` recommends for golden histories what training recommended."""
    for index, one in enumerate(read_golden(bundle.path / FOLDER)):
        history = np.array([recommender.numbers[key] for key in one.history], dtype=np.int64)
        found = recommender.recommend(history, GOLDEN_TOP, np.empty(0, np.int64), one.user)
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
