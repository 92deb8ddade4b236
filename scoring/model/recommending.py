"""`POST /recommend`: items for somebody whose choices the request names. It scores no records."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from recommend.arrays import Indices
from recommend.recommender import Recommender
from scoring.model.model import ServedModel
from scoring.model.recommend_request import RecommendRequest
from scoring.request_errors import NoRecommender
from scoring.responses import Fallback, RecommendAnswer, RecommendedItem

DEFAULT_TOP = 10
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class RecommendQuery:
    """A checked request."""

    request: RecommendRequest

    def answer(self, model: ServedModel) -> bytes:
        """The response's JSON. Raises `NoRecommender` if the model has none."""
        recommender, request = model.recommender, self.request
        if recommender is None:
            raise NoRecommender(model.why_no_recommender)
        history = _known(recommender, request.history)
        excluded = _known(recommender, () if request.exclude is msgspec.UNSET else request.exclude)
        top = DEFAULT_TOP if request.top is msgspec.UNSET else int(request.top)
        found = recommender.recommend(history, top, excluded)
        keys = recommender.items
        fallback = []
        if len(history) < len(set(map(str, request.history))):
            fallback.append(Fallback.UNKNOWN_ITEMS)
        if not len(history):
            fallback.append(Fallback.POPULAR)
        if len(found) < top:
            fallback.append(Fallback.FEWER)
        items = [
            RecommendedItem(item=keys[item], score=score, reason=_reason([keys[one] for one in because]))
            for item, score, because in found
        ]
        return _encode(RecommendAnswer(items=items, fallback=fallback, model=model.name))


def _known(recommender: Recommender, keys: Sequence[str | int]) -> Indices:
    """The numbers of the items that are known, each once."""
    numbers = recommender.numbers
    found = {numbers.get(key if isinstance(key, str) else str(key), -1) for key in keys} - {-1}
    return np.array(sorted(found), dtype=np.int64)


def _reason(because: list[str]) -> str:
    return f"because of {', '.join(because)}" if because else "popular"
