"""Recommenders are judged on choices that they have not learned from, and refused where popularity is better."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from features.schema import Schema
from recommend import judgement, learning, nearest, splits
from recommend.arrays import Mask
from recommend.columns import PairColumns
from recommend.first_stage import ItemWeights
from recommend.interactions import Interactions
from recommend.judgement import (
    FIRST_STAGE,
    OWN,
    POPULARITY,
    RECOMMENDER,
    SAR,
    Figures,
    Judgement,
    Outcome,
    fit,
    interval,
    judge,
)
from recommend.learning import Ease
from recommend.metrics import Ranker
from recommend.nearest import Setting
from recommend.ranking import CandidateRanking, FirstStageInputs
from recommend.splits import Division, divide, halves, most_chosen
from training import recommending
from training.parameters import TrainingParameters
from training.recommending import WEIGHTS, RankingFit

RANKING = RankingFit(columns=None, users={}, parameters=TrainingParameters())
USERS, ITEMS, EACH = 120, 60, 16
DAY = 86_400.0


def drawn(*, taste: bool, times: bool = False) -> Interactions:
    """Choices by users who like one half of the items with `taste`, and else all of them by the same popularity."""
    chance = np.random.default_rng(2)
    popularity = 1 / np.arange(1, ITEMS + 1)
    items = []
    for user in range(USERS):
        weights = popularity * ((np.arange(ITEMS) % 2 == user % 2) if taste else 1)
        items.append(chance.choice(ITEMS, EACH, replace=False, p=weights / weights.sum()))
    order = np.tile(np.arange(EACH) * DAY, USERS)
    return Interactions(
        users=np.repeat(np.arange(USERS), EACH),
        items=np.concatenate(items),
        values=np.ones(USERS * EACH),
        times=order if times else None,
        user_count=USERS,
        item_count=ITEMS,
    )


def test_the_cost_of_diversity_is_that_of_another_order_of_the_same_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any it is the recommender's own order. With 1 nothing else counts."""
    rows = drawn(taste=True)
    ndcg = judge(rows, 1, RANKING).figures[RECOMMENDER].ndcg
    found = []
    for diversity in (0.0, 0.3, 1.0):
        monkeypatch.setattr(judgement, "DIVERSITY", diversity)
        found.append(judge(rows, 1, RANKING).diverse_ndcg)
    assert found[0] == pytest.approx(ndcg)
    assert found[0] != found[1] > found[2] + 0.2 > 0.2


@pytest.mark.parametrize("times", [False, True])
def test_a_recommender_of_users_with_taste_serves(times: bool) -> None:  # noqa: FBT001 - a parameter of the test
    rows = drawn(taste=True, times=times)
    found = judge(rows, 1, RANKING)
    assert found.accepted
    assert found.by_time is times
    assert (found.users, found.items) == (USERS, ITEMS)
    assert found.figures[RECOMMENDER].ndcg > found.figures[POPULARITY].ndcg + 0.05
    assert found.figures[RECOMMENDER].recall > found.figures[POPULARITY].recall
    assert 0 < found.figures[SAR].coverage <= 1
    assert found.found_more is not None
    assert (
        found.found_more[0] < found.figures[RECOMMENDER].found - found.figures[POPULARITY].found < found.found_more[1]
    )
    assert "higher than that of the most popular items" in found.reason
    assert not judge(replace(rows, times=np.ones(len(rows))), 1, RANKING).by_time, "nothing is later on one date"


def opposite(_learner: Ease, training: Interactions, _setting: Setting) -> ItemWeights:
    """Weights for those who dislike what others chose together, instead of what was chosen by validation."""
    chosen = training.matrix()
    return ItemWeights.cut(-(chosen.T @ chosen).toarray())


def test_a_recommender_that_is_worse_than_popularity_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ease, "fit", opposite)
    monkeypatch.setattr(RankingFit, "fit", lambda *_: None)
    found = judge(drawn(taste=True), 1, RANKING)
    assert not found.accepted
    assert found.figures[RECOMMENDER].ndcg < found.figures[POPULARITY].ndcg
    assert found.reason.endswith("so it does not serve.")
    assert found.outcome is Outcome.WORSE


def test_a_recommender_is_compared_with_the_stronger_baseline() -> None:
    """By hand: of users who choose their own three items again and again, all find one in their own list."""
    own = Interactions(
        users=np.repeat(np.arange(USERS), EACH),
        items=np.tile(np.arange(EACH) % 3, USERS) + 3 * np.repeat(np.arange(USERS) % 20, EACH),
        values=np.ones(USERS * EACH),
        times=np.tile(np.arange(EACH) * DAY, USERS),
        user_count=USERS,
        item_count=ITEMS,
    )
    found = judge(own, 1, replace(RANKING, repeats=True))
    assert found.figures[OWN].found == 1.0
    assert found.figures[POPULARITY].found < 0.5
    assert (found.stronger, found.found_more) == (OWN, (0.0, 0.0))
    assert found.outcome is Outcome.NOT_SHOWN


@pytest.mark.parametrize(
    ("accepted", "found_more", "outcome"),
    [
        (True, (0.004, 0.06), "better"),
        (True, (0.0, 0.06), "not shown to be better"),
        (True, (-0.02, 0.06), "not shown to be better"),
        (False, (-0.09, -0.02), "worse (would not be served)"),
    ],
)
def test_a_judgement_comes_to_one_line(accepted: bool, found_more: tuple[float, float], outcome: str) -> None:  # noqa: FBT001 - a parameter of the test
    figures = dict.fromkeys((RECOMMENDER, POPULARITY), Figures(found=0.2, ndcg=0.1, recall=0.1, coverage=1, popular=1))
    assert Judgement(accepted=accepted, reason="", found_more=found_more, figures=figures).outcome == outcome
    assert Judgement(accepted=False, reason="").outcome == "too few customers"


def test_too_many_items_for_all_pairs_are_learned_from_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(taste=True)
    few = judge(rows, 1, RANKING)
    monkeypatch.setattr(nearest, "MOST_PAIRED_ITEMS", ITEMS - 1)
    many = judge(rows, 1, RANKING)
    assert (few.nearest, few.first_stage) == (0, many.first_stage)
    assert many.nearest in learning.NEAREST
    assert many.figures[RECOMMENDER].ndcg == pytest.approx(few.figures[RECOMMENDER].ndcg, abs=0.02)
    assert many.figures[SAR] == few.figures[SAR]


def with_columns() -> RankingFit:
    """A ranking by columns that say nothing, one of which tells each user: it could learn their choices by heart."""
    chance = np.random.default_rng(5)
    columns = PairColumns(
        schema=Schema(numeric=("age",), categorical=("name", "genre", "item"), crosses=(("name", "item"),)),
        items={
            "genre": [str(value) for value in chance.integers(0, 4, ITEMS)],
            "item": [str(item) for item in range(ITEMS)],
        },
    )
    users = {"age": chance.normal(size=USERS).tolist(), "name": [str(user) for user in range(USERS)]}
    return RankingFit(columns=columns, users=users, parameters=TrainingParameters(min_category_rows=1))


@pytest.mark.parametrize("weights", [WEIGHTS, (1.0,)])
@pytest.mark.parametrize("ranking", [RANKING, with_columns()])
def test_without_taste_it_gains_nothing_beyond_chance(
    ranking: RankingFit, weights: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommending, "WEIGHTS", weights)
    rows = drawn(taste=False)
    found = judge(rows, 1, ranking)
    assert found.ranking_weight in weights
    assert (FIRST_STAGE in found.figures) is (found.ranking_weight > 0)
    assert found.figures[RECOMMENDER].ndcg < found.figures[POPULARITY].ndcg + 0.02


@pytest.mark.parametrize("times", [False, True])
def test_the_order_of_the_rows_changes_nothing(times: bool) -> None:  # noqa: FBT001 - a parameter of the test
    rows = drawn(taste=True, times=times)
    shuffled = np.random.default_rng(7).permutation(len(rows))
    first = judge(rows, 1, RANKING)
    assert judge(rows.only(shuffled), 1, RANKING) == first
    keys = [f"i{item}" for item in range(ITEMS)]
    one, other = (fit(rows.only(order), keys, first, RANKING) for order in (np.arange(len(rows)), shuffled))
    assert one.items == other.items
    assert isinstance(one.first_stage, ItemWeights)
    assert isinstance(other.first_stage, ItemWeights)
    assert np.array_equal(one.first_stage.weights, other.first_stage.weights)


def test_where_choices_are_repeated_everything_is_chosen_on_repeated_ones() -> None:
    chance = np.random.default_rng(9)
    own = np.stack([chance.permutation(np.arange(user % 2, ITEMS, 2))[:4] for user in range(USERS)])
    rows = replace(drawn(taste=True, times=True), items=np.tile(own, EACH // 4).ravel())
    found = judge(rows, 1, replace(RANKING, repeats=True))
    assert found.repeats
    assert found.figures[RECOMMENDER].ndcg == 1


def test_too_few_users_are_not_judged() -> None:
    rows = drawn(taste=True)
    few = rows.only(rows.users < 29)
    found = judge(few, 1, RANKING)
    assert not found.accepted
    assert found.figures == {}
    assert "29 users chose anything new" in found.reason


def test_a_second_choice_of_the_same_item_is_no_test_and_items_without_weights_are_missed() -> None:
    rows = Interactions(
        users=np.array([0, 0, 0, 1]),
        items=np.array([0, 0, 2, 1]),
        values=np.ones(4),
        times=None,
        user_count=2,
        item_count=3,
    )
    first = np.array([True, False, False, True])
    found = halves(rows, Division(first, first, by_moment=False), ITEMS)
    assert found.test.nnz == 0
    assert found.missed.tolist() == [1, 0]


def test_new_users_are_known_by_the_first_half_of_their_visits_and_asked_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last four users have one visit, which says nothing about what such users choose later."""
    known, once = 96, USERS - 4
    monkeypatch.setattr(splits, "FEWEST_KNOWN", known)
    monkeypatch.setattr(judgement, "FEWEST_USERS", (once - known) // 2)
    rows = drawn(taste=True, times=True)
    assert rows.times is not None
    is_new = rows.users >= known
    late = rows.times + np.where(is_new | (rows.times == (EACH - 1) * DAY), 100 * DAY, 0)
    late = replace(rows, times=np.where(rows.users >= once, 100 * DAY + rows.times / DAY, late))
    division = divide(late)
    assert not division.first[is_new].any()
    histories = np.bincount(late.users[division.histories & is_new])[known:]
    assert histories.tolist() == [EACH // 2] * (once - known) + [EACH] * (USERS - once)
    found = judge(late, 1, RANKING)
    assert found.by_moment
    assert (found.users, found.new_users) == (known, (once - known) // 2)
    assert found.figures_of_new[RECOMMENDER].ndcg > found.figures_of_new[POPULARITY].ndcg + 0.05
    assert found.figures_of_new[POPULARITY].popular > found.figures_of_new[RECOMMENDER].popular


def test_only_the_most_chosen_items_get_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(taste=False)
    monkeypatch.setattr(judgement, "MOST_ITEMS", 10)
    items = most_chosen(rows, 10)
    counts = np.bincount(rows.items)
    assert len(items) == 10
    assert counts[items].tolist() == sorted(counts.tolist(), reverse=True)[:10]
    chosen = Judgement(accepted=True, reason="", first_stage=Ease.name, regularisation=100.0)
    keys = [f"i{item}" for item in range(ITEMS)]
    found = fit(rows, keys, chosen, RANKING)
    assert found.items == [f"i{item}" for item in items]
    assert len(found.first_stage.scores(np.array([0]))) == 10


def test_the_interval_is_about_that_of_the_normal_distribution() -> None:
    differences = np.random.default_rng(3).normal(0.1, 1.0, 2_000)
    error = differences.std() / np.sqrt(len(differences))
    low, high = interval(differences, 4)
    assert low == pytest.approx(differences.mean() - 1.96 * error, abs=0.005)
    assert high == pytest.approx(differences.mean() + 1.96 * error, abs=0.005)


def at_random(*, views: bool) -> Interactions:
    """Orders of six items of one of 60 themes, or two items of the six that were viewed before in one session."""
    chance = np.random.default_rng(3)
    baskets = np.repeat(np.arange(5 * USERS), 8 if views else 6)
    themes = [chance.permutation(10)[:6] + 10 * chance.integers(60) for _ in range(5 * USERS)]
    return Interactions(
        users=baskets % USERS,
        items=np.concatenate([[*theme, *theme[: 2 * views]] for theme in themes]),
        values=np.ones(len(baskets)),
        times=(chance.random(5 * USERS) * 300 * DAY)[baskets] + 40 * (np.arange(len(baskets)) % 8),
        user_count=USERS,
        item_count=600,
        kinds=(np.arange(len(baskets)) % 8 < 6).astype(np.int8) if views else None,
        baskets=None if views else baskets,
    )


@pytest.mark.parametrize(("views", "times"), [(False, True), (False, False), (True, True)])
def test_what_is_chosen_at_random_is_not_found_by_what_was_chosen_beside_it(views: bool, times: bool) -> None:  # noqa: FBT001
    rows = at_random(views=views)
    found = judge(rows if times else replace(rows, times=None), 1, RANKING)
    assert found.users > USERS / 2
    assert not found.within_visits
    assert max(one.ndcg for one in found.figures.values()) < 0.04


def test_rows_of_a_visit_are_divided_only_where_too_few_users_have_two_and_rows_of_a_basket_never() -> None:
    rows = drawn(taste=True, times=True)
    assert rows.times is not None
    for users, is_divided in ((29, True), (30, False)):
        sessions = replace(rows, times=np.where(rows.users < users, rows.times, 0))
        found = judge(sessions, 1, RANKING)
        assert (found.within_visits, found.users) == (is_divided, USERS if is_divided else users)
        assert ("judged within visits" in found.reason) is is_divided
    found = judge(replace(rows, baskets=rows.users), 1, RANKING)
    assert not found.figures
    assert "or leave `basket` out" in found.reason


class Second:
    """A second stage that turns the order of the first so many users' candidates round."""

    repeats = False

    def __init__(self, worse: int) -> None:
        self.worse = worse

    def fit(self, choices: Interactions, held_out: Sequence[Mask], *_: object) -> CandidateRanking:
        """Labelled by the split that judges: by what each user chose last."""
        (last,) = held_out
        assert choices.times is not None
        assert (choices.times[last] >= 9 * DAY).all()
        assert (choices.times[~last] <= 9 * DAY).all()
        known = FirstStageInputs(choices=np.zeros(choices.item_count, np.int64), columns=None)
        return CandidateRanking(weight=1.0, first_stage=known, encoder=None, model="", predict=np.zeros_like)

    def ranker(self, _: CandidateRanking, first_stage: Ranker, *__: object) -> Ranker:
        """The first stage's order, or the other way round."""
        return lambda users: first_stage(users) * np.where(users < self.worse, -1, 1)[:, None].astype(np.float32)


def test_the_first_stage_serves_alone_only_where_the_second_one_is_worse_beyond_chance() -> None:
    rows = drawn(taste=True, times=True)
    found = {worse: judge(rows, 1, Second(worse)) for worse in (0, 1, USERS)}
    assert {worse: one.ranking_weight for worse, one in found.items()} == {0: 1, 1: 1, USERS: 0}
    alone = found[0].figures[FIRST_STAGE]
    assert found[1].figures[RECOMMENDER].ndcg < found[1].figures[FIRST_STAGE].ndcg == alone.ndcg
    assert [name for name, one in found[USERS].figures.items() if one == alone] == [RECOMMENDER]
    assert found[USERS].accepted
    assert found[USERS].diverse_ndcg == found[0].diverse_ndcg
