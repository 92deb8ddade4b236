"""What the clusters of the training job install, all from the stack's own volume: neither PyPI nor Maven is asked.

One folder has the locked wheels and SynapseML's jars, for as long as the lock file stays the same. Another has the
project's own wheel and the requirements file that the job names.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from steps.shared.volumes import Volume
from steps.shared.wheel import HASH_DIGITS, Wheel, build_wheel
from tools.setup.wheels import SYNAPSEML as SYNAPSEML_PACKAGE
from tools.setup.wheels import LockedWheel, locked_wheels
from tools.versions import SYNAPSEML
from training.parameters import EngineName
from training.runtime import jar_name, pinned_jars

REQUIREMENTS = "requirements.txt"


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
