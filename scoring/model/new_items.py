"""Places for new items among recommended ones: without them nobody would choose these, and no model learn from it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from features.keys import key_of
from recommend.arrays import Indices, Mask
from recommend.catalogue import ItemTexts
from recommend.ranking import best_of
from recommend.recommender import Recommender
from recommend.stored import SnapshotError
from scoring.model.filtering import varied
from scoring.model.lookups import Lookups
from scoring.model.recommend_request import RecommendRequest
from scoring.responses import RecommendedItem

LOOKED_AT = 1_000
"""So many of the new items with the best scores are looked at, where `at_most` leaves some out."""


class NewItem(NamedTuple):
    """A new item by its number in the catalogue and its key, with what records say of it."""

    number: int
    key: str
    said: ItemTexts

    def shown(self, names: Iterable[str]) -> RecommendedItem:
        """The item in a response, with these columns."""
        return RecommendedItem(item=self.key, score=None, reason="new", because=[], columns=self.said.shown(names))


def best_new(
    request: RecommendRequest,
    top: int,
    match: Mask | None,
    history: Indices,
    *,
    recommender: Recommender,
    lookups: Lookups,
    complain: Callable[[SnapshotError], None],
) -> list[NewItem]:
    """The new items for the last of `top` places, as many as wanted; the first place is never theirs.

    `match`, bool[c], says which items of the catalogue the filter allows, None for all, and `history`, int64[h], is
    what somebody chose of the recommender's items. What the request names as chosen or excluded is not new. `complain`
    gets what is wrong with a catalogue that was altered. Raises like `varied`.
    """
    most = min(lookups.places if request.new is msgspec.UNSET else int(request.new), top - 1)
    catalogue, new = lookups.catalogue, lookups.new
    if not most or catalogue is None or new is None or not len(new.numbers):
        return []
    scores = new.scores(_known(history, recommender))
    named = {key_of(key) for keys in (request.history, request.exclude) if keys is not msgspec.UNSET for key in keys}
    try:
        is_named = np.isin(new.numbers, catalogue.among(named - recommender.numbers.keys()))
        scores[is_named if match is None else is_named | ~match[new.numbers]] = -np.inf
        numbers = new.numbers[::-1][best_of(scores[::-1], LOOKED_AT)]  # of equal ones the latest first
        kept = numbers[varied(numbers, most, request, catalogue)].tolist()
        keys = [catalogue.key(number) for number in kept]
        return [NewItem(one, key, catalogue.item(key, one)) for one, key in zip(kept, keys, strict=True)]
    except SnapshotError as error:
        complain(error)
        return []


def _known(history: Indices, recommender: Recommender) -> npt.NDArray[np.float64]:
    """The scores of known items, float64[m]; without a history by their popularity, in the order of which they are."""
    if len(history):
        return recommender.first_stage.scores(np.unique(history))
    scores: npt.NDArray[np.float64] = -np.log1p(np.arange(len(recommender.items)))
    return scores
