"""Which roles may look up an image in the container registry, and how it refuses builds."""

from collections.abc import Iterator

import pytest

from azure_clients.credentials import registry_images, registry_tasks
from tests.simulation.clients.calls import SUBSCRIPTION
from tests.simulation.examples.names import GROUP
from tests.simulation.published import ROLES
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.world import DEFAULTS

DIGEST = f"sha256:{'1' * 64}"
IMAGE = {
    "registry": "registryabc",
    "images": ["scoring:content"],
    "digest": DIGEST,
    "pushed": "2026-11-01T00:00:00+00:00",
}


@pytest.fixture
def cloud_with_image(cloud: AzureNative) -> Iterator[AzureNative]:
    """The registry has one image; a test chooses the deployer's roles."""
    cloud.world.set("images", {DIGEST: IMAGE})
    yield cloud
    cloud.world.set("images", {})
    cloud.world.set("tasks_allowed", value=True)
    cloud.world.set("deployer_roles", DEFAULTS["deployer_roles"])


def digest() -> str:
    """The image's digest by its tag, as the product looks it up."""
    images = registry_images(str(DEFAULTS["tenant"]), "registryabc.azurecr.io")
    return str(images.get_tag_properties("scoring", "content").digest)


@pytest.mark.parametrize("role", ["Contributor", "Owner"])
def test_roles_that_may_change_a_registry_see_its_images(cloud_with_image: AzureNative, role: str) -> None:
    cloud_with_image.world.set("deployer_roles", [ROLES[role]])
    assert digest() == DIGEST


def test_a_reader_of_the_subscription_sees_no_images(cloud_with_image: AzureNative) -> None:
    from azure.core.exceptions import HttpResponseError

    cloud_with_image.world.set("deployer_roles", [ROLES["Reader"]])
    with pytest.raises(HttpResponseError, match="denied"):
        digest()


def test_a_subscription_that_may_not_use_acr_tasks_gets_a_bad_request(cloud_with_image: AzureNative) -> None:
    from azure.core.exceptions import HttpResponseError
    from azure.mgmt.containerregistrytasks.models import DockerBuildRequest, PlatformProperties

    cloud_with_image.world.set("tasks_allowed", value=False)
    client = registry_tasks(str(DEFAULTS["tenant"]), SUBSCRIPTION)
    request = DockerBuildRequest(docker_file_path="Dockerfile", platform=PlatformProperties(os="Linux"))
    with pytest.raises(HttpResponseError) as refused:
        client.registries.schedule_run(GROUP, "registryabc", request)
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "TasksOperationsNotAllowed"
