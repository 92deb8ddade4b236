"""A report with every element, and a parser of its page."""

from html.parser import HTMLParser

import numpy as np

from features.schema import CRITEO
from training.evaluation.gate import Compared, EarlierVersion, judge
from training.evaluation.metrics import Evaluation, evaluate
from training.evaluation.reachable import BestReachable
from training.evaluation.segments import Slice
from training.kernels.split import Part
from training.parameters import GateParameters, TrainingParameters
from training.report.data import ColumnSummary, ReportData

VOID = {"meta", "br", "img", "link", "input", "hr"}


def evaluation_of(*, skill: float, rows: int = 4_000, seed: int = 1) -> Evaluation:
    """Calibrated probabilities of `rows` rows, with clicks drawn from them; a larger `skill` spreads them more."""
    generator = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(1.4 - skill * generator.normal(size=rows)))
    return evaluate(generator.random(rows) < probability, probability)


def report_data(*, gate: GateParameters | None = None, with_champion: bool = True) -> ReportData:
    """A run on Criteo's columns with everything that a report can show."""
    generator = np.random.default_rng(0)
    gate = gate or GateParameters()
    evaluation = evaluation_of(skill=1.0)
    baselines = {"base_rate": evaluation_of(skill=1e-9), "logistic_regression": evaluation_of(skill=0.7)}
    compared = Compared(earlier=evaluation_of(skill=0.95), ours=evaluation, standard_error=0.001)
    champion = EarlierVersion(version=3, bundle_hash="ab" * 32, compared=compared)
    gains = 1000 / (1 + np.arange(len(CRITEO.encoded_features))) ** 1.1
    return ReportData(
        dataset="20,000 rows, seed 42",
        verdict=judge(evaluation, baselines, champion if with_champion else None, gate),
        evaluation=evaluation,
        baselines=baselines,
        champion=champion if with_champion else None,
        best=None,
        best_reachable=BestReachable(auc=0.8012, log_loss=0.4321),
        slices=[slice_of("cat01", "05db9164"), slice_of("cat01", ""), slice_of("cat01", None)],
        keys=[slice_of("user_id", "known"), slice_of("user_id", "new")],
        warnings=[],
        importance=dict(zip(generator.permutation(CRITEO.encoded_features), gains.tolist(), strict=True)),
        rows="20,000 of 20,009 interactions have a known user; dropped: 9 whose user is not in the table of users",
        counts={Part.FIT: 14_400, Part.VALIDATION: 1_600, Part.HELD_OUT: evaluation.rows},
        clicks={Part.FIT: 3_204, Part.VALIDATION: 350, Part.HELD_OUT: evaluation.clicks},
        columns=columns(),
        parameters=TrainingParameters(),
        gate=gate,
        versions={"lightgbm": "4.7.0", "pyspark": "3.5.9", "synapseml": "1.1.3"},
        hashes={"manifest": "0123456789abcdef" * 4, "code": "fedcba9876543210" * 4},
    )


def columns() -> list[ColumnSummary]:
    """Of Criteo's shape."""
    numeric = [ColumnSummary(name=name, role="numeric", missing_share=0.21) for name in CRITEO.numeric]
    return numeric + [
        ColumnSummary(name=name, role="categorical", missing_share=0.033 * index, distinct=7**index % 40_000)
        for index, name in enumerate(CRITEO.categorical)
    ]


def slice_of(column: str, value: str | None, *, observed: float = 0.21, off: bool = False) -> Slice:
    return Slice(
        column=column,
        value=value,
        rows=1_000,
        clicks=round(observed * 1_000),
        mean_probability=0.2,
        auc=0.71,
        log_loss=0.44,
        calibration_error=0.012,
        off=off,
    )


class Page(HTMLParser):
    """Collects a page's references and unclosed elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in {"src", "href", "xlink:href"}:
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
