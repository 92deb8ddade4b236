"""The libraries of training and serving: their locked versions, and what the clusters of the training job install.

The versions are inputs of steps: an upgrade that may change results runs a step again. The clusters install all from
the stack's own volume, and ask neither PyPI nor Maven: one folder has the locked wheels and SynapseML's jars, for as
long as the lock file stays the same; another has the project's own wheel and the requirements file that the job names.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from azure_clients.volumes import Volume
from tools.paths import ROOT
from tools.setup.wheels import SYNAPSEML as SYNAPSEML_PACKAGE
from tools.setup.wheels import LockedWheel, locked_packages, locked_wheels
from tools.versions import SYNAPSEML
from training.parameters import EngineName
from training.runtime import jar_name, pinned_jars

REQUIREMENTS = "requirements.txt"
HASH_DIGITS = 16
TRAINING_LIBRARIES = (
    "lightgbm",
    "numpy",
    "pandas",
    "pyarrow",
    "pyspark",
    "synapseml",
    "scikit-learn",
    "scipy",
    "xxhash",
)
SERVING_LIBRARIES = (
    "httptools",
    "lightgbm",
    "msgspec",
    "numpy",
    "pyspark",
    "synapseml",
    "uvloop",
    "xxhash",
)


@dataclass(frozen=True)
class Wheel:
    """A built wheel. Builds are reproducible, so `hash` changes only with the code."""

    name: str
    hash: str
    """Sixteen hexadecimal digits of the content's SHA-256."""
    content: bytes


@dataclass(frozen=True, kw_only=True)
class JobLibraries:
    """The project's wheel, the wheels that it needs, and jars with their SHA-256; `volumes` is the stack's folder."""

    volumes: str
    wheel: Wheel
    wheels: tuple[LockedWheel, ...]
    jars: dict[str, str]

    @cached_property
    def packages(self) -> str:
        """The folder of the wheels and jars in the volume: sixteen hexadecimal digits that change with any of them."""
        files = sorted([*((wheel.name, wheel.sha256) for wheel in self.wheels), *self.jars.items()])
        return hashlib.sha256(repr(files).encode()).hexdigest()[:HASH_DIGITS]

    @property
    def files(self) -> frozenset[str]:
        """The names of the wheels and jars."""
        return frozenset([*(wheel.name for wheel in self.wheels), *self.jars])

    @property
    def own(self) -> str:
        """The folder of the project's wheel and the requirements file in the volume."""
        return f"{self.wheel.hash}-{self.packages}"

    @property
    def requirements_path(self) -> str:
        """The requirements file on a cluster."""
        return f"{self._volume}/{self.own}/{REQUIREMENTS}"

    @property
    def jar_paths(self) -> Sequence[str]:
        """The jars on a cluster."""
        return [f"{self._volume}/{self.packages}/{jar}" for jar in self.jars]

    @property
    def requirements(self) -> str:
        """The requirements file: pip keeps what Databricks' runtime has if it is good enough, and asks no index."""
        lines = ["--no-index", f"--find-links {self._volume}/{self.packages}"]
        lines.append(f"{self._volume}/{self.own}/{self.wheel.name}")
        if self.jars:
            lines.append(f"{SYNAPSEML_PACKAGE}=={SYNAPSEML}")
        return "".join(f"{line}\n" for line in lines)

    @property
    def _volume(self) -> str:
        return f"{self.volumes}/{Volume.LIBRARIES}"


def job_libraries(volumes: str, engine: EngineName) -> JobLibraries:
    """The libraries for this engine, SynapseML's unless it is `local`."""
    by_synapseml = engine is not EngineName.LOCAL
    return JobLibraries(
        volumes=volumes,
        wheel=build_wheel(),
        wheels=locked_wheels(*([SYNAPSEML_PACKAGE] if by_synapseml else [])),
        jars={jar_name(jar): jar["sha256"] for jar in pinned_jars()} if by_synapseml else {},
    )


def build_wheel(root: Path = ROOT) -> Wheel:
    """Build the wheel of the project at `root`; takes less than a second.

    It holds only `features`, `recommend` and `training`, so that a change of other code does not change it.
    """
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - an extra that stack `local` does without

    with tempfile.TemporaryDirectory() as folder:
        (built,) = WheelBuilder(str(root)).build(directory=folder, versions=["standard"])
        content = Path(built).read_bytes()
        name = Path(built).name
    return Wheel(name, hashlib.sha256(content).hexdigest()[:HASH_DIGITS], content)


def locked_versions(libraries: Iterable[str], root: Path = ROOT) -> dict[str, str]:
    """The version of each library in `uv.lock`."""
    locked = {package["name"]: package["version"] for package in locked_packages(root) if "version" in package}
    return {library: locked[library] for library in libraries}
