"""The folders of a stack on this machine, and which resource owns one that several may share.

Paths in outputs are relative to the stack's folder, so that a checkout can be moved. A folder that is named by its
content can have several resources: after a failed update the engine may keep an old one for later deletion while a new
one uses the same folder. Only the last owner may delete it.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path

from recommend.forgotten import FILE as FORGOTTEN


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
        """Training runs by run ID."""
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
    def snapshots(self) -> Path:
        """What the service looks up by key, a folder for each version that has it; readable only by the owner."""
        return self.path / "snapshots"

    def snapshots_of(self, bundle_hash: str) -> Path:
        """The users' histories and the catalogue for the version with this bundle."""
        return self.snapshots / bundle_hash

    @property
    def forgotten(self) -> Path:
        """The users who were forgotten: beside what is stored about users, and as readable."""
        return self.snapshots / FORGOTTEN

    @property
    def service(self) -> Path:
        """The running service's configuration, keys and logs."""
        return self.path / "service"

    @property
    def keys(self) -> Path:
        """The service's valid keys, one per line, the current one first; readable only by the owner."""
        return self.service / "keys"

    @property
    def certificate(self) -> Path:
        """The certificate with which the service answers HTTPS; missing if it answers HTTP."""
        return self.service / "certificate.pem"

    @property
    def example(self) -> Path:
        """A held-out record of the model version, for trying the service."""
        return self.path / "example.json"

    def image(self, digest: str) -> Path:
        """The folder of the image `sha256:<64 hexadecimal digits>`."""
        return self.images / digest.removeprefix("sha256:")

    def relative(self, path: Path) -> str:
        """A path relative to the stack's folder, for outputs."""
        return path.relative_to(self.path).as_posix()


def claim(folder: Path) -> str:
    """Make the caller the owner of `folder`, and return the proof."""
    proof = uuid.uuid4().hex
    file = _file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(proof)
    return proof


def owns(folder: Path, proof: str) -> bool:
    """Whether the owner of this proof still owns `folder`."""
    file = _file(folder)
    return not file.is_file() or file.read_text() == proof


def release(folder: Path) -> None:
    """Remove the record of who owns `folder`."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.owner")
