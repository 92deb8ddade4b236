"""`docs/runbooks/region-lost.md`: a stack's region is lost, and a new one elsewhere serves one of its models."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from azure_clients import credentials
from features.bundle import Bundle, checked_hash
from personalize.clients.model_registry import versions_of
from personalize.commands import models as commands
from personalize.stack.data_guard import ACCOUNT
from personalize.teardown.export import export, version_folder
from scoring.settings import MODEL_FOLDER
from steps.shared.volumes import Volume
from tests.simulation.kubernetes.aks import SYSTEM_NAMESPACES
from tests.simulation.kubernetes.image import entry_point
from tests.simulation.scenarios import life
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack
from tests.simulation.world import DEFAULTS, Record
from tests.support.blobs import download_batch
from tests.support.services import KEY, is_ready, started_service, wait_until

NEW_STACK, NEW_REGION, COPY_REGION = "west", "westus3", "northeurope"
OLD, CHAMPION = 1, 2
"""The lost stack's versions. The gate compared the second with the first, and its bundle contains the result: no other
stack's training gives the same one."""
NAMESPACES = "/api/v1/namespaces"
EMPTY_SECONDS, START_SECONDS = 120.0, 120.0


def region_lost(stack: SimulatedStack, report: Report) -> None:
    """Two models in good times, the loss, the runbook, and both stacks' end."""
    before = deepcopy(stack.settings)
    stack.settings["azure"]["models_copy"] = COPY_REGION
    old = _train_two(stack, report)
    lost = _lose(stack, report)
    new = stack.beside(NEW_STACK, stack.settings)
    new.settings["azure"]["location"] = NEW_REGION
    _restore(new, report, old)
    new.destroy()
    report.want("stacks on this machine after the new one's end", [stack.name], stack.files_left())
    for record in lost:
        stack.world.put(record)  # the region is back, with everything in it
    saved = _saved(stack, stack.folder / "saved")
    report.want("whether the old stack's models are saved at last", old.hash, checked_hash(version_folder(saved, OLD)))
    stack.destroy()
    stack.settings = before | {"azure": before["azure"] | {"suffix": stack.settings["azure"]["suffix"]}}
    life.nothing_left(stack, report, "after a lost region")


def _train_two(stack: SimulatedStack, report: Report) -> Bundle:
    """Bring the stack up with one model, then with another one; returns the first one's bundle."""
    stack.settings["training"]["num_leaves"] -= 1
    stack.up()
    stack.settings["training"]["num_leaves"] += 1
    stack.up()
    saved = _saved(stack, stack.folder / "before")
    accepted = {version.number: version.accepted for version in versions_of(stack.name, stack.file).list()}
    report.want("versions of the old stack, whether accepted", {OLD: True, CHAMPION: True}, accepted)
    return Bundle.load(version_folder(saved, OLD))


def _lose(stack: SimulatedStack, report: Report) -> list[Record]:
    """Take everything in the region out of the record, so that each service answers as if it didn't exist.

    That stands for a region in which nothing answers. What isn't in it stays: the account in the second region with its
    container and its roles, and the resource groups. Returns what was taken.
    """
    _empty_cluster(stack)
    (copy,) = [record for record in stack.world.all(ACCOUNT) if record.inputs["location"] == COPY_REGION]
    stays = {record.id for record in stack.world.under(copy.id)}
    lost = [record for record in stack.world.all() if record.id not in stack.simulation.prepared | stays]
    for record in lost:
        stack.world.remove(record.id)
    report.want("models that the lost stack's registry lists", [], list(versions_of(stack.name, stack.file).list()))
    return lost


def _empty_cluster(stack: SimulatedStack) -> None:
    """The cluster's contents go while it has nodes: one control plane stands in for the clusters of both stacks."""
    if (plane := stack.simulation.plane) is None:
        return

    def own() -> set[str]:
        return {item["metadata"]["name"] for item in plane.items(NAMESPACES)} - SYSTEM_NAMESPACES

    for name in own():
        plane.delete(f"{NAMESPACES}/{name}")
    wait_until(lambda: not own(), seconds=EMPTY_SECONDS)


def _restore(new: SimulatedStack, report: Report, old: Bundle) -> None:
    """The runbook: a new stack, the copies' download, their import, and the old version in service."""
    new.bootstrap()
    new.up()
    (account,) = [name for record in new.world.all(ACCOUNT) if (name := _name(record)).startswith("copydev")]
    folder = new.folder / "restored"
    download_batch(
        credentials.container(DEFAULTS["tenant"], f"https://{account}.blob.core.windows.net/", Volume.MODELS), folder
    )
    options: dict[str, Any] = {"stack": new.name, "config_file": new.file, "as_json": True}
    numbers = _printed(lambda: commands.import_models(folder / "files" / "versions", **options))["imported"]
    report.want("the new stack's numbers of the old versions", {str(OLD): 2, str(CHAMPION): 3}, numbers)
    served = _printed(lambda: commands.serve(str(numbers[str(OLD)]), **options))["outputs"]
    report.want("the version that the new stack serves", "2", str(served["model_version"]))
    new.settle()
    _ask(new, report, old)


def _ask(new: SimulatedStack, report: Report, old: Bundle) -> None:
    """The image that the new stack's pods run, as a process: it answers like the old model."""
    image = new.world.folder / "images" / new.image().rpartition("@sha256:")[2]
    report.want("the bundle in the image that runs", old.hash, checked_hash(image / MODEL_FOLDER))
    keys = new.folder / "keys"
    keys.write_text(f"{KEY}\n", encoding="utf-8")
    alone = ["env", "-i", f"--chdir={image / 'app'}", f"PATH={os.environ['PATH']}"]
    command = [*alone, *entry_point(image), "--keys-file", str(keys), "--port", "0"]
    golden = old.click_model.golden[0]
    with started_service(command, log_file=new.folder / "served.log", keys_file=keys) as service:
        wait_until(lambda: is_ready(service), seconds=START_SECONDS)
        answer = service.client.post("/score", json=golden.record).json()
    report.want("the model that answers", {"name": "ctr", "version": "2"}, answer["model"])
    report.want(
        "its probability for a record, which the old one's training computed",
        pytest.approx(golden.probability, abs=1e-9),
        answer["probability"],
    )


def _saved(stack: SimulatedStack, folder: Path) -> Path:
    """Save the models as `destroy --keep-data` does."""
    versions = versions_of(stack.name, stack.file)
    with redirect_stderr(StringIO()):
        export(versions.list(), versions.fetch, folder)
    return folder


def _printed(command: Callable[[], None]) -> Mapping[str, Any]:
    """What a command prints with `--json`, without its progress."""
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()):
        command()
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


def _name(account: Record) -> str:
    return str(account.inputs["accountName"])
