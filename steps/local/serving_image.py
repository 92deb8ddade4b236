"""Steps 4 and 5: puts the serving code and a model into a folder laid out like the image, named by its digest."""

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from steps.descriptions.serving_image import LOCAL, LocalInputs, Outputs
from steps.local.registry import LocalRegistry
from steps.provider.step import Context, Created, State
from steps.shared.image_content import fill, image_digest
from steps.shared.local_step import LocalStep
from tools.paths import ROOT, state_folder

ENTRYPOINT = """#!/bin/sh
# Starts this image's own code on this image's own model; `$PERSONALIZE_PYTHON` is the interpreter with the libraries.
here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/app"
exec env PYTHONPATH="$here/app" OPENBLAS_NUM_THREADS=1 "$PERSONALIZE_PYTHON" -m scoring --image "$here" "$@"
"""


class ServingImage(LocalStep[LocalInputs, Outputs]):
    """Builds `images/<digest>`. Images belong to the registry, so deleting this resource deletes no image."""

    description = LOCAL

    def __init__(self, folder_of: Callable[[str], Path] = state_folder, code: Path = ROOT) -> None:
        """`code` is the folder of the serving packages."""
        super().__init__(folder_of)
        self._code = code

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Build the image in a temporary folder, renamed once it is complete; an existing image is reused."""
        context.report(f"building the image of model version {inputs.version}")
        folder = self.folder(inputs.stack)
        registry = LocalRegistry(folder.registry)
        folder.images.mkdir(parents=True, exist_ok=True)
        unfinished = folder.images / f".{uuid.uuid4().hex}"
        try:
            self._fill(unfinished, registry.bundle(registry.get(inputs.version).bundle_hash), inputs)
            digest = image_digest(unfinished)
            if not folder.image(digest).is_dir():
                unfinished.rename(folder.image(digest))
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return Created(digest, Outputs(digest=digest))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the folder is gone, or if its content doesn't match the digest in its name."""
        image = self.folder(state["stack"]).image(identity)
        return super().read(identity, state, context) if image.is_dir() and image_digest(image) == identity else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Do nothing: the registry owns the images."""

    def _fill(self, image: Path, bundle: Path, inputs: LocalInputs) -> None:
        fill(image, self._code, bundle, inputs)
        entrypoint = image / "entrypoint"
        entrypoint.write_text(ENTRYPOINT)
        entrypoint.chmod(0o755)
