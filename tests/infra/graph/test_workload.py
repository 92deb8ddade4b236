"""The service's Deployment as the stacks send it: the service understands what it says."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi_kubernetes", reason="needs `uv sync --inexact --extra azure`")

from scoring.settings import parse
from tests.infra.wiring.page import resources


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
