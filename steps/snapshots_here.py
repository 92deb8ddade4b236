"""What the stack's service on this machine looks up by key, in a folder for each version that has it.

The service gets the folder of its version, so model and users change together. They are kept for the version that
serves, for the one before, and for the newest accepted one, which `serve latest` serves.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from features.files import written_aside
from features.values import AS_WRITTEN, KeyRule
from recommend import catalogue, histories
from recommend.forgotten import change
from recommend.recommender import FOLDER as RECOMMENDER
from recommend.recommender import items_in
from recommend.stored import FOLDER, SnapshotError, locked, writing
from steps.folders import StackFolder

Result = TypeVar("Result")


@dataclass(frozen=True)
class LocalSnapshots:
    """The users' histories and the catalogue in a stack's folder. Raises `SnapshotError` if the disk is full."""

    folder: StackFolder

    def publish(self, bundle: Path, serving: str | None, output: Path | None) -> None:
        """Give the version with this `bundle` its snapshots. What is `serving`, by its bundle's hash, keeps its own.

        A candidate gets what training left in `output`. If that made no histories, it knows the users of the version
        that serves. An older or imported version, without `output`, keeps what it still has, or knows no user. Items
        that were loaded stay so.
        """
        own = self.folder.snapshots_of(bundle.name)
        former = own if serving is None else self.folder.snapshots_of(serving)
        items = items_in(bundle / RECOMMENDER)
        with writing(own), self._locked():
            own.mkdir(mode=0o700, exist_ok=True)
            made = [] if output is None else [output / FOLDER]
            trained = next((file for one in made if (file := one / catalogue.FILE).is_file()), None)
            known = [own] if output is None else [*made, own, former]
            self._take((folder / histories.FILE for folder in known), own / histories.FILE)
            if trained is None and (own / catalogue.FILE).is_file():
                return
            before = former if (former / catalogue.FILE).is_file() else own
            catalogue.carry_over(before / catalogue.FILE, trained, items, own / catalogue.FILE)

    def _take(self, found: Iterable[Path], target: Path) -> None:
        """Let `target` be the first of these histories that there is, or else some to which every user is unknown."""
        for file in found:
            if file.is_file():
                with written_aside(target) as aside:
                    os.link(file, aside)
                return
        histories.write_empty(target)

    def change_catalogue(self, serving: str, change: Callable[[Path, Path], Result]) -> Result:
        """Replace the catalogue of what is `serving`, by its bundle's hash, and those of all other versions.

        `change` makes the file of its second argument from that of the first, at first of what is serving. Returns its
        result for that, and raises what it raises; then nothing has changed.
        """
        results = {}
        with self._locked(), ExitStack() as made:
            for folder in dict.fromkeys([self.folder.snapshots_of(serving), *self._versions()]):
                former = folder / catalogue.FILE
                results[folder.name] = change(former, made.enter_context(written_aside(former)))
        return results[serving]

    def knows_users(self, bundle_hash: str) -> bool:
        """Whether the version with this bundle knows any user. Histories that can't be read stop no rollback."""
        try:
            return histories.knows_anybody(self.folder.snapshots_of(bundle_hash) / histories.FILE)
        except SnapshotError:
            return False

    def keep(self, bundle_hashes: Collection[str]) -> None:
        """Remove the snapshots of all versions but those with these bundles."""
        with self._locked():  # a load would make a removed folder again
            for folder in self._versions():
                if folder.name not in bundle_hashes:
                    shutil.rmtree(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let nothing else change what a version has during the block; remove what killed processes left there."""
        with locked(self.folder.snapshots / catalogue.FILE):
            for left in self.folder.snapshots.glob("*/.*"):
                left.unlink()
            yield

    def _versions(self) -> list[Path]:
        return [path for path in self.folder.snapshots.glob("*") if path.is_dir()]

    def forget(self, user: str, rule: KeyRule = AS_WRITTEN) -> None:
        """Let the service know a user no longer, and no training read their rows; their key is compared by a rule.

        Raises `OtherKeysError` if others were forgotten by another one.
        """
        change(self.folder.forgotten, lambda before: before.with_user(user, rule))

    def remember(self, user: str) -> bool:
        """Undo it; returns whether they were forgotten."""
        return user in change(self.folder.forgotten, lambda before: before.without_user(user))

    def having(self, user: str) -> list[str]:
        """The hashes of the bundles whose versions' histories still have a user, or can't be read and may have them."""
        return [folder.name for folder in self._versions() if _may_have(folder / histories.FILE, user)]


def _may_have(file: Path, user: str) -> bool:
    try:
        return histories.has(file, user)
    except SnapshotError:
        return True
