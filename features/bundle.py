"""The model bundle: the folder that training writes, the registry stores and the service loads.

`files.json` lists the SHA-256 of every other file. Its own hash is the bundle's identity, so loading notices a single
changed byte anywhere. Nothing in a bundle depends on the time or place of training.

A LightGBM model's file is checked before anything computes with it: LightGBM and the kernel in C trust its numbers. A
split by an input that does not exist reads foreign memory, and a tree that leads back to itself never ends. LightGBM's
`tree.cpp` (`Tree::Tree(const char*)`) and `gbdt_model_text.cpp` define the format.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.encoder import Encoder
from features.errors import PersonalizationError, reason
from features.files import sha256
from features.reference import FILE as REFERENCE
from features.reference import Reference
from features.schema import Schema

_TREE = re.compile(r"^(?=Tree=\d+$)", re.MULTILINE)
_END = "end of trees"
_WHOLE = re.compile(r"(?:-?[0-9]{1,10}(?: -?[0-9]{1,10})*)?")
_CATEGORICAL = 1
"""The bit of a split's `decision_type`."""

BUNDLE_FORMAT = 1
FILES = "files.json"
MODEL = "model.txt"
SCHEMA = "schema.json"
METADATA = "metadata.json"
GOLDEN = "golden.jsonl"
REPORT = "report.html"
RESTORE = "`.venv/bin/personalize up --refresh` repairs a stack's bundles from other copies; or train the model again."


class TreesError(PersonalizationError):
    """A model file that training doesn't write."""


def check_trees(model: Path, inputs: int) -> None:
    """Raise `TreesError` unless all inputs, splits and leaves that the trees name exist.

    Raises `OSError` for a file that can't be read.
    """
    try:
        head, *trees = _TREE.split(model.read_bytes().decode())
        trees[-1:] = [tree.split(_END, 1)[0] for tree in trees[-1:]]
        _check_head(fields_of(head), [len(tree) for tree in trees])
        for tree in trees:
            _check_tree(fields_of(tree), inputs)
    except (ValueError, KeyError) as error:
        raise TreesError(
            f"The model file {model} was altered, or is not one that training writes: {reason(error)}. Train the model "
            "again."
        ) from error


def fields_of(text: str) -> dict[str, str]:
    """The lines `name=value` before the first empty line; raises `ValueError` if a name stands twice."""
    found: dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].split("\n"):
        name, _, value = line.partition("=")
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = value
    return found


def _check_head(head: Mapping[str, str], sizes: list[int]) -> None:
    """One probability a row, and trees where LightGBM looks for them."""
    for name in ("num_class", "num_tree_per_iteration"):
        if head[name] != "1":
            raise ValueError(f"{name} is {head[name]}, and must be 1")
    if "tree_sizes" in head and _whole(head, "tree_sizes").tolist() != sizes:
        raise ValueError("tree_sizes are not those of its trees")


def _check_tree(tree: Mapping[str, str], inputs: int) -> None:
    (leaves,) = _whole(tree, "num_leaves", 1)
    splits, name = leaves - 1, f"tree {tree['Tree']}"
    if len(tree["leaf_value"].split()) != leaves or splits < 0:
        raise ValueError(f"{name} has not the {leaves} leaves that it says")
    if tree.get("is_linear", "0") != "0":
        raise ValueError(f"{name} is linear")
    if not splits:
        return
    split_by, kinds, left, right = (
        _whole(tree, field, splits) for field in ("split_feature", "decision_type", "left_child", "right_child")
    )
    if split_by.min() < 0 or split_by.max() >= inputs:
        raise ValueError(f"{name} splits by an input beyond the {inputs} that there are")
    if not _is_tree(left, right):
        raise ValueError(f"{name} has splits whose children are not one tree")
    if len(tree["threshold"].split()) != splits:
        raise ValueError(f"{name} has not a threshold for each of its {splits} splits")
    if (kinds & _CATEGORICAL).any() or tree.get("num_cat", "0") != "0":
        raise ValueError(f"{name} splits by sets of categories")


def _is_tree(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> bool:
    """Whether each leaf, and each split but the first, is the child of one split before it. Children below 0 are
    leaves.
    """
    parents, children = np.tile(np.arange(len(left)), 2), np.concatenate([left, right])
    inner = children >= 0
    return (
        np.array_equal(np.sort(children[inner]), np.arange(1, len(left)))
        and np.array_equal(np.sort(~children[~inner]), np.arange(len(left) + 1))
        and bool(np.all(children[inner] > parents[inner]))
    )


def _whole(fields: Mapping[str, str], name: str, count: int | None = None) -> npt.NDArray[np.int64]:
    """The whole numbers in a field; raises `ValueError` if they are others than these, or not so many."""
    text = fields[name].strip(" ")
    numbers = np.array(text.split(), dtype=np.int64) if _WHOLE.fullmatch(text) else None
    if numbers is None or count not in {None, len(numbers)}:
        raise ValueError(f"{name} is not a list of {'' if count is None else count} whole numbers")
    return numbers


class BundleError(PersonalizationError):
    """A bundle that is incomplete, was altered, or has another format."""


class NoClickModelError(PersonalizationError):
    """A bundle that only recommends, where a click model is needed."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's decision about a candidate. `reasons` are sentences with each comparison and its difference."""

    accepted: bool
    reasons: tuple[str, ...]


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows a click model has not trained on, beside what its hyperparameters say of the split."""

    fields: tuple[str, ...]
    """What a row's hash takes in, which decides its side in a random split, in the order of the names."""
    timestamp: str | None
    """The column of the rows' time, if they have one."""
    since: int | None
    """From when rows are held out by a split by time, in microseconds since 1970."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle was made from. `metrics` is the evaluation on held-out rows as plain JSON values."""

    bundle_format: int
    manifest_hash: str
    code_hash: str
    seed: int
    hyperparameters: dict[str, Any]
    library_versions: dict[str, str]
    metrics: dict[str, Any]
    verdict: Verdict
    held_out: HeldOut | None = None
    """None in bundles that were written before there was one, and without a click model."""
    dataset_hash: str = ""
    """The same for all rows of one dataset config; "" in bundles that were written before there was one."""


class GoldenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A held-out record and the probability that training computed for it. Every service must reproduce it."""

    record: dict[str, str | float | None]
    probability: float


class BundledClicks(msgspec.Struct, frozen=True, kw_only=True):
    """The click model of a bundle. Its trees stay a path: LightGBM reads the file."""

    trees: Path
    encoder: Encoder
    reference: Reference
    """The baseline sample for drift."""
    golden: tuple[GoldenRecord, ...]

    @classmethod
    def load(cls, path: Path, schema: Schema, *, mapped: bool) -> Self | None:
        """The click model in the folder `path`, None if there is none.

        Raises `OSError` or `msgspec.DecodeError`; `EncoderError` or `TreesError` for one that is not of `schema`.
        """
        if not (path / MODEL).exists():
            return None
        check_trees(path / MODEL, len(schema.encoded_features))
        lines = (path / GOLDEN).read_bytes().splitlines()
        return cls(
            trees=path / MODEL,
            encoder=Encoder.load(path, mapped=mapped).fitting(schema),
            reference=msgspec.json.decode((path / REFERENCE).read_bytes(), type=Reference),
            golden=tuple(msgspec.json.decode(line, type=GoldenRecord) for line in lines),
        )


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A verified bundle."""

    path: Path
    hash: str
    schema: Schema
    metadata: Metadata
    clicks: BundledClicks | None
    """The click model; None if the dataset has only positives, from which a recommender alone is trained."""

    @property
    def click_model(self) -> BundledClicks:
        """The click model; raises `NoClickModelError` if there is none."""
        if self.clicks is None:
            raise NoClickModelError(
                f"Model {self.hash[:12]} has no click model: it was trained only on positives, so it only recommends."
            )
        return self.clicks

    @classmethod
    def load(cls, path: Path, *, mapped: bool = True) -> Self:
        """Load and verify the bundle in `path`; its encoder is `mapped`, or in memory.

        Raises `BundleError` if a file is missing, extra or altered; `EncoderError` or `TreesError` if its model can't
        be computed.
        """
        bundle_hash = checked_hash(path)
        try:
            metadata = msgspec.json.decode((path / METADATA).read_bytes(), type=Metadata)
            schema = Schema.from_json((path / SCHEMA).read_bytes())
            clicks = BundledClicks.load(path, schema, mapped=mapped)
        except (OSError, msgspec.DecodeError) as error:
            raise BundleError(f"The bundle in {path} cannot be read: {error}. Train the model again.") from error
        if metadata.bundle_format != BUNDLE_FORMAT:
            raise BundleError(
                f"The bundle in {path} has format {metadata.bundle_format}, but this code reads format "
                f"{BUNDLE_FORMAT}. Train the model again with this code."
            )
        return cls(
            path=path,
            hash=bundle_hash,
            schema=schema,
            metadata=metadata,
            clicks=clicks,
        )


def seal(path: Path) -> str:
    """Write `files.json` for the finished bundle in `path` and return the bundle's hash, 64 hexadecimal digits."""
    content = json.dumps({name: sha256(path / name) for name in _names(path)}, indent=2).encode() + b"\n"
    (path / FILES).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def checked_hash(path: Path) -> str:
    """The hash of the bundle in `path`, after comparing every file; raises `BundleError` for the first that differs."""
    try:
        content = (path / FILES).read_bytes()
        expected = msgspec.json.decode(content, type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{path} is not a model bundle: {error}. {RESTORE}") from error
    present = set(_names(path))
    for name in sorted(present | set(expected)):
        if name not in present:
            raise BundleError(f"The bundle in {path} lacks the file {name}. {RESTORE}")
        if name not in expected:
            raise BundleError(f"The bundle in {path} has the file {name}, which does not belong to it. Remove it.")
        if sha256(path / name) != expected[name]:
            raise BundleError(f"The file {name} of the bundle in {path} was altered. {RESTORE}")
    return hashlib.sha256(content).hexdigest()


def is_whole(path: Path, bundle_hash: str) -> bool:
    """Whether the bundle with this hash is in `path`, undamaged."""
    try:
        return checked_hash(path) == bundle_hash
    except BundleError:
        return False


def _names(path: Path) -> Iterator[str]:
    files = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return iter(sorted(name for name in files if name != FILES))
