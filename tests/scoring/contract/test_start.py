"""Reasons why the service does not start or is not ready, each reported in one sentence."""

import shutil
import socket
from pathlib import Path

import pytest

from features.bundle import MODEL, RESTORE, Bundle, seal
from recommend.recommender import FOLDER, ITEMS
from tests.support.bundles import write_golden
from tests.support.services import (
    KEY,
    run_scoring,
    running_service,
    wait_until,
)

pytestmark = pytest.mark.slow


def test_a_service_that_does_not_reproduce_the_golden_records_is_not_ready(bundle_copy: Path, tmp_path: Path) -> None:
    golden = Bundle.load(bundle_copy).click_model.golden
    probabilities = [one.probability for one in golden]
    probabilities[3] += 2e-9
    write_golden(bundle_copy, [dict(one.record) for one in golden], probabilities)
    seal(bundle_copy)
    with running_service(bundle_copy, tmp_path, wait_ready=False) as running:
        wait_until(lambda: running.client.get("/healthz").status_code == 200)
        for answer in (running.client.get("/readyz"), running.client.post("/score", json={})):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["code"] == "not_ready"
            assert "Golden record 3" in answer.json()["error"]["message"]
    checked = run_scoring("--check", "--bundle", str(bundle_copy))
    assert (checked.returncode, checked.stdout) == (1, "")
    assert "Golden record 3" in checked.stderr


@pytest.mark.parametrize("check", [True, False], ids=["check", "serve"])
def test_an_altered_bundle_is_refused_with_a_sentence(bundle_copy: Path, tmp_path: Path, *, check: bool) -> None:
    model = bundle_copy / MODEL
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(bytes(content))
    ended = run_scoring("--bundle", str(bundle_copy), *(["--check"] if check else _serve(tmp_path)))
    assert ended.returncode == 1
    assert ended.stderr == f"The file model.txt of the bundle in {bundle_copy} was altered. {RESTORE}\n"


def test_a_recommender_of_another_format_ends_the_service_with_a_sentence(films: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(films, tmp_path / "bundle")
    (bundle / FOLDER / ITEMS).write_bytes(b'{"format": 1, "items": ["a"]}')
    seal(bundle)
    ended = run_scoring("--bundle", str(bundle), *_serve(tmp_path), "--workers", "2")
    assert ended.returncode == 1
    assert "has format 1" in ended.stderr


def test_a_model_that_is_none_of_lightgbm_is_refused_with_a_sentence(bundle_copy: Path) -> None:
    (bundle_copy / MODEL).write_text("nothing")
    seal(bundle_copy)
    ended = run_scoring("--bundle", str(bundle_copy), "--check")
    assert ended.returncode == 1
    assert "model.txt was altered, or is not one that training writes: 'num_class' is missing." in ended.stderr


def test_a_port_in_use_is_named_in_a_sentence(bundle: Bundle, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = run_scoring("--bundle", str(bundle.path), *_serve(tmp_path), "--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Cannot listen on 127.0.0.1:{port}: Address already in use.")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("", "has 0 keys"),
        ("a\n" * 17, "has 17 keys"),
        ("short\n", "shorter than 16"),
        (f"web={KEY}\nweb={KEY}x", "the same name"),
    ],
)
def test_a_keys_file_that_cannot_be_used_is_named(
    bundle: Bundle, tmp_path: Path, content: str | None, sentence: str
) -> None:
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_text(content)
    ended = run_scoring("--bundle", str(bundle.path), "--keys-file", str(keys), "--port", "0")
    assert ended.returncode == 1
    assert str(keys) in ended.stderr
    assert sentence in ended.stderr


def test_a_certificate_that_cannot_be_used_is_named(bundle: Bundle, tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("nothing")
    tls = ["--tls-cert", str(certificate), "--tls-key", str(certificate)]
    ended = run_scoring("--bundle", str(bundle.path), *_serve(tmp_path), *tls)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The certificate {certificate} with the key")


def _serve(folder: Path) -> list[str]:
    keys = folder / "keys"
    keys.write_text(KEY)
    return ["--keys-file", str(keys), "--port", "0"]
