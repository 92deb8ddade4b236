"""Steps 4 and 5: the serving code and one model as an image in the container registry, identified by its digest."""

from collections.abc import Callable
from pathlib import Path

from azure_clients.retries import USUAL, Patience
from steps.azure.image.build_context import BuildContext, build_context
from steps.azure.image.docker_build import DockerBuild
from steps.azure.image.registry_build import ContainerRegistryInputs, RegistryBuild, TasksNotAllowedError
from steps.azure.inputs import AzureStep
from steps.azure.stores.bundles import bring, lake_folder
from steps.azure.stores.lake import LakeInputs
from steps.local.registry import bundle_folder
from steps.provider.step import Context, Created, State
from steps.shared.image_content import ServingImageInputs
from tools.paths import ROOT, state_folder

REPOSITORY = "scoring"


class ImageInputs(ServingImageInputs, ContainerRegistryInputs, LakeInputs):
    """A model version with its bundle in the lake, what serves it, and the registry to build in."""

    bundle_url: str
    target: str
    """Stage of the recipe: the engine, and `-traces` behind it where requests are traced."""


class ServingImage(AzureStep[ImageInputs]):
    """Builds the image. Images go with the container registry, so deleting this resource deletes none."""

    inputs = ImageInputs
    replaced_by = frozenset({"stack", "registry_name", "version", "bundle_hash", "target", "code_hash"})

    def __init__(
        self,
        folder_of: Callable[[str], Path] = state_folder,
        patience: Patience = USUAL,
        code: Path = ROOT,
    ) -> None:
        """`code` is the folder of the serving packages and of the project's files."""
        super().__init__(folder_of, patience)
        self._code = code

    def create(self, inputs: ImageInputs, context: Context) -> Created:
        """Build it; raises `BuildFailedError`, `BundleError`, `CodeChangedError` or `AzureRefusedError`."""
        bundle = bundle_folder(self.folder(inputs.stack).registry, inputs.bundle_hash)
        bring(lake_folder(inputs, inputs.bundle_url, self._patience), bundle, inputs.bundle_hash, context)
        with build_context(self._code, bundle, inputs, target=inputs.target) as content:
            digest = self._build(content, inputs, context)
        return Created(digest, {"digest": digest, "image": f"{inputs.login_server}/{REPOSITORY}@{digest}"})

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the image may still be served, and an older version is one `rollback` away."""

    def _build(self, content: BuildContext, inputs: ImageInputs, context: Context) -> str:
        try:
            return RegistryBuild(inputs, context, self._patience).run(content, REPOSITORY)
        except TasksNotAllowedError:
            context.report("this subscription may not use ACR Tasks: building with docker")
            return DockerBuild(inputs, context).run(content, REPOSITORY)
