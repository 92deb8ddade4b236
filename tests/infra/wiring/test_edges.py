"""Dependencies that no input expresses, written by hand: most deployments succeed by luck if one is missing."""

from collections.abc import Iterator

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from tests.infra.graph.cloud_recorder import DEPLOYERS
from tests.infra.wiring.recording import Declared, committed, record

CLUSTER = "containerservice:ManagedCluster cluster"
CANARY = "azure:CanaryRun canary"
TRIAL = "azure:BuildTrial build-trial"
WRITES = ("containerservice:MaintenanceConfiguration", "containerservice:AgentPool")


@pytest.fixture(scope="module")
def stack() -> dict[str, Declared]:
    """The resources of stack `dev` with traces, a pool for the service and trials of images, by name."""
    settings = committed("dev", traces=True, scoring_nodes_max=3, rollout="shadow")
    return {one.name: one for one in record(settings, "dev").resources}


def test_pods_wait_for_their_roles_their_secrets_and_their_nodes(stack: dict[str, Declared]) -> None:
    assert set(stack["workload:Workload workload"].after) == {
        "authorization:RoleAssignment nodes-pull",
        "authorization:RoleAssignment pods-secrets",
        "authorization:RoleAssignment pods-snapshots",
        "authorization:RoleAssignment pods-traces",
        "containerservice:AgentPool scoring-pool",
        "keyvault:Secret scoring-certificate",
        "keyvault:Secret scoring-keys",
        "keyvault:Secret scoring-private-key",
        "keyvault:Secret scoring-traces",
    }


def test_everything_in_the_cluster_is_below_what_waits(stack: dict[str, Declared]) -> None:
    in_cluster = [one for one in stack.values() if one.options.get("provider") == "cluster"]
    assert len(in_cluster) >= 8
    for one in in_cluster:
        assert "workload:Workload workload" in set(parents(stack, one))


def test_a_stopped_cluster_takes_all_that_is_in_it_along(stack: dict[str, Declared]) -> None:
    """ "You can only start or delete a stopped AKS cluster" (Microsoft, "Stop and start an AKS cluster")."""
    inside = [one for one in stack.values() if one.custom and one.options.get("provider") == "cluster"]
    parts = [one for name, one in stack.items() if name.startswith((*WRITES, "azure:Rollout"))]
    assert (len(inside), len(parts)) == (9, 4)
    assert {one.options.get("deleted_with") for one in (*inside, *parts)} == {CLUSTER}


def test_a_deployer_keeps_each_privilege_until_the_object_is_gone(stack: dict[str, Declared]) -> None:
    """Whoever destroys the stack may own none of it, and may no longer delete what the own grant was deleted of."""
    for name, one in stack.items():
        if name.startswith(("databricks:Grant", "databricks:Permissions")):
            gone = str(one.options["deleted_with"])
            (securable,) = [found for found in one.sources.values() if found]
            assert gone in {*securable, "databricks:Catalog catalog", "databricks:Workspace databricks-workspace"}


def test_nothing_is_paid_for_by_the_hour_before_the_trial_build(stack: dict[str, Declared]) -> None:
    assert TRIAL in stack[CANARY].after
    assert CANARY in stack["azure:TrainingRun training"].after
    assert CANARY in stack[CLUSTER].after


def test_the_kubeconfig_is_asked_for_when_its_roles_are_there(stack: dict[str, Declared]) -> None:
    assert set(stack["azure:ClusterReady cluster-ready"].sources["kubeconfig"]) == {
        CLUSTER,
        *(
            f"authorization:RoleAssignment {deployer}-{name}"
            for deployer in DEPLOYERS
            for name in ("cluster", "cluster-credentials")
        ),
    }


def test_a_cluster_is_written_to_by_one_after_the_other(stack: dict[str, Declared]) -> None:
    """Each write waits for the previous one: AKS refuses concurrent writes."""
    waiting = {name: one for name, one in stack.items() if name.startswith(WRITES)}
    order = sorted(waiting, key=lambda name: len(list(_before(waiting, name))))
    assert len(order) == 3
    for number, name in enumerate(order):
        assert list(_before(waiting, name)) == order[:number][::-1]
        assert waiting[name].sources["resourceName"] == [CLUSTER]


@pytest.mark.parametrize(
    ("step", "roles"),
    [
        ("azure:DataUpload data", ["lake"]),
        ("azure:TrainingRun training", ["lake"]),
        ("azure:ModelVersion model", ["lake", "models", "workspace-blobs", "workspace-files"]),
        ("azure:ServingImage image", ["lake", "images"]),
        ("azure:Champion service-champion", ["models"]),
    ],
)
def test_a_step_waits_for_the_roles_that_its_calls_need(
    stack: dict[str, Declared], step: str, roles: list[str]
) -> None:
    wanted = {f"authorization:RoleAssignment {DEPLOYERS[0]}-{role}" for role in roles}
    assert wanted <= set(stack[step].after)


@pytest.mark.parametrize("step", [CANARY, "azure:TrainingRun training"])
def test_training_waits_for_its_way_to_the_lake(stack: dict[str, Declared], step: str) -> None:
    wanted = {
        "authorization:RoleAssignment connector-lake",
        "databricks:ExternalLocation location-raw",
        "databricks:ExternalLocation location-models",
        "databricks:Volume volume-raw",
        "databricks:Volume volume-models",
        f"databricks:Grant volume-raw-{DEPLOYERS[0]}",
        f"databricks:Grant volume-models-{DEPLOYERS[0]}",
    }
    assert wanted <= set(stack[step].after)


@pytest.mark.parametrize("step", [CLUSTER, "azure:TrainingRun training"])
def test_what_costs_waits_for_the_small_run(stack: dict[str, Declared], step: str) -> None:
    assert CANARY in stack[step].after


def test_the_small_run_waits_for_no_cluster(stack: dict[str, Declared]) -> None:
    before, left = set[str](), [CANARY]
    while left:
        one = stack.get(left.pop())
        if one is not None and one.name not in before:
            before.add(one.name)
            left += [*one.after, *(name for names in one.sources.values() for name in names), one.options["parent"]]
    kinds = {name.partition(" ")[0] for name in before}
    assert "databricks:Job" in kinds
    assert "machinelearningservices:Workspace" in kinds, "with its registry of images, for the trial model"
    assert not {kind for kind in kinds if kind.startswith("containerservice:")}


def parents(stack: dict[str, Declared], one: Declared) -> Iterator[str]:
    """The components that contain a resource, innermost first."""
    while (name := str(one.options["parent"])) in stack:
        yield name
        one = stack[name]


def _before(waiting: dict[str, Declared], name: str) -> Iterator[str]:
    """The writes that this one waits for, last one first."""
    for earlier in waiting[name].after:
        yield earlier
        yield from _before(waiting, earlier)
