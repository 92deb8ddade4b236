"""Tries the keys of users and items, their crosses and their factors as features of a drafted dataset config.

What each gains is measured on held-out rows: the latest ones, if the rows have a time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pyarrow import parquet

from features.values import TimeFormat
from training import engines
from training.arguments import parse
from training.datasets import describe
from training.datasets.described.columns import table_rules
from training.datasets.described.entries import Categorical, Time
from training.datasets.described.fields import TableRules, keys_of
from training.datasets.described.files import files_of
from training.datasets.described.spec import TablesSpec
from training.datasets.described.texts import Tables
from training.datasets.guesses.guess import Gains
from training.parameters import Split
from training.progress import Progress
from training.stages.crosses import CrossSearch, candidates, factors_to_try, is_better
from training.stages.pipeline import Pipeline
from training.streams import LOG

SAMPLE_ROWS = 100_000
"""Trials use only the first interactions, this many: about 20 CPU seconds with six crosses."""
_PLACE = "_place"
"""The time of rows without one, by which no two are equal."""
_MOST_BYTES = 200_000_000
"""A table of users or items larger than this is not read for a trial."""


def try_keys(spec: TablesSpec, keys: Sequence[str], *, folder: Path, progress: Progress) -> Gains | None:
    """Train without and with these columns of the interactions as categories; None if a table is too large for that.

    Where the keys are the only features, nothing is trained without them, and they gain 0.
    Intermediate files go to `folder`. Raises a `DatasetError` if the rows can't be trained on.
    """
    files = (files_of(spec.tables[name]) for name in spec.joined)
    if any(sum(file.size for file in own) > _MOST_BYTES for own in files):
        return None
    sample = _sampled(spec, folder)
    added = tuple(Categorical(column=key) for key in keys if key not in spec.categorical_names)
    keyed = sample.model_copy(update={"categorical": (*added, *spec.categorical)})
    split = Split.RANDOM if spec.timestamp is None else Split.TIME
    with _search(keyed, folder / "keyed", split, progress) as search:
        found, keyed_losses = search.run(candidates(keyed), factors_to_try(keyed)), search.base.losses
    without, beyond_chance = found.steps[0], False
    if added:
        # The keys are hashed in any case, so the same rows are held out, and watched, as with them.
        with _search(sample, folder / "plain", split, progress) as search:
            plain = search.base
            without, beyond_chance = plain.held_out(""), is_better(keyed_losses, plain.losses)
    reached = [step.auc for step in (without, *found.steps)]
    gained = [after - before for before, after in pairwise(reached)]
    return Gains(
        rows="held-out rows" if spec.timestamp is None else "later rows",
        without=reached[0],
        keys=gained[0] if beyond_chance else min(gained[0], 0.0),
        crosses=dict(zip(found.crosses, gained[1:], strict=False)),
        factors={} if found.factors is None else {found.factors: gained[-1]},
    )


@contextmanager
def _search(spec: TablesSpec, folder: Path, split: Split, progress: Progress) -> Iterator[CrossSearch]:
    folder.mkdir()
    file = folder / "dataset.yaml"
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    arguments = parse(["--dataset", "tables", "--spec", str(file), "--split", split])
    manifest = describe(arguments.dataset)
    opened = engines.opened(arguments.training, log=folder / LOG, progress=progress, data_size=manifest.size)
    with opened as engine:
        half = Pipeline(engine, arguments, manifest, output=folder, progress=progress).first_half()
        yield CrossSearch(half, arguments.training, folder=folder / "crosses", progress=progress)


def _sampled(spec: TablesSpec, folder: Path) -> TablesSpec:
    """The config of the first `SAMPLE_ROWS` interactions with their users and items, which are copied to `folder`."""
    rules = table_rules(spec)
    own = _first_rows(rules["interactions"], SAMPLE_ROWS)
    if spec.timestamp is None:
        # Equal rows with different labels fall on one side together, so their keys would seem to gain.
        own = own.append_column(_PLACE, pa.array(map(str, range(len(own))), pa.string()))
        spec = spec.model_copy(update={"timestamp": Time(column=_PLACE, format=TimeFormat.MILLISECONDS)})
    tables = {"interactions": own}
    for name, entity in spec.joined.items():
        table = _first_rows(rules[name])
        known = keys_of(own.column(entity.foreign_key).combine_chunks())
        tables[name] = table.filter(pc.is_in(keys_of(table.column(entity.key).combine_chunks()), known))
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        parquet.write_table(table, paths[name])
    return spec.with_paths(paths)


def _first_rows(rules: TableRules, most: int | None = None) -> pa.Table:
    batches, rows, names = [], 0, rules.columns
    for chunk in Tables(rules.files, names).chunks():
        batches.append(pa.RecordBatch.from_arrays([chunk.columns[name] for name in names], names=names))
        rows += len(chunk.places)
        if most is not None and rows >= most:
            break
    return pa.Table.from_batches(batches).slice(0, most)
