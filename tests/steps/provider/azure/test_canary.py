"""The canary rollout of a new image, against a scripted API server."""

from typing import Any

import httpx
import pytest

from azure_clients.retries import Timeout
from steps.azure.candidate import rollout as rollout_module
from steps.azure.candidate.candidate import ClusterRefusedError
from steps.azure.candidate.rollout import CandidateRollout
from steps.azure.champion import CandidateRejectedError, Champion
from steps.descriptions.rollout import Outputs
from steps.provider.step import StepCancelledError
from steps.shared.cluster_names import ANSWERING, CANDIDATE
from tests.infra.graph.workload_program import manifests
from tests.steps.provider.azure.conftest import AZURE, BLOB, MACHINE_LEARNING
from tests.steps.provider.azure.scripted_cluster import NEW, NEW_USERS, OLD, OLD_USERS, Server
from tests.steps.provider.conftest import Recorder
from tests.steps.provider.steps import create
from tests.support.clock import Clock


def rollout(server: Server, **timeout: float) -> CandidateRollout:
    def connect(access: str, tenant: str) -> httpx.Client:
        assert (access, tenant) == ("{}", AZURE["tenant"])
        return httpx.Client(transport=httpx.MockTransport(server), base_url="https://cluster")

    return CandidateRollout(
        timeout=Timeout(**{"seconds": 1, "pause": 0.01} | timeout), connect=connect, look_seconds=0.05
    )


def inputs(**changes: Any) -> dict[str, Any]:
    return {
        **AZURE,
        "access": "{}",
        "image": NEW,
        "snapshots": NEW_USERS,
        "kind": "canary",
        "percent": 20,
        "seconds": 1,
        **changes,
    }


PROMOTED = Outputs(stable=NEW, stable_snapshots=NEW_USERS, candidate=NEW, weight=100, refusal="")


def test_a_candidate_that_does_as_well_becomes_the_image_of_all(recorder: Recorder) -> None:
    server = Server()
    assert create(rollout(server), inputs(), recorder).outputs == PROMOTED
    (applied,) = server.applied
    assert applied["spec"]["replicas"] == 1, "a fifth of five"
    assert server.candidate is None
    assert "requests, 0.0% failed, p99 5 ms; beside it: " in recorder.lines[-1]


def test_a_candidate_s_pods_differ_from_the_others_in_image_users_and_name_alone(recorder: Recorder) -> None:
    server = Server()
    create(rollout(server), inputs(), recorder)
    (applied,) = server.applied
    usual = manifests(OLD, snapshots=OLD_USERS)
    others, mine = usual["Deployment"]["spec"]["template"], applied["spec"]["template"]
    assert mine["metadata"]["labels"] == others["metadata"]["labels"] | {"app.kubernetes.io/name": CANDIDATE}
    (container,) = mine["spec"]["containers"]
    assert NEW_USERS in container["args"]
    container |= {"image": OLD, "args": [OLD_USERS if one == NEW_USERS else one for one in container["args"]]}
    assert mine["spec"] == others["spec"]
    mine_labels = mine["metadata"]["labels"].items()
    assert usual["Service"]["spec"]["selector"].items() <= mine_labels, "the load balancer leads to it"
    assert usual["NetworkPolicy"]["spec"]["podSelector"] == {}, "whatever its labels are"
    assert not usual["Deployment"]["spec"]["selector"]["matchLabels"].items() <= mine_labels
    assert applied["spec"]["selector"]["matchLabels"].items() <= mine_labels
    assert ANSWERING.items() <= others["metadata"]["labels"].items()


SHADOW = {"rollout": "shadow"}


def test_a_shadow_gets_copies_and_no_client(recorder: Recorder) -> None:
    server = Server(settings=SHADOW)
    assert create(rollout(server), inputs(kind="shadow"), recorder).outputs == PROMOTED
    (applied,) = server.applied
    usual = manifests(OLD, rollout="shadow")
    labels = applied["spec"]["template"]["metadata"]["labels"].items()
    assert not usual["Service"]["spec"]["selector"].items() <= labels
    assert usual["Service scoring-shadow"]["spec"]["selector"].items() <= labels
    assert applied["spec"]["selector"]["matchLabels"].items() <= labels
    (container,) = applied["spec"]["template"]["spec"]["containers"]
    (others,) = manifests(OLD, snapshots=NEW_USERS)["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == others["args"], "it sends no copies to itself"


def test_a_shadow_that_does_worse_is_taken_back(recorder: Recorder) -> None:
    server = Server(settings=SHADOW, low=10)
    computed = create(rollout(server), inputs(kind="shadow", seconds=30), recorder).outputs
    assert "was tried on copies of 20 % of the requests and withdrawn" in computed.refusal
    assert computed.stable == OLD


def test_pods_that_send_no_copies_yet_try_nothing_and_say_so(recorder: Recorder) -> None:
    server = Server()
    assert create(rollout(server), inputs(kind="shadow"), recorder).outputs == PROMOTED
    assert server.applied == []
    assert "do not mirror traffic" in recorder.lines[-1]


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (Server(failing=30), "30.0% of its requests failed"),
        (Server(slow=30), "took up to 500 ms, of those beside it up to 5 ms"),
        (Server(low=10), "its predictions differ"),
        (Server(restarts=1), "one of its pods crashed"),
        (Server(starts=False), "its pods did not become ready"),
    ],
    ids=["errors", "latency", "other probabilities", "crash", "no start"],
)
def test_a_candidate_that_does_worse_is_taken_back(server: Server, reason: str, recorder: Recorder) -> None:
    computed = create(rollout(server), inputs(seconds=30), recorder).outputs
    assert reason in computed.refusal
    assert (computed.stable, computed.stable_snapshots, computed.candidate, computed.weight) == (OLD, OLD_USERS, NEW, 0)
    assert len(server.applied) == 1
    assert server.candidate is None


def test_a_cluster_slower_than_the_trial_is_asked_once(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    class Slow(Server):
        """Takes an hour to answer."""

        def __call__(self, request: httpx.Request) -> httpx.Response:
            clock.now += 3600
            return super().__call__(request)

    monkeypatch.setattr(rollout_module, "time", clock)
    assert "30.0% of its requests failed" in create(rollout(Slow(failing=30)), inputs(), recorder).outputs.refusal


def test_a_refusal_is_raised_where_the_champion_would_be_marked(recorder: Recorder) -> None:
    given = {
        **MACHINE_LEARNING,
        "blob_endpoint": BLOB,
        "version": 3,
        "image": OLD,
        "refusal": "",
        "withdrawn": "It was withdrawn.",
    }
    with pytest.raises(CandidateRejectedError, match="withdrawn"):
        create(Champion(), given, recorder)


@pytest.mark.parametrize(
    ("server", "changes"),
    [(Server(image=None), {}), (Server(image=NEW), {}), (Server(), {"kind": "rolling"})],
    ids=["nothing serves", "it serves already", "asked for by its number"],
)
def test_where_there_is_nothing_to_try_the_image_passes_at_once(
    server: Server, changes: dict[str, Any], recorder: Recorder
) -> None:
    assert create(rollout(server), inputs(**changes), recorder).outputs == PROMOTED
    assert server.applied == []


def test_an_interruption_takes_the_candidate_away(recorder: Recorder) -> None:
    server = Server()
    recorder.cancelled.set()
    with pytest.raises(StepCancelledError):
        create(rollout(server), inputs(), recorder)
    assert len(server.applied) == 1
    assert server.candidate is None


def test_what_a_killed_run_left_is_removed(recorder: Recorder) -> None:
    server = Server(image=NEW, candidate={"spec": {"replicas": 1}})
    create(rollout(server), inputs(), recorder)
    assert server.candidate is None
    server.candidate = {"spec": {"replicas": 1}}
    rollout(server).delete("test-rollout", inputs(), recorder.context)
    assert server.candidate is None


def test_a_refresh_finds_what_a_killed_run_left(recorder: Recorder) -> None:
    server, state = Server(image=NEW), {**inputs(), **PROMOTED.model_dump()}
    assert rollout(server).read("test-rollout", state, recorder.context) == PROMOTED
    server.candidate = {"spec": {"replicas": 1}}
    assert rollout(server).read("test-rollout", state, recorder.context) is None
    assert rollout(Server(refuses=True)).read("test-rollout", state, recorder.context) == PROMOTED


@pytest.mark.parametrize(
    ("server", "sentence"),
    [(Server(refuses=True), "403"), (Server(tells=False), "No pod of the new image reported metrics")],
    ids=["forbidden", "no figures"],
)
def test_a_cluster_that_does_not_do_its_part_is_named(server: Server, sentence: str, recorder: Recorder) -> None:
    with pytest.raises(ClusterRefusedError, match=sentence):
        create(rollout(server), inputs(), recorder)
    assert server.candidate is None
