"""The service's Deployment as the stacks send it: the service understands what it says."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi_kubernetes", reason="needs `uv sync --inexact --extra azure`")

from infra.azure_settings import AzureSettings
from infra.settings import azure_settings
from scoring.limits import Limits
from scoring.settings import parse
from steps.serving_settings import ScoringSettings
from tests.infra.wiring.page import PAGES, VARIED, resources, settings_of
from tests.infra.wiring.recording import committed, record


def sent() -> dict[str, Any]:
    """The Deployment of stack `dev`."""
    return resources("dev", "apps/v1:Deployment")["deployment"]


def pod(deployment: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod's spec, and its only container."""
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return spec, container


def test_a_pod_has_the_time_to_finish_what_it_began() -> None:
    spec, container = pod(sent())
    leaving = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    arguments = container["args"]
    draining = int(arguments[arguments.index("--drain-seconds") + 1])
    assert leaving + draining < spec["terminationGracePeriodSeconds"]


ELSEWHERE = {
    "subscription",
    "tenant",
    "deployers",
    "training_run_as",
    "log_analytics",
    "private_dns_zones",
    "network_range",
}
"""Varied by other tests in `tests/infra`."""
NOT_SENT = {"github_repository", "github_subject", "monthly_budget"}
"""Of `bootstrap` alone."""
LIMITS = {limit.name: number for number, limit in enumerate(fields(Limits), start=300)}
"""Another value for each than any default, and than the other limits have."""
DEPLOYMENT = "apps/v1:Deployment deployment"
CONTAINER = "spec.template.spec.containers.0"
CLUSTER, JOB = "containerservice:ManagedCluster cluster", "databricks:Job training-job"
PLACES: list[tuple[str, str, object]] = [
    (DEPLOYMENT, "timeouts", ["1200s", "", ""]),  # also of the first rollout, which has no less than 900
    (DEPLOYMENT, "spec.progressDeadlineSeconds", 600),
    (DEPLOYMENT, "spec.template.spec.terminationGracePeriodSeconds", 10 + 2 * LIMITS["drain_seconds"]),
    (DEPLOYMENT, "metadata.annotations", {"pulumi.com/timeoutSeconds": "1200"}),
    (DEPLOYMENT, f"{CONTAINER}.resources.requests", {"cpu": "400m", "memory": "1024Mi"}),
    (DEPLOYMENT, f"{CONTAINER}.resources.limits", {"cpu": "400m", "memory": "1024Mi"}),
    ("core/v1:Service load-balancer", "spec.loadBalancerSourceRanges", ["203.0.113.0/24", "192.0.2.128/25"]),
    (CLUSTER, "apiServerAccessProfile.authorizedIPRanges", ["203.0.113.0/24", "198.51.100.7/32"]),
    (CLUSTER, "kubernetesVersion", "1.34"),
    (CLUSTER, "agentPoolProfiles.0.vmSize", "Standard_D8ds_v5"),
    ("keyvault:Vault vault", "location", "northeurope"),
    ("keyvault:Vault vault", "tags", {"owner": "team", "project": "personalization", "stack": "dev"}),
    (JOB, "timeoutSeconds", 3600),
    (JOB, "tasks.0.timeoutSeconds", 3600),
    (JOB, "emailNotifications", {"onFailures": ["others@example.com"]}),
    ("monitor:ActionGroup operators", "emailReceivers.0.emailAddress", "others@example.com"),
]


def test_no_setting_is_ignored() -> None:
    stacks = [azure_settings(settings_of(page)) for page in PAGES]
    same = {name for name in AzureSettings.model_fields if len({str(getattr(one, name)) for one in stacks}) == 1}
    assert same - {*VARIED, *ELSEWHERE, *NOT_SENT} == set(), "give it another value here, and say where it is seen"
    scoring = ScoringSettings.model_validate({"engine": "spark-serving", "title": "Tea shop", "workers": 3} | LIMITS)
    settings = committed("dev", **VARIED).model_copy(update={"scoring": scoring})
    declared = {one.name: {**one.options, **one.inputs} for one in record(settings, "dev").resources}
    for name, path, wanted in PLACES:
        found: Any = declared[name]
        for part in path.split("."):
            found = found[int(part) if part.isdigit() else part]
        assert found == wanted, f"{path} of {name}"
    (usual,) = resources("dev", "keyvault:Vault").values()
    assert declared["keyvault:Vault vault"]["vaultName"] != usual["vaultName"], "the suffix"
    _, container = pod(declared[DEPLOYMENT])
    understood = parse(["--bundle", "/model", *container["args"]])
    assert (understood.engine, understood.title, understood.workers) == ("spark-serving", "Tea shop", 3)
    assert {name: getattr(understood, name) for name in LIMITS} == LIMITS
    assert declared["azure:ServingImage image"]["target"] == "spark-serving"


def test_the_service_understands_its_arguments() -> None:
    _, container = pod(sent())
    settings = parse(["--bundle", "/model", *container["args"]])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"https": settings.port, "inside": settings.inside_port}
    assert settings.workers == 1
    assert settings.keys_file == Path("/mnt/secrets/keys")


def test_every_secret_file_that_the_service_reads_is_mounted() -> None:
    (secrets,) = resources("dev", "secrets-store.csi.x-k8s.io/v1:SecretProviderClass").values()
    _, container = pod(sent())
    mount = next(item for item in container["volumeMounts"] if item["name"] == "secrets")
    entries = secrets["spec"]["parameters"]["objects"]["as text"]["array"]
    mounted = {f"{mount['mountPath']}/{entry['objectAlias']}" for entry in entries}
    assert mounted == {part for part in container["args"] if part.startswith("/mnt")}
