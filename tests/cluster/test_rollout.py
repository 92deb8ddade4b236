"""Clients notice nothing while the real service is replaced, moved and given other secrets.

Its pods are processes that start, are probed and stop as the manifests say; see `tests/simulation/kubernetes/nodes`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi_kubernetes", reason="needs `uv sync --inexact --extra azure`")

from features.bundle import Bundle
from tests.cluster.objects import NAMESPACE, create_scoring_pool
from tests.cluster.rollouts import SHADOW, Clients, Cluster, clients
from tests.cluster.trials import tried
from tests.simulation.certificates import Authority
from tests.simulation.kubernetes.aks import Aks
from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.kubernetes.nodes.image import build
from tests.simulation.kubernetes.nodes.kubelet import Kubelet
from tests.simulation.kubernetes.nodes.router import Router
from tests.simulation.requirements import need_azure_packages
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.world import World
from tests.support.bundles import make_bundle
from tests.support.services import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.full]

OLD, NEW, ODD = (f"registryabc.azurecr.io/scoring@sha256:{digit * 64}" for digit in "012")
"""The third image has another model, with other probabilities."""
KEY, NEXT_KEY = "the-first-key-of-the-tests", "the-second-key-of-the-tests"
SECONDS = 60.0
"""How long each test sends load; what it does meanwhile takes less."""
RATE = 300.0
"""Requests a second."""
KEYS_SECONDS = 5.0
"""Until every pod has reread its keys; each pod does so four times a second."""
ODD_SEED = 8
LAG_SECONDS = 2.0
"""How late the router learns about pods that start and stop."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The model that is served."""
    return Bundle.load(make_bundle(tmp_path_factory.mktemp("rollout") / "bundle"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the service's certificates."""
    return Authority(tmp_path_factory.mktemp("rollout-authority"))


@pytest.fixture(scope="module")
def cluster(
    plane: ControlPlane, bundle: Bundle, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two ready pods of the first image."""
    need_azure_packages()
    folder = tmp_path_factory.mktemp("rollout-nodes")
    world = World(folder / "world")
    arm = AzureNative(world)
    create_scoring_pool(arm)
    aks = Aks(world, plane)
    aks.start()
    wait_until(lambda: plane.get("/apis/secrets-store.csi.x-k8s.io/v1") is not None, seconds=60)
    images = images_in(folder, bundle)
    files = folder / "vault"
    files.mkdir()
    kubelet = Kubelet(plane, "scoring", images=images, vault=files, folder=folder / "pods")
    router = Router(plane, "scoring", "scoring", lag_seconds=LAG_SECONDS)
    made = Cluster(plane, kubelet, router, files)
    made.write("keys", f"{KEY}\n")
    certify(made, authority, "first")
    kubelet.start()
    router.start()
    try:
        made.apply(OLD)
        made.settle()
        yield made
    finally:
        router.stop()
        kubelet.stop()
        plane.delete(NAMESPACE)
        wait_until(lambda: plane.get(NAMESPACE) is None, seconds=60)
        aks.stop()
        world.close()


def images_in(folder: Path, bundle: Bundle) -> Mapping[str, Path]:
    """Two images of `bundle` and one of another model, by their references."""
    odd = Bundle.load(make_bundle(folder / "odd", seed=ODD_SEED))
    return {
        reference: build(folder / f"image-{version}", model.path, model.hash, version)
        for version, (reference, model) in enumerate(((OLD, bundle), (NEW, bundle), (ODD, odd)), start=1)
    }


def certify(cluster: Cluster, authority: Authority, name: str) -> None:
    """Put a new certificate and its key into the vault."""
    certificate, key = authority.issue(name, "scoring")
    cluster.write("private-key", key.read_text(encoding="utf-8"))
    cluster.write("certificate", certificate.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _no_hidden_problem(cluster: Cluster) -> Iterator[None]:
    """The stand-ins for nodes report no error; prints how long the router was blind, which explains lost requests."""
    cluster.router.blind_seconds = 0.0
    yield
    print(f"the router was blind for {cluster.router.blind_seconds:.1f} s at most")  # noqa: T201 - for a test that fails
    assert cluster.problems() == []


Load = Callable[..., AbstractContextManager[Callable[[], Clients]]]


@pytest.fixture
def load(cluster: Cluster, bundle: Bundle, authority: Authority) -> Load:
    """Steady clients for the duration of a block, and for `SECONDS` at least."""

    def begin(*, key: str = KEY, seconds: float = SECONDS, after_seconds: float = 0.0) -> Any:
        authorities = authority.certificate_path
        left = seconds - after_seconds
        return clients(cluster, bundle, authorities, key=key, seconds=left, rate=RATE, after_seconds=after_seconds)

    return begin


def test_a_new_version_is_rolled_out_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    with load() as finish:
        cluster.apply(NEW)
        cluster.settle()
        unharmed(finish())


def test_a_rollback_fails_no_request(cluster: Cluster, load: Load) -> None:
    with load() as finish:
        cluster.apply(OLD)
        cluster.settle()
        unharmed(finish())


def test_a_node_is_drained_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    node, *others = cluster.nodes()
    assert others, "the pods are spread over nodes"
    try:
        with load() as finish:
            cluster.drain(node)
            cluster.settle()
            assert node not in cluster.nodes()
            unharmed(finish())
    finally:
        cluster.plane.cordon(node, unschedulable=False)


def test_a_key_is_rotated_without_a_failed_request_or_a_new_pod(cluster: Cluster, load: Load) -> None:
    pods = set(cluster.kubelet.pods)
    with load() as finish, load(key=NEXT_KEY, after_seconds=KEYS_SECONDS) as finish_next:
        cluster.write("keys", f"{NEXT_KEY}\n{KEY}\n")
        unharmed(finish())
        unharmed(finish_next())
    assert set(cluster.kubelet.pods) == pods


def test_a_certificate_is_renewed_without_a_failed_request(cluster: Cluster, authority: Authority, load: Load) -> None:
    with load() as finish:
        certify(cluster, authority, "second")
        cluster.apply(OLD, certificate_hash="second")
        cluster.settle()
        unharmed(finish())


def test_nodes_are_upgraded_one_by_one_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    with load(seconds=2 * SECONDS) as finish:
        cluster.upgrade_nodes()
        cluster.settle()
        unharmed(finish())


def test_the_control_plane_is_upgraded_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    """Its processes stop and start again with the same data, as when AKS replaces them; the version stays the same."""
    pods = set(cluster.kubelet.pods)
    with load() as finish:
        cluster.restart_control_plane()
        cluster.settle()
        unharmed(finish())
    assert set(cluster.kubelet.pods) == pods


def test_a_canary_serves_its_share_and_then_all_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    new = OLD if cluster.image() == NEW else NEW
    with load(seconds=2 * SECONDS) as finish:
        decided = tried(cluster, new)
        assert decided == {"stable": new, "stable_snapshots": "", "candidate": new, "weight": 100, "refusal": ""}
        cluster.apply(new)
        cluster.settle()
        unharmed(finish())


def test_a_canary_with_other_probabilities_is_taken_back_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    before = cluster.image()
    with load() as finish:
        decided = tried(cluster, ODD)
        assert "its predictions differ from those beside it" in decided["refusal"]
        assert (decided["stable"], decided["weight"]) == (before, 0)
        cluster.settle()
        unharmed(finish())


def test_a_shadow_is_judged_by_copies_without_a_failed_request(cluster: Cluster, load: Load) -> None:
    before = cluster.image()
    router = Router(cluster.plane, "scoring", SHADOW, lag_seconds=LAG_SECONDS)

    def lead_there(deployment: dict[str, Any]) -> None:
        """The cluster has no network, so the shadow's Service has an address of this machine."""
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        arguments[arguments.index("--shadow") + 1] = f"127.0.0.1:{router.port}"

    router.start()
    try:
        with load(seconds=2 * SECONDS) as finish:
            cluster.apply(before, lead_there, rollout="shadow")
            cluster.settle()
            decided = tried(cluster, ODD, kind="shadow")
            assert "its predictions differ from those beside it" in decided["refusal"]
            cluster.settle()
            unharmed(finish())
        assert router.errors == []
    finally:
        router.stop()
        cluster.apply(before)
        cluster.settle()


def unharmed(found: Clients, *, minimum: float = RATE * SECONDS / 2) -> None:
    """All requests were scored, and there were many."""
    assert found.failed == {}
    assert found.answered >= minimum
