"""A local stack from its first `up` to `destroy`, with the real Pulumi engine and the commands that users type.

The tests of a class depend on each other and run in order.
"""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from personalize.stack.state_store import read_locks, read_snapshot
from tests.e2e.conftest import LENIENT_GATE, TRAINING, add_day
from tests.e2e.life import Life, changed
from tests.e2e.processes import computing, listening, service_processes, wait_for
from tests.support.checkout import Checkout

pytestmark = [pytest.mark.engine, pytest.mark.spark]


def served_version(checkout: Checkout) -> str:
    """The model version that the service reports."""
    return str(checkout.json("predict", str(checkout.state / "example.json"))["model"]["version"])


@pytest.fixture(scope="module")
def life(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """The checkout's stack."""
    return Life(checkout, tmp_path_factory.mktemp("life"))


class TestLifeOfTheStack:
    """From the first `up` to `destroy`."""

    def test_the_first_up_trains_and_serves(self, life: Life) -> None:
        life.first_up()

    def test_a_second_up_changes_nothing_and_prints_nothing_secret(self, life: Life, checkout: Checkout) -> None:
        said = life.second_up()
        key = checkout.run("key").stdout.strip()
        assert len(key) >= 32
        assert key not in said
        state = (checkout.state / "state").rglob("*.json")
        assert all(key not in file.read_text() for file in state)

    def test_predict_rank_and_explain_return_trainings_probabilities(self, life: Life) -> None:
        life.predict(1)
        life.rank(1)
        life.explain(1)

    def test_a_split_by_time_is_refused_for_data_without_timestamps(self, life: Life, checkout: Checkout) -> None:
        before = checkout.stack_file.read_text()
        checkout.configure(training={"split": "time"})
        life.refused_up()
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

    def test_a_new_file_runs_every_step(self, life: Life) -> None:
        life.options = ("--if-new-data", "--refuse-data-loss")
        life.new_data()
        life.options = ()
        assert life.champion_was_compared(2)
        life.predict(2)

    @pytest.mark.full
    def test_a_serving_file_runs_image_and_service_only(self, checkout: Checkout) -> None:
        file = checkout.folder / "scoring" / "__init__.py"
        file.write_text(file.read_text() + '\nEDITED = "by the test"\n')
        assert changed(checkout.json("up")) == {"ServingImage", "ScoringService"}
        assert served_version(checkout) == "2"

    @pytest.mark.full
    def test_refresh_heals_a_service_that_was_killed_with_its_supervisor(self, checkout: Checkout) -> None:
        while running := service_processes(checkout):  # until it is dead itself, the supervisor starts workers again
            for process in running:
                process.kill()
            psutil.wait_procs(running, timeout=10)
        deadline = time.monotonic() + 10
        while listening(checkout.port) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not listening(checkout.port)
        outcome = checkout.json("up", "--refresh")
        assert changed(outcome) == {"ScoringService"}
        assert served_version(checkout) == "2"

    def test_rollback_serves_an_older_version_without_training_or_data(
        self, life: Life, days: Path, checkout: Checkout
    ) -> None:
        days.rename(days.with_name("aside"))
        life.roll_back()
        life.predict(1)
        checkout.json("serve", "latest")
        assert served_version(checkout) == "2"
        days.with_name("aside").rename(days)


class TestFaults:
    """Failures around an update of that stack; its service keeps serving the newest version."""

    def test_two_ups_at_once_are_refused_in_a_sentence(self, checkout: Checkout) -> None:
        first = checkout.start("up")
        wait_for(lambda: bool(read_locks(checkout.state / "state")))
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

    @pytest.mark.full
    def test_an_altered_bundle_is_never_served(self, checkout: Checkout) -> None:
        version = checkout.json("models")["models"]
        oldest = min(version, key=lambda row: row["version"])
        bundle = checkout.state / "registry" / "bundles" / oldest["bundle_hash"]
        model = bundle / "model.txt"
        content = model.read_bytes()
        model.chmod(0o644)
        model.write_bytes(content[:-2] + b"x\n")
        failed = checkout.run("serve", "1", code=1)
        assert "model.txt" in failed.stderr
        assert served_version(checkout) == "2"
        model.write_bytes(content)

    @pytest.mark.full
    def test_a_corrupt_registry_is_named_and_the_service_keeps_serving(self, checkout: Checkout) -> None:
        database = checkout.state / "registry" / "mlflow.db"
        content = database.read_bytes()
        database.write_bytes(b"not a database" * 400)
        failed = checkout.run("serve", "1", code=1)
        assert "mlflow.db" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert served_version(checkout) == "2"
        database.write_bytes(content)
        checkout.run("serve", "latest")

    def test_an_interrupted_training_ends_with_all_that_it_started(self, checkout: Checkout) -> None:
        slow = TRAINING | {"num_iterations": 500, "early_stopping_rounds": 0}
        checkout.configure(training=slow, gate=LENIENT_GATE | {"min_auc": 0.99})
        running = set(service_processes(checkout))
        process = checkout.start("up")
        wait_for(lambda: computing(checkout))
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, out + err
        assert "Traceback" not in err
        wait_for(lambda: set(service_processes(checkout)) == running)
        assert served_version(checkout) == "2"

    def test_an_up_whose_engine_was_killed_continues_with_the_next_up(self, checkout: Checkout) -> None:
        process = checkout.start("up")
        wait_for(lambda: computing(checkout))
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

    def test_a_lost_passphrase_is_explained(self, checkout: Checkout) -> None:
        passphrase = checkout.state / "passphrase"
        kept = passphrase.read_text()
        passphrase.unlink()
        failed = checkout.run("up", code=1)
        assert "passphrase" in failed.stderr
        assert "Traceback" not in failed.stderr
        passphrase.write_text(kept)
        passphrase.chmod(0o600)

    def test_an_interrupted_destroy_keeps_the_state_and_the_models(self, checkout: Checkout) -> None:
        for service in service_processes(checkout):
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

    def test_destroy_leaves_no_process_no_port_and_no_file(self, checkout: Checkout) -> None:
        checkout.run("destroy", "--yes")
        assert service_processes(checkout) == []
        assert not listening(checkout.port)
        assert not checkout.state.exists()


def test_the_tree_stays_clean_for_git(checkout: Checkout) -> None:
    """`up` writes only into ignored folders."""
    subprocess.run(["git", "init", "-q"], cwd=checkout.folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=checkout.folder, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=checkout.folder, capture_output=True, text=True, check=True)
    assert not [name for name in listed.stdout.splitlines() if name.startswith((".personalize", ".venv"))]
