"""Recommendations for all users at once, as the service would answer, in a process for each core."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from features.errors import BadInputError, PersonalizationError
from features.files import written_aside
from recommend import catalogue, histories
from recommend.catalogue import Catalogue, Comparison
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import Histories
from recommend.stored import SnapshotError
from scoring.engines import EngineName
from scoring.model.model import ServedModel
from scoring.model.recommend_request import MOST_RECOMMENDED, RecommendRequest
from scoring.model.recommending import RecommendQuery, recommend_to_each
from scoring.model.records import Lookups
from scoring.responses import ModelName
from training.local.pool import Pool, cores

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


class NoRecommendationsError(BadInputError):
    """A stack that can't recommend items to users."""


class OutputError(PersonalizationError):
    """A file that cannot be written."""


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
        if self.top > MOST_RECOMMENDED:
            raise BadInputError(f"{self.top:,} items for each user are too many: give {MOST_RECOMMENDED:,} at most.")
        _opened.cache_clear()
        opened = _opened(self)
        users = opened.users()
        if not users:
            raise NoRecommendationsError(NO_HISTORIES)
        parts = [users[start : start + USERS_TOGETHER] for start in range(0, len(users), USERS_TOGETHER)]
        recommended, done = partial(_recommended, self, opened.versions), 0
        report(done, len(users))
        try:
            with (
                closing(Pool(min(len(parts), cores()))) as pool,
                written_aside(target) as aside,
                parquet.ParquetWriter(aside, SCHEMA) as writer,
            ):
                for part, table in zip(parts, pool.map(recommended, parts), strict=True):
                    writer.write_table(table)
                    done += len(part)
                    report(done, len(users))
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written: {error}. Free space or name another file, then run the command again."
            ) from error
        return len(users)


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
        new = None
        if batch.new and catalogued is not None:
            new = Comparison.of_new(catalogued, self.histories, self._model.compared_columns)
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

    def recommended(self, users: Sequence[str]) -> pa.Table:
        """The recommendations for these users, with `SCHEMA`."""
        rows: list[tuple[str, int, str, float | None, float | None, str]] = []
        for start in range(0, len(users), ANSWERED_TOGETHER):
            together = users[start : start + ANSWERED_TOGETHER]
            requests = (RecommendRequest(user=user, top=self._batch.top, show=[]) for user in together)
            asked = [RecommendQuery(request, reasons=False) for request in requests]
            for user, answer in zip(together, recommend_to_each(asked, self._model, self._lookups), strict=True):
                if isinstance(answer, Exception):
                    raise answer
                rows += [
                    (user, rank, one.item, one.score, one.probability, self._batch.name.version)
                    for rank, one in enumerate(answer.items, start=1)
                ]
        columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        return pa.Table.from_arrays(arrays, schema=SCHEMA)


@lru_cache(maxsize=1)
def _opened(batch: Batch) -> Opened:
    """The batch, which a process opens once."""
    if multiprocessing.parent_process():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, and the first one ends the others
    return Opened(batch)


def _recommended(batch: Batch, versions: tuple[str, ...], users: Sequence[str]) -> pa.Table:
    """The recommendations for these users; raises `SnapshotError` if the snapshots have other `versions` now."""
    opened = _opened(batch)
    if opened.versions != versions:
        raise SnapshotError(REPLACED)
    return opened.recommended(users)
