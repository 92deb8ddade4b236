"""The folders of a stack on this machine, and which resource owns one that several may share.

Paths in outputs are relative to the stack's folder, so that a checkout can be moved. A folder that is named by its
content can have several resources: after a failed update the engine may keep an old one for later deletion while a new
one uses the same folder. Only the last owner may delete it.
"""

import uuid
from pathlib import Path

from recommend.forgotten import FILE as FORGOTTEN


class StackFolder:
    """The folder of one stack."""

    def __init__(self, path: Path) -> None:
        """Nothing need be there yet."""
        self.path = path
        self.lake = path / "lake"
        """Datasets, each in `raw/<manifest hash>`."""
        self.runs = path / "runs"
        """Training runs by run ID."""
        self.registry = path / "registry"
        """MLflow's database and the bundles."""
        self.images = path / "images"
        """Images by digest."""
        self.snapshots = path / "snapshots"
        """What the service looks up by key, a folder for each version that has it; readable only by the owner."""
        self.forgotten = self.snapshots / FORGOTTEN
        """The users who were forgotten: beside what is stored about users, and as readable."""
        self.service = path / "service"
        """The running service's configuration, keys and logs."""
        self.keys = self.service / "keys"
        """The service's valid keys, one per line, the current one first; readable only by the owner."""
        self.certificate = self.service / "certificate.pem"
        """The certificate with which the service answers HTTPS; missing if it answers HTTP."""
        self.example = path / "example.json"
        """A held-out record of the model version, for trying the service."""

    def snapshots_of(self, bundle_hash: str) -> Path:
        """The users' histories and the catalogue for the version with this bundle."""
        return self.snapshots / bundle_hash

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
