"""Changes of settings, code and data, one at a time: each touches exactly what depends on it, and replaces no data.

Some changes first meet a failure. That `up` must fail with a sentence about the cause and leave the service unchanged;
the next one succeeds.
"""

from collections.abc import Collection, Mapping
from typing import Any

from tests.simulation.faults import FaultKind
from tests.simulation.scenarios.life import changes_of, pools_of, score_golden_records
from tests.simulation.scenarios.private import PRIVATE
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack, touched
from tools.paths import ROOT

SERVED = frozenset({"replace image", "update deployment"})
ROLLED_BACK = SERVED | {"replace model", "update service-champion"}
WORKERS = frozenset({"update training-job"})
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


def all_changes(stack: SimulatedStack, report: Report) -> None:
    """Each change on the same stack, one after the other."""
    stages = {
        "change: nodes of the service's own": own_nodes,
        "change: a tag": a_tag,
        "change: how it is served": how_it_is_served,
        "change: serving code": serving_code,
        "change: dataset, which are tables now, while services are busy and tokens end": own_tables,
        "rollback": roll_back,
        "impossible changes": refusals,
    }
    for title, change in stages.items():
        with report.stage(title):
            change(stack, report)


def a_tag(stack: SimulatedStack, report: Report) -> None:
    """Everything in the stack's state that has tags gets another one."""
    stack.settings["azure"]["tags"] = {"owner": "team"}
    _change(stack, report, "a tag", {f"update {name}" for name in stack.with_input("tags")})


def how_it_is_served(stack: SimulatedStack, report: Report) -> None:
    """At first new pods find no node; running ones stay."""
    stack.settings["scoring"] = {"max_records": 500}
    stack.cordon(unschedulable=True)
    sentence = "shows why; correct it, then run `up` again."
    _refused(stack, report, "a rollout that never becomes ready", sentence)
    stack.cordon(unschedulable=False)
    stack.settings["scoring"]["max_records"] = 400  # another template, for which the failed rollout is over
    _change(stack, report, "how it is served", {"update deployment"})


def serving_code(stack: SimulatedStack, report: Report) -> None:
    """Another file in the serving code, whose first build fails."""
    NEW_CODE.write_text('"""Nothing."""\n', encoding="utf-8")
    stack.world.set("build_outcomes", ["fail"])
    _refused(stack, report, "an image build that fails", "the test ordered it")
    _change(stack, report, "serving code", SERVED)


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
    """Serve the first version, then the latest again, each from another machine: nothing is trained."""
    newest, trained = stack.image(), stack.training.trained
    for version, champion in ((1, ["1"]), ("latest", stack.champion())):
        stack.move()
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


def _change(stack: SimulatedStack, report: Report, name: str, wanted: Collection[str]) -> None:
    """`up`, which touches what is `wanted`, and replaces nothing that holds data."""
    before = _holders(stack)
    report.want(f"touched by another {name}", sorted(wanted), sorted(touched(stack.up())))
    stack.settle()
    report.want(f"data that another {name} replaced", [], _replaced(before, _holders(stack)))


def _refused(stack: SimulatedStack, report: Report, name: str, sentence: str) -> None:
    """`up`, which fails with this sentence and leaves the service as it is."""
    serving, champion = stack.serving(), stack.champion()
    report.want_in(f"{name}: the error says", sentence, stack.fails(stack.up))
    report.want(f"{name}: pods that serve meanwhile", serving, stack.serving())
    report.want(f"{name}: the champion meanwhile", champion, stack.champion())


def _holders(stack: SimulatedStack) -> Mapping[str, float]:
    """The resources that hold data, by id, with their creation times."""
    return {record.id: record.created for kind in HOLDING_DATA for record in stack.world.all(kind)}


def _replaced(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return [identity for identity, created in before.items() if after.get(identity) != created]
