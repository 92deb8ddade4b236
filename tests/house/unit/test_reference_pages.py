"""The pages in `docs/reference` match the code, and each alert has a runbook."""

import re

import pytest
import yaml

from infra.cloud.queries import ALERTS
from personalize.commands.app import command_names
from personalize.docs.tables import PAGE, renewed
from scoring import responses
from scoring.model.recommend_request import Condition, RecommendRequest
from scoring.request_errors import Refusal
from scoring.worker.metrics import Metrics, shared_folder
from tests.support.page_blocks import blocks_of
from tools.paths import ROOT

OWN_DATA = ROOT / "docs" / "how-to" / "own-data.md"
RUNBOOKS = ROOT / "docs" / "runbooks"


def first_column(page: str, heading: str = "") -> set[str]:
    """The names in the first cells of a page's tables, or of those below a heading of level 2."""
    text = (PAGE.parent / page).read_text(encoding="utf-8")
    [part] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE) if heading else [text]
    rows = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([\w-]+)", row)}


def test_the_tables_of_settings_are_up_to_date() -> None:
    assert renewed() == PAGE.read_text(encoding="utf-8"), "run `python -m personalize.docs.tables`"


def test_every_command_is_in_the_table_and_no_other() -> None:
    assert first_column("commands.md") == set(command_names())


def test_the_page_about_http_has_every_field_and_fallback_of_a_recommendation() -> None:
    fields = {*RecommendRequest.__struct_fields__, *responses.RecommendAnswer.__struct_fields__}
    codes = {*responses.Fallback, *responses.Reason, "reason", *Condition.__struct_encode_fields__}
    assert first_column("http.md", "Recommend") == fields | codes


def test_the_page_about_http_has_every_code() -> None:
    text = (PAGE.parent / "http.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \| .+ \|$", text, re.MULTILINE)
    assert rows == [(str(one.status), one.name.lower()) for one in Refusal]


def test_the_page_about_http_has_every_metric() -> None:
    with shared_folder():
        families = list(Metrics(0).own.collect())
    assert first_column("http.md", "Metrics") == {
        f"{family.name}_total" if family.type == "counter" else family.name for family in families
    }


def test_the_example_of_own_data_is_the_one_in_examples() -> None:
    name = "examples/tables/dataset.yaml"
    [block] = [block for block in blocks_of(OWN_DATA) if block.file == name]
    assert yaml.safe_load(block.content) == yaml.safe_load((ROOT / name).read_text())


def test_every_alert_has_a_runbook_that_names_it() -> None:
    alerts = pytest.importorskip("infra.cloud.monitoring", reason="Azure's packages are an extra")
    assert set(alerts.METRICS) | set(ALERTS) | {"budget"} == set(alerts.RUNBOOKS)
    texts = {page: (RUNBOOKS / f"{page}.md").read_text(encoding="utf-8") for page in alerts.RUNBOOKS.values()}
    missing = {alert: page for alert, page in alerts.RUNBOOKS.items() if f"`{alert}`" not in texts[page]}
    assert missing == {}
