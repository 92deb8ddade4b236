"""What a stack's service knows of users and items while models are trained, rejected, rolled back and replaced."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.e2e.conftest import LENIENT_GATE
from tests.e2e.life import changed
from tests.support.checkout import Checkout

pytestmark = [pytest.mark.engine, pytest.mark.slow]
TRAINING = {"num_iterations": 10, "driver_memory_gib": 1}
STRICT_GATE = LENIENT_GATE | {"min_auc": 0.99}
TABLES = "examples/tables/dataset.yaml"


@pytest.fixture(scope="module")
def stack(project: Checkout) -> Iterator[Checkout]:
    """A stack of tables with users and items, whose service serves version 1."""
    kept = project.stack_file.read_text()
    project.configure(dataset={"kind": "tables", "spec": TABLES}, training=TRAINING, gate=LENIENT_GATE)
    project.run("up")
    yield project
    project.start("destroy", "--yes").communicate(timeout=120)
    project.stack_file.write_text(kept)


class Client:
    """A client of the stack's service with its current key."""

    def __init__(self, stack: Checkout) -> None:
        self.key = stack.run("key").stdout.strip()
        self._url = f"http://127.0.0.1:{stack.port}"

    def post(self, path: str, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.post(f"{self._url}{path}", json=body, headers=headers, timeout=30)

    def fallback(self, user: str) -> list[str]:
        """Why the recommendations for a user are not by their history."""
        answer = self.post("/recommend", user=user, top=3)
        assert answer.status_code == 200, answer.text
        assert answer.json()["items"]
        return [*answer.json()["fallback"]]

    def score(self, user: str) -> tuple[str, float]:
        """The version that answers by id, and the probability for a user and an item."""
        answer = self.post("/score", user=user, item="i001")
        assert answer.status_code == 200, answer.text
        return answer.json()["model"]["version"], answer.json()["probability"]


def add_user(stack: Checkout, user: str) -> None:
    """A new user in the tables, with some choices."""
    for name in ("users.csv", "interactions.csv"):
        file = (stack.folder / TABLES).with_name(name)
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
        pd.concat([rows, rows[rows.user_id == "u017"].assign(user_id=user)]).to_csv(file, index=False)


def test_a_rejected_candidate_changes_nothing_that_serves_and_the_rest_follows_the_settings(stack: Checkout) -> None:
    before = Client(stack)
    known = before.score("u017"), before.fallback("u017")
    assert known[1] == []
    champion = stack.json("models")["models"][0]
    stack.configure(gate=STRICT_GATE, training=TRAINING | {"seed": 7})
    refused = stack.run("up", code=3)
    assert "The gate rejected model version 2" in refused.stderr
    assert "Version 1 serves" in refused.stderr
    after = Client(stack)
    assert (after.score("u017"), after.fallback("u017")) == known
    assert after.key == before.key
    listed = {row["version"]: row for row in stack.json("models")["models"]}
    assert (listed[1], listed[2]["accepted"]) == (champion, False)

    stack.configure(scoring={"port": stack.port, "key_rotation": 2})
    for process in stack.processes():
        process.kill()
    shown = stack.run("up", code=3).stderr
    assert "key: updated" in shown
    assert "training: unchanged" in shown
    rotated = Client(stack)
    assert rotated.key != before.key
    assert rotated.score("u017") == known[0]


def test_a_rollback_brings_that_versions_users_and_needs_neither_data_nor_config(
    stack: Checkout, tmp_path: Path
) -> None:
    stack.configure(gate=LENIENT_GATE, training=TRAINING)
    add_user(stack, "u900")
    stack.run("up")
    assert Client(stack).score("u900")[0] == "3"
    assert Client(stack).fallback("u900") == []
    items = stack.folder / "items.csv"
    folder = (stack.folder / TABLES).parent
    lines = (folder / "items.csv").read_text().splitlines()
    items.write_text("\n".join(line for line in lines if not line.startswith("i002,")) + "\n")
    stack.run("catalogue", "load", str(items))

    shutil.move(folder, tmp_path / "tables")
    back = stack.run("serve", "1")
    assert "newer ones are unknown until `serve latest`" in back.stderr
    client = Client(stack)
    assert client.score("u017")[0] == "1"
    assert (client.fallback("u017"), client.fallback("u900")) == ([], ["unknown_user", "popular"])
    assert client.post("/score", user="u017", item="i002").json()["error"]["code"] == "unknown_item", "still withdrawn"
    stack.run("serve", "latest")
    assert Client(stack).fallback("u900") == []
    shutil.move(tmp_path / "tables", folder)
    outcome = stack.json("up")
    assert changed(outcome) == set()


def test_an_older_version_knows_nobody_and_says_so_first(stack: Checkout) -> None:
    stack.configure(training=TRAINING | {"seed": 8})
    stack.run("up")
    kept = {folder.name for folder in (stack.state / "snapshots").iterdir() if folder.is_dir()}
    listed = {row["version"]: row["bundle_hash"] for row in stack.json("models")["models"]}
    assert kept == {listed[3], listed[4]}
    old = stack.run("serve", "1")
    said, _, rest = old.stderr.partition("every user is unknown to it until `serve latest`")
    assert "model version" not in said
    assert "model version" in rest
    client = Client(stack)
    assert client.fallback("u017") == ["unknown_user", "popular"]
    assert client.score("u017")[0] == "1"
