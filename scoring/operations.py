"""What `POST /score`, `POST /rank` and `POST /explain` compute, from a body to the body of the answer."""

import msgspec

from scoring.answers import (
    BatchAnswer,
    Contribution,
    ExplainAnswer,
    ModelName,
    RankAnswer,
    RankedItem,
    ScoreAnswer,
)
from scoring.model import ServedModel

_encode = msgspec.json.Encoder().encode


async def score(model: ServedModel, name: ModelName, body: bytes) -> tuple[bytes, int]:
    """The answer's JSON and how many records it scored; raises a `Rejection`."""
    rows, is_batch = model.types.read_score(body)
    probabilities = await model.score(rows)
    if is_batch:
        return _encode(BatchAnswer(probabilities=probabilities, model=name)), len(rows)
    return _encode(ScoreAnswer(probability=probabilities[0], model=name)), 1


async def rank(model: ServedModel, name: ModelName, body: bytes) -> tuple[bytes, int]:
    """The answer's JSON and how many records it scored; raises a `Rejection`."""
    query = model.types.read_rank(body)
    probabilities = await model.score(query.rows)
    order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])[: query.top]
    items = [RankedItem(index=index, probability=probabilities[index]) for index in order]
    return _encode(RankAnswer(items=items, model=name)), len(query.rows)


async def explain(model: ServedModel, name: ModelName, body: bytes) -> tuple[bytes, int]:
    """The answer's JSON and how many records it scored; raises a `Rejection`."""
    row = model.types.read_record(body)
    probabilities = await model.score([row])
    found = model.explain(row)
    strongest = sorted(found.contributions.items(), key=lambda one: -abs(one[1]))
    answer = ExplainAnswer(
        probability=probabilities[0],
        raw_score=found.raw_score,
        average=found.average,
        contributions=[Contribution(feature=feature, contribution=value) for feature, value in strongest],
        model=name,
    )
    return _encode(answer), 1
