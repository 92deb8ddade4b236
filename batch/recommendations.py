"""Recommendations for all users at once, as the service would answer, in a process for each core.

Users come in parts. A part's file is written aside and renamed, and the parts lie beside the target until all are
there, so that an interrupted run continues with those that are missing. No process is left when the first one ends,
however it does.
"""

import glob
import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from pyarrow import parquet

from features.errors import BadInputError, PersonalizationError
from features.files import written_aside
from recommend import catalogue, histories
from recommend.catalogue import Catalogue, NewItems
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories
from recommend.stored import SnapshotError
from scoring.engines import EngineName
from scoring.model.model import ServedModel
from scoring.model.recommend_request import MOST_RECOMMENDED, RecommendRequest
from scoring.model.recommending import RecommendQuery, recommend_to_each
from scoring.model.stored import Lookups
from scoring.responses import ModelName
from training.engines.local.pool import LOST, ProcessLostError, end_with_parent

Task = TypeVar("Task")

USERS_TOGETHER = 2_000
ANSWERED_TOGETHER = 64
NO_HISTORIES = (
    "The version that serves has no histories of users: recommendations need a dataset with users and items, and the "
    "histories of an older version are no longer kept."
)
REPLACED = "The histories, the catalogue or who was forgotten changed meanwhile. Run the command again."
SCHEMA = pa.schema(
    {
        "user": pa.string(),
        "rank": pa.int32(),
        "item": pa.string(),
        "score": pa.float64(),
        "probability": pa.float64(),
        "version": pa.string(),
    }
)


def shared(function: Callable[[Task], int], tasks: Sequence[Task], processes: int) -> Iterator[int]:
    """What a function returns for each task, in the order in which they are done.

    Raises the first failing task's error, or `ProcessLostError`. Tasks that are not done then are given up.
    """
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin) as pool:
        try:
            for done in as_completed([pool.submit(function, task) for task in tasks]):
                yield done.result()
        except BrokenProcessPool as error:
            raise ProcessLostError(f"{LOST}. Run the command again: it continues where it stopped.") from error
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin() -> None:
    """Set up a process: Ctrl-C reaches all of them, and the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


class NoRecommendationsError(BadInputError):
    """A stack that can't recommend items to users."""


class OutputError(PersonalizationError):
    """A file that cannot be written."""


Part = tuple[Path, list[str]]
"""A file, and the users whose recommendations it gets."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The best `top` items for everybody with a history who was not `forgotten`, by the model in `bundle` and its
    `snapshots`. New items take up to `new` of the places.
    """

    bundle: Path
    snapshots: Path
    name: ModelName
    top: int
    new: int = 0
    forgotten: Forgotten = NOBODY

    def write(self, target: Path, report: Callable[[int, int], None]) -> int:
        """Write `target`, a Parquet file with `SCHEMA` in the order of users, and return how many users are in it.

        `report` is told how many users of how many are done. Raises `NoRecommendationsError`, `OutputError`, or
        `SnapshotError` if the snapshots cannot be read or were replaced meanwhile.
        """
        require_few(self.top)
        opened = Opened(self)
        users = opened.users()
        if not users:
            raise NoRecommendationsError(NO_HISTORIES)
        try:
            folder = self._parts(target, opened.versions)
            parts = divided(users, folder)
            missing = [part for part in parts if not part[0].exists()]
            done = len(users) - sum(len(own) for _, own in missing)
            report(done, len(users))
            for finished in self._computed(missing, opened):
                done += finished
                report(done, len(users))
            merge([file for file, _ in parts], target)
            shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written: {error}. Free space or name another file, then run the command again: it "
                "continues where it stopped."
            ) from error
        return len(users)

    def _parts(self, target: Path, versions: tuple[str, ...]) -> Path:
        """The folder of finished parts, whose name depends on everything in them; parts of other runs are removed."""
        made_of = repr((self.bundle.name, self.name, self.top, self.new, USERS_TOGETHER, versions))
        prefix = f".{target.name}.parts-"
        folder = target.with_name(prefix + hashlib.sha256(made_of.encode()).hexdigest()[:16])
        for other in target.parent.glob(f"{glob.escape(prefix)}*"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(exist_ok=True)
        return folder

    def _computed(self, missing: list[Part], opened: "Opened") -> Iterator[int]:
        """Write the missing parts; yields the users of each."""
        processes = min(len(missing), os.cpu_count() or 1)
        if processes <= 1:
            yield from map(opened.write, missing)
            return
        write = partial(write_part, self, opened.versions)
        yield from shared(write, missing, processes)


class Opened:
    """A batch's model and snapshots, opened in a process."""

    def __init__(self, batch: Batch) -> None:
        """Raises `NoRecommendationsError` and `SnapshotError`."""
        self._batch = batch
        self._model = ServedModel.load(batch.bundle, name=batch.name, engine=EngineName.LIGHTGBM, max_records=1)
        users, items = batch.snapshots / histories.FILE, batch.snapshots / catalogue.FILE
        if not users.is_file():
            raise NoRecommendationsError(NO_HISTORIES)
        if self._model.recommender is None:
            raise NoRecommendationsError(f"This model recommends nothing: {self._model.why_no_recommender}")
        keys = self._model.recommender.items
        self.histories = Histories(users, keys)
        fields = self._model.bundle.schema.fields
        catalogued = Catalogue(items, keys, fields) if items.is_file() else None
        new = (
            NewItems.of(catalogued, self.histories, self._model.compared_columns) if batch.new and catalogued else None
        )
        self._lookups = Lookups(
            histories=self.histories, forgotten=batch.forgotten, catalogue=catalogued, new=new, places=batch.new
        )

    def users(self) -> list[str]:
        """The keys of all users with a history who were not forgotten, sorted."""
        return [user for user in self.histories.active_users() if user not in self._batch.forgotten]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of the snapshots, and of the list of forgotten users."""
        catalogue_too, listed = self._lookups.catalogue, self._batch.forgotten.version
        return self.histories.version, "" if catalogue_too is None else catalogue_too.version, listed

    def write(self, part: Part) -> int:
        """Write the recommendations for a part's users to its file, and return how many users there are."""
        file, users = part
        rows: list[tuple[str, int, str, float | None, float | None, str]] = []
        for start in range(0, len(users), ANSWERED_TOGETHER):
            together = users[start : start + ANSWERED_TOGETHER]
            asked = [self._query(user) for user in together]
            for user, answer in zip(
                together, recommend_to_each(asked, self._model, self._lookups, _complain), strict=True
            ):
                if isinstance(answer, Exception):
                    raise answer
                rows += [
                    (user, rank, one.item, one.score, one.probability, self._batch.name.version)
                    for rank, one in enumerate(answer.items, start=1)
                ]
        columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        with written_aside(file) as aside:
            parquet.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), aside)
        return len(users)

    def _query(self, user: str) -> RecommendQuery:
        return RecommendQuery(RecommendRequest(user=user, top=self._batch.top, show=[]), reasons=False)


def _complain(error: SnapshotError) -> None:
    raise error


_opened = lru_cache(maxsize=1)(Opened)
"""A process of the pool opens its batch once."""


def write_part(batch: Batch, versions: tuple[str, ...], part: Part) -> int:
    """Write one part in a process that has nothing open yet, if the snapshots still have these `versions`.

    Returns how many users there are, and raises `SnapshotError`.
    """
    opened = _opened(batch)
    if opened.versions != versions:
        raise SnapshotError(REPLACED)
    return opened.write(part)


def require_few(top: int) -> None:
    """Raise `BadInputError` for more items than an answer has."""
    if top > MOST_RECOMMENDED:
        raise BadInputError(f"{top:,} items for each user are too many: give {MOST_RECOMMENDED:,} at most.")


def divided(users: list[str], folder: Path) -> list[Part]:
    """The parts of all users, which lie in `folder`."""
    return [
        (folder / f"{start:010}.parquet", users[start : start + USERS_TOGETHER])
        for start in range(0, len(users), USERS_TOGETHER)
    ]


def merge(files: list[Path], target: Path) -> None:
    """Write `target` from the files of all parts, in order."""
    with written_aside(target) as aside, parquet.ParquetWriter(aside, SCHEMA) as writer:
        for file in files:
            writer.write_table(parquet.read_table(file, schema=SCHEMA))
