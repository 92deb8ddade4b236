"""Plans: reading a preview, finding changes that would lose data, and writing the comment."""

import pytest

from personalize.delivery.plan import DATA_HOLDERS, LABEL, DataAtRiskError, Plan, PlanUnreadableError, refuse_data_loss
from personalize.delivery.reports import MAX_ROWS, mark, plan_comment
from tests.personalize.delivery.conftest import LAKE, preview, resource

ALERT = resource("node-cpu", "azure-native:monitor:MetricAlert", "replace", "scopes")
NODES = resource("scoring", "azure-native:containerservice:AgentPool", "update", "maxCount")


def line(name: str, usd: float, confidence: str = "good") -> dict[str, object]:
    return {"name": name, "usd_per_month": usd, "confidence": confidence}


BILL = {
    "total_usd_per_month": 185.5,
    "range_usd_per_month": [170.0, 201.0],
    "lines": [line("scoring nodes", 165.0, "unverified"), line("registry Basic", 5.0), line("NAT gateway", 15.5)],
    "not_included": "taxes",
    "beside": {
        "total_usd_per_month": 103.25,
        "lines": [line("scoring nodes", 82.5, "unverified"), line("registry Basic", 5.0), line("old line", 15.75)],
    },
}


def test_a_replacement_of_what_holds_data_is_refused_and_says_what_would_be_lost() -> None:
    with pytest.raises(DataAtRiskError, match=r"lake \(replace\), and with it the training data and the model bundles"):
        refuse_data_loss(Plan.read(preview(LAKE)), frozenset())


def test_a_new_databricks_workspace_in_place_of_the_old_one_is_a_loss() -> None:
    workspace = resource("workspace", "azure-native:databricks:Workspace", "replace", "parameters")
    with pytest.raises(DataAtRiskError, match=r"workspace \(replace\), and with it the history of the training runs"):
        refuse_data_loss(Plan.read(preview(workspace)), frozenset())


@pytest.mark.parametrize("kind", sorted(DATA_HOLDERS))
def test_a_deletion_of_what_holds_data_is_refused(kind: str) -> None:
    with pytest.raises(DataAtRiskError, match="it \\(delete\\)"):
        refuse_data_loss(Plan.read(preview(resource("it", kind, "delete"))), frozenset())


HOLD_DATA = (
    "azure-native:keyvault:Vault",
    "azure-native:storage:StorageAccount",
    "azure-native:storage:BlobContainer",
    "azure-native:machinelearningservices:Workspace",
    "azure-native:containerregistry:Registry",
    "azure-native:operationalinsights:Workspace",
    "personalize:azure:Registry",
    "personalize:local:Registry",
)
"""Written by hand: what is deleted with them can't be made again by another `up`."""


@pytest.mark.parametrize("operation", ["replace", "delete"])
@pytest.mark.parametrize("kind", HOLD_DATA)
def test_what_no_up_can_make_again_is_neither_replaced_nor_deleted_unasked(kind: str, operation: str) -> None:
    with pytest.raises(DataAtRiskError, match=rf"it \({operation}\), and with it"):
        refuse_data_loss(Plan.read(preview(ALERT, resource("it", kind, operation))), frozenset())


def test_the_label_allows_it_and_no_other_does() -> None:
    refuse_data_loss(Plan.read(preview(LAKE)), frozenset({LABEL, "bug"}))
    with pytest.raises(DataAtRiskError):
        refuse_data_loss(Plan.read(preview(LAKE)), frozenset({"bug"}))


@pytest.mark.parametrize("operation", ["create", "update"])
def test_what_is_made_or_changed_in_place_loses_nothing(operation: str) -> None:
    refuse_data_loss(Plan.read(preview(resource("lake", LAKE["type"], operation, "tags.team"))), frozenset())


def test_what_holds_no_data_may_be_replaced() -> None:
    refuse_data_loss(Plan.read(preview(ALERT, NODES)), frozenset())


@pytest.mark.parametrize("content", [{}, {"changes": {}, "seconds": 1, "resources": [{"name": "x"}]}])
def test_an_output_that_is_no_plan_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(PlanUnreadableError, match="is not a plan"):
        Plan.read(content)


def test_the_comment_counts_and_lists_what_changes() -> None:
    text = plan_comment("dev", Plan.read(preview(ALERT, NODES, same=96)), None, allowed=False)
    assert text.startswith(mark("dev") + "\n## Changes of stack `dev`\n")
    assert "**1 changed, 1 replaced, 96 unchanged**, found in 11 s" in text
    assert "| replaced | `node-cpu` | `azure-native:monitor:MetricAlert` | `scopes` |" in text
    assert "| changed | `scoring` | `azure-native:containerservice:AgentPool` | `maxCount` |" in text
    assert "CAUTION" not in text


def test_the_comment_flags_what_would_lose_data() -> None:
    blocked = plan_comment("dev", Plan.read(preview(LAKE)), None, allowed=False)
    assert "> [!CAUTION]\n> **This would delete data.**" in blocked
    assert "`lake` is replaced (`location` cannot be changed in place): the training data" in blocked
    assert f"Blocked until this pull request has the label `{LABEL}`" in blocked
    allowed = plan_comment("dev", Plan.read(preview(LAKE)), None, allowed=True)
    assert f"The label `{LABEL}` allows it." in allowed
    assert "Blocked" not in allowed


def test_the_comment_says_when_nothing_changes() -> None:
    text = plan_comment("dev", Plan.read(preview(same=104)), None, allowed=False)
    assert "**104 unchanged**" in text
    assert "| resource |" not in text


def test_a_name_cannot_break_out_of_the_table() -> None:
    text = plan_comment("dev", Plan.read(preview(resource("a`|\n# b", "t", "create"))), None, allowed=False)
    assert "| new | `a'\\| # b` | `t` |  |" in text


def test_a_long_plan_is_cut_and_fits_a_comment() -> None:
    many = [resource(f"resource-{number:03}", "t" * 80, "create", *("path" * 5,) * 9) for number in range(200)]
    text = plan_comment("dev", Plan.read(preview(*many)), BILL, allowed=False)
    assert text.count("| new |") == MAX_ROWS
    assert "... and 140 more" in text
    assert "and 3 more |" in text
    assert len(text) < 65_536


def test_the_cost_difference_is_shown_line_by_line_and_adds_up() -> None:
    text = plan_comment("dev", Plan.read(preview(NODES)), BILL, allowed=False)
    assert "**+82.25 USD a month**, to 185.50." in text
    assert "| scoring nodes | 82.50 | 165.00 | +82.50 |" in text
    assert "| old line | 15.75 | 0.00 | -15.75 |" in text
    assert "| NAT gateway | 0.00 | 15.50 | +15.50 |" in text
    assert "registry Basic |" not in text
    assert "Between 170 and 201 USD: the prices of scoring nodes are unverified." in text
    assert "Not included: taxes." in text


def test_the_same_settings_cost_the_same() -> None:
    same = BILL | {"beside": {"total_usd_per_month": BILL["total_usd_per_month"], "lines": BILL["lines"]}}
    assert "No difference: 185.50 USD a month" in plan_comment("dev", Plan.read(preview()), same, allowed=False)


def test_a_new_stack_has_nothing_to_be_compared_with() -> None:
    alone = {name: value for name, value in BILL.items() if name != "beside"}
    text = plan_comment("dev", Plan.read(preview()), alone, allowed=False)
    assert "**185.50 USD a month**; there is no stack file before this change" in text
