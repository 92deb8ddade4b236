"""Writes a run's bundle aside, seals it, and moves it into place once it is complete."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from features.bundle import COUNTS, GOLDEN, METADATA, MODEL, REPORT, SCHEMA, GoldenRecord, Metadata, seal
from features.encoder import Encoder
from features.reference import FILE as REFERENCE
from features.reference import Reference
from features.schema import Schema
from recommend.recommender import FOLDER as RECOMMENDER
from recommend.recommender import Recommender
from training.datasets.manifest import WHOLE
from training.protocols import CountTable


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A new folder that replaces `target` if the block ends without an error, and is removed otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield aside
        publish(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Rename `folder` to `target`; a former `target` is removed only once the new one is in place."""
    folder.chmod(0o755)
    if not target.exists():
        folder.rename(target)
        return
    former = Path(mkdtemp(prefix=f".{target.name}-former-", dir=target.parent)) / target.name
    target.rename(former)
    try:
        folder.rename(target)
    except OSError:
        former.rename(target)
        raise
    finally:
        shutil.rmtree(former.parent, ignore_errors=True)


def write_bundle(
    target: Path,
    *,
    model: str,
    encoder: Encoder,
    schema: Schema,
    metadata: Metadata,
    golden: Iterable[GoldenRecord],
    counted: Mapping[str, CountTable],
    reference: Reference,
    recommender: Recommender | None,
    write_report: Callable[[Path], None],
) -> str:
    """Write a bundle to the folder `target` and return its hash. After a failure nothing is left there."""
    with written_aside(target) as folder:
        (folder / MODEL).write_text(model, encoding="utf-8")
        (folder / SCHEMA).write_bytes(schema.to_json())
        (folder / METADATA).write_bytes(msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n")
        (folder / GOLDEN).write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in golden))
        (folder / REFERENCE).write_bytes(reference.to_json())
        encoder.save(folder)
        (folder / COUNTS).mkdir()
        for name, table in counted.items():
            table.write(folder / COUNTS / f"{name}.parquet", by_fold=name != WHOLE)
        if recommender is not None:
            recommender.save(folder / RECOMMENDER, seed=metadata.seed)
        write_report(folder / REPORT)
        return seal(folder)
