"""Which roles may look up an image in the container registry."""

from collections.abc import Iterator

import pytest

from azure_clients.credentials import registry_images
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
