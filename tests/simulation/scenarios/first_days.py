"""What a subscription's first days refuse: builds by ACR Tasks, and budgets. Each ends with a sentence, and the next
`up` goes on.
"""

import os
from pathlib import Path

from tests.simulation.scenarios.changes import says
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack

CLUSTER = "containerservice"
START = "http databricks POST /api/2.2/jobs/run-now"
REFUSED = ("ACR Tasks refuses this subscription", "install Docker with buildx on this machine, or ask Azure's support")


def refused_build(stack: SimulatedStack, report: Report) -> None:
    """`up` where neither ACR Tasks nor a Docker builds: it ends before the first machine is paid for."""
    stack.world.set("tasks_allowed", value=False)
    stack.world.set("budgets_allowed", value=False)
    whole, os.environ["PATH"] = os.environ["PATH"], without_docker(stack.folder / "without-docker")
    error = stack.fails(stack.up)
    os.environ["PATH"] = whole
    stack.world.set("tasks_allowed", value=True)
    said = [sentence for sentence in REFUSED if says(error, sentence)]
    report.want("sentences of an `up` that may not use ACR Tasks", REFUSED, tuple(said))
    report.want("requests for a cluster and runs until then", (0, 0), (calls(stack, CLUSTER), calls(stack, START)))


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
