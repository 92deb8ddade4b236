"""Steps 4 and 5: an image with the serving code and one model, in the container registry, identified by its digest."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from azure_clients.retries import USUAL, Timeout
from steps.azure.azure_step import AzureStep, after_failure
from steps.azure.image.build import build
from steps.azure.image.build_context import BuildContext, build_context
from steps.azure.image.registry_build import BuildFailedError, RegistryBuild
from steps.azure.stores.lake import bring, lake_folder
from steps.descriptions.serving_image import AZURE, AzureInputs, AzureOutputs
from steps.local.registry import bundle_folder
from steps.provider.step import Context, Created, State
from steps.shared.base_images import base_images
from tools.paths import ROOT, state_folder

REPOSITORY = "scoring"
FIXES_LAST = timedelta(days=7)
"""How long an image counts as up to date: the build installs Debian's security fixes of the day."""


class ServingImage(AzureStep[AzureInputs, AzureOutputs]):
    """Builds the image. Deleting this resource deletes no image: the container registry owns them."""

    description = AZURE

    def __init__(
        self,
        folder_of: Callable[[str], Path] = state_folder,
        timeout: Timeout = USUAL,
        code: Path = ROOT,
    ) -> None:
        """`code` is the folder of the serving packages and of the project's files."""
        super().__init__(folder_of, timeout)
        self._code = code

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Build it; raises `BuildFailedError`, `BundleError`, `CodeChangedError` or `AzureRefusedError`."""
        bundle = bundle_folder(self.folder(inputs.stack).registry, inputs.bundle_hash)
        bring(lake_folder(inputs, inputs.bundle_url, self._timeout), bundle, inputs.bundle_hash, context)
        with build_context(self._code, bundle, inputs, target=inputs.target) as content:
            digest = self._build(content, inputs, context)
        outputs = AzureOutputs(digest=digest, image=f"{inputs.login_server}/{REPOSITORY}@{digest}")
        return Created(digest, outputs)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the image may still be served, and an older version is one `serve` away."""

    def _build(self, content: BuildContext, inputs: AzureInputs, context: Context) -> str:
        """The digest of a recent image in the registry, or else of a new one.

        If the build fails and the registry has an older image of the same content, that one is used, so that a return
        to an earlier version always works.
        """
        known = RegistryBuild(inputs, context, self._timeout).find(content, REPOSITORY)
        if known is not None and known.age < FIXES_LAST:
            return known.digest
        try:
            return build(inputs, content, REPOSITORY, context, self._timeout, private=inputs.private)
        except BuildFailedError as error:
            if known is None:
                advice = after_failure(_mended(str(error), base_images(self._code)))
                raise BuildFailedError(f"{error}\n{advice}") from error
            context.report(f"using the image of {known.age.days} days ago, because the build failed: {error}")
            return known.digest


def _mended(log: str, bases: Sequence[str]) -> str:
    """What to do about a failed build. Docker and BuildKit name a base that is gone in different sentences."""
    gone = [base for base in bases if re.search(rf"{base.rpartition('@')[2]}.* not found", log)]
    return f"set another digest for {' and '.join(gone)} in scoring/Dockerfile" if gone else "fix the cause"
