"""The report is one self-contained page, and the same for the same data."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from recommend.catalogue import FILE as CATALOGUE
from recommend.judgement import OWN, POPULARITY, RECOMMENDER, Figures, Judgement
from tests.support.recommenders import recommender, write_catalogue
from tests.support.undrawn import undrawn
from tests.training.unit.reports import Page, evaluation_of, report_data, slice_of
from training.evaluation.gate import EarlierVersion
from training.parameters import GateParameters, TrainingParameters
from training.report.data import ColumnSummary, RecommenderReport, ReportData
from training.report.examples import ExampleList, example_lists
from training.report.page import render
from training.report.sentences import found_by_customers


@pytest.fixture(scope="module")
def html() -> str:
    return render(report_data())


def text_of(data: ReportData) -> str:
    """The page without its plots."""
    with undrawn():
        return render(data)


def test_every_element_is_closed(html: str) -> None:
    assert Page(html).open == []


def test_nothing_outside_the_page_is_loaded(html: str) -> None:
    page = Page(html)
    assert all(reference.startswith("#") for reference in page.references)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "@import" not in html
    assert set(re.findall(r"url\(([^)]*)\)", html)) <= {f"#{name}" for name in page.ids}


def test_ids_are_unique_and_every_reference_is_met(html: str) -> None:
    page = Page(html)
    assert len(set(page.ids)) == len(page.ids)
    assert {reference.removeprefix("#") for reference in page.references} <= set(page.ids)


def test_every_plot_takes_its_colours_from_the_page(html: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(plots) == 3
    for plot in plots:
        assert "var(--model)" in plot
        assert set(re.findall(r"#[0-9a-f]{6}\b", plot)) == set()


def test_the_same_run_gives_the_same_bytes(html: str) -> None:
    assert render(report_data()) == html


def test_an_accepted_model_is_called_so_with_every_check(html: str) -> None:
    data = report_data()
    assert "Accepted: this model may serve" in html
    assert html.count('class="passed"') == len(data.verdict.reasons)
    assert 'class="failed"' not in html


def test_a_rejected_model_names_the_failed_check_first() -> None:
    page = text_of(report_data(gate=GateParameters(min_auc=0.9)))
    assert "Rejected: this model does not serve" in page
    assert page.index('class="failed"') < page.index('class="passed"')
    assert page.count('class="failed"') == 1


def test_the_comparison_says_by_how_much_the_champion_is_beaten(html: str) -> None:
    data = report_data()
    assert data.champion is not None
    assert data.champion.evaluation is not None
    gain = data.champion.evaluation.log_loss - data.evaluation.log_loss
    assert "Champion (version 3)" in html
    assert f"{gain:.4f} better" in html


LOST = EarlierVersion(version=3, bundle_hash="ab" * 32, compared=None, not_comparable="it needs the column price")
OFF = slice_of("device", "tablet", observed=0.4, off=True)
GENRES = ColumnSummary(name="genres", role="categorical", missing_share=0.01, distinct=18, separator=" <|")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"champion": LOST}, "(version 3) is not compared, because it needs the column price."),
        ({"champion": None}, "nothing served before this model"),
        ({"best": replace(LOST, version=1)}, "The <b>best version kept</b> (version 1) is not compared"),
        ({"columns": [GENRES]}, "several values per field, separated by <code>&#34; &lt;|&#34;</code>"),
        ({"columns": [GENRES]}, "a row is in the segment of each"),
        ({"slices": [slice_of("cat01", "05db9164"), OFF]}, "1 of 2 segments are off"),
        ({"warnings": ["The column paid leaks."]}, "<b>Warning:</b> The column paid leaks."),
    ],
)
def test_the_page_names_what_is_special(html: str, changes: dict[str, Any], shown: str) -> None:
    assert shown in text_of(replace(report_data(), **changes))
    assert shown not in html


@pytest.mark.parametrize(
    ("changes", "hidden"), [({"best_reachable": None}, "Best reachable"), ({"slices": []}, "segments")]
)
def test_what_there_is_not_is_not_named(html: str, changes: dict[str, Any], hidden: str) -> None:
    assert hidden in html
    assert hidden not in text_of(replace(report_data(), **changes))


def test_a_segment_that_is_off_comes_first() -> None:
    page = text_of(replace(report_data(), slices=[slice_of("cat01", "05db9164"), OFF]))
    assert page.index("tablet") < page.index("05db9164")


def test_what_could_not_be_compared_is_neither_green_nor_red() -> None:
    for data in (replace(report_data(), champion=LOST), report_data(with_champion=False)):
        page = text_of(data)
        assert page.count('class="unmade"') == 1
        assert page.count('class="passed"') == len(report_data().verdict.reasons) - 1
        assert 'class="failed"' not in page


def test_markup_in_the_data_stays_text() -> None:
    hostile = "<script>alert(1)</script>"
    data = replace(
        report_data(),
        dataset=hostile,
        columns=[ColumnSummary(name=hostile, role="numeric", missing_share=0.0)],
        importance={hostile: 2.0},
    )
    assert "script" not in Page(render(data)).tags


def test_known_and_new_users_are_told_apart(html: str) -> None:
    section = html.partition("<h2>Known and new users and items</h2>")[2].partition("</section>")[0]
    assert "they have at least 10 rows in training" in section
    for kind in ("known", "new"):
        assert f'<th scope="row">user_id</th><td>{kind}</td><td class="number">1,000</td>' in section
    assert "0.7100" in section  # AUC
    assert "Known and new" not in text_of(replace(report_data(), keys=[]))


def test_a_feature_name_is_never_taken_for_a_formula() -> None:
    page = render(replace(report_data(), importance={r"$\frac{price$": 2.0, "x" * 300: 1.0}))
    assert r"$\frac{price$" in page


def test_a_model_without_a_single_split_is_still_reported() -> None:
    data = replace(
        report_data(),
        evaluation=evaluation_of(skill=1e-9, rows=50),
        importance={},
    )
    assert "Training report" in render(data)


def test_a_recommender_has_figures_for_known_and_for_new_users_where_a_moment_divides_the_rows() -> None:
    figures = Figures(found=0.4, ndcg=0.2171, recall=0.11, coverage=0.5, popular=0.25)
    judged = Judgement(
        accepted=True,
        reason="It is better.",
        by_time=True,
        by_moment=True,
        users=1200,
        new_users=40,
        diverse_ndcg=0.09,
        figures={RECOMMENDER: figures, POPULARITY: figures},
        figures_of_new={RECOMMENDER: structs.replace(figures, ndcg=0.1234), POPULARITY: figures},
    )
    html = text_of(replace(report_data(), recommender=judged))
    assert Page(html).open == []
    shown = re.sub(r"<[^>]+>", " ", html)
    assert re.search(r"For 1,200 users .* 0\.2171 .* 25\.0% .*For 40 new users .* 0\.1234", shown, flags=re.DOTALL)
    assert "no figures for new users" not in html
    assert '<code>"diversity": 0.3</code> in requests NDCG@10 would be 0.0900.' in html
    assert "too few" not in html
    html = text_of(replace(report_data(), recommender=structs.replace(judged, new_users=3, figures_of_new={})))
    assert "too few for figures of their own: 3." in html
    each = structs.replace(judged, by_moment=False, new_users=0, figures_of_new={})
    html = text_of(replace(report_data(), recommender=each))
    assert "For 40 new users" not in html
    assert "no figures for new users" in html
    assert "whole <b>visits</b>" in html
    html = text_of(replace(report_data(), recommender=structs.replace(each, within_visits=True)))
    assert "choices of one visit are divided" in html
    assert "whole <b>visits</b>" not in html


BESTSELLERS = Figures(found=0.126, ndcg=0.1, recall=0.1, coverage=0.1, popular=1.0)
JUDGED = Judgement(
    accepted=True,
    reason="It is better.",
    by_time=True,
    users=1200,
    new_users=40,
    found_more=(0.018, 0.061),
    warning="Lists are much alike.",
    figures={RECOMMENDER: structs.replace(BESTSELLERS, found=0.1701), POPULARITY: BESTSELLERS},
    figures_of_new={RECOMMENDER: structs.replace(BESTSELLERS, found=0.094), POPULARITY: BESTSELLERS},
)
LIST = ExampleList(history=["Earl Grey", "Shortbread"], items=[("Assam <1>", "Because they chose Earl Grey.")])


def test_the_report_begins_with_how_many_customers_find_something() -> None:
    alone = RecommenderReport(
        dataset="orders",
        rows="4,426 rows. Cleaning left out 97 as refunds",
        counted={"Users": 644, "Choices": 4_232},
        recommender=JUDGED,
        examples=[LIST],
        parameters=TrainingParameters(),
        versions={},
        hashes={},
    )
    page = render(alone)
    both = text_of(replace(report_data(), recommender=JUDGED, examples=[LIST]))
    sentence = (
        "Of 100 customers, 17 find something that they later chose among ten recommendations; with bestsellers 13. "
        "The difference to bestsellers is +1.8 to +6.1 (95 % interval)."
    )
    for html in (page, both):
        assert Page(html).open == []
        places = [
            html.index(part)
            for part in (
                sentence,
                "Of 100 new customers, 9 find",
                "it does not promise sales",
                "Chose Earl Grey and Shortbread",
                'Assam &lt;1&gt; <span class="meaning">Because they chose Earl Grey.',
                "<b>Warning:</b> Lists are much alike.",
                "<h2>The data</h2>",
            )
        ]
        assert places == sorted(places)
    assert both.index("Warning:</b> Lists") < both.index("<h2>Click predictions</h2>") < both.index("<h2>The data")
    assert "Cleaning left out 97 as refunds. " in page
    assert '<th scope="row">Choices</th><td class="number">4,232</td>' in page


def test_without_figures_nothing_is_claimed_and_own_most_chosen_is_compared_where_it_can_be() -> None:
    assert found_by_customers(Judgement(accepted=False, reason="Too few.")) == []
    own = structs.replace(JUDGED, by_time=False, figures=JUDGED.figures | {OWN: BESTSELLERS}, found_more=None)
    assert found_by_customers(own)[0] == (
        "Of 100 customers, 17 find something that they also chose among ten recommendations; with bestsellers 13, "
        "with what each of them chose most 13."
    )
    stronger = structs.replace(own, figures=own.figures | {OWN: structs.replace(BESTSELLERS, found=0.15)})
    (first, *_) = found_by_customers(structs.replace(stronger, found_more=(-0.01, 0.05)))
    assert first.endswith("chose most 15. The difference to the latter is -1.0 to +5.0 (95 % interval).")


def test_example_lists_are_of_items_in_the_catalogue_with_their_titles(tmp_path: Path) -> None:
    write_catalogue(tmp_path, {"a": "x", "b": "x", "c": "x", "d": "x"})  # not of 17
    made = example_lists(recommender(), tmp_path / CATALOGUE, seed=1)
    pairs = [frozenset(one.history) for one in made]
    assert len(pairs) == len({*pairs}) > 1  # though "a" goes best with "b", and "b" with "a"
    (own,) = [one for one in made if {*one.history} == {"Film a", "Film b"}]
    assert sorted(own.items) == [("Film c", "Because they chose Film b and Film a."), ("Film d", "Many chose it.")]


def test_what_is_recommended_again_says_so(tmp_path: Path) -> None:
    write_catalogue(tmp_path, {"a": "x", "b": "x", "c": "x", "d": "x"})
    made = example_lists(replace(recommender(), repeats=True), tmp_path / CATALOGUE, seed=1)
    (own,) = [one for one in made if {*one.history} == {"Film a", "Film b"}]
    reasons = dict(own.items)
    assert [reasons[title] for title in ("Film a", "Film b")] == ["They chose it before."] * 2
    assert reasons["Film c"].startswith("Because they chose")
