import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from features.bundle import FILES, METADATA, Bundle, BundleError, Metadata, checked_hash, seal
from features.errors import PersonalizationError
from tests.support.bundles import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", rows=500, trees=2)


def test_a_sealed_bundle_loads_with_the_hash_of_its_seal(bundle: Path) -> None:
    loaded = Bundle.load(bundle)
    assert loaded.hash == checked_hash(bundle)
    assert len(loaded.click_model.golden) == 50


@pytest.mark.parametrize(
    ("file", "alter"),
    [
        ("model.txt", lambda text: re.sub("split_feature=[0-9]+", "split_feature=99", text, count=1)),
        ("encoder/layout.json", lambda text: text.replace("cat00", "cat99")),
        ("schema.json", lambda text: text.replace('"cat25"', '"cat25","cat26"')),
        ("encoder/layout.json", lambda text: text.replace('"unseen":[', '"factors":[0,1],"unseen":[')),
    ],
)
def test_a_model_that_reads_beyond_its_arrays_is_refused_whoever_sealed_it(
    bundle: Path, file: str, alter: Callable[[str], str]
) -> None:
    text = (bundle / file).read_text()
    (bundle / file).write_text(alter(text))
    assert (bundle / file).read_text() != text
    seal(bundle)
    with pytest.raises(PersonalizationError, match="Train the model again"):
        Bundle.load(bundle)


def test_the_same_content_has_the_same_hash_wherever_it_lies(bundle: Path) -> None:
    before = checked_hash(bundle)
    moved = bundle.rename(bundle.with_name("elsewhere"))
    (moved / FILES).unlink()
    assert seal(moved) == before


@pytest.mark.parametrize("name", ["model.txt", "schema.json", "golden.jsonl", "encoder/hashes.npy", "report.html"])
def test_one_changed_byte_is_noticed_and_its_file_named(bundle: Path, name: str) -> None:
    file = bundle / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} of the bundle in .* was altered"):
        Bundle.load(bundle)


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"model.txt": 1}'])
def test_a_folder_without_a_proper_seal_is_no_bundle(bundle: Path, content: bytes | None) -> None:
    seal_file = bundle / FILES
    seal_file.unlink() if content is None else seal_file.write_bytes(content)
    with pytest.raises(BundleError, match="is not a model bundle"):
        Bundle.load(bundle)


def test_a_bundle_of_another_format_is_refused(bundle: Path) -> None:
    metadata = msgspec.json.decode((bundle / METADATA).read_bytes(), type=Metadata)
    (bundle / METADATA).write_bytes(msgspec.json.encode(msgspec.structs.replace(metadata, bundle_format=99)))
    seal(bundle)
    with pytest.raises(BundleError, match="has format 99"):
        Bundle.load(bundle)


@pytest.mark.parametrize("name", ["metadata.json", "golden.jsonl", "reference.json"])
def test_a_sealed_file_of_other_content_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"{}\n")
    seal(bundle)
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.load(bundle)
