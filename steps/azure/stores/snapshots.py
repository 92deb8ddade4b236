"""The snapshots in the lake that the service's pods follow: the users' histories, and the catalogue of items.

Histories stay in the lake, unless users must be taken out. Catalogues are brought up to date on this machine.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from azure_clients.retries import Timeout
from features.files import sha256
from recommend import catalogue, histories
from recommend.forgotten import FILE as FORGOTTEN
from recommend.forgotten import Forgotten
from recommend.published import CURRENT, Published, decode, encode, place
from steps.azure.stores.lake import LakeFolder
from steps.descriptions.places import Lake
from steps.provider.step import Context
from steps.shared.volumes import SERVED, Volume

Result = TypeVar("Result")


class LakeSnapshots:
    """What the lake's `CURRENT` names, and who was forgotten. Raises `AzureRefusedError` if Azure refuses a call."""

    def __init__(self, inputs: Lake, timeout: Timeout, context: Context) -> None:
        """Makes no request yet."""
        self._folder = LakeFolder(inputs, Volume.SNAPSHOTS, SERVED, timeout)
        self._prepared = LakeFolder(inputs, Volume.WORK, "", timeout)
        self._context = context

    def on_cluster(self, volumes: str) -> Path:
        """The folder on a cluster's machines; `volumes` is the folder with the stack's volumes."""
        return self._folder.on_cluster(volumes)

    def served(self) -> Published:
        """The snapshots that the pods follow; none before the first."""
        current = self._folder.read(CURRENT, self._context)
        return {} if current is None else decode(current)

    def fetch(self, folder: Path) -> None:
        """Download what the pods follow to `folder`."""
        for digest in self.served().values():
            self._bring(digest, folder)

    def forgotten(self) -> Forgotten:
        """The users who were forgotten."""
        return Forgotten.decode(self._folder.read(FORGOTTEN, self._context))

    def publish(self, made: Mapping[str, str], passed_over: Forgotten) -> None:
        """Let the pods follow what a run has made: file names, and the hashes of their content.

        The catalogue keeps what was loaded. Histories go with a dataset without users, and lose users who were
        forgotten since the run, which knew those that it `passed_over`. Files of an old run that newer ones have
        replaced are gone; then the newer ones stay.
        """

        def change(before: Published) -> Published:
            there = self._folder.names(self._context)
            found = {name: digest for name, digest in made.items() if place(name, digest) in there}
            after = {**before, **found}
            if catalogue.FILE in found:
                after[catalogue.FILE] = self._after_training(found[catalogue.FILE], before)
            if not made:
                after.pop(histories.FILE, None)
            users = self.forgotten()
            if histories.FILE in found and users != passed_over:
                after[histories.FILE], _ = self._without(users, found[histories.FILE])
            return after

        self._change(change)
        self._remove_replaced()

    def forget(self, user: str) -> int:
        """Keep a user out of all trainings, snapshots and answers from now on; return in how many files they were.

        What interrupted runs have left goes too, so none may run. Raises `SnapshotError` if the histories were replaced
        or altered; then the same call goes on from there.
        """
        self._change_forgotten(lambda before: before.with_user(user))
        for folder in {name.partition("/")[0] for name in self._prepared.names(self._context)}:
            self._prepared.below(folder).remove(self._context)
        found = 0

        def change(before: Published) -> Published:
            nonlocal found
            if histories.FILE not in before:
                return before
            digest, found = self._without(self.forgotten(), before[histories.FILE])
            return {**before, histories.FILE: digest}

        self._change(change)
        self._remove_replaced()
        return found

    def remember(self, user: str) -> bool:
        """Let the next training read a user's rows again; returns whether they were forgotten."""
        known = False

        def change(before: Forgotten) -> Forgotten:
            nonlocal known
            known = user in before
            return before.without_user(user) if known else before

        self._change_forgotten(change)
        return known

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

    def _without(self, users: Forgotten, digest: str) -> tuple[str, int]:
        """The hash of the histories with this hash without these users, and in how many files they were."""
        with TemporaryDirectory(prefix="histories-") as temporary:
            self._bring(digest, Path(temporary))
            file = Path(temporary) / histories.FILE
            return (self._send(file), 1) if histories.remove(file, users) else (digest, 0)

    def _remove_replaced(self) -> None:
        """Remove all histories but those that are served; what comes meanwhile stays."""
        there, served = self._folder.names(self._context), self.served()
        for name in there:
            digest, _, file = name.partition("/")
            if file == histories.FILE and digest != served.get(file):
                self._folder.below(digest).remove(self._context)

    def _change_forgotten(self, change: Callable[[Forgotten], Forgotten]) -> None:
        def content(current: bytes | None) -> bytes | None:
            before = Forgotten.decode(current)
            after = change(before)
            return None if after == before else after.encode()

        self._folder.change(FORGOTTEN, content, self._context)

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

    def _change(self, change: Callable[[Published], Published]) -> None:
        """Change what the pods follow, and remove what nothing names any more."""
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
