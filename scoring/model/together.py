"""Recommends for several requests at once: their items are ranked and scored in one call, which costs little more."""

from collections.abc import Callable, Generator, Sequence

from recommend.recommender import Wanted
from recommend.stored import SnapshotError
from scoring.model.lookups import Lookups
from scoring.model.model import ServedModel
from scoring.model.recommending import Found, Ranked, RecommendQuery
from scoring.request_errors import NoRecommender
from scoring.responses import RecommendAnswer


def recommend_to_each(
    queries: Sequence[RecommendQuery],
    model: ServedModel,
    lookups: Lookups,
    complain: Callable[[SnapshotError], None],
) -> list[RecommendAnswer | Exception]:
    """The response to each query, or why there is none: `NoRecommender` if the model has none, or see `steps`.

    `complain` gets what is wrong with a snapshot that was altered.
    """
    recommender = model.recommender
    if recommender is None:
        return [NoRecommender(model.why_no_recommender) for _ in queries]
    running = [query.steps(recommender, model, lookups, complain) for query in queries]
    found: list[Wanted | Found | Exception] = [_next(one, None) for one in running]
    while waiting := [(number, one) for number, one in enumerate(found) if isinstance(one, Wanted)]:
        every = recommender.best_of_each([one for _, one in waiting])
        for (number, _), ranked in zip(waiting, every, strict=True):
            found[number] = _next(running[number], ranked)
    _add_probabilities([one for one in found if isinstance(one, Found)], model)
    return [one.answer if isinstance(one, Found) else one for one in found if not isinstance(one, Wanted)]


def _next(steps: Generator[Wanted, Ranked, Found], ranked: Ranked | None) -> Wanted | Found | Exception:
    try:
        return next(steps) if ranked is None else steps.send(ranked)
    except StopIteration as end:
        found: Found = end.value
        return found
    except Exception as error:  # noqa: BLE001 - that of one query is not the others'
        return error


def _add_probabilities(found: Sequence[Found], model: ServedModel) -> None:
    """Write the probability of a click into each item of the responses that has a record."""
    records = [record for one in found for record in one.records]
    items = [item for one in found if one.records for item in one.answer.items]
    for item, probability in zip(items, model.click_model.probabilities(records) if records else [], strict=True):
        item.probability = probability
