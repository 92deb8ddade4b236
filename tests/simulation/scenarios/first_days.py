"""A subscription's first days: no right in Unity Catalog, a wheel that can't be imported, a base image that is gone,
no ACR Tasks. Each `up` says what to do and asks for no cluster.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from steps.shared.base_images import RECIPE
from tests.simulation.scenarios.changes import says
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack
from tools.paths import ROOT

CLUSTER = "containerservice"
START = "http databricks POST /api/2.2/jobs/run-now"
ENTRY = Path("training", "databricks.py")
"""Only the wheel's entry point imports it."""
MISSING = "no_version_of_pydantic_has_this"
NO_CLUSTER = "such as the serving cluster, were not created or changed"
NO_PRIVILEGE = ("let a metastore admin of Databricks run `GRANT CREATE STORAGE CREDENTIAL ON METASTORE TO",)
NO_WHEEL = ("The training run failed", f"cannot import name '{MISSING}'", NO_CLUSTER)
NO_IMAGE = "sha256:" + "0" * 64
NO_BASE = (f"{NO_IMAGE} not found: manifest unknown", f"{NO_IMAGE} in scoring/Dockerfile, then run `up` again")
NO_TASKS = ("ACR Tasks refuses this subscription", "install Docker with buildx on this machine, or ask Azure's support")


def first_days(stack: SimulatedStack, report: Report) -> None:
    """Each `up` gets further than the one before, until one brings up the service."""
    stack.world.set("held_privileges", ["CREATE_CATALOG"])
    _refused(stack, report, "without a privilege in Unity Catalog", NO_PRIVILEGE)
    stack.world.set("held_privileges", None)
    report.want("runs until then", 0, calls(stack, START))
    with _edited(ENTRY, lambda whole: f"from pydantic import {MISSING}\n{whole}"):
        _refused(stack, report, "with a wheel that can't be imported", NO_WHEEL)
    with _edited(RECIPE, lambda whole: re.sub(r"sha256:\w{64}", NO_IMAGE, whole, count=1)):
        _refused(stack, report, "on a base image that is gone", NO_BASE)
    runs = calls(stack, START)
    stack.world.set("tasks_allowed", value=False)
    path, os.environ["PATH"] = os.environ["PATH"], without_docker(stack.folder / "without-docker")
    _refused(stack, report, "that may not use ACR Tasks", NO_TASKS)
    os.environ["PATH"] = path
    stack.world.set("tasks_allowed", value=True)
    stack.up()
    report.want("requests for a cluster then, at least", 1, min(1, calls(stack, CLUSTER)))
    report.want("runs since the model is trained", 0, calls(stack, START) - runs)
    report.want("touched by a second `up` with the same code", [], sorted(stack.up().touched))


@contextmanager
def _edited(file: Path, edit: Callable[[str], str]) -> Iterator[None]:
    """A file of the scenarios' copy of the project, otherwise within the block."""
    place = ROOT / file
    whole = place.read_text(encoding="utf-8")
    place.write_text(edit(whole), encoding="utf-8")
    try:
        yield
    finally:
        place.write_text(whole, encoding="utf-8")


def _refused(stack: SimulatedStack, report: Report, which: str, sentences: tuple[str, ...]) -> None:
    error = stack.fails(stack.up)
    said = tuple(sentence for sentence in sentences if says(error, sentence))
    report.want(f"sentences of an `up` {which}", sentences, said)
    report.want(f"requests for a cluster until the end of an `up` {which}", 0, calls(stack, CLUSTER))


def calls(stack: SimulatedStack, part: str) -> int:
    """How many calls to Azure contain this text."""
    return sum(part in f"{call.operation} {call.type} {call.id}" for call in stack.faults.calls())


def without_docker(folder: Path) -> str:
    """`PATH` without docker: a folder that has it is replaced by one with links to everything else."""
    places = []
    for place in map(Path, os.environ["PATH"].split(os.pathsep)):
        if not (place / "docker").exists():
            places.append(str(place))
            continue
        own = folder / str(len(places))
        own.mkdir(parents=True)
        for file in place.iterdir():
            if file.name != "docker":
                (own / file.name).symlink_to(file)
        places.append(str(own))
    return os.pathsep.join(places)
