"""From nothing to a service and back; the same by the tests for a subscription."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from azure_clients.credentials import forget_tokens, resource_manager
from personalize.stack.cluster import Power, switch
from personalize.stack.events import Outcome
from steps.image_content import DOCKERFILE
from tests.simulation.published import ROLES
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SETTLE_PAUSE, SETTLE_SECONDS, STACK, SimulatedStack, touched
from tests.simulation.services.authorization import IDENTITY
from tests.simulation.services.kubernetes import CLUSTER
from tools.paths import ROOT

PODS = "/api/v1/namespaces/scoring/pods"
NODES = "/api/v1/nodes"
RESUME = "Run `.venv/bin/personalize resume --stack dev` first"
ENTRY_POINT = re.compile(r"^ENTRYPOINT (\[.*\])$", re.MULTILINE)
IMAGE_FOLDER = "/service"
"""Where the Dockerfile puts `app`, `model` and `image.json`, which are at the root of its build context."""
BOOTSTRAP = "bootstrap"
AFTERWARDS = "not (doctor or bootstrap or predict or recommend or another or pause)"
UNLIKE = {
    "Azure assigns the workspace's identity its roles on its storage; the stack assigns none.",
    "Databricks creates the managed group, whose `managedBy` is the workspace.",
    "Databricks makes the deployers admins of the workspace by their IDs.",
    "AKS creates the nodes' group, whose `managedBy` is the cluster.",
    "The autoscaler gets the pods' CPU from AKS' own metrics server.",
    "A deleted Key Vault stays in the list of deleted vaults with its tags.",
}
"""What the simulation doesn't meet: it takes groups of others as names and lists no deleted vaults, roles or admins."""


def first_up(stack: SimulatedStack, report: Report) -> None:
    """Preview and the first `up`, which trains the model."""
    preview, seconds = report.timed(stack.preview)
    report.note("preview_seconds", round(seconds, 1))
    done, seconds = report.timed(stack.up)
    created = done.changes.get("create", 0)
    report.note("resources_created", created)
    report.note("up_seconds", round(seconds, 1))
    report.want("resources that the preview foresaw and `up` did not create", preview.changes, {"create": created})
    report.want("what `up` did beside creating", {}, changes_of(done, without="create"))
    report.want("problems of what stands in for AKS", [], [str(error) for error in stack.simulation.aks.errors])
    look_at_pods(stack, report)
    score_golden_records(stack, report, done.outputs["image_digest"])


def while_it_is_up(stack: SimulatedStack, report: Report) -> None:
    """What changes nothing of the stack."""
    with report.stage("the same again"):
        done, seconds = report.timed(stack.up)
        report.note("second_up_seconds", round(seconds, 1))
        report.want("changes of the second `up`", {}, changes_of(done))
        preview_as_pull_request(stack, report)


def to_its_end(stack: SimulatedStack, report: Report) -> None:
    """Another deployer, a pause, and destroy."""
    with report.stage("another deployer"):
        by_another_deployer(stack, report)
    with report.stage("a paused stack"):
        pause(stack, report)
    with report.stage("destroy"):
        go_down(stack, report)
        stack.sign_in(0)


def look_at_pods(stack: SimulatedStack, report: Report) -> None:
    """What runs, and where."""
    pods = stack.simulation.plane.items(PODS)
    report.want("what runs in the cluster", {"scoring"}, {pod["spec"]["serviceAccountName"] for pod in pods})
    report.want("pools that the service runs on", ["system"], pools_of(stack))


def pools_of(stack: SimulatedStack) -> list[str]:
    """The pools whose nodes the pods run on: `system` or `scoring`."""
    nodes, pods = (stack.simulation.plane.items(path) for path in (NODES, PODS))
    labels = {node["metadata"]["name"]: node["metadata"]["labels"] for node in nodes}
    places = [labels[pod["spec"]["nodeName"]] for pod in pods]
    return sorted({place.get("personalization/pool", place["kubernetes.azure.com/mode"]) for place in places})


def score_golden_records(stack: SimulatedStack, report: Report, digest: str) -> None:
    """Check the golden records with the image's own entry point, from the build context that was sent."""
    image = stack.world.folder / "images" / digest.removeprefix("sha256:")
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    checked = subprocess.run(
        [*_entry_point(image), "--check"], cwd=image / "app", env=clean, capture_output=True, text=True, check=False
    )
    report.line(f"      the image's entry point says: {(checked.stdout or checked.stderr).strip().splitlines()[-1]}")
    report.want("exit status of the image's entry point with --check", 0, checked.returncode)


def _entry_point(image: Path) -> list[str]:
    """The command of the image's first entry point, with this Python; it runs in `image / "app"`."""
    recipe = (image / DOCKERFILE).read_text(encoding="utf-8")
    _, *arguments = json.loads(ENTRY_POINT.findall(recipe)[0])
    return [sys.executable, *(str(image) if part == IMAGE_FOLDER else part for part in arguments)]


def preview_as_pull_request(stack: SimulatedStack, report: Report) -> None:
    """The previews' identity, without any role in the cluster, sees the same changes as a deployer.

    One changes a Kubernetes object, one adds a resource.
    """
    before = deepcopy(stack.settings)
    stack.settings["azure"] |= {"scoring_nodes_max": 3, "scoring_vm_size": "Standard_D2ds_v5"}
    stack.settings["scoring"] = {"max_records": 300}
    try:
        wanted = stack.preview()
        with _signed_in_as_previewer(stack):
            found = stack.preview()
    finally:
        stack.settings = before
    kinds = {*wanted.changes} - {"same"}
    report.want("kinds of changes in that preview, at least", {"create", "update"}, kinds)
    report.want("what a preview without roles in the cluster sees", wanted.changes, found.changes)
    report.want("what it touches", sorted(touched(wanted)), sorted(touched(found)))


@contextmanager
def _signed_in_as_previewer(stack: SimulatedStack) -> Iterator[None]:
    """With the identity of pull requests' workflows, and the roles that `personalize bootstrap` gave it."""
    name = f"/id-github-{STACK}-preview"
    (previewer,) = [one for one in stack.world.all(IDENTITY) if one.id.endswith(name)]
    stack.world.set("caller", previewer.outputs["principalId"])
    forget_tokens()
    try:
        yield
    finally:
        stack.sign_in(0)


def by_another_deployer(stack: SimulatedStack, report: Report) -> None:
    """After the first `up` by hand, a workflow's identity looks at, changes and destroys what it owns nothing of, on a
    runner that has nothing either."""
    stack.sign_in(1)
    report.want("changes of a refreshed `up` by another deployer", {}, changes_of(stack.up(refresh=True)))
    stack.settings["azure"]["alert_mail"] = "others@example.com"
    mails = {"update training-job"}
    report.want("jobs that another deployer changes", mails, mails & touched(stack.up()))


def pause(stack: SimulatedStack, report: Report) -> None:
    """A paused stack is neither planned nor updated, and no model is trained that could not be served."""
    before, trained = deepcopy(stack.settings), stack.training.trained
    (cluster,) = stack.world.all(CLUSTER)
    switch(resource_manager(stack.settings["azure"]["tenant"]), cluster.id, Power.STOPPED)
    _await_api_server(stack, answers=False)
    stack.settings["training"] |= {"num_leaves": 8}
    for name, operate in (("preview", stack.preview), ("up", stack.up), ("serve", lambda: stack.roll_back(1))):
        report.want_in(f"what `{name}` says to do with a paused stack", RESUME, stack.fails(operate))
    report.want("models trained for a paused stack", 0, stack.training.trained - trained)
    stack.settings = before


def go_down(stack: SimulatedStack, report: Report) -> None:
    """Destroy, and check what is left. A stopped cluster is deleted with all that is in it."""
    stack.destroy()
    _await_api_server(stack, answers=True)
    nothing_left(stack, report, "after destroy")


def _await_api_server(stack: SimulatedStack, *, answers: bool) -> None:
    """Wait until the API server answers, or until it does no longer."""
    until = time.monotonic() + SETTLE_SECONDS
    while stack.simulation.plane.ready() is not answers:
        if time.monotonic() > until:
            raise AssertionError("the API server is gone" if answers else "the API server answers")
        time.sleep(SETTLE_PAUSE)


def on_azure(stack: SimulatedStack, report: Report) -> None:
    """`pytest -m azure`, without the tests that need a running image or this machine's set-up.

    They start as the subscription's owner, and go on after `bootstrap` as a deployer who has the roles that it gave, in
    the stack's groups, and none on the subscription.
    """
    stack.session()  # writes the stack file
    shutil.copyfile(stack.file, ROOT / "Pulumi.dev.yaml")  # in the scenarios' copy of the project
    stack.world.set("deployer_roles", [ROLES["Owner"]])
    report.want("tests until the bootstrap", 0, _tests(stack, BOOTSTRAP))
    stack.simulation.prepared |= {record.id for record in stack.world.all()}
    stack.world.set("deployer_roles", [])
    report.want("tests of a deployer without roles on the subscription", 0, _tests(stack, AFTERWARDS))
    answers = json.loads((ROOT / "dist" / "azure" / "answers-trial.json").read_text(encoding="utf-8"))
    unlike = {says for says, one in answers.items() if isinstance(one, dict) and one.get("holds") is False}
    report.want("assumptions that the simulation itself does not meet", UNLIKE, unlike)
    nothing_left(stack, report, "after the tests for a subscription")


def _tests(stack: SimulatedStack, which: str) -> int:
    """The exit status of the tests."""
    command = [sys.executable, "-m", "pytest", "-m", "azure", "-k", which, "-p", "no:cacheprovider", "tests/azure"]
    with (stack.folder / "on_azure.log").open("ab") as log:
        return subprocess.run(command, cwd=ROOT, env=os.environ, stdout=log, stderr=log, check=False).returncode


def nothing_left(stack: SimulatedStack, report: Report, when: str) -> None:
    """Check that nothing exists after a destroy, on this machine too."""
    report.want(f"left in Azure and in the cluster {when}", [], stack.simulation.leftovers())
    report.want(f"left of the stack on this machine {when}", [], stack.files_left())
    report.want(f"hosts outside the simulation that were called {when}", [], stack.simulation.proxy.refused)


def changes_of(done: Outcome, without: str = "") -> dict[str, int]:
    """An operation's changes by kind, without `same` and without `without`."""
    return {kind: count for kind, count in done.changes.items() if kind not in {"same", without} and count}
