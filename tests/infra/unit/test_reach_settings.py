"""Settings that say from where a stack may be reached."""

import pytest

from infra.settings import SettingsError, azure_settings, load_settings
from tests.infra.unit.test_settings import AZURE, given_values


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"authorized_ip_ranges": ["home"]}, r"authorized_ip_ranges is \['home'\]: must be a list of IPv4"),
        ({"authorized_ip_ranges": ["203.0.113.7/24"]}, r"is \['203\.0\.113\.7/24'\]: must be a list of IPv4 ranges"),
        ({"authorized_ip_ranges": ["203.0.113.7"]}, "must be a list of IPv4 ranges"),
        ({"allowed_sources": []}, r"azure\.allowed_sources is \[\]: .* at least one, or the word `anywhere`"),
        ({"allowed_sources": "everywhere"}, "azure.allowed_sources is 'everywhere': must be a list of IPv4 ranges"),
    ],
)
def test_what_is_no_range_is_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(given_values(target="azure", azure=AZURE | wrong))


@pytest.mark.parametrize("name", ["authorized_ip_ranges", "allowed_sources"])
def test_a_stack_file_says_who_may_reach_the_stack(name: str) -> None:
    silent = {key: value for key, value in AZURE.items() if key != name}
    with pytest.raises(SettingsError, match=rf"azure\.{name} is missing: .*for example \['203\.0\.113\.0/24'\]"):
        load_settings(given_values(target="azure", azure=silent))


@pytest.mark.parametrize(
    ("settings", "closed"),
    [
        ({}, False),
        ({"authorized_ip_ranges": ["203.0.113.0/24"]}, True),
        ({"allowed_sources": ["203.0.113.0/24"]}, True),
    ],
)
def test_a_range_closes_a_stack_to_the_runners_of_github(settings: dict[str, object], *, closed: bool) -> None:
    assert azure_settings(load_settings(given_values(target="azure", azure=AZURE | settings))).closed is closed
