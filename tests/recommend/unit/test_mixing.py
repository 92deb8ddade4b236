"""What the first stage's score is made of, by hand, and that the simplest mix stays which no other one beats."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from msgspec.structs import replace as changed

from features.bundle import BundleError
from recommend import judgement, mixing
from recommend.first_stage import OWN, POPULAR, Blend, ItemWeights, Mix
from recommend.interactions import Interactions
from recommend.judgement import OWN as OWN_MOST
from recommend.judgement import POPULARITY, RECOMMENDER, Judgement, fit, judge
from recommend.learning import Ease, Sar, scorer, together
from recommend.metrics import evaluate, most_own, sar
from recommend.mixing import Plan, mixed, plan
from recommend.nearest import Setting
from recommend.recommender import BLEND, Recommender
from recommend.splits import Division, halves, most_chosen
from tests.recommend.unit.test_recommender import NOTHING, no_model
from training.parameters import TrainingParameters
from training.recommending import RankingFit

DAY = 86_400.0
THREE = ItemWeights.cut(np.array([[0.0, 0.5, 0.25], [0.5, 0.0, 0.125], [0.25, 0.125, 0.0]]))
RANKING = RankingFit(columns=None, users={}, parameters=TrainingParameters())
AGAIN = replace(RANKING, repeats=True)


def rows(
    *found: tuple[int, int, float], kinds: list[int] | None = None, baskets: list[int] | None = None
) -> Interactions:
    """Interactions from rows of user, item and days."""
    users, items, days = zip(*found, strict=True)
    return Interactions(
        users=np.array(users),
        items=np.array(items),
        values=np.ones(len(users)),
        times=np.array(days) * DAY,
        user_count=max(users) + 1,
        item_count=max(items) + 1,
        kinds=None if kinds is None else np.array(kinds, np.int8),
        baskets=None if baskets is None else np.array(baskets),
    )


def test_own_choices_count_half_after_so_many_later_ones() -> None:
    blend = Blend(mix=Mix(others=0.0, own=2.0, half_life=1.0), of_items=np.zeros((2, 3)))
    # Item 0 is the last but two and the last: 1/4 + 1; item 1 is the last but one: 1/2.
    assert blend.scores(THREE, np.array([0, 1, 0])).tolist() == [2.5, 1.0, 0.0]
    assert replace(blend, mix=OWN).scores(THREE, np.array([0, 1, 0])).tolist() == [2, 1, 0]
    assert blend.scores(THREE, NOTHING).tolist() == [0, 0, 0]


def test_an_item_counts_for_others_by_its_latest_and_strongest_choice() -> None:
    late = Blend(mix=Mix(recency=1.0))
    # Item 0 is the last one and counts 1, item 1 the one before it and counts 1/2.
    assert late.scores(THREE, np.array([0, 1, 0])).tolist() == pytest.approx([0.25, 0.5, 0.25 + 0.0625])
    kinds = Blend(mix=Mix(weaker=0.5))
    # Item 0 was bought (kind 0) and then viewed (2), item 1 was viewed alone: 1 and 1/4.
    found = kinds.scores(THREE, np.array([0, 1, 0]), np.array([0, 2, 2], np.int8))
    assert found.tolist() == pytest.approx([0.125, 0.5, 0.25 + 0.03125])


@pytest.mark.parametrize(
    "mix", [Mix(), Mix(others=0.0, own=1.0, half_life=2.0), Mix(own=0.5, popularity=0.25, recency=1.0)]
)
@pytest.mark.parametrize("weaker", [1.0, 0.3, 0.0])
def test_the_service_mixes_as_what_is_judged(mix: Mix, weaker: float) -> None:
    chance = np.random.default_rng(4)
    found = rows(*((1, int(item), float(day)) for day, item in enumerate(chance.integers(0, 3, 8))), (0, 2, 9.0))
    choices = replace(found, weaker=weaker, kinds=chance.integers(0, 3, 9).astype(np.int8))
    mix, popular = changed(mix, weaker=weaker), np.array([3.0, 1.0, 2.0]) / np.std([1, 2, 3])
    judged = mixed(choices, scorer(THREE), popular)(mix)(np.array([1]))[0]
    blend = Blend(mix=mix, of_items=np.stack([popular, popular]))
    assert choices.kinds is not None
    served = blend.scores(THREE, choices.items[:8], choices.kinds[:8])
    assert served.tolist() == pytest.approx(judged.tolist(), rel=1e-6)


def test_popularity_is_a_part_of_the_score_and_all_that_new_users_get_if_nothing_beats_it() -> None:
    blend = Blend(mix=Mix(popularity=2.0), of_new=POPULAR, of_items=np.array([[3.0, 2.0, 1.0], [0.0, 0.0, 0.0]]))
    assert blend.scores(THREE, np.array([1])).tolist() == [6.5, 4.0, 2.125]
    assert blend.scores(THREE, np.array([1]), new=True).tolist() == [3, 2, 1]


def test_recent_popularity_is_halved_by_days() -> None:
    found = rows((0, 0, 0), (1, 0, 7), (0, 1, 14), (0, 1, 14))
    assert found.recent().tolist() == [2, 2]
    assert found.recent(7.0).tolist() == [0.75, 2]  # 1/4 + 1/2, and 1 + 1
    assert replace(found, times=None).recent(7.0).tolist() == [2, 2]
    long_ago = rows((0, 0, 0), (1, 0, 7), (0, 1, 3_000_000), (0, 1, 3_000_000))  # in the year 10183
    assert most_chosen(long_ago, 2, 7.0).tolist() == [1, 0], "nothing is so old that it can't be recommended"


def test_dates_in_the_future_make_no_other_choice_older() -> None:
    """Of 2,000 choices, half of item 0 a month before those of item 1, two have a date of thirty years later."""
    days = np.repeat([0.0, 30.0], 1_000)
    plain = rows(*((user % 40, int(day > 0), float(day)) for user, day in enumerate(days)))
    wrong = rows(*((user % 40, int(day > 0), float(day)) for user, day in enumerate(days)), *[(41, 2, 11_000.0)] * 2)
    assert wrong.recent(7.0).tolist() == pytest.approx([*plain.recent(7.0), 2])
    assert most_chosen(wrong, 1, 7.0).tolist() == [1]
    assert sar(wrong)(np.arange(40))[:, :2] == pytest.approx(sar(plain)(np.arange(40)))


def test_reasons_are_what_raises_a_score_above_the_average_users() -> None:
    blend = Blend(of_items=np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.2]]))
    # Item 1 gets 0.5 from item 0, as for the average user; item 2 gets 0.25, which is more.
    assert blend.reasons(THREE, np.array([0]), np.array([1, 2]), 2) == [[], [0]]
    assert replace(blend, of_new=POPULAR).reasons(THREE, np.array([0]), np.array([2]), 2, new=True) == [[]]
    again = replace(blend, mix=Mix(own=1.0))
    assert again.reasons(THREE, np.array([0]), np.array([0, 2]), 2) == [[0], [0]]


def test_the_share_of_users_who_choose_an_item_again_is_near_that_of_all_for_few() -> None:
    found = rows((0, 0, 0), (0, 1, 1), (0, 1, 2), (0, 2, 3), (0, 0, 4), (1, 0, 0), (1, 1, 1), (2, 2, 0), (2, 2, 1))
    share = replace(found, one_time=1).again().tolist()
    # Two of five pairs are repeated. Of items 0 and 1, one of two: (1 + 4/5) / (2 + 2); of item 2, none of one.
    assert share == pytest.approx([0.45, 0.45, 0.8 / 3]), "the last user can't come back"


def test_a_pair_counts_once_by_its_strongest_choice() -> None:
    found = rows((0, 0, 0), (0, 0, 1), (0, 1, 2), (0, 0, 3), kinds=[1, 0, 2, 1])
    assert replace(found, weaker=0.5).matrix().toarray().tolist() == [[1, 0.25]]
    assert found.once().times.tolist() == [2 * DAY, 3 * DAY]  # type: ignore[union-attr]


def test_without_times_no_view_tells_of_the_purchase_that_is_held_out() -> None:
    chance = np.random.default_rng(9)
    bought = [(user, int(item), 0.0) for user in range(200) for item in chance.choice(60, 8, replace=False)]
    choices = replace(rows(*bought, *bought, kinds=[0] * 1_600 + [1] * 1_600), times=None)
    assert judge(choices, 1, RANKING).figures[RECOMMENDER].ndcg < 0.2, "what is bought by chance is not found"


def test_only_the_strongest_choices_of_listed_items_by_users_who_come_back_are_asked_for() -> None:
    found = rows((0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 1, 0), (1, 2, 1), kinds=[1, 0, 1, 0, 0, 0])
    first = np.array([True, False, False, False, True, False])
    parts = halves(replace(found, one_time=1), Division(first, first, by_moment=True), 9)
    asked = parts.items[parts.test.nonzero()[1]].tolist()
    assert parts.had.toarray().tolist() == [[0, 0], [0, 1]]  # user 0 only viewed item 0, which is offered
    assert asked == [1]  # item 2 is viewed, item 3 unknown before, and user 1 never comes back
    unlisted = replace(found, one_time=1, listed=np.array([True, False, True, True]))
    assert halves(unlisted, Division(first, first, by_moment=True), 9).test.nnz == 0


def test_items_go_together_by_the_baskets_that_have_both() -> None:
    found = rows(*((user, item, 0) for user in range(3) for item in (0, 1)), (3, 2, 0), baskets=[4, 4, 4, 4, 7, 7, -1])
    weights = together(found)
    assert weights is not None
    # Baskets 4 and 7 have items 0 and 1: 2 of 2, and of 5 more that are added.
    assert weights.scores(np.array([0])).tolist() == pytest.approx([0, 2 / 7, 0])
    assert together(replace(found, baskets=None)) is None
    assert together(replace(found, baskets=np.full(7, -1))) is None


def habits(drift: int) -> Interactions:
    """Users who choose three own items again and again, which change after each `drift` days."""
    chance = np.random.default_rng(5)
    found = [
        (user, int(item), day + chance.random())
        for user in range(80)
        for start in range(0, 40, drift)
        for own in [chance.choice(60, 3, replace=False)]
        for day in range(start, start + drift)
        for item in chance.choice(own, 2)
    ]
    return rows(*found).in_order()


def test_where_habits_change_own_choices_are_decayed_and_where_they_stay_they_are_not() -> None:
    changing, staying = (plan(habits(drift), repeats=True, moment=True).mix for drift in (10, 40))
    assert (changing.own, changing.half_life) == (1.0, 30.0)
    assert (staying.own, staying.half_life) == (1.0, 0.0)


def test_a_recommender_that_is_worse_than_own_most_chosen_items_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = habits(40)
    monkeypatch.setattr(judgement, "plan", lambda *_, **__: Plan(Sar(), Setting(0.0), mix=POPULAR))
    monkeypatch.setattr(RankingFit, "fit", lambda *_: None)
    found = judge(choices, 1, AGAIN)
    assert not found.accepted
    assert "lower than that of each user's own most chosen items" in found.reason
    assert most_own(rows((0, 1, 0), (0, 1, 1), (1, 0, 0)))(np.array([0]))[0].tolist() == [0.25, 2.5]


def tasted(*, taste: bool, known: int = 200, late: int = 40) -> Interactions:
    """Choices over 300 days of users who like the items of one half with `taste`; the `late` ones come late."""
    chance = np.random.default_rng(6)
    weights = 1 / np.arange(1, 61)
    found = []
    for user in range(known + late):
        own = weights * ((np.arange(60) % 2 == user % 2) if taste else 1)
        items = chance.choice(60, 12, replace=False, p=own / own.sum())
        days = np.append(np.arange(11) * 9.0, 200) if user < known else 200 + np.arange(12) * 8.0
        found += [(user, int(item), float(day)) for item, day in zip(items, days, strict=True)]
    return rows(*found).in_order()


def test_popularity_stays_unless_what_others_chose_gains_more_than_chance() -> None:
    assert plan(tasted(taste=False), repeats=False, moment=True).mix.others == 0
    assert plan(tasted(taste=True), repeats=False, moment=True).mix.others > 0


@pytest.mark.parametrize("moment", [True, False])
def test_similarities_are_compared_and_only_listed_items_are_ranked(
    moment: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By whatever split judges, so that no report shows SAR above what serves."""
    choices = replace(tasted(taste=True), listed=np.arange(60) % 3 > 0)
    compared, judged = Mock(wraps=Sar().weights), Mock(wraps=evaluate)
    monkeypatch.setattr(Sar, "weights", compared)
    monkeypatch.setattr(mixing, "evaluate", judged)
    chosen = plan(choices, repeats=False, moment=moment)
    assert compared.called
    rankers = [chosen.learned(choices), *(call.args[0] for call in judged.call_args_list)]
    assert {int(np.isfinite(one(np.arange(1))).sum()) for one in rankers} == {40}


@pytest.mark.parametrize(("taste", "gets"), [(True, RECOMMENDER), (False, POPULARITY)])
def test_new_users_get_popularity_unless_more_is_better_beyond_chance(
    taste: bool,  # noqa: FBT001 - a parameter of the test
    gets: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recommend.splits.FEWEST_KNOWN", 100)
    choices = tasted(taste=taste, known=400, late=80)
    found = judge(choices, 1, RANKING)
    assert found.new_users == 40, "the other 40 decided what new users get"
    assert found.new_users_get == gets
    of_new = found.figures_of_new
    assert (of_new[RECOMMENDER] == of_new[POPULARITY]) is not taste
    assert (found.mix_of_new == POPULAR) is not taste
    made = fit(choices, [str(item) for item in range(60)], found, RANKING)
    shown = [one.item for one in made.recommend(np.array([40, 50]), 3, NOTHING, new=True)]
    assert (shown == [0, 1, 2]) is not taste


def test_items_are_numbered_by_recent_popularity_where_fashions_change() -> None:
    chance = np.random.default_rng(7)
    found = [
        (user, int(item), day + chance.random())
        for user in range(100)
        for day in range(0, 60, 6)
        for item in chance.choice(np.arange(day, day + 8), 2, replace=False)
    ]
    choices = rows(*found).in_order()
    chosen = plan(choices, repeats=False, moment=True)
    assert chosen.days in {7.0, 30.0}
    of = Judgement(accepted=True, reason="", first_stage=Ease.name, regularisation=100.0, days=chosen.days)
    made = fit(choices, [str(item) for item in range(choices.item_count)], of, RANKING)
    assert min(map(int, made.items[:5])) >= 48
    assert [one.item for one in made.recommend(NOTHING, 3, NOTHING)] == [0, 1, 2]


def test_lists_that_are_all_alike_get_a_warning_unless_there_are_few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not judge(tasted(taste=False), 1, RANKING).warning
    monkeypatch.setattr(judgement, "MANY_ITEMS", 60)
    found = judge(tasted(taste=False), 1, RANKING)
    assert found.warning.startswith("Lists are much alike: ")
    assert "of the recommendations are among the most chosen tenth of the items" in found.warning
    assert not judge(tasted(taste=True), 1, RANKING).warning


def test_weaker_choices_tell_what_is_chosen_later_and_are_no_choices() -> None:
    chance = np.random.default_rng(8)
    found, kinds = [], []
    for user in range(120):
        viewed = chance.choice(60, 8, replace=False)
        found += [(user, int(item), place + chance.random()) for place, item in enumerate(viewed)]
        found += [(user, int(item), 8 + 2 * place + chance.random()) for place, item in enumerate(viewed[:4])]
        kinds += [1] * 8 + [0] * 4
    choices = rows(*found, kinds=kinds)
    judged = judge(choices, 1, RANKING)
    assert judged.figures[RECOMMENDER].ndcg > judged.figures[OWN_MOST].ndcg > judged.figures[POPULARITY].ndcg + 0.2
    made = fit(choices, [str(item) for item in range(60)], judged, RANKING)
    assert made.ranking is None or made.ranking.first_stage.again is not None


def test_what_is_mixed_is_saved_and_loaded_and_reproduces_golden_requests(tmp_path: Path) -> None:
    blend = Blend(
        mix=Mix(own=1.0, half_life=2.0, popularity=0.5, weaker=0.5),
        of_new=Mix(recency=3.0),
        of_items=np.array([[1.0, 0.5, 0.0], [0.1, 0.1, 0.1]]),
    )
    made = Recommender(items=["a", "b", "c"], first_stage=THREE, blend=blend, repeats=True, together=THREE)
    made.save(tmp_path / "recommend", seed=7)
    loaded = Recommender.load(tmp_path / "recommend", no_model)
    assert (loaded.blend.mix, loaded.blend.of_new) == (blend.mix, blend.of_new)
    assert loaded.golden(7) == made.golden(7) != replace(made, blend=Blend()).golden(7)
    assert {one.new for one in made.golden(7)} == {True, False}
    assert {kind for one in made.golden(7) for kind in one.kinds or ()} == {0, 1}
    assert loaded.together is not None
    assert loaded.together.scores(np.array([0])).tolist() == [0, 0.5, 0.25]
    np.save(tmp_path / "recommend" / BLEND, np.zeros((2, 4)))
    with pytest.raises(BundleError, match="not of 3 items"):
        Recommender.load(tmp_path / "recommend", no_model)
