"""Recommends items to somebody whose choices are known: what training writes and the service loads.

The files in a bundle's folder `recommend`: the items' keys, the first stage's arrays, which workers map into memory,
and golden requests, by which a service proves that it recommends as training did. Nothing in them is about a single
user.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.bundle import BundleError
from features.columns import Field
from features.encoder import EncoderError
from recommend.arrays import Indices
from recommend.columns import Value
from recommend.first_stage import (
    BY_OTHERS,
    BY_OTHERS_ALONE,
    POPULAR,
    REASONED,
    Blend,
    ItemWeights,
    Kinds,
    Mix,
)
from recommend.ranking import CANDIDATES, BestOf, CandidateRanking, Candidates, FirstStageInputs, Predict, best_of

FOLDER = "recommend"
METRIC = "recommender"
"""The metric in a bundle's metadata that has training's judgement."""
FORMAT = 4
ITEMS, GOLDEN, BLEND = "items.json", "golden.json", "blend.npy"
GOLDEN_REQUESTS = 20
GOLDEN_TOP = 10
"""How many items a golden request asks for."""
RANKING, TOGETHER = "ranking", "together"
"""The folders of the second stage's files, and of those of what was chosen together."""
NOTHING: Mapping[str, Value] = {}
REASONS = 2
"""The most items of a history that are given as the reason for a recommendation."""


class Recommended(NamedTuple):
    """A recommended item and its score, by number, and the items of the history that it is recommended for."""

    item: int
    score: float
    because: list[int]


class Wanted(NamedTuple):
    """The best `top` items, 1 at least, that somebody wants who chose the items `history`; not the `excluded` ones.

    `user` has the columns that are known of them, for the ranking; `kinds` are those of the choices, None if all are of
    the strongest one. A `new` user is one of whom training knew no choice. What is wanted `by_others` is what goes with
    the history alone.
    """

    history: Indices
    top: int
    excluded: Indices
    user: Mapping[str, Value]
    kinds: Kinds | None = None
    new: bool = False
    by_others: bool = False


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """Made-up columns of a user, a made-up history with kinds of choices, if these count differently, and what training
    recommended for them, as keys of items.
    """

    new: bool = False
    user: dict[str, Value] = msgspec.field(default_factory=dict)
    history: list[str]
    kinds: list[int] | None = None
    items: list[str]
    scores: list[float]


class _Items(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `ITEMS`."""

    format: int
    items: list[str]
    repeats: bool = False
    mix: Mix = BY_OTHERS
    of_new: Mix | None = None


@dataclass(frozen=True, kw_only=True)
class Recommender:
    """The keys of m items, the most popular first, the first stage by others' choices with what is mixed into it, and
    the second one, if there is one.

    With `repeats`, what somebody chose is recommended to them again. `together` are weights between items that were
    chosen in the same baskets, if there were any. A history has the latest choice last, and an item
    as often as it was chosen. `best_of` finds the best scores.
    """

    items: list[str]
    first_stage: ItemWeights
    blend: Blend = BY_OTHERS_ALONE
    ranking: CandidateRanking | None = None
    repeats: bool = False
    together: ItemWeights | None = None
    best_of: BestOf = best_of

    @property
    def user_columns(self) -> tuple[Field, ...]:
        """The columns of users that the ranking reads."""
        columns = None if self.ranking is None else self.ranking.first_stage.columns
        return () if columns is None else columns.of_users

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each item by its key."""
        return {key: number for number, key in enumerate(self.items)}

    def recommend(
        self,
        history: Indices,
        top: int,
        excluded: Indices,
        user: Mapping[str, Value] = NOTHING,
        kinds: Kinds | None = None,
        *,
        new: bool = False,
    ) -> list[Recommended]:
        """The best `top` items with their scores and reasons; none of the `excluded`, nor without `repeats` of the
        history.
        """
        left_out = excluded if self.repeats else np.concatenate([history, excluded])
        wanted = Wanted(history, top, left_out, user, kinds, new=new)
        ((items, scores),) = self.best_of_each([wanted])
        return self.explained(wanted, items, scores)

    def best_of_each(self, wanted: Sequence[Wanted]) -> list[tuple[Indices, npt.NDArray[np.float64]]]:
        """For each of those who want items, the best ones, or all that are left, and their scores.

        Of items with equal scores the more popular one comes first.
        """
        offered = [self._offered(one) for one in wanted]
        ranked = [(own.items, own.scores) for own in offered]
        places = [place for place, one in enumerate(wanted) if self._ranks(one)]
        if self.ranking is not None and places:
            found = self.ranking.scores([offered[place] for place in places])
            for place, scores in zip(places, found, strict=True):
                order = np.argsort(-scores, kind="stable")[: wanted[place].top]
                ranked[place] = offered[place].items[order], scores[order]
        return ranked

    def _ranks(self, wanted: Wanted) -> bool:
        """Whether the second stage orders what somebody gets."""
        return self.ranking is not None and (not wanted.new or wanted.by_others or self.blend.of_new != POPULAR)

    def _offered(self, wanted: Wanted) -> Candidates:
        """What the first stage offers, for the second one if there is one."""
        every = self._blend(wanted).scores(self.first_stage, wanted.history, wanted.kinds, new=wanted.new)
        every[wanted.excluded] = -np.inf
        if self.ranking is None or not self._ranks(wanted):
            items = self.best_of(every, wanted.top)
        else:
            items = self.ranking.first_stage.candidates(
                every, wanted.history, max(wanted.top, CANDIDATES), self.best_of
            )
        return Candidates(wanted.history, items, every[items], wanted.user)

    def _blend(self, wanted: Wanted) -> Blend:
        return BY_OTHERS_ALONE if wanted.by_others else self.blend

    def is_personal(self, wanted: Wanted, items: Indices) -> bool:
        """Whether the `items` that somebody gets depend on their history; else they are the most popular."""
        mix = self._blend(wanted).of(new=wanted.new)
        return len(wanted.history) > 0 and bool(
            mix.others or self._ranks(wanted) or (mix.own and np.isin(items, wanted.history).any())
        )

    def explained(self, wanted: Wanted, best: Indices, scores: npt.NDArray[np.float64]) -> list[Recommended]:
        """These items with their scores, and the reasons from the latest of the history; see `Blend.reasons`."""
        history = wanted.history[-REASONED:]
        reasons = self._blend(wanted).reasons(self.first_stage, history, best, REASONS, new=wanted.new)
        return [*map(Recommended, best.tolist(), scores.tolist(), reasons)]

    def golden(self, seed: int) -> list[Golden]:
        """Golden requests with random histories."""
        chance = np.random.default_rng(seed)
        made = []
        for _ in range(GOLDEN_REQUESTS):
            history = chance.permutation(len(self.items))[: chance.integers(1, 21)]
            if self.repeats:
                history = chance.choice(history, 2 * len(history))
            user: dict[str, Value] = {one.name: one.asked.example for one in self.user_columns if chance.integers(2)}
            new = bool(chance.integers(2))
            kinds = None if self.blend.mix.weaker == 1 else chance.integers(2, size=len(history), dtype=np.int8)
            found = self.recommend(history, GOLDEN_TOP, np.empty(0, np.int64), user, kinds, new=new)
            made.append(
                Golden(
                    new=new,
                    user=user,
                    history=[self.items[item] for item in history],
                    kinds=None if kinds is None else kinds.tolist(),
                    items=[self.items[one.item] for one in found],
                    scores=[one.score for one in found],
                )
            )
        return made

    def save(self, folder: Path, seed: int) -> None:
        """Write the files to the new folder `folder`; `seed` draws the golden requests."""
        folder.mkdir()
        found = _Items(
            format=FORMAT,
            items=self.items,
            repeats=self.repeats,
            mix=self.blend.mix,
            of_new=self.blend.of_new,
        )
        (folder / ITEMS).write_bytes(msgspec.json.encode(found))
        (folder / GOLDEN).write_bytes(msgspec.json.encode(self.golden(seed)))
        self.first_stage.save(folder)
        if self.blend.of_items is not None:
            np.save(folder / BLEND, self.blend.of_items)
        if self.ranking is not None:
            self.ranking.save(folder / RANKING)
        if self.together is not None:
            (folder / TOGETHER).mkdir()
            self.together.save(folder / TOGETHER)

    @classmethod
    def load(cls, folder: Path, opened: Callable[[Path, int], Predict]) -> Self:
        """The recommender in `folder`, its arrays mapped; raises `BundleError` or `TreesError` if it cannot be used.

        `opened` gives the predictions of the ranking's model file, which has so many inputs.
        """
        try:
            found = msgspec.json.decode((folder / ITEMS).read_bytes(), type=_Items)
            if found.format != FORMAT:
                raise BundleError(
                    f"The recommender in {folder} has format {found.format}, but this code reads format {FORMAT}. "
                    "Train the model again with this code."
                )
            first_stage = ItemWeights.load(folder, len(found.items))
            of_items = np.load(folder / BLEND) if (folder / BLEND).is_file() else None
            if of_items is not None and (of_items.shape != (2, len(found.items)) or of_items.dtype != np.float64):
                raise ValueError(f"{BLEND} is not of {len(found.items)} items")  # noqa: TRY301 - as of what is loaded
            blend = Blend(mix=found.mix, of_new=found.of_new, of_items=of_items)
            ranking = CandidateRanking.load(folder / RANKING, opened) if (folder / RANKING).is_dir() else None
            together = ItemWeights.load(folder / TOGETHER, len(found.items)) if (folder / TOGETHER).is_dir() else None
            if ranking is not None:
                _require_size(ranking.first_stage, len(found.items))
        except (OSError, ValueError, msgspec.DecodeError, EncoderError) as error:
            raise BundleError(f"The recommender in {folder} cannot be read: {error}. Train the model again.") from error
        return cls(
            items=found.items,
            first_stage=first_stage,
            blend=blend,
            ranking=ranking,
            repeats=found.repeats,
            together=together,
        )


def items_in(folder: Path) -> list[str]:
    """The keys of the items of the recommender in `folder`, none without one; raises `BundleError`."""
    try:
        return msgspec.json.decode((folder / ITEMS).read_bytes(), type=_Items).items
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{folder / ITEMS} cannot be read: {error}. Train the model again.") from error


def read_golden(folder: Path) -> list[Golden]:
    """The golden requests in a recommender's `folder`; raises `BundleError` if they cannot be read."""
    try:
        return msgspec.json.decode((folder / GOLDEN).read_bytes(), type=list[Golden])
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{folder / GOLDEN} cannot be read: {error}. Train the model again.") from error


def _require_size(known: FirstStageInputs, items: int) -> None:
    """Raise `ValueError` unless the second stage knows so many items."""
    columns = {} if known.columns is None else known.columns.items
    if {len(known.choices), *map(len, columns.values())} != {items}:
        raise ValueError(f"its ranking is not of {items} items")
