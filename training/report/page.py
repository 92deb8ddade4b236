"""The page itself: a template with the numbers and plots filled in."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.report.data import ReportData


def write(path: Path, data: ReportData) -> None:
    """Write the report to `path`, aside and then renamed, so that a reader never meets half a page."""
    environment = Environment(
        loader=PackageLoader("training.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html").render(data=data)
    aside = path.with_name(f".{path.name}.partial")
    aside.write_text(page, encoding="utf-8")
    aside.replace(path)
