"""What a subscription's first days refuse: builds by ACR Tasks, and privileges in Unity Catalog. Also a base
image that is gone. Each `up` ends with a sentence before the first machine is paid for, and the next one goes on.
"""

import os
import re
from pathlib import Path

from steps.shared.base_images import RECIPE
from tests.simulation.scenarios.changes import says
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack
from tools.paths import ROOT

CLUSTER = "containerservice"
START = "http databricks POST /api/2.2/jobs/run-now"
NO_TASKS = ("ACR Tasks refuses this subscription", "install Docker with buildx on this machine, or ask Azure's support")
NO_PRIVILEGE = ("let a metastore admin of Databricks run `GRANT CREATE STORAGE CREDENTIAL ON METASTORE TO",)
NO_IMAGE = "sha256:" + "0" * 64
NO_BASE = (f"{NO_IMAGE} not found: manifest unknown", f"{NO_IMAGE} in scoring/Dockerfile, then run `up` again")


def refusals(stack: SimulatedStack, report: Report) -> None:
    """First no storage credential can be made, then no image: the base is gone, or neither ACR Tasks nor Docker builds.

    A trial build on the real bases succeeds at first and is not repeated, so the last two `up`s have another base.
    """
    stack.world.set("held_privileges", ["CREATE_CATALOG"])
    _refused(stack, report, "without a privilege in Unity Catalog", NO_PRIVILEGE)
    stack.world.set("held_privileges", None)
    recipe = ROOT / RECIPE  # in the scenarios' copy of the project
    whole = recipe.read_text(encoding="utf-8")
    recipe.write_text(re.sub(r"sha256:\w{64}", NO_IMAGE, whole, count=1), encoding="utf-8")
    _refused(stack, report, "on a base image that is gone", NO_BASE)
    stack.world.set("tasks_allowed", value=False)
    path, os.environ["PATH"] = os.environ["PATH"], without_docker(stack.folder / "without-docker")
    _refused(stack, report, "that may not use ACR Tasks", NO_TASKS)
    os.environ["PATH"] = path
    stack.world.set("tasks_allowed", value=True)
    recipe.write_text(whole, encoding="utf-8")


def _refused(stack: SimulatedStack, report: Report, which: str, sentences: tuple[str, ...]) -> None:
    error = stack.fails(stack.up)
    said = tuple(sentence for sentence in sentences if says(error, sentence))
    report.want(f"sentences of an `up` {which}", sentences, said)
    paid = calls(stack, CLUSTER), calls(stack, START)
    report.want(f"requests for a cluster and runs until the end of an `up` {which}", (0, 0), paid)


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
