"""Every policy passes its good example and rejects its bad one; the project's own stacks pass all policies."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pulumi
import pytest
import yaml

pytest.importorskip("pulumi_policy", reason="needs `uv sync --inexact --extra azure`")

from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.names import Names
from infra.cloud.role_list import Role
from infra.cloud.training.lake_access import LakeAccess, LakeAccessArgs
from infra.cloud.training.training_job import TrainingJob, TrainingJobArgs
from infra.policy.cloud_resources import missing_pool
from infra.policy.pack import RULES
from infra.policy.rule import Rule
from infra.settings import Settings, load_settings
from infra.workload.workload import Workload, WorkloadArgs
from steps.shared.job_libraries import JobLibraries
from steps.shared.volumes import CONTAINERS, volumes_of
from steps.shared.wheel import Wheel
from tests.infra.graph.cloud_recorder import SUBSCRIPTION, run_cloud
from tools.paths import ROOT

SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/lake"
ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CLUSTER = {"numWorkers": 2, "azureAttributes": {"availability": "ON_DEMAND_AZURE"}}
CONTAINER = {
    "name": "scoring",
    "image": "registry.azurecr.io/scoring@sha256:" + "a" * 64,
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "readinessProbe": {"httpGet": {"path": "/readyz"}},
    "livenessProbe": {"httpGet": {"path": "/healthz"}},
    "securityContext": {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    },
}

PRIVATE = {"tags": {"network": "private"}}


def job(**changes: object) -> dict[str, Any]:
    """A training job with a valid cluster, except for `changes`."""
    return {"timeoutSeconds": 60, "jobClusters": [{"jobClusterKey": "training", "newCluster": CLUSTER | changes}]}


def deployment(**changes: object) -> dict[str, Any]:
    """A Deployment with a valid container, except for `changes`."""
    return {"spec": {"template": {"spec": {"containers": [deepcopy(CONTAINER) | changes]}}}}


def ingress(*rules: Mapping[str, Any]) -> dict[str, Any]:
    """A network policy with these ingress rules."""
    return {"spec": {"ingress": list(rules)}}


EXAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no-public-blobs": ({"allowBlobPublicAccess": False}, {}),
    "no-public-containers": ({"publicAccess": "None"}, {"publicAccess": "Blob"}),
    "no-shared-keys": ({"allowSharedKeyAccess": False}, {}),
    "tls-1-2": ({"minimumTlsVersion": "TLS1_2"}, {"minimumTlsVersion": "TLS1_0"}),
    "no-registry-admin": ({"adminUserEnabled": False}, {"adminUserEnabled": True}),
    "no-local-accounts": ({"disableLocalAccounts": True}, {"disableLocalAccounts": False}),
    "production-nodes": (
        {"availabilityZones": ["1", "2"], "minCount": 2},
        {"availabilityZones": ["1", "2"], "minCount": 1},
    ),
    "production-sla": ({"sku": {"tier": "Standard"}}, {"sku": {"tier": "Free"}}),
    "required-tags": ({"tags": {"project": "personalization", "stack": "prod"}}, {"tags": {"stack": "prod"}}),
    "known-roles": ({"roleDefinitionId": ROLES + Role.SECRETS_USER}, {"roleDefinitionId": ROLES + OWNER}),
    "narrow-scopes": ({"scope": SCOPE}, {"scope": f"/subscriptions/{SUBSCRIPTION}"}),
    "private-services": (PRIVATE | {"publicNetworkAccess": "Disabled"}, PRIVATE | {"publicNetworkAccess": "Enabled"}),
    "private-api-server": (PRIVATE | {"apiServerAccessProfile": {"enablePrivateCluster": True}}, PRIVATE),
    "no-training-autoscaling": (job(), job(autoscale={"minWorkers": 1, "maxWorkers": 4})),
    "no-training-spot": (job(), job(azureAttributes={"availability": "SPOT_AZURE"})),
    "training-timeout": (job(), job() | {"timeoutSeconds": None}),
    "pod-limits": (deployment(), deployment(resources={"requests": {"cpu": "1"}})),
    "pod-probes": (deployment(), deployment(livenessProbe=None)),
    "pod-non-root": (deployment(), deployment(securityContext={"allowPrivilegeEscalation": False})),
    "pod-privileges": (deployment(), deployment(securityContext={"runAsNonRoot": True})),
    "image-digests": (deployment(), deployment(image="registry.azurecr.io/scoring:latest")),
    "port-with-key": (ingress({"ports": [{"port": 8443}]}), ingress({"ports": [{"port": 8443}, {"port": 9090}]})),
}
"""For each policy, properties that pass and properties that fail in a stack named `prod`."""


def sentences(rule: Rule, properties: Mapping[str, Any], stack: str = "prod") -> list[str]:
    """The violations that the rule reports."""
    return list(rule.check(properties, stack))


def test_every_policy_has_its_examples() -> None:
    assert [rule.name for rule in RULES] == list(EXAMPLES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_policy_lets_its_good_example_through(rule: Rule) -> None:
    assert sentences(rule, EXAMPLES[rule.name][0]) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_policy_stops_its_bad_example(rule: Rule) -> None:
    assert sentences(rule, EXAMPLES[rule.name][1])


@pytest.mark.parametrize("name", ["production-nodes", "production-sla"])
def test_what_is_asked_of_production_is_not_asked_of_a_test_stack(name: str) -> None:
    rule = next(rule for rule in RULES if rule.name == name)
    assert sentences(rule, EXAMPLES[name][1], stack="dev") == []
    assert sentences(rule, EXAMPLES[name][1], stack="prod-eu")


@pytest.mark.parametrize("path", ["spec", "spec.jobTemplate.spec.template.spec"])
def test_a_pod_is_found_wherever_it_stands(path: str) -> None:
    rule = next(rule for rule in RULES if rule.name == "image-digests")
    properties: dict[str, Any] = {"containers": [CONTAINER | {"image": "scoring:latest"}]}
    for part in reversed(path.split(".")):
        properties = {part: properties}
    assert sentences(rule, properties)


def test_a_rule_without_ports_opens_all_and_one_with_a_peer_is_open_to_nobody_else() -> None:
    rule = next(rule for rule in RULES if rule.name == "port-with-key")
    assert sentences(rule, ingress({}))
    assert sentences(rule, ingress({"ports": [{"port": 9090}], "from": [{"podSelector": {}}]})) == []


@pytest.mark.parametrize(("stack", "most", "stopped"), [("prod", 0, True), ("prod", 6, False), ("dev", 0, False)])
def test_a_production_stack_has_nodes_for_the_service(stack: str, most: int, *, stopped: bool) -> None:
    assert bool(list(missing_pool(declared(stack, scoring_nodes_max=most)))) is stopped


def committed(stack: str) -> Settings:
    """The settings of a committed stack file."""
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return load_settings(
        {key: json.dumps(value) if isinstance(value, dict) else value for key, value in content.items()}
    )


def declared(stack: str, **changes: Any) -> list[tuple[str, dict[str, Any]]]:
    """Types and properties of everything that the stack declares except its steps, with changed settings."""
    settings = committed(stack)
    assert settings.azure is not None
    azure = settings.azure.model_copy(update=changes)

    def program() -> dict[str, pulumi.Output[Any]]:
        names = Names(stack=stack, subscription=azure.subscription, suffix=azure.suffix)
        environment = Environment("environment", EnvironmentArgs(settings=azure, names=names))
        ClusterEnvironment(environment, ())
        containers = {name: environment.storage.lake_url(name) for name in CONTAINERS}
        connector = environment.databricks.connector.id
        LakeAccess(
            "lake-access",
            LakeAccessArgs(name=names.catalog_object, connector=connector, containers=containers, managers={}),
        )
        libraries = JobLibraries(
            volumes=volumes_of(names.catalog_object), wheel=Wheel("w.whl", "0" * 16, b""), wheels=(), jars={}
        )
        TrainingJob(
            "training-job",
            TrainingJobArgs(settings=azure, names=names, libraries=libraries),
            environment.databricks.workspace,
        )
        workload = WorkloadArgs(
            azure=azure,
            scoring=settings.scoring,
            image=str(CONTAINER["image"]),
            place=environment.place,
            vault=names.vault,
            client_id=azure.tenant,
            certificate_hash="first",
            pool_label="personalization/pool",
            pool="scoring",
        )
        return {"urn": Workload("workload", workload).urn}

    return [(item.typ, item.inputs) for item in run_cloud(program, stack)[0].resources]


@pytest.fixture(scope="module", params=["dev", "prod"])
def stack(request: pytest.FixtureRequest) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """Each of the project's own stacks on Azure."""
    return request.param, declared(request.param)


def test_the_project_s_own_stack_passes(stack: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    name, resources = stack
    found = [
        f"{kind}: {sentence}"
        for rule in RULES
        for kind, properties in resources
        if kind in rule.types
        for sentence in sentences(rule, properties, name)
    ]
    assert found == []


def test_every_policy_meets_something_in_the_project_s_own_stack(
    stack: tuple[str, list[tuple[str, dict[str, Any]]]],
) -> None:
    """A rule for a misspelt type would never match a resource, and so pass everything."""
    name, resources = stack
    present = {kind for kind, _ in resources}
    absent = {"production-nodes"} if name == "dev" else set()  # its service runs on the system nodes
    assert {rule.name for rule in RULES if not rule.types & present} == absent
