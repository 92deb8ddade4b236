"""Where the parts of a local stack are.

Outputs name paths relative to the stack's folder, so that a checkout can move.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StackFolder:
    """The folder of one stack."""

    path: Path

    @property
    def lake(self) -> Path:
        """Datasets, each in `raw/<manifest hash>`."""
        return self.path / "lake"

    @property
    def runs(self) -> Path:
        """Training runs by run id."""
        return self.path / "runs"

    @property
    def registry(self) -> Path:
        """MLflow's database and the bundles."""
        return self.path / "registry"

    @property
    def images(self) -> Path:
        """Images by digest."""
        return self.path / "images"

    @property
    def service(self) -> Path:
        """The running service's configuration, keys and logs."""
        return self.path / "service"

    @property
    def keys(self) -> Path:
        """The service's valid keys, a line each and the current one first; for the owner alone."""
        return self.service / "keys"

    @property
    def example(self) -> Path:
        """A held-out record of the model version, for who wants to ask the service."""
        return self.path / "example.json"

    def image(self, digest: str) -> Path:
        """The folder of the image `sha256:<64 hexadecimal digits>`."""
        return self.images / digest.removeprefix("sha256:")

    def relative(self, path: Path) -> str:
        """A path below the stack's folder as outputs name it."""
        return path.relative_to(self.path).as_posix()
