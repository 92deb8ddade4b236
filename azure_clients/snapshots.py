"""The snapshots in the lake, the users' histories and the catalogue of items: each version has its own.

The pods get the address of their version's, so model and users change together. They are kept for the version that
serves, for the one before, and for the newest accepted one. Histories stay in the lake. Catalogues are brought up to
date on this machine.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from azure_clients.lake import LakeFolder
from azure_clients.resources import Lake
from azure_clients.retries import Context
from azure_clients.volumes import SERVED, Volume
from features.files import sha256
from features.values import AS_WRITTEN, KeyRule
from recommend import catalogue, histories
from recommend.forgotten import FILE as FORGOTTEN
from recommend.forgotten import NOBODY, Forgotten
from recommend.published import CURRENT, LISTED, Published, decode, encode, place
from recommend.recommender import FOLDER as RECOMMENDER
from recommend.recommender import items_in

Result = TypeVar("Result")


class LakeSnapshots:
    """What each version has, and who was forgotten. Raises `AzureRefusedError` if Azure refuses a call."""

    def __init__(self, inputs: Lake, context: Context) -> None:
        """Makes no request yet."""
        self._folder = LakeFolder(inputs, Volume.SNAPSHOTS, SERVED, context)

    def on_cluster(self, volumes: str) -> Path:
        """The folder on a cluster's machines; `volumes` is the folder with the stack's volumes."""
        return self._folder.on_cluster(volumes)

    def of(self, bundle_hash: str) -> Published:
        """The snapshots of the version with this bundle; none if it has none any more."""
        current = self._folder.below(bundle_hash).read(CURRENT)
        return {} if current is None else decode(current)

    def knows_users(self, bundle_hash: str) -> bool:
        """Whether the version with this bundle knows any user."""
        return histories.FILE in self.of(bundle_hash)

    def fetch(self, bundle_hash: str, folder: Path) -> None:
        """Download the snapshots of the version with this bundle to `folder`."""
        for digest in self.of(bundle_hash).values():
            self._bring(digest, folder)

    def forgotten(self) -> Forgotten:
        """The users who were forgotten."""
        return Forgotten.decode(self._folder.read(FORGOTTEN))

    def publish(self, bundle: Path, serving: str | None, made: Published | None) -> None:
        """Give the version with this `bundle` its snapshots. What is `serving`, by its bundle's hash, keeps its own.

        A candidate gets what its run has `made`. If that were no histories, it knows the users of the version that
        serves. An older or imported version, for which nothing is given, keeps what it still has, or knows no user.
        Items that were loaded stay so, also those that are loaded meanwhile.
        """
        items = items_in(bundle / RECOMMENDER)
        found = self._there(made or {})
        while True:
            former = {} if serving is None else self.of(serving)
            known = former if made is not None and histories.FILE not in made else {}
            self._change(bundle.name, partial(self._published, former, known, found, items))
            if serving is None or self.of(serving).get(catalogue.FILE) == former.get(catalogue.FILE):
                return

    def _published(
        self, former: Published, known: Published, found: Published, items: Sequence[str], own: Published
    ) -> Published:
        """What a version has from now on, of those that it has, its run has left and the `former` version has."""
        if not found and catalogue.FILE in own:
            return own
        users = next((one[histories.FILE] for one in (found, own, known) if histories.FILE in one), None)
        before, trained = former.get(catalogue.FILE, own.get(catalogue.FILE)), found.get(catalogue.FILE)
        return {
            **({} if users is None else {histories.FILE: users}),
            catalogue.FILE: self._carried_over(before, trained, items),
        }

    def discard(self, made: Published) -> None:
        """Remove what a run has made whose model was rejected, unless a version has it."""
        used = self._used()
        for digest in self._there(made).values():
            if digest not in used:
                self._folder.below(digest).remove()

    def keep(self, bundle_hashes: Collection[str]) -> None:
        """Remove the snapshots of all versions but those with these bundles."""
        for bundle_hash in self._versions():
            if bundle_hash not in bundle_hashes:
                gone = self.of(bundle_hash)
                self._folder.below(bundle_hash).remove()
                self.discard(gone)

    def forget(self, user: str, rule: KeyRule = AS_WRITTEN) -> None:
        """Let the service know a user no longer, and no training read their rows; their key is compared by a rule.

        Raises `OtherKeysError` if others were forgotten by another one.
        """
        self._change_forgotten(lambda before: before.with_user(user, rule))

    def remember(self, user: str) -> bool:
        """Undo it; returns whether they were forgotten."""
        return user in self._change_forgotten(lambda before: before.without_user(user))

    def having(self, user: str) -> list[str]:
        """The hashes of the bundles whose versions' histories may still have a user.

        They are not read: beside them is which version of the list of forgotten users their run has read.
        """
        listed, found = self.forgotten(), []
        for bundle_hash in sorted(self._versions()):
            digest = self.of(bundle_hash).get(histories.FILE)
            read = None if digest is None else self._folder.below(digest).read(LISTED) or b"0"
            if read is not None and user not in listed.before(read.decode()):
                found.append(bundle_hash)
        return found

    def change_catalogue(self, serving: str, change: Callable[[Path], Result]) -> Result:
        """Replace the catalogue of what is `serving`, by its bundle's hash, and those of all other versions.

        `change` makes a new one of the file of the one before. Returns its result for the first, and raises what it
        raises; then nothing has changed.
        """
        results: list[Result] = []

        def changed(before: Published) -> Published:
            with TemporaryDirectory(prefix="catalogue-") as temporary:
                file = Path(temporary) / catalogue.FILE
                self._bring(before.get(catalogue.FILE), file.parent)
                results.append(change(file))
                return {**before, catalogue.FILE: self._send(file)}

        self._change(serving, changed)
        result, done = results[-1], {serving}
        while others := self._versions() - done:  # also those that are published meanwhile
            for version in others:
                self._change(version, changed)
            done |= others
        return result

    def _carried_over(self, before: str | None, trained: str | None, items: Sequence[str]) -> str:
        """The hash of the catalogue with what training has read, and with what was loaded before."""
        with TemporaryDirectory(prefix="catalogue-") as temporary:
            old, new, file = (Path(temporary) / name for name in ("before", "trained", catalogue.FILE))
            self._bring(before, old)
            self._bring(trained, new)
            read = None if trained is None else new / catalogue.FILE
            catalogue.carry_over(old / catalogue.FILE, read, items, file)
            return self._send(file)

    def _there(self, made: Published) -> Published:
        """The snapshots of these that are in the lake."""
        there = self._folder.names()
        return {name: digest for name, digest in made.items() if place(name, digest) in there}

    def _versions(self) -> set[str]:
        """The hashes of the bundles of all versions that have snapshots."""
        names = (name.partition("/") for name in self._folder.names())
        return {folder for folder, _, file in names if file == CURRENT}

    def _used(self) -> set[str]:
        """The hashes of all snapshots that a version has."""
        return {digest for bundle_hash in self._versions() for digest in self.of(bundle_hash).values()}

    def _change_forgotten(self, change: Callable[[Forgotten], Forgotten]) -> Forgotten:
        """Replace the list by what `change` makes of it, and return the former one."""
        before = NOBODY

        def content(current: bytes | None) -> bytes | None:
            nonlocal before
            before = Forgotten.decode(current)
            after = change(before)
            return None if after == before else after.encode()

        self._folder.change(FORGOTTEN, content)
        return before

    def _bring(self, digest: str | None, folder: Path) -> None:
        if digest is not None:
            self._folder.below(digest).fetch(folder)

    def _send(self, file: Path) -> str:
        """Upload a snapshot, and return its hash."""
        digest = sha256(file)
        with TemporaryDirectory(prefix="snapshot-") as temporary:
            (Path(temporary) / file.name).hardlink_to(file)
            self._folder.below(digest).send(Path(temporary))
        return digest

    def _change(self, bundle_hash: str, change: Callable[[Published], Published]) -> None:
        """Change what a version has, and remove what no version has any more."""
        former: Published = {}
        after: Published = {}

        def content(current: bytes | None) -> bytes | None:
            nonlocal former, after
            former = {} if current is None else decode(current)
            after = change(former)
            return None if after == former else encode(after)

        self._folder.below(bundle_hash).change(CURRENT, content)
        self.discard({name: digest for name, digest in former.items() if after.get(name) != digest})
