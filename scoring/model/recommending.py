"""`POST /recommend`: items for a user, or for somebody whose choices the request names. It scores no records.

`POST /similar` is the same for somebody who chose one item alone. New items have places among recommended ones: without
them nobody would choose these, and no model learn from it. The items for several requests are ranked and scored in one
call, which costs little more.
"""

import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np

from features.values import key_of
from recommend.arrays import Indices, Mask, Numbers
from recommend.catalogue import Catalogue, KnownItem
from recommend.columns import Value
from recommend.histories import Stored
from recommend.ranking import CANDIDATES, best_of, diverse
from recommend.recommender import Recommended, Recommender, Wanted
from recommend.stored import SnapshotError
from scoring.model.filtering import left_out, matching, require_column, varied
from scoring.model.model import ServedModel
from scoring.model.recommend_request import MOST_CANDIDATES, RecommendRequest
from scoring.model.records import Lookups, pairs, read_context, read_stored
from scoring.request_errors import Refusal, Rejection
from scoring.responses import Fallback, HistoryItem, KnownUser, PlacedItems, Reason, RecommendAnswer, RecommendedItem

MOST_NEW_COMPARED = 1_000
"""So many of the new items with the best scores are looked at, where `at_most` leaves some out."""

Ranked = tuple[Indices, Numbers]
"""Items, best first, and their scores."""
DEFAULT_TOP = 10
MOST_SHOWN = 100
"""The most items of a history that are returned."""
_NOBODY = Stored(chosen=np.empty(0, np.int64), columns={})


class NewItem(NamedTuple):
    """A new item by its number in the catalogue and its key, with what records say of it."""

    number: int
    key: str
    said: KnownItem

    def shown(self, names: Iterable[str]) -> RecommendedItem:
        """The item in a response, with these columns."""
        return RecommendedItem(item=self.key, score=None, reason=Reason.NEW, because=[], columns=self.said.shown(names))


def _above_average(history: Indices, recommender: Recommender) -> Numbers:
    """How far known items score above the average, float64[m]; without a history by their popularity, in the order of
    which they are.
    """
    scores: Numbers = -np.log1p(np.arange(len(recommender.items)))
    if len(history):
        scores = recommender.blend.scores(recommender.first_stage, history)
    above: Numbers = scores - scores.mean()
    return above


class Found(NamedTuple):
    """A response without probabilities, and for each item its record; none without a click model or a catalogue."""

    answer: RecommendAnswer
    records: list[tuple[Any, ...]]


@dataclass(slots=True)
class RecommendQuery:
    """A checked request. Reasons, which nobody may read, take a fifth of the time."""

    request: RecommendRequest
    reasons: bool = True
    fallback: list[Fallback] = field(default_factory=list)
    by_others: ClassVar[bool] = False
    """See `Wanted`."""

    def steps(self, recommender: Recommender, model: ServedModel, lookups: Lookups) -> Generator[Wanted, Ranked, Found]:
        """What has to be ranked, perhaps several times, and at last what was found; see `scoring.model.recommending`.

        Raises `UNKNOWN_FIELD` for columns that the catalogue does not have, and like `read_context`.
        """
        request = self.request
        names = _to_show(request, lookups.catalogue)
        stored = self._stored(lookups)
        own = self._history(recommender)
        history, kinds = np.concatenate([stored.chosen, own]), stored.kinds
        if kinds is not None:
            kinds = np.concatenate([kinds, np.zeros(len(own), np.int8)])
        match = matching(request, lookups.catalogue)
        had = history if kinds is None else history[kinds == 0]
        excluded = np.concatenate([self._excluded(recommender, had), left_out(match, lookups.catalogue)])
        top = DEFAULT_TOP if request.top is msgspec.UNSET else int(request.top)
        user = self._user(stored, recommender)
        places = min(lookups.places if request.new is msgspec.UNSET else int(request.new), top - 1)
        unknown = self._new(match, history, recommender, lookups) if places else _NOBODY.chosen
        is_new = not len(stored.chosen)
        wanted = Wanted(history, top, excluded, user, kinds, new=is_new, by_others=self.by_others)
        items, scores, new = yield from self._placed(wanted, unknown, places, recommender, lookups)
        explained = wanted if self.reasons else wanted._replace(history=_NOBODY.chosen)
        found = recommender.explained(explained, items, scores)
        if not recommender.is_personal(wanted, items):
            self.fallback.append(Fallback.POPULAR)
        if len(found) + len(new) < top:
            self.fallback.append(Fallback.FEWER)
        past = np.unique(history).tolist() if request.details is True else []
        named = {*past[:MOST_SHOWN], *(one.item for one in found), *(item for one in found for item in one.because)}
        keys = recommender.items
        said = _said([keys[item] for item in named], lookups)
        shown = {item: _shown(keys[item], said, names) for item in named}
        answer = RecommendAnswer(
            items=[_recommended(one, shown) for one in found] + [one.shown(names) for one in new],
            fallback=self.fallback,
            known=msgspec.UNSET
            if request.details is not True
            else KnownUser(
                history=[shown[item] for item in past[:MOST_SHOWN]],
                chosen=len(past),
                columns={field.name: user.get(field.name) for field in recommender.user_columns},
            ),
            event_id=secrets.token_hex(16),
            catalogue=None if lookups.catalogue is None else lookups.catalogue.version,
            model=model.name,
        )
        if model.clicks is None or len(said) < len(named):
            return Found(answer, [])
        texts = [said[keys[one.item]] for one in found] + [one.said for one in new]
        columns = self._columns(stored, user, model, lookups)
        return Found(answer, pairs(columns, texts, model.bundle.schema.fields))

    def _new(self, match: Mask | None, history: Indices, recommender: Recommender, lookups: Lookups) -> Indices:
        """The new items by their numbers in the catalogue, the best first.

        `match`, bool[c], says which items of the catalogue the filter allows, None for all. What the request names as
        chosen or excluded is not new.
        """
        request, catalogue, new = self.request, lookups.catalogue, lookups.new
        if catalogue is None or new is None or not len(new.numbers):
            return _NOBODY.chosen
        scores = new.scores(_above_average(history, recommender))
        named = {
            key_of(key) for keys in (request.history, request.exclude) if keys is not msgspec.UNSET for key in keys
        }
        try:
            is_named = np.isin(new.numbers, catalogue.among(named - recommender.numbers.keys()))
        except SnapshotError as error:
            lookups.complain(error)
            return _NOBODY.chosen
        scores[is_named if match is None else is_named | ~match[new.numbers]] = -np.inf
        return new.numbers[::-1][best_of(scores[::-1], MOST_NEW_COMPARED)]  # of equal ones the latest first

    def _excluded(self, recommender: Recommender, history: Indices) -> Indices:
        """The items that the request does not want, or that were chosen and are not to be repeated."""
        unwanted = _known(recommender, self.request.exclude)
        if recommender.repeats if self.request.seen is msgspec.UNSET else self.request.seen:
            return unwanted
        return np.concatenate([unwanted, history])

    def _best(self, wanted: Wanted, _recommender: Recommender) -> Generator[Wanted, Ranked, Ranked]:
        """The best items for a history."""
        return (yield wanted)

    def _placed(
        self, wanted: Wanted, unknown: Indices, places: int, recommender: Recommender, lookups: Lookups
    ) -> Generator[Wanted, Ranked, tuple[Indices, Numbers, list[NewItem]]]:
        """The best items with their scores, and those of the new items `unknown` for the last `places`, as many as
        there are; the first place is never theirs.

        No more of all of them than `at_most` share a value, if it is given: the best items are looked for among as few
        candidates as suffice, and `MOST_CANDIDATES` at most, the first of these in an order with the request's
        `diversity`.
        """
        request, catalogue, top = self.request, lookups.catalogue, wanted.top
        if request.at_most in (msgspec.UNSET, {}) and not request.diversity:
            new = _said_of_new(unknown[:places], lookups)
            items, scores = yield from self._best(wanted._replace(top=top - len(new)), recommender)
            return items, scores, new
        candidates = max(top, CANDIDATES)
        while True:
            items, scores = yield from self._best(wanted._replace(top=candidates), recommender)
            if request.diversity:
                first = min(CANDIDATES, len(items))
                likeness = recommender.first_stage.likeness(items[:first])
                order = diverse(scores[:first], likeness, request.diversity, first)
                items[:first], scores[:first] = items[order], scores[order]
            numbers, new = items if catalogue is None else catalogue.numbers[items], []
            if len(unknown):
                before = numbers[varied(numbers, top - places, request, catalogue)].tolist()
                new = _said_of_new(unknown[varied(unknown, places, request, catalogue, before)], lookups)
            left = top - len(new)
            kept = varied(numbers, left, request, catalogue, [one.number for one in new])
            if len(kept) == left or len(items) < candidates or candidates == MOST_CANDIDATES:
                return items[kept], scores[kept], new
            candidates = min(4 * candidates, MOST_CANDIDATES)

    def _stored(self, lookups: Lookups) -> Stored:
        """What is stored of the user that the request names."""
        user = self.request.user
        if user is msgspec.UNSET:
            return _NOBODY
        try:
            found = lookups.find(key_of(user))
        except SnapshotError as error:
            lookups.complain(error)
            self.fallback.append(Fallback.NO_HISTORIES)
            return _NOBODY
        if found is None:
            self.fallback.append(Fallback.NO_HISTORIES if lookups.histories is None else Fallback.UNKNOWN_USER)
        return found or _NOBODY

    def _user(self, stored: Stored, recommender: Recommender) -> dict[str, Value]:
        """The user's columns for the ranking, those of the request before stored ones."""
        context = {} if self.request.context is msgspec.UNSET else self.request.context
        columns = recommender.user_columns
        return read_stored(stored.columns, columns) | read_context(context, columns)

    def _columns(
        self, stored: Stored, user: dict[str, Value], model: ServedModel, lookups: Lookups
    ) -> dict[str, Value]:
        """The user's columns for the click model: those for the ranking, other stored ones, and the key."""
        named = self.request.user
        texts = stored.columns if named is msgspec.UNSET else lookups.texts(key_of(named), stored)
        others = {name: text for name, text in texts.items() if name not in user}
        return read_stored(others, model.bundle.schema.fields) | user

    def _history(self, recommender: Recommender) -> Indices:
        """The items of the request's own history that are known."""
        given = self.request.history
        known = _known(recommender, given)
        if given is not msgspec.UNSET and len(known) < len(given):
            self.fallback.append(Fallback.UNKNOWN_ITEMS)
        return known


@dataclass
class SimilarQuery(RecommendQuery):
    """A checked request for items that are similar to one, which is the whole history: the same users chose them, or
    with `together` they are in the same baskets.

    If none is, items come by the values that they share with it, then by popularity.
    """

    together: bool = False
    by_others: ClassVar[bool] = True
    _like: Numbers | None = None
    """How much each of the recommender's items is like it, float64[m], unless the first stage says so."""

    def steps(self, recommender: Recommender, model: ServedModel, lookups: Lookups) -> Generator[Wanted, Ranked, Found]:
        """See `RecommendQuery.steps`; raises `NO_BASKETS`, and `UNKNOWN_ITEM` for an item that is not in the catalogue
        either.
        """
        (key,) = map(key_of, self.request.history or ())
        weights = recommender.together if self.together else recommender.first_stage
        if weights is None:
            raise Refusal.NO_BASKETS(
                "This model does not know what was bought together: its dataset config names no `basket`. Leave out "
                "`kind`, or name a `basket` and train again.",
                field="kind",
            )
        item = _known(recommender, [key])
        goes_with_others = len(item) > 0 and not weights.is_alone(item[0])
        if goes_with_others and not self.together:
            return (yield from super().steps(recommender, model, lookups))
        self._like = weights.scores(item) if goes_with_others else self._by_values(key, recommender, model, lookups)
        self._like[item] = -np.inf
        self.request = msgspec.structs.replace(self.request, history=[])
        found = yield from super().steps(recommender, model, lookups)
        alike = [one for one in found.answer.items if one.score]
        because = [_shown(key, _said([key], lookups), _to_show(self.request, lookups.catalogue))]
        for one in alike:
            one.reason, one.because = Reason.TOGETHER if goes_with_others else Reason.ATTRIBUTES, because
        if len(alike) == len(found.answer.items):
            self.fallback.remove(Fallback.POPULAR)
        if alike and not goes_with_others:
            self.fallback.insert(0, Fallback.ATTRIBUTES)
        return found

    def _by_values(self, key: str, recommender: Recommender, model: ServedModel, lookups: Lookups) -> Numbers:
        """How much each of the recommender's items is like this one, float64[m], by what the catalogue says."""
        catalogue = lookups.catalogue
        number = -1 if catalogue is None else catalogue.find(key)
        if catalogue is None or number < 0:
            if key in recommender.numbers:
                return np.zeros(len(recommender.items))
            raise Refusal.UNKNOWN_ITEM("Nobody chose this item, and it is not in the catalogue.", field="item")
        return catalogue.like(number, model.compared_columns)[catalogue.numbers]

    def _best(self, wanted: Wanted, recommender: Recommender) -> Generator[Wanted, Ranked, Ranked]:
        if self._like is None:
            return (yield wanted)
        self._like[wanted.excluded] = -np.inf
        items = recommender.best_of(self._like, wanted.top)
        return items, self._like[items]


class PlacementsQuery(RecommendQuery):
    """A checked request for several lists, of which none repeats an item of another."""

    def steps(self, recommender: Recommender, model: ServedModel, lookups: Lookups) -> Generator[Wanted, Ranked, Found]:
        """See `RecommendQuery.steps`."""
        excluded: list[str | int] = [*(self.request.exclude or ())]
        lists: list[Found] = []
        placements = self.request.placements or ()
        for number, (one, request) in enumerate(zip(placements, self.request.placed(), strict=True)):
            query = RecommendQuery(msgspec.structs.replace(request, exclude=excluded), self.reasons)
            try:
                lists.append((yield from query.steps(recommender, model, lookups)))
            except Rejection as error:
                if error.field and error.field.startswith(tuple(f"filter.{name}" for name in one.filter or ())):
                    error.field = f"placements[{number}].{error.field}"
                raise
            excluded = [*excluded, *(item.item for item in lists[-1].answer.items)]
        self.fallback = [*dict.fromkeys(one for found in lists for one in found.answer.fallback)]
        placed = [
            PlacedItems(name=one.name, items=found.answer.items, fallback=found.answer.fallback)
            for one, found in zip(placements, lists, strict=True)
        ]
        answer = msgspec.structs.replace(lists[0].answer, items=[], fallback=self.fallback, placements=placed)
        records = [record for found in lists for record in found.records]
        return Found(answer, records if all(len(one.records) == len(one.answer.items) for one in lists) else [])


def _to_show(request: RecommendRequest, catalogue: Catalogue | None) -> list[str]:
    """The columns to show."""
    if request.show is msgspec.UNSET:
        return [] if catalogue is None else catalogue.layout.to_show
    for at, name in enumerate(request.show):
        require_column(name, f"show[{at}]", catalogue)
    return request.show


def _known(recommender: Recommender, keys: Sequence[str | float] | msgspec.UnsetType) -> Indices:
    """The numbers of the items that are known, in their order."""
    numbers = recommender.numbers
    found = map(numbers.get, () if keys is msgspec.UNSET else map(key_of, keys))
    return np.array([number for number in found if number is not None], dtype=np.int64)


def _said_of_new(numbers: Indices, lookups: Lookups) -> list[NewItem]:
    """These items of the catalogue; none if it was altered."""
    if (catalogue := lookups.catalogue) is not None:
        try:
            keys = [catalogue.key(number) for number in numbers]
            return [NewItem(int(one), key, catalogue.item(key)) for one, key in zip(numbers, keys, strict=True)]
        except SnapshotError as error:
            lookups.complain(error)
    return []


def _said(keys: Iterable[str], lookups: Lookups) -> dict[str, KnownItem]:
    """What the catalogue says of each item; nothing without a catalogue, or if it was altered."""
    if (catalogue := lookups.catalogue) is not None:
        try:
            return {key: catalogue.item(key) for key in keys}
        except SnapshotError as error:
            lookups.complain(error)
    return {}


def _shown(key: str, said: Mapping[str, KnownItem], names: Iterable[str]) -> HistoryItem:
    return HistoryItem(item=key, columns=said[key].shown(names) if key in said else {})


def _recommended(found: Recommended, shown: Mapping[int, HistoryItem]) -> RecommendedItem:
    own, because = shown[found.item], [shown[item] for item in found.because]
    return RecommendedItem(
        item=own.item,
        score=found.score,
        reason=Reason.HISTORY if because else Reason.POPULAR,
        because=because,
        columns=own.columns,
    )


def recommend_to_each(
    queries: Sequence[RecommendQuery], model: ServedModel, lookups: Lookups
) -> list[RecommendAnswer | Exception]:
    """The response to each query, or why there is none: `NO_RECOMMENDER` if the model has none, or see `steps`."""
    recommender = model.recommender
    if recommender is None:
        return [Refusal.NO_RECOMMENDER(model.why_no_recommender) for _ in queries]
    running = [query.steps(recommender, model, lookups) for query in queries]
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
    lists = [part.items for one in found if one.records for part in (one.answer, *(one.answer.placements or ()))]
    items = [item for own in lists for item in own]
    for item, probability in zip(items, model.click_model.probabilities(records) if records else [], strict=True):
        item.probability = probability
