"""Changes of settings, data and code, one at a time: each touches exactly what depends on it, and replaces no data.

Some changes first meet a failure. That `up` must fail with a sentence about the cause and leave the service unchanged;
the next one succeeds.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from features.errors import PersonalizationError
from personalize.stack.azure_side import following
from personalize.stack.data_guard import ACCOUNT
from recommend.published import CURRENT, decode
from steps.shared.volumes import SERVED as SERVED_SNAPSHOTS
from steps.shared.volumes import Volume
from tests.simulation.faults import FaultKind
from tests.simulation.scenarios import forgetting
from tests.simulation.scenarios.life import changes_of, pools_of, score_golden_records
from tests.simulation.scenarios.lost_libraries import container_of
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SMALL, SimulatedStack, Touched
from tests.simulation.scenarios.troubles import BUILD, QUOTA, ROLLOUT, RUNS, Trouble
from tools.paths import ROOT

SERVED = frozenset({"replace image", "replace image-record", "update deployment"})
ROLLED_BACK = SERVED | {"replace model", "update service-champion"}
TRAINED = ROLLED_BACK | {"replace training"}
TRAINED_AGAIN = TRAINED | {"create libraries"}
OWN_TABLES = TRAINED | {"replace data"}
"""Other tables in place of the generated ones."""
HOLDING_DATA = (
    "azure-native:storage:StorageAccount",
    "azure-native:storage:BlobContainer",
    "azure-native:machinelearningservices:Workspace",
    "azure-native:containerregistry:Registry",
    "azure-native:keyvault:Vault",
    "azure-native:databricks:Workspace",
    "azure-native:operationalinsights:Workspace",
)
SMALLER, LARGER, LARGEST = "Standard_D2ds_v5", "Standard_D4ds_v5", "Standard_D8ds_v5"
OTHER_REGION = "northeurope"
NEW_CODE = ROOT / "scoring" / "simulated_change.py"
"""In the scenarios' copy of the project."""


@dataclass(frozen=True)
class Change:
    """One change, and what it may touch."""

    name: str
    make: Callable[[SimulatedStack], None]
    touched: Touched | Callable[[SimulatedStack], Touched]
    troubles: tuple[Trouble, ...] = ()
    full: bool = False
    """Whether only `make simulate-full` makes it."""
    refresh: bool = False
    """Whether it takes `up --refresh`."""


def set_in(section: str, **values: Any) -> Callable[[SimulatedStack], None]:
    """Change settings of a section."""
    return lambda stack: stack.settings.setdefault(section, {}).update(values)


def change_code(_: SimulatedStack) -> None:
    """Another file in the serving code."""
    NEW_CODE.write_text('"""Nothing."""\n', encoding="utf-8")


def _of(*touched: str) -> Touched:
    return frozenset(touched)


def tagged(stack: SimulatedStack) -> Touched:
    """Everything in the stack's state that has tags."""
    return frozenset(f"update {name}" for name in stack.with_input("tags"))


CHANGES = (
    Change(  # the trainings after it run on them
        "number of workers",
        set_in("azure", training_workers=3),
        _of("update training-policy", "update training-job"),
        full=True,
    ),
    Change("replicas", set_in("azure", replicas_max=5), _of("update autoscaler"), full=True),
    Change("a tag", set_in("azure", tags={"owner": "team"}), tagged),
    Change(
        "scoring VM size",
        set_in("azure", scoring_vm_size=LARGER),
        _of("replace scoring-pool"),
        (QUOTA,),
        full=True,
    ),
    Change("how it is served", set_in("scoring", max_records=500), _of("update deployment"), (ROLLOUT,)),
    Change("serving code", change_code, SERVED, (BUILD,)),
    Change("hyperparameter", set_in("training", num_leaves=7), TRAINED_AGAIN, RUNS, full=True, refresh=True),
)


def own_nodes(stack: SimulatedStack, report: Report) -> None:
    """Other system nodes are refused before anything happens; the service gets a pool of its own, which stays."""
    calls, size = len(stack.calls()), stack.settings["azure"]["system_vm_size"]
    stack.settings["azure"]["system_vm_size"] = LARGEST
    refused = [type(stack.fails(operate)).__name__ for operate in (stack.preview, stack.up)]
    report.want("what refuses other system nodes", ["SystemNodesWouldChangeError"] * 2, refused)
    report.want("calls to Azure until then", 0, len(stack.calls()) - calls)
    stack.settings["azure"] |= {"system_vm_size": size, "scoring_nodes_max": 3, "scoring_vm_size": SMALLER}
    done = stack.up()
    report.want(
        "touched by nodes of the service's own", ["create scoring-pool", "update deployment"], sorted(done.touched)
    )
    stack.settle()
    report.want("pools that the service runs on", ["scoring"], pools_of(stack))
    report.want("changes after a refresh, node pools as Azure shows them", {}, changes_of(stack.up(refresh=True)))


def all_changes(stack: SimulatedStack, report: Report, *, full: bool) -> None:
    """Each change on the same stack, one after the other; with `full` also those marked so and a rollback."""
    with report.stage("change: nodes of the service's own"):
        own_nodes(stack, report)
    for change in (one for one in CHANGES if full or not one.full):
        with report.stage(f"change: {change.name}"):
            change.make(stack)
            for trouble in change.troubles:
                _meet(stack, report, trouble)
            before = _holders(stack)
            wanted = change.touched(stack) if callable(change.touched) else change.touched
            done = stack.up(refresh=change.refresh)
            report.want(f"touched by another {change.name}", sorted(wanted), sorted(done.touched))
            stack.settle()
            report.want(f"data that another {change.name} replaced", [], _replaced(before, _holders(stack)))
    with report.stage("change: dataset, which are tables now, while services are busy and tokens end"):
        own_tables(stack, report)
    if full:
        with report.stage("users who were forgotten are remembered"):
            forgetting.remember(stack, report)
        with report.stage("rollback"):
            roll_back(stack, report)


def roll_back(stack: SimulatedStack, report: Report) -> None:
    """Serve the first version, then the latest again: nothing is trained."""
    newest, trained = stack.image(), stack.trained
    for version, champion in ((1, ["1"]), ("latest", stack.champion())):
        done = stack.roll_back(version)
        stack.settle()
        report.want(f"touched by a rollback to {version}", sorted(ROLLED_BACK), sorted(done.touched))
        report.want(f"the champion after a rollback to {version}", champion, stack.champion())
        report.want(
            f"whether the newest image runs after a rollback to {version}", version == "latest", stack.image() == newest
        )
    report.want("models trained for rollbacks", 0, stack.trained - trained)


def another_region(stack: SimulatedStack, report: Report, *, full: bool) -> None:
    """Another region: refused before anything happens; with `full`, done when it's requested and the names are new."""
    calls, region = len(stack.calls()), stack.settings["azure"]["location"]
    stack.settings["azure"]["location"] = OTHER_REGION
    error = stack.fails(stack.up)
    report.want("an `up` in another region is refused by", "DataWouldBeReplacedError", type(error).__name__)
    error = stack.fails(lambda: stack.up(replace_data=True))
    report.want("one with `--replace-data` and the old names is refused by", "NamesTakenError", type(error).__name__)
    report.want("calls to Azure of an `up` that was refused", 0, len(stack.calls()) - calls)
    if not full:
        stack.settings["azure"]["location"] = region
        return
    stack.settings["azure"]["suffix"] = following(stack.settings["azure"]["suffix"])
    stack.settings |= deepcopy(SMALL)  # the first model's settings, so that its training is remembered
    stack.up(replace_data=True)
    accounts = (record for record in stack.world.all(ACCOUNT) if record.id not in stack.simulation.prepared)
    locations = {str(record.inputs["location"]) for record in accounts}
    report.want("regions with storage after `--replace-data`", [OTHER_REGION], sorted(locations))
    report.want("where no pod serves after `--replace-data`", [], [] if stack.serving() else [OTHER_REGION])


def own_tables(stack: SimulatedStack, report: Report) -> None:
    """The README's tables in place of generated ones, so that the champion has other columns.

    Meanwhile the product's own calls get 429, 503 and expired tokens: the same `up` succeeds. One user is forgotten
    before it, and one after it.
    """
    forgetting.forget_before_training(stack, report)
    stack.settings["dataset"] = {"kind": "tables", "spec": "examples/tables/dataset.yaml"}
    for service in ("blob", "management", "databricks"):
        for kind in (FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.EXPIRED):
            stack.faults.order(rf"^http {service} (?!\w+ /state-)", nth=2, kind=kind)
    before = _holders(stack)
    done = stack.up()
    report.want("touched by tables while services are busy", sorted(OWN_TABLES), sorted(done.touched))
    report.want("faults of services that did not come", 0, stack.faults.pending())
    stack.faults.clear()
    stack.settle()
    report.want("data that tables replaced", [], _replaced(before, _holders(stack)))
    score_golden_records(stack, report, stack.image().rpartition("@")[2])
    lake = container_of(stack, Volume.SNAPSHOTS)
    files = (blob.name for blob in lake.list_blobs(f"{Volume.SNAPSHOTS.folder}/{SERVED_SNAPSHOTS}"))
    named = [decode(lake.download_blob(name).readall()) for name in files if name.endswith(f"/{CURRENT}")]
    both = ["catalogue.sqlite", "histories.sqlite"]
    report.want("what the pods of films and those of tables fetch", [both, both], [*map(sorted, named)])
    forgetting.forget_after_training(stack, report)


def _meet(stack: SimulatedStack, report: Report, trouble: Trouble) -> None:
    serving, champion = stack.serving(), stack.champion()
    trouble.begin(stack)
    error = stack.fails(stack.up)
    trouble.end(stack)
    said = trouble.sentence if says(error, trouble.sentence) else str(error)
    report.want(f"{trouble.name}: the error says", trouble.sentence, said)
    report.want(f"{trouble.name}: pods that serve meanwhile", serving, stack.serving())
    report.want(f"{trouble.name}: the champion meanwhile", champion, stack.champion())


def says(error: PersonalizationError, sentence: str) -> bool:
    """Whether an error's text contains `sentence`, in any case."""
    return sentence.lower() in str(error).lower()


def _holders(stack: SimulatedStack) -> Mapping[str, float]:
    """The resources that hold data, by id, with their creation times."""
    return {record.id: record.created for kind in HOLDING_DATA for record in stack.world.all(kind)}


def _replaced(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return [identity for identity, created in before.items() if after.get(identity) != created]
