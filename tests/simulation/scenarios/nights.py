"""A stack whose tables lie in a container that it doesn't own, and what the nightly workflow runs on it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from steps.shared.volumes import Volume
from tests.simulation.examples.azure import example
from tests.simulation.examples.shop import (
    LAKE,
    TABLES,
    URL,
    as_owner,
    config_in_place,
    let_connector_read,
    open_shop,
    unreadable,
)
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.scenarios.life import go_down
from tests.simulation.scenarios.lost_libraries import container_of
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SMALL, STACK, SimulatedStack
from tools.paths import ROOT
from training.datasets.manifest import RECORD, manifest_in

SPEC = ROOT / "shop.yaml"
"""In the scenarios' copy of the project."""
GROUP = "azure-native:resources:ResourceGroup"
FIRST_ROWS = 2000
"""The other thousand come between two nights."""
MAY_NOT = "This request is not authorized to perform this operation"
UNREADABLE = "You may not read the container events"
NO_NEWS = "No new data since the last training: nothing to do."
TRAINED = "trained"
COMMAND = str(Path(sys.executable).with_name("personalize"))
Night = tuple[int, str]
"""A command's exit code, and why it trained nothing."""


def nights(stack: SimulatedStack, report: Report) -> None:
    """From nothing to a service, three nights, a rollback, and back to nothing."""
    _open_tables(stack)
    error = str(stack.fails(stack.up))
    report.want("an `up` before the container's owner lets the clusters read says", MAY_NOT, _part(error, MAY_NOT))
    let_connector_read(AzureNative(stack.world))
    stack.up()
    report.want("interactions that training read in place", [["part-0.csv"]], _read(stack))
    _three_nights(stack, report)
    with unreadable(stack.world):
        _roll_back(stack, report)
    _leave(stack)
    go_down(stack, report, "after a stack on another team's tables")


def _three_nights(stack: SimulatedStack, report: Report) -> None:
    """Only before the second night, a file has come."""
    trained = stack.trained
    report.want("a night without new data", (0, NO_NEWS), _night(stack))
    _write("part-1.csv", FIRST_ROWS, None, stack)
    report.want("the night after a file came", (0, TRAINED), _night(stack))
    report.want("models that it trained", 1, stack.trained - trained)
    report.want("the champion after it", ["2"], stack.champion())
    report.want("interactions that it read", [["part-0.csv"], ["part-0.csv", "part-1.csv"]], _read(stack))
    report.want("the night after that", (0, NO_NEWS), _night(stack))
    report.want("models trained in all nights", 1, stack.trained - trained)


def _roll_back(stack: SimulatedStack, report: Report) -> None:
    """The first version serves again although nobody may read the data."""
    error = str(stack.fails(stack.preview))
    report.want("a preview without the right to read says", UNREADABLE, _part(error, UNREADABLE))
    stack.roll_back(1)
    report.want("the champion after a rollback without that right", ["1"], stack.champion())


def _open_tables(stack: SimulatedStack) -> None:
    """Another team's container with the tables, as the stack's dataset; its deployer may read it."""
    arm = AzureNative(stack.world)
    arm.create(GROUP, example(GROUP))
    open_shop(arm)
    time.sleep(stack.world.setting("propagation_seconds") * stack.world.setting("pace"))  # until its roles count
    _write("part-0.csv", 0, FIRST_ROWS, stack)
    for name in ("users.csv", "items.csv"):
        as_owner(stack.world).upload_blob(f"shop/{name}", (TABLES / name).read_bytes())
    SPEC.write_text(config_in_place("interactions"), encoding="utf-8")
    stack.settings["dataset"] = {"kind": "tables", "spec": SPEC.name}


def _leave(stack: SimulatedStack) -> None:
    """The settings are as before, and the other team's account is gone with its group."""
    stack.settings["dataset"] = SMALL["dataset"]
    del stack.settings["model_version"]
    stack.world.remove(LAKE.partition("/providers/")[0])
    SPEC.unlink()


def _write(name: str, first: int, last: int | None, stack: SimulatedStack) -> None:
    """The container's owner writes a file of interactions."""
    header, *rows = (TABLES / "interactions.csv").read_bytes().splitlines(keepends=True)
    as_owner(stack.world).upload_blob(f"shop/interactions/{name}", header + b"".join(rows[first:last]))


def _night(stack: SimulatedStack) -> Night:
    """Run what the workflow `nightly` runs."""
    stack.session()  # writes the stack file
    shutil.copyfile(stack.file, ROOT / stack.file.name)
    command = [COMMAND, "up", "--if-new-data", "--stack", STACK, "--yes", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.returncode, done.stderr
    return 0, json.loads(done.stdout).get("skipped", TRAINED)


def _read(stack: SimulatedStack) -> list[list[str]]:
    """The interactions' files in the record that each training left, by the order of their number."""
    models = container_of(stack, Volume.MODELS)
    records = [
        manifest_in(models.download_blob(blob.name).readall())
        for blob in models.list_blobs(name_starts_with=f"{Volume.MODELS.folder}/runs/")
        if blob.name.endswith(f"/{RECORD}")
    ]
    start = f"{URL}/shop/interactions/"
    found = [
        [file.path.removeprefix(start) for file in one.partitions if file.path.startswith(start)] for one in records
    ]
    return sorted(found, key=len)


def _part(error: str, sentence: str) -> str:
    """The sentence if the error has it, else the whole error."""
    return sentence if sentence in error else error
