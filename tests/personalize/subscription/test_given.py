"""Resources that the settings give to the stack are looked up before `up` relies on them."""

from personalize.checks.doctor import Status
from personalize.checks.subscription.preflight import examine
from tests.personalize.subscription.conftest import SUBSCRIPTION, World
from tests.personalize.subscription.findings import named

HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub"
LOGS = f"{HUB}/providers/Microsoft.OperationalInsights/workspaces/logs"


def test_a_given_resource_that_is_missing_is_named_with_its_setting(world: World) -> None:
    subject = world.subject(training_group="theirs", log_analytics=LOGS)
    world.fake.resources[LOGS.lower()] = {}
    found = named(examine(subject), "given resources")
    assert found.status is Status.WRONG
    assert "resourceGroups/theirs (`azure.training_group`)" in found.found
    assert "log_analytics" not in found.found
    world.fake.resources[f"/subscriptions/{SUBSCRIPTION}/resourcegroups/theirs"] = {}
    assert named(examine(subject), "given resources").status is Status.OK


def test_a_stack_that_creates_all_of_its_own_is_asked_for_nothing(world: World) -> None:
    assert "given resources" not in {found.name for found in examine(world.subject())}
