"""The libraries of training and serving: their locked versions, and what the clusters of the training job install.

The versions are inputs of steps: an upgrade that may change results runs a step again. The clusters install all from
the stack's own volume, and need neither PyPI nor Maven: one folder has the locked wheels and SynapseML's jars, for as
long as the lock file stays the same; another has the project's own wheel. That pip is content with these was seen with
the runtime's published packages, on the simulation.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from azure_clients.volumes import Volume
from tools.paths import ROOT
from tools.setup.wheels import LACKING, SYNAPSEML, LockedWheel, locked_packages, locked_wheels
from training.parameters import EngineName
from training.runtime import jar_name, pinned_jars

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
    """The project's wheel, what the runtime lacks, and jars with their SHA-256; `volumes` is the stack's folder."""

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
    def wheel_paths(self) -> Sequence[str]:
        """The wheels on a cluster, in the order of their installation; the project's own is the last."""
        before = [f"{self._volume}/{self.packages}/{wheel.name}" for wheel in self.wheels]
        return [*before, f"{self._volume}/{self.wheel.hash}/{self.wheel.name}"]

    @property
    def jar_paths(self) -> Sequence[str]:
        """The jars on a cluster."""
        return [f"{self._volume}/{self.packages}/{jar}" for jar in self.jars]

    @property
    def _volume(self) -> str:
        return f"{self.volumes}/{Volume.LIBRARIES}"


def job_libraries(volumes: str, engine: EngineName) -> JobLibraries:
    """The libraries for this engine, SynapseML's unless it is `local`."""
    by_synapseml = engine is not EngineName.LOCAL
    return JobLibraries(
        volumes=volumes,
        wheel=build_wheel(),
        wheels=locked_wheels(*LACKING, *([SYNAPSEML] if by_synapseml else [])),
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
