"""Where an image is built: in the container registry, or with docker on this machine if ACR Tasks can't."""

from azure_clients.retries import Timeout
from steps.azure.image.build_context import BuildContext
from steps.azure.image.docker_build import DockerBuild
from steps.azure.image.registry_build import RegistryBuild, TasksNotAllowedError
from steps.descriptions.places import ContainerRegistry
from steps.provider.step import Context

PRIVATE = "ACR Tasks can't access a private registry"
SUPPORT = "or ask Azure's support to allow ACR Tasks (https://aka.ms/azuresupport, which can take days)"


def build(
    registry: ContainerRegistry,
    content: BuildContext,
    repository: str,
    context: Context,
    timeout: Timeout,
    *,
    private: bool,
) -> str:
    """Build and push `content` as `repository`; returns the image's digest, `sha256:` and 64 digits.

    Raises `BuildFailedError` or `AzureRefusedError`, and `StepCancelledError` after Ctrl-C.
    """
    why, otherwise = PRIVATE, ""
    if not private:
        try:
            return RegistryBuild(registry, context, timeout).run(content, repository)
        except TasksNotAllowedError as error:
            why, otherwise = f"ACR Tasks refuses this subscription ({error})", SUPPORT
    context.report(f"{why}: building with docker")
    return DockerBuild(registry, context, why, otherwise).run(content, repository)
