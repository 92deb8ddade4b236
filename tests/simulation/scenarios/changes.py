"""Changes of settings, code and data, one at a time: each touches exactly what depends on it, and replaces no data.

Some changes first meet a failure. That `up` must fail with a sentence about the cause and leave the service unchanged;
the next one succeeds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.faults import FaultKind
from tests.simulation.scenarios.life import changes_of, pools_of, score_golden_records
from tests.simulation.scenarios.private import PRIVATE
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack, Touched, touched
from tools.paths import ROOT

SERVED = frozenset({"replace image", "replace image-record", "update deployment"})
ROLLED_BACK = SERVED | {"replace model", "update service-champion"}
WORKERS = frozenset({"update training-policy", "update training-job"})
OWN_TABLES = ROLLED_BACK | WORKERS | {"replace training", "replace data"}
"""Other tables in place of the generated ones, and a cluster with workers."""
HOLDING_DATA = (
    "azure-native:storage:StorageAccount",
    "azure-native:storage:BlobContainer",
    "azure-native:machinelearningservices:Workspace",
    "azure-native:containerregistry:Registry",
    "azure-native:keyvault:Vault",
    "azure-native:databricks:Workspace",
    "azure-native:operationalinsights:Workspace",
)
SMALLER = "Standard_D2ds_v5"
IMPOSSIBLE: Mapping[str, Mapping[str, Any]] = {
    "AKS can't change this for a cluster's first node pool": {"system_vm_size": "Standard_D8ds_v5"},
    "Azure cannot move data": {"location": "northeurope"},
    "Nothing moves into another network": PRIVATE,
}
"""What each `up` with other settings of Azure is refused with."""
NEW_CODE = ROOT / "scoring" / "simulated_change.py"
"""In the scenarios' copy of the project."""
Step = Callable[[SimulatedStack], None]


@dataclass(frozen=True)
class Trouble:
    """What fails at first: `begin` causes it, `end` removes it, and the error contains `sentence`."""

    name: str
    sentence: str
    begin: Step
    end: Step = lambda _: None


@dataclass(frozen=True)
class Change:
    """One change, and what it may touch."""

    name: str
    make: Step
    touches: Touched | Callable[[SimulatedStack], Touched]
    trouble: Trouble | None = None


def close_nodes(stack: SimulatedStack) -> None:
    """New pods find no node; running ones stay."""
    stack.cordon(unschedulable=True)


def open_nodes(stack: SimulatedStack) -> None:
    """New pods find nodes again. The next `up` changes the template, for which the failed rollout is over."""
    stack.cordon(unschedulable=False)
    stack.settings["scoring"]["max_records"] = 400


def set_in(section: str, **values: Any) -> Step:
    """Change settings of a section."""
    return lambda stack: stack.settings.setdefault(section, {}).update(values)


def change_code(_: SimulatedStack) -> None:
    """Another file in the serving code."""
    NEW_CODE.write_text('"""Nothing."""\n', encoding="utf-8")


def tagged(stack: SimulatedStack) -> Touched:
    """Everything in the stack's state that has tags."""
    return frozenset(f"update {name}" for name in stack.with_input("tags"))


ROLLOUT = Trouble(
    "a rollout that never becomes ready", "shows why; correct it, then run `up` again.", close_nodes, open_nodes
)
BUILD = Trouble(
    "an image build that fails", "the test ordered it", lambda stack: stack.world.set("build_outcomes", ["fail"])
)
CHANGES = (
    Change("a tag", set_in("azure", tags={"owner": "team"}), tagged),
    Change("how it is served", set_in("scoring", max_records=500), frozenset({"update deployment"}), ROLLOUT),
    Change("serving code", change_code, SERVED, BUILD),
)


def all_changes(stack: SimulatedStack, report: Report) -> None:
    """Each change on the same stack, one after the other."""
    with report.stage("change: nodes of the service's own"):
        own_nodes(stack, report)
    for change in CHANGES:
        with report.stage(f"change: {change.name}"):
            change.make(stack)
            if change.trouble:
                _meet(stack, report, change.trouble)
            before = _holders(stack)
            wanted = change.touches(stack) if callable(change.touches) else change.touches
            done = stack.up()
            report.want(f"touched by another {change.name}", sorted(wanted), sorted(touched(done)))
            stack.settle()
            report.want(f"data that another {change.name} replaced", [], _replaced(before, _holders(stack)))
    with report.stage("change: dataset, which are tables now, while services are busy and tokens end"):
        own_tables(stack, report)
    with report.stage("rollback"):
        roll_back(stack, report)
    with report.stage("impossible changes"):
        refusals(stack, report)


def own_nodes(stack: SimulatedStack, report: Report) -> None:
    """The service gets a pool of its own, which stays."""
    stack.settings["azure"] |= {"scoring_nodes_max": 3, "scoring_vm_size": SMALLER}
    done = stack.up()
    report.want(
        "touched by nodes of the service's own", ["create scoring-pool", "update deployment"], sorted(touched(done))
    )
    stack.settle()
    report.want("pools that the service runs on", ["scoring"], pools_of(stack))
    report.want("changes after a refresh, node pools as Azure shows them", {}, changes_of(stack.up(refresh=True)))


def own_tables(stack: SimulatedStack, report: Report) -> None:
    """The README's tables in place of generated ones, so that the champion has other columns; two workers train.

    Meanwhile the product's own calls get 429, 503 and expired tokens: the same `up` succeeds.
    """
    stack.settings["azure"]["training_workers"] = 2
    stack.settings["dataset"] = {"kind": "tables", "spec": "examples/tables/dataset.yaml"}
    for service in ("blob", "management", "databricks"):
        for kind in (FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.EXPIRED):
            stack.faults.order(rf"^http {service} (?!\w+ /state-)", nth=2, kind=kind)
    before = _holders(stack)
    done = stack.up()
    report.want("touched by tables while services are busy", sorted(OWN_TABLES), sorted(touched(done)))
    report.want("faults of services that did not come", 0, stack.faults.pending())
    stack.faults.clear()
    stack.settle()
    report.want("data that tables replaced", [], _replaced(before, _holders(stack)))
    report.want("the champion after the second training", ["2"], stack.champion())
    score_golden_records(stack, report, stack.image().rpartition("@")[2])


def roll_back(stack: SimulatedStack, report: Report) -> None:
    """Serve the first version, then the latest again: nothing is trained."""
    newest, trained = stack.image(), stack.training.trained
    for version, champion in ((1, ["1"]), ("latest", stack.champion())):
        done = stack.roll_back(version)
        stack.settle()
        report.want(f"touched by a rollback to {version}", sorted(ROLLED_BACK), sorted(touched(done)))
        report.want(f"the champion after a rollback to {version}", champion, stack.champion())
        report.want(
            f"whether the newest image runs after a rollback to {version}", version == "latest", stack.image() == newest
        )
    report.want("models trained for rollbacks", 0, stack.training.trained - trained)


def refusals(stack: SimulatedStack, report: Report) -> None:
    """What Azure can't change is refused before anything happens."""
    calls, azure = len(stack.calls()), stack.settings["azure"]
    for sentence, changed in IMPOSSIBLE.items():
        stack.settings["azure"] = azure | changed
        report.want_in(f"the error of an `up` with {changed}", sentence, stack.fails(stack.up))
    stack.settings["azure"] = azure
    report.want("calls to Azure of an `up` that was refused", 0, len(stack.calls()) - calls)


def _meet(stack: SimulatedStack, report: Report, trouble: Trouble) -> None:
    serving, champion = stack.serving(), stack.champion()
    trouble.begin(stack)
    error, meanwhile = stack.fails(stack.up), stack.serving()
    trouble.end(stack)
    report.want_in(f"{trouble.name}: the error says", trouble.sentence, error)
    report.want(f"{trouble.name}: pods that serve meanwhile", serving, meanwhile)
    report.want(f"{trouble.name}: the champion meanwhile", champion, stack.champion())


def _holders(stack: SimulatedStack) -> Mapping[str, float]:
    """The resources that hold data, by id, with their creation times."""
    return {record.id: record.created for kind in HOLDING_DATA for record in stack.world.all(kind)}


def _replaced(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return [identity for identity, created in before.items() if after.get(identity) != created]
