"""Steps 4 and 5: an image with the serving code and one model version, named by the digest of its content.

On this machine it is a folder laid out like the image.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from azure_clients.lake import bring, lake_folder
from azure_clients.resources import ContainerRegistry, Lake
from azure_clients.retries import Context
from features.files import remove, written_aside
from steps.image_build import REPOSITORY, BuildFailedError, RegistryBuild, build
from steps.image_content import BuildContext, base_images, build_context, fill, image_digest
from steps.registry_here import LocalRegistry, bundle_folder
from steps.step import AzureStep, Created, Kind, Stack, State, Step, StepInputs, StepOutputs, after_failure
from tools.paths import ROOT

ENTRYPOINT = """#!/bin/sh
# Starts this image's own code on this image's own model; `$PERSONALIZE_PYTHON` is the interpreter with the libraries.
here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/app"
exec env PYTHONPATH="$here/app" OPENBLAS_NUM_THREADS=1 "$PERSONALIZE_PYTHON" -m scoring --image "$here" "$@"
"""
FIXES_LAST = timedelta(days=7)
"""How long an image counts as up to date: the build installs Debian's security fixes of the day."""


class Inputs(StepInputs):
    """A model version, the hash of the serving code (64 hexadecimal digits), and its libraries' locked versions."""

    registry: str
    version: int
    bundle_hash: str
    code_hash: str
    libraries: dict[str, str]


class LocalInputs(Inputs, Stack):
    """A folder with the image's layout."""


class AzureInputs(Inputs, Stack, ContainerRegistry, Lake):
    """In a container registry, with the bundle from the lake."""

    bundle_url: str
    target: str
    """Stage of the Dockerfile: the engine."""
    private: bool
    """Whether the registry has no public access, which also excludes ACR Tasks."""


class Outputs(StepOutputs):
    """`sha256:` and 64 hexadecimal digits."""

    digest: str


class AzureOutputs(Outputs):
    """The full reference, `HOST/NAME@sha256:...`."""

    image: str


class ServingImageHere(Step[LocalInputs, Outputs]):
    """Builds `images/<digest>`. Images belong to the registry, so deleting this resource deletes no image."""

    kind = Kind.SERVING_IMAGE
    replaced_by = frozenset({"stack", "version", "bundle_hash", "code_hash", "libraries"})
    code: ClassVar[Path] = ROOT
    """The folder of the serving packages."""

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Build the image in a temporary folder, renamed once it is complete; a whole one that exists is reused."""
        context.report(f"building the image of model version {inputs.version}")
        folder = self.folder(inputs.stack)
        registry = LocalRegistry(folder.registry)
        folder.images.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=folder.images) as place:
            unfinished = Path(place) / "image"
            fill(unfinished, self.code, registry.whole(registry.get(inputs.version).bundle_hash), inputs)
            entrypoint = unfinished / "entrypoint"
            entrypoint.write_text(ENTRYPOINT)
            entrypoint.chmod(0o755)
            digest = image_digest(unfinished)
            if image_digest(folder.image(digest)) != digest:
                with written_aside(folder.image(digest)) as aside:
                    unfinished.rename(aside)
                    remove(folder.image(digest))
        return Created(digest, Outputs(digest=digest))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the folder is there, with the content that the digest in its name says."""
        return image_digest(self.folder(state["stack"]).image(identity)) == identity


class ServingImageOnAzure(AzureStep[AzureInputs, AzureOutputs]):
    """Builds the image. Deleting this resource deletes no image: the container registry owns them."""

    kind = Kind.SERVING_IMAGE
    replaced_by = frozenset({"stack", "registry_name", "version", "bundle_hash", "target", "code_hash", "libraries"})
    code: ClassVar[Path] = ROOT
    """The folder of the serving packages and of the project's files."""

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Build it; raises `BuildFailedError`, `BundleError`, `CodeChangedError` or `AzureRefusedError`."""
        bundle = bundle_folder(self.folder(inputs.stack).registry, inputs.bundle_hash)
        bring(lake_folder(inputs, inputs.bundle_url, context), bundle, inputs.bundle_hash)
        with build_context(self.code, bundle, inputs, target=inputs.target) as content:
            digest = self._build(content, inputs, context)
        outputs = AzureOutputs(digest=digest, image=f"{inputs.login_server}/{REPOSITORY}@{digest}")
        return Created(digest, outputs)

    def _build(self, content: BuildContext, inputs: AzureInputs, context: Context) -> str:
        """The digest of a recent image in the registry, or else of a new one.

        If the build fails and the registry has an older image of the same content, that one is used, so that a return
        to an earlier version always works.
        """
        known = RegistryBuild(inputs, context).find(content)
        if known is not None and known.age < FIXES_LAST:
            return known.digest
        try:
            return build(inputs, content, context, private=inputs.private)
        except BuildFailedError as error:
            if known is None:
                advice = after_failure(_mended(str(error), base_images(self.code)))
                raise BuildFailedError(f"{error}\n{advice}") from error
            context.report(f"using the image of {known.age.days} days ago, because the build failed: {error}")
            return known.digest


def _mended(log: str, bases: Sequence[str]) -> str:
    """What to do about a failed build. Docker and BuildKit name a base that is gone in different sentences."""
    gone = [base for base in bases if re.search(rf"{base.rpartition('@')[2]}.* not found", log)]
    return f"set another digest for {' and '.join(gone)} in scoring/Dockerfile" if gone else "fix the cause"
