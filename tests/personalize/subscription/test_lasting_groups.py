"""What `destroy` says of the resource groups, which stay for the next `up`."""

from infra.cloud.names import Names
from personalize.teardown.leftovers import leftovers
from tests.personalize.subscription.conftest import SUBSCRIPTION
from tests.personalize.subscription.test_teardown import NAMES, OURS, found, listed
from tests.support.fake_manager import FakeManager


def test_the_groups_stay_empty_with_the_rights_in_them_and_cost_nothing() -> None:
    left = found(groups=[{"name": NAMES.training_group, "tags": OURS}, {"name": NAMES.serving_group, "tags": OURS}])
    assert {one.name for one in left} == {NAMES.training_group, NAMES.serving_group}
    assert not any(one.billable for one in left)
    assert all("stays for the next `up`" in one.why for one in left)
    assert f"an owner deletes it: `az group delete --name {left[0].name}`" in left[0].why


def test_a_given_group_is_not_the_stack_s_to_tell_about() -> None:
    given = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a", given_training="theirs", given_serving="others")
    fake = listed(FakeManager(), groups=[{"name": "theirs"}, {"name": "others", "tags": OURS}])
    assert leftovers(fake.manager(), given) == []


def test_what_others_put_into_a_group_is_told_and_what_azure_put_there_is_free() -> None:
    fake = listed(FakeManager(), groups=[{"name": NAMES.serving_group, "tags": OURS}])
    inside = [
        {"id": "/x/vm", "name": "vm", "type": "Microsoft.Compute/virtualMachines"},
        {"id": "/x/smart", "name": "smart", "type": "microsoft.alertsManagement/smartDetectorAlertRules"},
    ]
    fake.answer(f"^GET .*/resourceGroups/{NAMES.serving_group}/resources$", {"value": inside})
    left = leftovers(fake.manager(), NAMES)
    assert {one.name: one.billable for one in left} == {"vm": True, "smart": False, NAMES.serving_group: False}
    assert "az resource delete --ids /x/vm" in left[0].why
