"""A loaded model: its click model, its recommender, or both."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from features.bundle import Bundle
from recommend.arrays import Indices, Numbers
from recommend.first_stage import ItemWeights
from recommend.ranking import Predict
from recommend.recommender import FOLDER, GOLDEN_TOP, METRIC, Recommender, read_golden
from scoring.engines import EngineName
from scoring.engines.lightgbm import Booster, LightGbmEngine
from scoring.errors import GoldenError
from scoring.model.click_model import GOLDEN_TOLERANCE, ClickModel
from scoring.native import KERNEL, Kernel
from scoring.request_errors import Refusal
from scoring.responses import ModelName

_NO_REASON = -1


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
        scores, each = np.zeros(len(self.others)), np.ones(len(history)) if counts is None else counts
        self.kernel.add_weights(len(scores), self.others, self.weights, history, scores, each)
        return scores

    def reasons(self, history: Indices, best: Indices, most: int, least: Numbers | None = None) -> list[list[int]]:
        """See `ItemWeights.reasons`."""
        found, left = np.full((len(best), most), _NO_REASON), np.full(len(best), -np.inf)
        if least is not None:
            left[:] = least
        self.kernel.reasons(len(self.others), self.others, self.weights, history, found, best, left)
        found[left >= 0] = _NO_REASON
        return [[item for item in row if item != _NO_REASON] for row in found.tolist()]


def with_kernel(recommender: Recommender, kernel: Kernel | None = KERNEL) -> Recommender:
    """The recommender, which computes by the kernel what that can, if there is one."""
    if kernel is None:
        return recommender
    weights = recommender.first_stage
    if isinstance(weights, ItemWeights):
        weights = KernelWeights(others=weights.others, weights=weights.weights, kernel=kernel)
    return replace(recommender, first_stage=weights, best_of=partial(best_of, kernel))


def best_of(kernel: Kernel, scores: npt.NDArray[np.float64], top: int) -> Indices:
    """See `recommend.ranking.best_of`."""
    places = np.empty(min(top, len(scores)), np.int64)
    return places[: kernel.best(scores, places)]
