"""The availability test: what it costs, and which stacks cannot have one."""

import pytest

from infra.azure_settings import AzureSettings
from infra.cost.estimate import estimate
from infra.cost.prices import snapshot
from infra.cost.scenarios import of_settings
from infra.settings import SettingsError, load_settings
from tests.infra.unit.test_cost import figures, line
from tests.infra.unit.test_private_settings import AZURE, PRIVATE, settings


def test_being_asked_costs_by_the_request() -> None:
    without, asked = (
        estimate(of_settings("test", AzureSettings.model_validate(AZURE | {"availability_test": on})), snapshot())
        for on in (False, True)
    )
    assert "availability test" not in {one.name for one in without.lines}
    # 5 places * 12 requests an hour * 730 h = 43,800 at 0.0006 = 26.28, 25 % either way: 19.71 and 32.85
    assert line(asked, "availability test").usd == figures("19.71", "26.28", "32.85")


def test_a_service_that_the_internet_does_not_reach_can_not_be_asked() -> None:
    load_settings(settings(**PRIVATE))
    with pytest.raises(SettingsError, match="availability_test calls the service from the internet"):
        load_settings(settings(**PRIVATE, availability_test=True))
