"""A local stack from its first `up` to `destroy`, with the real Pulumi engine and the commands that users type.

The tests of a class depend on each other and run in order.
"""

import json
import math
import os
import re
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from personalize.stack.state_store import read_locks, read_snapshot
from tests.e2e.conftest import LENIENT_GATE, TRAINING, add_day
from tests.e2e.life import Life, changed
from tests.support.checkout import Checkout
from tests.support.services import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.spark]
EVERY_STEP = {"DataUpload", "TrainingRun", "ModelVersion", "ServingImage", "ScoringService", "Champion"}


def served_version(checkout: Checkout) -> str:
    """The model version that the service reports."""
    return str(checkout.json("predict", str(checkout.state / "example.json"))["model"]["version"])


def computing(checkout: Checkout) -> bool:
    """Whether training has used more than a second of CPU time, and so is past its start."""
    with suppress(psutil.Error):
        running = [process for process in checkout.processes() if "training" in process.cmdline()]
        return any(process.cpu_times().user > 1 for process in running)
    return False


def listening(port: int) -> bool:
    """Whether a process accepts connections on the port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def life(checkout: Checkout) -> Life:
    """The checkout's stack."""
    return Life(checkout)


class TestLifeOfTheStack:
    """From the first `up` to `destroy`."""

    def test_the_first_up_trains_and_serves(self, life: Life, checkout: Checkout) -> None:
        outcome = checkout.json("up")
        assert changed(outcome) >= EVERY_STEP
        outputs = outcome["outputs"]
        assert Path(outputs["report"]).read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")
        assert 0.5 < outputs["metrics"]["auc"] < 1.0
        life.remember(1)
        assert httpx.get(f"{outputs['endpoint']}/readyz").status_code == 200

    def test_a_second_up_changes_nothing_and_prints_nothing_secret(self, life: Life, checkout: Checkout) -> None:
        said = life.second_up()
        key = checkout.run("key").stdout.strip()
        assert len(key) >= 32
        assert key not in said
        state = (checkout.state / "state").rglob("*.json")
        assert all(key not in file.read_text() for file in state)

    def test_predict_rank_and_explain_return_trainings_probabilities(
        self, life: Life, checkout: Checkout, tmp_path: Path
    ) -> None:
        life.predict(1)
        golden = life.golden(1)[:3]
        question = tmp_path / "rank.json"
        question.write_text(json.dumps({"user": {}, "items": [one["record"] for one in golden]}), encoding="utf-8")
        ranked = checkout.json("rank", str(question))["items"]
        order = sorted(range(3), key=lambda index: -golden[index]["probability"])
        assert [item["index"] for item in ranked] == order
        probabilities = [golden[index]["probability"] for index in order]
        assert [item["probability"] for item in ranked] == pytest.approx(probabilities, abs=1e-9)

        headers = {"Authorization": f"Bearer {checkout.run('key').stdout.strip()}"}
        url = f"http://127.0.0.1:{checkout.port}/explain"
        answer = httpx.post(url, json=golden[0]["record"], headers=headers).json()
        assert answer["probability"] == pytest.approx(golden[0]["probability"], abs=1e-9)
        total = answer["average"] + math.fsum(one["contribution"] for one in answer["contributions"])
        assert total == pytest.approx(answer["raw_score"], abs=1e-9)
        assert {one["feature"] for one in answer["contributions"]} == set(golden[0]["record"])

    def test_a_split_by_time_is_refused_for_data_without_timestamps(self, checkout: Checkout) -> None:
        before = checkout.stack_file.read_text()
        checkout.configure(training={"split": "time"})
        failed = checkout.run("up", code=2)
        assert "`split: time` needs a dataset with a timestamp" in failed.stderr
        assert not re.search("Traceback|creating|replacing", failed.stderr)
        checkout.stack_file.write_text(before)

    def test_without_a_new_file_or_with_more_than_that_an_up_for_new_data_changes_nothing(
        self, life: Life, days: Path, checkout: Checkout
    ) -> None:
        skipped = checkout.json("up", "--if-new-data")["skipped"]
        assert skipped == "No new data since the last training: nothing to do."
        add_day(days, 2)
        checkout.configure(training=TRAINING | {"num_leaves": 7})
        assert "training would change too. Deploy first." in checkout.json("up", "--if-new-data")["skipped"]
        checkout.configure(training=TRAINING)
        assert served_version(checkout) == "1"
        assert len(life.bundles) == 1

    def test_a_new_file_runs_every_step(self, life: Life, checkout: Checkout) -> None:
        shown = checkout.run("up", "--if-new-data", "--refuse-data-loss")
        done = set(re.findall(r"^([a-z ]+): (?:created|replaced|updated)", shown.stderr, re.MULTILINE))
        assert done == {"data", "training", "model version", "serving image", "scoring service", "champion"}
        assert re.search(r"^The service answers at \S+ with model version 2\.$", shown.stdout, re.MULTILINE)
        assert ".venv/bin/personalize predict .personalize/local/example.json" in shown.stdout
        assert re.search(r"^this model +0\.\d{4}", shown.stdout, re.MULTILINE)
        life.remember(2)
        metadata: dict[str, Any] = json.loads((life.bundles[2] / "metadata.json").read_text(encoding="utf-8"))
        assert metadata["metrics"]["champion"]["not_comparable"] is None
        life.predict(2)

    def test_rollback_serves_an_older_version_without_training_or_data(
        self, life: Life, days: Path, checkout: Checkout
    ) -> None:
        days.rename(days.with_name("aside"))
        assert not changed(checkout.json("serve", "1")) & {"DataUpload", "TrainingRun"}
        champions = {row["version"]: row["champion"] for row in checkout.json("models")["models"]}
        assert champions == {1: True, 2: False}
        life.predict(1)
        checkout.json("serve", "latest")
        assert served_version(checkout) == "2"
        days.with_name("aside").rename(days)


class TestFaults:
    """Failures around an update of that stack; its service keeps serving the newest version."""

    def test_two_ups_at_once_are_refused_in_a_sentence(self, checkout: Checkout) -> None:
        first = checkout.start("up")
        wait_until(lambda: bool(read_locks(checkout.state / "state")))
        (lock,) = read_locks(checkout.state / "state")
        psutil.Process(lock.pid).suspend()  # so that it has the lock for as long as the second one takes to find it
        try:
            refused = checkout.run("up", code=1).stderr
        finally:
            psutil.Process(lock.pid).resume()
        assert f"is being changed by process {lock.pid}" in refused
        assert "Traceback" not in refused
        first.communicate(timeout=400)
        assert first.returncode == 0

    def test_a_taken_port_is_named_before_anything_is_trained_and_the_old_service_keeps_serving(
        self, life: Life, checkout: Checkout
    ) -> None:
        runs = sorted((checkout.state / "runs").iterdir())
        before = checkout.stack_file.read_text()
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            checkout.configure(scoring={"port": taken}, training=TRAINING | {"num_iterations": 22})
            failed = checkout.run("up", code=1)
            assert f"Port {taken} of 127.0.0.1 is in use" in failed.stderr
            assert "Traceback" not in failed.stderr
        assert sorted((checkout.state / "runs").iterdir()) == runs
        checkout.stack_file.write_text(before)
        assert served_version(checkout) == str(max(life.bundles))

    def test_an_interrupted_training_ends_with_all_that_it_started(self, checkout: Checkout) -> None:
        slow = TRAINING | {"num_iterations": 500, "early_stopping_rounds": 0}
        checkout.configure(training=slow, gate=LENIENT_GATE | {"min_auc": 0.99})
        running = set(checkout.processes())
        process = checkout.start("up")
        wait_until(lambda: computing(checkout))
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, out + err
        assert "Traceback" not in err
        wait_until(lambda: set(checkout.processes()) == running)
        assert served_version(checkout) == "2"

    def test_an_up_whose_engine_was_killed_continues_with_the_next_up(self, checkout: Checkout) -> None:
        process = checkout.start("up")
        wait_until(lambda: computing(checkout))
        for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            child.kill()
        process.communicate(timeout=60)
        assert served_version(checkout) == "2"
        continued = checkout.run("up", code=3)
        assert "data: unchanged" in continued.stderr
        assert re.search(r"^training: (?:created|replaced)", continued.stderr, re.MULTILINE), continued.stderr
        assert "0.99" in continued.stderr
        assert "Traceback" not in continued.stderr

    def test_a_rejected_candidate_is_not_served_and_not_trained_again(self, checkout: Checkout) -> None:
        again = checkout.run("up", code=3)
        assert "training: unchanged" in again.stderr
        assert served_version(checkout) == "2"

    def test_an_interrupted_destroy_keeps_the_state_and_the_models(self, checkout: Checkout) -> None:
        for service in checkout.processes():
            service.suspend()  # it can't end by itself, so the signal arrives while it is waited for
        process = checkout.start("destroy", "--yes")
        assert process.stderr is not None
        assert any("stopping the service" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 130, out + err
        assert "Run the same command again to continue." in err
        assert (checkout.state / "registry" / "mlflow.db").is_file()
        snapshot = read_snapshot(checkout.state / "state/.pulumi/stacks/personalization/local.json")
        assert snapshot["resources"]

    def test_an_up_after_a_killed_destroy_brings_back_what_that_had_deleted(self, checkout: Checkout) -> None:
        file = checkout.state / "state/.pulumi/stacks/personalization/local.json"
        content = json.loads(file.read_text())
        latest = content["checkpoint"]["latest"]
        (data,) = (one for one in latest["resources"] if one["type"] == "personalize:local:DataUpload")
        latest["pending_operations"] = [{"type": "deleting", "resource": data}]
        shutil.rmtree(checkout.state / "lake")
        file.write_text(json.dumps(content))  # as the engine leaves it if it is killed just then
        continued = checkout.run("up", code=3).stderr
        assert "data: created" in continued
        assert served_version(checkout) == "2"

    def test_destroy_leaves_no_process_no_port_and_no_file(self, checkout: Checkout) -> None:
        checkout.run("destroy", "--yes")
        assert checkout.processes() == []
        assert not listening(checkout.port)
        assert not checkout.state.exists()
