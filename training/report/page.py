"""The report pages: of a run with a click model, and of one that trained a recommender alone."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel

from recommend.judgement import DIVERSITY, OWN, POPULARITY, RECOMMENDER, Judgement
from training.evaluation.baselines import NAMES
from training.evaluation.gate import checks
from training.evaluation.metrics import Evaluation
from training.report import plots
from training.report.data import RecommenderReport, ReportData

ITS_OWN = {
    *("feature_fraction", "feature_fraction_by_node", "lambda_l2"),
    *("folds", "min_category_rows", "smoothing", "seed", "engine"),
}
"""The parameters that a recommender depends on. All others are of a click model or of the run."""


def found_by_customers(judgement: Judgement) -> list[str]:
    """What a product owner asks, in sentences; none without figures."""
    sentences = []
    for customers, figures in (("customers", judgement.figures), ("new customers", judgement.figures_of_new)):
        if figures:
            ours, popular = (round(100 * figures[name].found) for name in (RECOMMENDER, POPULARITY))
            own = f", with what each of them chose most {round(100 * figures[OWN].found)}" if OWN in figures else ""
            sentences.append(
                f"Of 100 {customers}, {ours} find something that they {'later' if judgement.by_time else 'also'} chose "
                f"among ten recommendations; with bestsellers {popular}{own}."
            )
    if sentences and judgement.found_more is not None:
        low, high = (100 * bound for bound in judgement.found_more)
        stronger = "bestsellers" if judgement.stronger == POPULARITY else "the latter"
        sentences[0] += f" The difference to {stronger} is {low:+.1f} to {high:+.1f} (95 % interval)."
    if sentences:
        sentences.append("This looks back at choices that were held out from training; it does not promise sales.")
    return sentences


def render(data: ReportData | RecommenderReport) -> str:
    """The page as HTML: the same bytes for the same data."""
    if isinstance(data, RecommenderReport):
        template = environment().get_template("recommender_alone.html")
        parameters = rows_of(data.parameters, ITS_OWN)
        return template.render(data=data, parameters=parameters, found=found_by_customers(data.recommender))
    template = environment().get_template("report.html")
    made = checks(data.evaluation, data.baselines, data.champion, data.gate, best=data.best)
    return template.render(
        data=data,
        found=found_by_customers(data.recommender) if data.recommender else [],
        checks=sorted(made, key=lambda check: check.passed),
        comparison=_comparison(data),
        parameters=[*rows_of(data.parameters), *(("gate " + name, *rest) for name, *rest in rows_of(data.gate))],
        slices=sorted(data.slices, key=lambda part: not part.off),
        plots=_plots(data),
    )


@cache
def environment() -> Environment:
    """The templates' environment, which keeps the templates that it has compiled."""
    created = Environment(
        loader=PackageLoader("training.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    created.globals["diversity"] = DIVERSITY
    created.filters |= {"count": "{:,}".format, "percent": _percent, "quoted": json.dumps}
    return created


def _plots(data: ReportData) -> dict[str, Markup]:
    return {
        "roc": plots.roc(data),
        "calibration": plots.calibration(data),
        "importance": plots.importance(data.importance),
    }


def _comparison(data: ReportData) -> list[dict[str, Any]]:
    """The rows of the comparison: a name, its metrics, and this model's gain over it."""
    ours = data.evaluation
    rows = [_measured("This model", ours, ours)]
    for called, earlier in (("Champion", data.champion), ("Best version kept", data.best)):
        if earlier and (compared := earlier.compared):
            rows.append(_measured(f"{called} ({earlier.name})", compared.earlier, compared.ours))
    rows += [_measured(NAMES.get(name, name).capitalize(), other, ours) for name, other in data.baselines.items()]
    if best := data.best_reachable:
        known = {"auc": best.auc, "log_loss": best.log_loss, "gain": best.log_loss - ours.log_loss}
        rows.append({"name": "Best reachable", "calibration_error": None} | known)
    return rows


def _measured(name: str, evaluation: Evaluation, ours: Evaluation) -> dict[str, Any]:
    return {
        "name": name,
        "auc": evaluation.auc,
        "log_loss": evaluation.log_loss,
        "calibration_error": evaluation.calibration_error,
        "gain": None if evaluation is ours else evaluation.log_loss - ours.log_loss,
    }


def rows_of(parameters: BaseModel, only: set[str] | None = None) -> list[tuple[str, object, str]]:
    """Name, value and meaning of each parameter, or only of these."""
    values: Mapping[str, object] = parameters.model_dump(mode="json", include=only)
    fields = type(parameters).model_fields
    return [(name.replace("_", " "), value, fields[name].description or "") for name, value in values.items()]


def _percent(share: float, digits: int = 1) -> str:
    return f"{share:.{digits}%}"
