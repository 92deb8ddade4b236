"""Settings: all errors are reported at once, and the keys are those that `Pulumi.yaml` declares."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from infra.azure_settings import has_own_disk
from infra.private import divided
from infra.settings import Settings, SettingsError, Target, azure_settings, load_settings
from steps.datasets import located
from tests.support.azure_stack import REQUIRED
from tools.paths import ROOT
from training.parameters import TablesDataset

PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
DECLARED: dict[str, dict[str, Any]] = PROJECT["config"]


def given_values(**values: object) -> dict[str, Any]:
    """Settings as the engine passes them: objects as JSON text."""
    plain = (str, int, float)
    return {
        f"personalization:{name}": value if isinstance(value, plain) else json.dumps(value)
        for name, value in values.items()
    }


def test_no_setting_is_required() -> None:
    assert load_settings({}) == Settings()


def test_a_version_number_may_arrive_as_text() -> None:
    assert load_settings(given_values(model_version="3")).model_version == 3


def test_every_error_is_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            given_values(
                target="moon",
                training={"num_leaves": 1, "num_leafs": 3},
                scoring={"port": "abc"},
                model_version="newest",
                dataset={"kind": "criteo"},
            )
        )
    _, *lines = str(caught.value).splitlines()
    assert [line.split()[0].rstrip(":") for line in lines] == [
        "personalization:target",
        "personalization:dataset.path",
        "personalization:training.num_leaves",
        "personalization:training.num_leafs",
        "personalization:scoring.port",
        "personalization:model_version",
    ]


CERTIFICATE = {"tls_certificate": "certificate.pem", "tls_key": "key.pem"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"trainig": {}}, "no such setting; did you mean training"),
        ({"scorign": {}}, "no such setting; did you mean scoring"),
        ({"training": {"fit": "native"}}, r"personalization:training.fit: there is no such setting; there are "),
        ({"training": {"learning_rate": float("nan")}}, r"learning_rate is nan: must be a finite number"),
        ({"scoring": {"tls_key": "key.pem"}}, "tls_certificate and tls_key belong together"),
        ({"target": "azure", "scoring": CERTIFICATE}, "the stack creates its own certificate"),
        ({"target": "azure"}, r"personalization:azure is None: target azure needs it"),
        *(({"gate": text}, r"personalization:gate is .*: must be an object") for text in ("{", "[1,", "{}}", "text")),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(given_values(**values))


def test_the_project_file_declares_the_same_settings() -> None:
    assert list(DECLARED) == list(Settings.model_fields)


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_the_project_file_gives_a_setting_the_same_type_and_default(name: str) -> None:
    field = Settings.model_fields[name]
    expected = "object" if isinstance(field.default, BaseModel) or name == "azure" else "string"
    assert DECLARED[name]["type"] == expected
    assert load_settings(given_values(**{name: DECLARED[name]["default"]})) == Settings()


@pytest.mark.parametrize(("stack", "target"), [("local", Target.LOCAL), ("dev", Target.AZURE), ("prod", Target.AZURE)])
def test_a_committed_stack_file_is_valid(stack: str, target: Target) -> None:
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    values = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in content.items()}
    assert load_settings(values).target is target


AZURE = dict(REQUIRED)
HUB = f"/subscriptions/{AZURE['subscription']}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/hub"
GROUP = f"/subscriptions/{AZURE['subscription']}/resourceGroups/rg-hub"
PRIVATE = {"network": "private", "peered_network": HUB, "registry_tier": "Premium"}
OWN_NODES = {"scoring_nodes_max": 0, "system_nodes_max": 1}
"""The service runs on the cluster's own nodes."""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"scoring_nodes_min": 5, "scoring_nodes_max": 2}, "scoring_nodes_min is 5 and scoring_nodes_max is 2"),
        ({"zones": ["1", "1"]}, "zones contains a zone twice"),
        ({"zones": ["4"]}, r"azure\.zones\.0 is '4': must be '1', '2' or '3'"),
        ({"deployers": [{"object_id": "me", "type": "User"}]}, r"azure\.deployers\.0\.object_id is 'me'"),
        ({"peered_network": HUB}, "peered_network is for `network: private`"),
        ({"network": "private"}, "needs peered_network"),
        (PRIVATE | {"peered_network": HUB.replace("1111", "9999")}, "must be in the stack's subscription"),
        (PRIVATE | {"peered_network": "hub"}, r"azure\.peered_network is 'hub'"),
        ({"private_dns_zones": GROUP}, "private_dns_zones is for `network: private`"),
        (PRIVATE | {"private_dns_zones": GROUP.replace("1111", "9999")}, "must be in the stack's subscription"),
        (PRIVATE | {"private_dns_zones": "hub"}, r"azure\.private_dns_zones is 'hub'"),
        ({"log_analytics": "logs"}, r"azure\.log_analytics is 'logs'"),
        (PRIVATE | {"registry_tier": "Standard"}, "needs registry_tier Premium"),
        (PRIVATE | {"authorized_ip_ranges": ["203.0.113.0/24"]}, "is for a public API server"),
        (PRIVATE | {"network_range": "10.1.0.0/24"}, "must be from /16 to /23"),
        (PRIVATE | {"network_range": "10.0.0.0/15"}, "must be from /16 to /23"),
        (PRIVATE | {"network_range": "203.0.0.0/16"}, "public addresses"),
        (PRIVATE | {"network_range": "10.0.128.0/20"}, r"overlaps 10\.0\.0\.0/16"),
        (PRIVATE | {"network_range": "10.244.0.0/16"}, r"overlaps 10\.244\.0\.0/16"),
        (PRIVATE | {"network_range": "10.1.0.1/16"}, "has host bits set"),
        (PRIVATE | {"network_range": "10.1.0.0/23", "scoring_nodes_max": 60}, "has 59 addresses for 65 nodes"),
        (PRIVATE | {"network_range": "10.1.0.0/23", "training_workers": 59}, "has 59 addresses for 60 nodes"),
        ({"authorized_ip_ranges": ["home"]}, r"authorized_ip_ranges is \['home'\]: must be a list of IPv4"),
        ({"authorized_ip_ranges": ["203.0.113.7/24"]}, r"is \['203\.0\.113\.7/24'\]: must be a list of IPv4 ranges"),
        ({"authorized_ip_ranges": ["203.0.113.7"]}, "must be a list of IPv4 ranges"),
        ({"allowed_sources": []}, r"azure\.allowed_sources is \[\]: .* at least one, or the word `anywhere`"),
        ({"allowed_sources": "everywhere"}, "azure.allowed_sources is 'everywhere': must be a list of IPv4 ranges"),
        # A node of four cores has 2,590 millicores for the service: AKS keeps 140, its pods request 370 and 900.
        (OWN_NODES | {"replicas_max": 5}, r"have room for 5 pods of 0\.5 cores .* lower it to 4, or set"),
        (
            OWN_NODES | {"replicas_max": 4, "cpu_millicores": 600},
            r"have room for 4 pods of 0\.6 cores .* lower it to 3, or set",
        ),
        (
            OWN_NODES | {"replicas_max": 4, "system_vm_size": "Standard_D2ds_v5"},
            r"room for 1 pods .* adds one: set `scoring_nodes_max`",
        ),
        (OWN_NODES | {"replicas_max": 11, "system_nodes_max": 2}, "have room for 11 pods"),
        # A node of two cores has 1,530 millicores for the service: AKS keeps 100, and its pods request 370.
        (
            {"replicas_max": 3, "cpu_millicores": 600, "scoring_nodes_max": 1},
            r"1 scoring node\(s\) Standard_D2ds_v5 have room for 2 pods .* adds one: raise `scoring_nodes_max`\.$",
        ),
        ({"replicas_max": 6, "scoring_nodes_max": 2}, r"room for 6 pods of 0\.5 cores .*: lower it to 5, or raise"),
        ({"cpu_millicores": 1600}, r"A replica of 1\.6 cores does not fit on a Standard_D2ds_v5"),
        (
            {"scoring_nodes_max": 0, "replicas_max": 4, "scoring_nodes_min": 1},
            "scoring_nodes_min is 1 and scoring_nodes_max is 0",
        ),
    ],
)
def test_what_azure_would_refuse_is_refused_at_once(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(given_values(target="azure", azure=AZURE | wrong))


@pytest.mark.parametrize("name", ["authorized_ip_ranges", "allowed_sources"])
def test_a_stack_file_says_who_may_reach_the_stack(name: str) -> None:
    silent = {key: value for key, value in AZURE.items() if key != name}
    with pytest.raises(SettingsError, match=rf"azure\.{name} is missing; for example \['203\.0\.113\.0/24'\]"):
        load_settings(given_values(target="azure", azure=silent))


def test_a_private_stack_s_network_is_divided_into_eighths() -> None:
    azure = azure_settings(load_settings(given_values(target="azure", azure=AZURE | PRIVATE)))
    ranges = divided(azure.network_range)
    assert str(ranges.cluster) == "10.100.0.0/19"
    assert str(ranges.service) == "10.100.128.0/19"
    assert str(ranges.service_address) == "10.100.128.4"


@pytest.mark.parametrize(
    "azure",
    [
        {"scoring_nodes_max": 0, "replicas_max": 4},
        {"replicas_max": 8},
        {"replicas_max": 99, "scoring_vm_size": "Standard_M416ms_v2"},
    ],
    ids=["on the cluster's own nodes", "in a pool", "in a pool of a size without known cores"],
)
def test_a_service_with_room_on_its_nodes_passes(azure: dict[str, object]) -> None:
    found = azure_settings(load_settings(given_values(target="azure", azure=AZURE | azure)))
    assert found.shares_nodes is (found.scoring_nodes_max == 0)


def test_relative_paths_start_at_the_repository() -> None:
    dataset = located(TablesDataset(kind="tables", spec=Path("examples/tables/dataset.yaml")))
    assert dataset == TablesDataset(kind="tables", spec=ROOT / "examples/tables/dataset.yaml")


@pytest.mark.parametrize(
    ("size", "has"),
    [("D4ds_v5", True), ("E4-2ads_v5", True), ("D4s_v5", False), ("D3_v2", False), ("M416ms_v2", False)],
)
def test_a_size_s_name_says_whether_it_has_a_local_disk(size: str, *, has: bool) -> None:
    assert has_own_disk(f"Standard_{size}") is has
