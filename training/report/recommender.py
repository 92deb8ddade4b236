"""The report page of a run that trained a recommender alone."""

from pathlib import Path

from training.report.data import RecommenderReport
from training.report.page import environment, put, rows_of

ITS_OWN = {
    *("feature_fraction", "feature_fraction_by_node", "lambda_l2"),
    *("folds", "min_category_rows", "smoothing", "seed", "engine", "first_stage"),
}
"""The parameters that a recommender depends on. All others are of a click model or of the run."""


def write(path: Path, data: RecommenderReport) -> None:
    """Write the page to `path`."""
    put(path, render(data))


def render(data: RecommenderReport) -> str:
    """The page as HTML: the same bytes for the same data."""
    template = environment().get_template("recommender_alone.html")
    return template.render(data=data, parameters=rows_of(data.parameters, ITS_OWN))
