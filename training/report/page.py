"""The report pages: of a run with a click model, and of one that trained a recommender alone."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel

from recommend.judgement import DIVERSITY
from training.evaluation.baselines import NAMES
from training.evaluation.gate import checks
from training.evaluation.metrics import Evaluation
from training.report import plots
from training.report.data import RecommenderReport, ReportData
from training.report.sentences import found_by_customers

ITS_OWN = {
    *("feature_fraction", "feature_fraction_by_node", "lambda_l2"),
    *("folds", "min_category_rows", "smoothing", "seed", "engine"),
}
"""The parameters that a recommender depends on. All others are of a click model or of the run."""


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
