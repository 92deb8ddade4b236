"""`POST /score`, `/rank`, `/explain`, `/recommend` and `/similar`, from the request's body to the response's.

Reading and answering are separate steps, because the records of several requests are scored together in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from scoring.model.model import ServedModel
from scoring.model.recommend_request import keyed, read_recommend, read_similar
from scoring.model.recommending import PlacementsQuery, RecommendQuery, SimilarQuery
from scoring.model.records import Lookups, RankId, Values
from scoring.responses import BatchAnswer, Contribution, ExplainAnswer, RankAnswer, RankedItem, ScoreAnswer

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Query:
    """A checked request."""

    rows: list[Values]
    """The records to score."""
    answer: Callable[[Sequence[float], ServedModel], bytes]
    """The response's JSON, given the probability of each of `rows` by a model."""


class Operation(NamedTuple):
    """The operation behind a path."""

    name: str
    read: Callable[[ServedModel, bytes, Lookups], "Query | ExplainQuery | RecommendQuery"]
    """Checks a body for a model, and looks up what it names by id; raises a `Rejection`."""
    recommends: bool = False
    """Whether it scores no records, and takes longer."""


def _one(probabilities: Sequence[float], model: ServedModel) -> bytes:
    return _encode(ScoreAnswer(probability=probabilities[0], model=model.name))


def _several(probabilities: Sequence[float], model: ServedModel) -> bytes:
    return _encode(BatchAnswer(probabilities=list(probabilities), model=model.name))


def _ranked(top: int | None, ids: Sequence[RankId], probabilities: Sequence[float], model: ServedModel) -> bytes:
    order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])[:top]
    items = [RankedItem(index=index, id=ids[index], probability=probabilities[index]) for index in order]
    return _encode(RankAnswer(items=items, model=model.name))


@dataclass(slots=True)
class ExplainQuery:
    """A record to explain, which takes a hundred times as long as scoring it."""

    rows: list[Values]

    def explain(self, inputs: npt.NDArray[np.float64], probability: float, model: ServedModel) -> bytes:
        """The response's JSON, from the record's `inputs`, float64[1, f]."""
        raw_score, average, contributions = model.click_model.explain(inputs)
        strongest = sorted(contributions.items(), key=lambda one: -abs(one[1]))
        answer = ExplainAnswer(
            probability=probability,
            raw_score=raw_score,
            average=average,
            contributions=[Contribution(feature=feature, contribution=value) for feature, value in strongest],
            model=model.name,
        )
        return msgspec.json.encode(answer)  # not the shared encoder, since this runs outside the event loop's thread


def _read_score(model: ServedModel, body: bytes, lookups: Lookups) -> Query:
    rows, is_batch = model.click_model.types.read_score(body, lookups)
    return Query(rows, _several if is_batch else _one)


def _read_rank(model: ServedModel, body: bytes, lookups: Lookups) -> Query:
    rows, ids, top = model.click_model.types.read_rank(body, lookups)
    return Query(rows, partial(_ranked, top, ids))


def _read_explain(model: ServedModel, body: bytes, lookups: Lookups) -> ExplainQuery:
    return ExplainQuery([model.click_model.types.read_record(body, lookups)])


def _read_recommend(model: ServedModel, body: bytes, _lookups: Lookups) -> RecommendQuery:
    request = keyed(read_recommend(body), model.bundle.schema)
    return RecommendQuery(request) if request.placements is msgspec.UNSET else PlacementsQuery(request)


def _read_similar(model: ServedModel, body: bytes, _lookups: Lookups) -> RecommendQuery:
    request, together = read_similar(body)
    return SimilarQuery(keyed(request, model.bundle.schema), together=together)


OPERATIONS = {
    "/score": Operation("score", _read_score),
    "/rank": Operation("rank", _read_rank),
    "/explain": Operation("explain", _read_explain),
    "/recommend": Operation("recommend", _read_recommend, recommends=True),
    "/similar": Operation("similar", _read_similar, recommends=True),
}
"""The operations by path."""
