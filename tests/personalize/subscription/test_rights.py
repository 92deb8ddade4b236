"""The groups, the budget and the rights that `bootstrap` gives: in a stack's groups, and nowhere else."""

import pytest

from infra.cloud.names import Names
from infra.cloud.role_list import Role
from personalize.bootstrap.resources import State
from personalize.bootstrap.rights import MANAGED_GROUPS, only_roles
from tests.personalize.subscription.conftest import CALLER
from tests.personalize.subscription.test_bootstrap import PREVIEW, PRINCIPAL, body, bootstrap, fake, made, roles
from tests.support.azure_stack import SUBSCRIPTION
from tests.support.fake_manager import FakeManager

__all__ = ["fake"]
NAMES = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
BUDGETS = "Microsoft.Consumption/budgets/"
YOUNG = (400, "BadRequest")


def scopes(fake: FakeManager, principal: str, role: str) -> set[str]:
    """Where a principal has a role, by the ends of the paths."""
    return {scope for who, given, scope in roles(fake) if (who, given) == (principal, role)}


@pytest.mark.parametrize("role", ["b24988ac-6180-42a0-ab88-20f7382dd24c", "f58310d9-a9f6-439a-9e8d-f62e7b41a168"])
def test_deployers_make_resources_and_assign_roles_in_their_stack_s_groups_alone(fake: FakeManager, role: str) -> None:
    bootstrap(fake).run(dry_run=False)
    assert scopes(fake, CALLER, role) == {NAMES.training_group, NAMES.serving_group}


def test_a_condition_with_the_roles_of_an_earlier_version_is_renewed_once(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    stored = {path: one for path, one in fake.resources.items() if "condition" in one.get("properties", {})}
    assert len(stored) == 4
    now = {path: one["properties"]["condition"] for path, one in stored.items()}
    for one in stored.values():
        one["properties"]["condition"] = only_roles(Role.REGISTRY_PUSH)
    fake.calls.clear()
    found = bootstrap(fake).run(dry_run=False)
    assert len([title for title, state in found.items() if state is State.MADE]) == 4
    assert {call.path.lower() for call in made(fake)} == set(stored), "the same assignments, and nothing else"
    assert {path: fake.resources[path]["properties"]["condition"] for path in stored} == now
    for path in stored:
        fake.resources[path]["properties"]["condition"] = now[path].replace(" OR ", "\n OR\n ")
    assert set(bootstrap(fake).run(dry_run=False).values()) == {State.THERE}, "white space is no difference"


def test_the_subscription_s_role_reads_and_lets_databricks_create_its_group(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    (call,) = [call for call in made(fake) if "/roleDefinitions/" in call.path]
    assert call.body is not None
    (given,) = call.body["properties"]["permissions"]
    writes = [action for action in given["actions"] if not action.endswith("/read")]
    assert set(writes) <= set(MANAGED_GROUPS)
    registers = {action.partition("/")[0] for action in writes if action.endswith("/register/action")}
    assert registers == {f"Microsoft.{name}" for name in ("Compute", "ManagedIdentity", "Network", "Storage")}
    assert not [action for action in given["actions"] if "*" in action]
    assert call.body["properties"]["assignableScopes"] == [f"/subscriptions/{SUBSCRIPTION}"]
    for principal in (CALLER, PRINCIPAL):
        assert scopes(fake, principal, call.path.rpartition("/")[2]) == {SUBSCRIPTION}
    assert scopes(fake, PREVIEW, call.path.rpartition("/")[2]) == set()


def test_a_private_stack_s_deployers_may_use_the_peered_network(fake: FakeManager) -> None:
    hub = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
    bootstrap(fake, network="private", peered_network=hub, registry_tier="Premium").run(dry_run=False)
    assert scopes(fake, CALLER, "4d97b98b-1d4f-4787-a291-c67834d212e7") == {"hub"}


def test_deployers_may_use_a_given_workspace_of_logs(fake: FakeManager) -> None:
    hub = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub"
    logs = f"{hub}/providers/Microsoft.OperationalInsights/workspaces/logs"
    bootstrap(fake, log_analytics=logs).run(dry_run=False)
    assert scopes(fake, CALLER, "92aaf0da-9dab-42b6-94a3-d43ce8d16293") == {"logs"}


def test_the_data_of_a_protected_stack_is_locked_and_its_node_pools_are_not(fake: FakeManager) -> None:
    found = bootstrap(fake, protect=True).run(dry_run=False)
    locks = [call.path.split("/")[4] for call in made(fake) if "/locks/" in call.path]
    assert locks == ["rg-personalization-state", NAMES.training_group]
    assert found[f"lock of {NAMES.training_group}"] is State.MADE


def test_the_budget_sees_all_four_groups_and_warns_at_80_percent(fake: FakeManager) -> None:
    bootstrap(fake, monthly_budget=400).run(dry_run=False)
    terms = body(fake, NAMES.budget)["properties"]
    assert set(terms["filter"]["dimensions"]["values"]) == {
        NAMES.training_group,
        NAMES.serving_group,
        NAMES.databricks_group,
        NAMES.nodes_group,
    }
    assert terms["timePeriod"]["startDate"].endswith("-01T00:00:00Z")
    assert {(one["threshold"], one["thresholdType"]) for one in terms["notifications"].values()} == {
        (80, "Actual"),
        (80, "Forecasted"),
    }


def test_another_amount_changes_the_budget_and_keeps_its_start(fake: FakeManager) -> None:
    bootstrap(fake, monthly_budget=400).run(dry_run=False)
    path = f"/subscriptions/{SUBSCRIPTION}/providers/{BUDGETS}{NAMES.budget}".lower()
    fake.resources[path] |= {"eTag": "first"}
    fake.resources[path]["properties"]["timePeriod"] = {"startDate": "2026-01-01T00:00:00Z", "endDate": "2036-01-01"}
    fake.calls.clear()
    assert set(bootstrap(fake, monthly_budget=400).run(dry_run=False).values()) == {State.THERE}
    bootstrap(fake, monthly_budget=500).run(dry_run=False)
    (call,) = made(fake)
    assert call.body is not None
    assert (call.body["eTag"], call.body["properties"]["amount"]) == ("first", 500)
    assert call.body["properties"]["timePeriod"]["startDate"] == "2026-01-01T00:00:00Z"


def test_a_young_subscription_s_bootstrap_goes_on_without_a_budget(fake: FakeManager) -> None:
    fake.refused[f"PUT .*{BUDGETS}"] = YOUNG
    said: list[str] = []
    found = bootstrap(fake, say=said.append).run(dry_run=False)
    assert found["budget"] is State.REFUSED
    assert set(found.values()) == {State.MADE, State.REFUSED}
    assert any(
        line.startswith("The budget is missing or not as the settings say: ") and "after up to 48 hours" in line
        for line in said
    )
