"""The snapshots in the lake that the service's pods follow: the users' histories, and the catalogue of items.

Histories stay in the lake. Catalogues are brought up to date on this machine.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from azure_clients.retries import Timeout
from features.files import sha256
from recommend import catalogue, histories
from recommend.published import CURRENT, Published, decode, encode, place
from steps.azure.stores.lake import LakeFolder
from steps.descriptions.places import Lake
from steps.provider.step import Context
from steps.shared.volumes import SERVED, Volume

Result = TypeVar("Result")


class LakeSnapshots:
    """What the lake's `CURRENT` names. Raises `AzureRefusedError` if Azure refuses a call."""

    def __init__(self, inputs: Lake, timeout: Timeout, context: Context) -> None:
        """Makes no request yet."""
        self._folder = LakeFolder(inputs, Volume.SNAPSHOTS, SERVED, timeout)
        self._context = context

    def on_cluster(self, volumes: str) -> Path:
        """The folder on a cluster's machines; `volumes` is the folder with the stack's volumes."""
        return self._folder.on_cluster(volumes)

    def publish(self, made: Mapping[str, str]) -> None:
        """Let the pods follow what a run has made: file names, and the hashes of their content.

        The catalogue keeps what was loaded. Histories go with a dataset without users. Files of an old run that newer
        ones have replaced are gone; then the newer ones stay.
        """

        def change(before: Published) -> Published:
            there = self._folder.names(self._context)
            found = {name: digest for name, digest in made.items() if place(name, digest) in there}
            after = {**before, **found}
            if catalogue.FILE in found:
                after[catalogue.FILE] = self._after_training(found[catalogue.FILE], before)
            if not made:
                after.pop(histories.FILE, None)
            return after

        served = self._change(change)
        for name in self._folder.names(self._context):
            digest, _, file = name.partition("/")
            if file == histories.FILE and digest != served.get(file):
                self._folder.below(digest).remove(self._context)

    def change_catalogue(self, change: Callable[[Path], Result]) -> Result:
        """Replace the catalogue by what `change` makes of its file, which is missing if there is none yet.

        Returns the result of `change`, and raises what it raises; then nothing has changed.
        """
        results: list[Result] = []

        def changed(before: Published) -> Published:
            with TemporaryDirectory(prefix="catalogue-") as temporary:
                file = Path(temporary) / catalogue.FILE
                self._bring(before.get(catalogue.FILE), file.parent)
                results.append(change(file))
                return {**before, catalogue.FILE: self._send(file)}

        self._change(changed)
        return results[-1]

    def _after_training(self, trained: str, before: Published) -> str:
        """The hash of the catalogue with what training has read, and with what was loaded before."""
        with TemporaryDirectory(prefix="catalogue-") as temporary:
            new, own = Path(temporary) / "trained", Path(temporary) / "own"
            self._bring(trained, new)
            self._bring(before.get(catalogue.FILE), own)
            catalogue.after_training(new / catalogue.FILE, own / catalogue.FILE)
            return self._send(own / catalogue.FILE)

    def _bring(self, digest: str | None, folder: Path) -> None:
        if digest is not None:
            self._folder.below(digest).fetch(folder, self._context)

    def _send(self, file: Path) -> str:
        """Upload a snapshot, and return its hash."""
        digest = sha256(file)
        with TemporaryDirectory(prefix="snapshot-") as temporary:
            (Path(temporary) / file.name).hardlink_to(file)
            self._folder.below(digest).send(Path(temporary), self._context)
        return digest

    def _change(self, change: Callable[[Published], Published]) -> Published:
        """Change what the pods follow, remove what nothing names any more, and return what they follow now."""
        former: Published = {}
        after: Published = {}

        def content(current: bytes | None) -> bytes | None:
            nonlocal former, after
            former = {} if current is None else decode(current)
            after = change(former)
            return None if after == former else encode(after)

        self._folder.change(CURRENT, content, self._context)
        for name, digest in former.items():
            if after.get(name) != digest:
                self._folder.below(digest).remove(self._context)
        return after
