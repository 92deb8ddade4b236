"""The budget: made once, mended, and done without on a subscription's first days."""

from collections.abc import Iterator
from typing import Any

import pytest

from azure_clients.errors import ManagerRefusedError
from steps.azure.budget import Budget
from tests.simulation.services.consumption import TYPE
from tests.steps.provider.azure.conftest import AZURE, NOBODY, SUBSCRIPTION, Cloud
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create, state

INPUTS = {
    **AZURE,
    "subscription": SUBSCRIPTION,
    "budget_name": "budget-of-a-test",
    "amount": 400,
    "groups": ["rg-training", "rg-serving"],
    "mail": "operators@example.com",
}


@pytest.fixture(autouse=True)
def _allowed(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.world.set("budgets_allowed", value=True)
    for record in _budgets(cloud):
        cloud.world.remove(record.id)


def _budgets(cloud: Cloud) -> list[Any]:
    return [record for record in cloud.world.all(TYPE) if record.id.endswith("budget-of-a-test")]


def test_it_covers_the_groups_and_warns_of_what_is_spent_and_what_is_forecast(cloud: Cloud, recorder: Recorder) -> None:
    assert create(Budget(), INPUTS, recorder).outputs.budget_missing == ""
    (found,) = _budgets(cloud)
    covered = {"name": "ResourceGroupName", "operator": "In", "values": INPUTS["groups"]}
    assert found.inputs["filter"] == {"dimensions": covered}
    assert (found.inputs["amount"], found.inputs["timeGrain"], found.inputs["category"]) == (400, "Monthly", "Cost")
    assert {
        name: (one["thresholdType"], one["operator"], one["threshold"], one["contactEmails"])
        for name, one in found.inputs["notifications"].items()
    } == {
        "actual": ("Actual", "GreaterThan", 80, ["operators@example.com"]),
        "forecasted": ("Forecasted", "GreaterThan", 80, ["operators@example.com"]),
    }


def test_a_change_keeps_the_month_in_which_it_began(cloud: Cloud, recorder: Recorder) -> None:
    step = Budget()
    created = create(step, INPUTS, recorder)
    (found,) = _budgets(cloud)
    began = {"startDate": "2020-01-01T00:00:00Z"}
    cloud.world.put(type(found)(**{**vars(found), "inputs": found.inputs | {"timePeriod": began}}))
    changed = INPUTS | {"amount": 500}
    assert step.diff(state(INPUTS, created), changed).changed == {"amount"}
    step.update(created.id, state(INPUTS, created), step.parse(changed), recorder.context)
    (found,) = _budgets(cloud)
    assert (found.inputs["amount"], found.inputs["timePeriod"]) == (500, began)


def test_a_new_subscription_goes_without_until_azure_has_budgets(cloud: Cloud, recorder: Recorder) -> None:
    step = Budget()
    cloud.world.set("budgets_allowed", value=False)
    created = create(step, INPUTS, recorder)
    assert "after up to 48 hours; run `up` again" in created.outputs.budget_missing
    assert recorder.lines == [created.outputs.budget_missing]
    known = state(INPUTS, created)
    assert step.read(created.id, known, recorder.context) == created.outputs
    step.delete(created.id, known, recorder.context)
    assert step.diff(known, INPUTS).changed == {"amount"}
    cloud.world.set("budgets_allowed", value=True)
    outputs = step.update(created.id, known, step.parse(INPUTS), recorder.context)
    assert outputs.budget_missing == ""
    assert len(_budgets(cloud)) == 1
    assert step.diff({**INPUTS, **outputs.model_dump()}, INPUTS).changed == frozenset()


def test_any_other_refusal_is_an_error(cloud: Cloud, recorder: Recorder) -> None:
    with pytest.raises(ManagerRefusedError, match="64 characters"):
        create(Budget(), INPUTS | {"budget_name": "b" * 64}, recorder)
    cloud.sign_in(NOBODY)
    with pytest.raises(ManagerRefusedError, match="may not write"):
        create(Budget(), INPUTS, recorder)


def test_one_that_somebody_deleted_is_made_again_and_a_deleted_one_is_gone(cloud: Cloud, recorder: Recorder) -> None:
    step = Budget()
    created = create(step, INPUTS, recorder)
    known = state(INPUTS, created)
    assert step.read(created.id, known, recorder.context) == created.outputs
    step.delete(created.id, known, recorder.context)
    assert _budgets(cloud) == []
    assert step.read(created.id, known, recorder.context) is None
    step.delete(created.id, known, recorder.context)
