"""Puts what the clusters of the training job install into the lake, so that no cluster needs PyPI or Maven.

The wheels and jars of a lock file are uploaded once, 27 MB; the project's own wheel after each change of its code.
Their checksums are those of `uv.lock` and `training/jars.json`.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from azure_clients.lake import LakeFolder
from azure_clients.resources import Lake
from azure_clients.retries import Context
from azure_clients.volumes import Volume
from features.errors import PersonalizationError
from steps.data_upload import reporter
from steps.job_libraries import JobLibraries, job_libraries
from steps.step import AzureStep, Created, Kind, Stack, State, StepOutputs
from tools.setup.spark import ensure_jars
from tools.setup.wheels import ensure_wheels
from training.parameters import EngineName


class Inputs(Stack, Lake):
    """What trains, hashes of the project's wheel and of all other files, and the lake's volumes on a cluster."""

    engine: EngineName
    wheel: str
    packages: str
    volumes: str


class Outputs(StepOutputs):
    """The folder with the project's wheel, in the volume for libraries."""

    libraries_folder: str


class LibrariesChangedError(PersonalizationError):
    """The code or the lock file changed while `up` ran."""


class Libraries(AzureStep[Inputs, Outputs]):
    """Uploads them to the volume for libraries."""

    kind = Kind.LIBRARIES
    replaced_by = frozenset({"stack", "blob_endpoint", "wheel", "packages", "volumes"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Upload what is missing; raises `LibrariesChangedError`, `DownloadError`, `SetupError` or
        `AzureRefusedError`."""
        wanted = job_libraries(inputs.volumes, inputs.engine)
        if (wanted.wheel.hash, wanted.packages) != (inputs.wheel, inputs.packages):
            raise LibrariesChangedError(
                "The code of `training` and `features`, or uv.lock, changed while `up` ran, so what was planned can't "
                "be uploaded. Run `up` again."
            )
        send(wanted, inputs, context)
        return Created(inputs.wheel, Outputs(libraries_folder=inputs.wheel))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether all files are still in the lake."""
        inputs = self.parse(state)
        folders = [LakeFolder(inputs, Volume.LIBRARIES, name, context) for name in (identity, inputs.packages)]
        own, packages = (folder.names() for folder in folders)
        wanted = job_libraries(inputs.volumes, inputs.engine)
        complete = wanted.files <= packages or wanted.packages != inputs.packages
        return complete and wanted.wheel.name in own


def send(wanted: JobLibraries, lake: Lake, context: Context) -> None:
    """Upload what is missing; raises `DownloadError`, `SetupError` or `AzureRefusedError`."""
    packages = LakeFolder(lake, Volume.LIBRARIES, wanted.packages, context)
    if not wanted.files <= packages.names():
        _send_packages(wanted, packages, context)
    own = LakeFolder(lake, Volume.LIBRARIES, wanted.wheel.hash, context)
    own.write(wanted.wheel.name, wanted.wheel.content)


def _send_packages(wanted: JobLibraries, packages: LakeFolder, context: Context) -> None:
    context.report("fetching the libraries of Databricks' clusters")
    found = ensure_wheels(wanted.wheels, reporter(context))
    files = [found / wheel.name for wheel in wanted.wheels]
    if wanted.jars:
        jars = ensure_jars()
        files += [jars / jar for jar in wanted.jars]
    with TemporaryDirectory(prefix="libraries-") as temporary:
        for file in files:
            shutil.copyfile(file, Path(temporary) / file.name)
        packages.send(Path(temporary))
