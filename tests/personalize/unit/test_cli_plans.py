"""What `up` and `preview` make of a plan: data that it would delete, new data alone, differences."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from features.errors import PersonalizationError
from personalize.commands import lifecycle
from personalize.commands.app import app
from personalize.stack.events import Change, Outcome

ACCOUNT = "azure-native:storage:StorageAccount"
INSIGHTS = "azure-native:applicationinsights:Component"
CLUSTER = "azure-native:containerservice:ManagedCluster"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
TRAINING = "personalize:azure:TrainingRun"
HOLD_DATA = {
    "azure-native:keyvault:Vault": "the keys that clients have",
    ACCOUNT: "the training data and the model bundles",
    "azure-native:storage:BlobContainer": "the training data or the model bundles",
    "azure-native:databricks:Workspace": "the history of the training runs",
    "azure-native:machinelearningservices:Workspace": "all model versions",
    "azure-native:containerregistry:Registry": "all images",
    "azure-native:operationalinsights:Workspace": "the logs",
    "personalize:azure:Registry": "all model versions, bundles and images",
    "personalize:local:Registry": "all model versions, bundles and images",
}
"""Written by hand: what is deleted with them can't be made again by another `up`."""


def change(name: str, kind: str, operation: str, *properties: str) -> Change:
    return Change(urn=f"urn:{name}", type=kind, name=name, operation=operation, properties=properties)


ALERT = change("node-cpu", "azure-native:monitor:MetricAlert", "replace", "scopes")
LAKE = change("lake", ACCOUNT, "replace", "location")
NEW_DATA = (
    change("data", "personalize:azure:DataUpload", "replace", "manifest_hash"),
    change("training", TRAINING, "replace", "location", "manifest_hash"),
    change("model", "personalize:azure:ModelVersion", "update", "bundle", "bundle_hash"),
    change("image", "personalize:azure:ServingImage", "replace", "version", "bundle_hash"),
    change("deployment", DEPLOYMENT, "update", "spec.template.spec.containers[0].image"),
    change("champion", "personalize:azure:Champion", "update", "version"),
)


class Planned:
    """A stack that is up and has this plan; counts its updates."""

    def __init__(self) -> None:
        self.stack = "local"
        self.changes: tuple[Change, ...] = ()
        self.data_read = True
        self.updates = 0

    def exists(self) -> bool:
        return True

    def preview(self, *_: object, **__: object) -> Outcome:
        return Outcome(
            changes={"same": 9},
            steps={},
            outputs={},
            secret=frozenset(),
            seconds=1.0,
            resources=self.changes,
            data_read=self.data_read,
        )

    def up(self, *_: object, **__: object) -> Outcome:
        self.updates += 1
        return self.preview()


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Planned:
    made = Planned()
    monkeypatch.setattr(lifecycle, "StackSession", lambda *_: made)
    return made


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def refused(error: type[Exception], *arguments: str) -> str:
    """The sentence with which a command is refused."""
    found = typed(*arguments).exception
    assert isinstance(found, error)
    return str(found)


@pytest.mark.parametrize("operation", ["replace", "delete"])
@pytest.mark.parametrize("kind", HOLD_DATA)
def test_what_holds_data_is_neither_replaced_nor_deleted_if_that_is_refused(
    planned: Planned, kind: str, operation: str
) -> None:
    planned.changes = (ALERT, change("it", kind, operation))
    for command in (("up", "--json"), ("preview", "--json")):
        said = refused(PersonalizationError, *command, "--refuse-data-loss")
        assert f"it ({operation}), and with it {HOLD_DATA[kind]}" in said
    assert planned.updates == 0
    assert typed("up", "--json").exit_code == 0
    assert planned.updates == 1, "nobody refused it"


@pytest.mark.parametrize("changes", [(ALERT,), (change("lake", ACCOUNT, "update", "tags.team"),), ()])
def test_what_deletes_no_data_is_not_refused(planned: Planned, changes: tuple[Change, ...]) -> None:
    planned.changes = changes
    assert typed("up", "--refuse-data-loss", "--json").exit_code == 0
    assert planned.updates == 1


def skipped(*more: str) -> str:
    """Why `up --if-new-data` did nothing."""
    done = typed("up", "--if-new-data", "--json", *more)
    assert done.exit_code == 0
    return str(json.loads(done.stdout)["skipped"])


@pytest.mark.parametrize("place", ["azure", "local"])
def test_new_data_is_trained_on(planned: Planned, place: str) -> None:
    service = change("service", f"personalize:{place}:ScoringService", "update", "digest")
    own = (
        change(one.name, one.type.replace(":azure:", f":{place}:"), one.operation, *one.properties) for one in NEW_DATA
    )
    planned.changes = (*own, service)
    assert typed("up", "--if-new-data", "--json").exit_code == 0
    assert planned.updates == 1


def test_without_new_data_nothing_is_done(planned: Planned) -> None:
    assert skipped() == "No new data since the last training: nothing to do."
    assert "nothing to do" in typed("up", "--if-new-data").stdout
    assert planned.updates == 0


@pytest.mark.parametrize(
    "other",
    [
        change("training", TRAINING, "replace", "code_hash"),
        change("training", TRAINING, "replace", "manifest_hash", "parameters.num_leaves"),
        change("data", "personalize:azure:DataUpload", "replace", "manifest_hash", "dataset.rows"),
        change("cluster", CLUSTER, "update", "kubernetesVersion"),
        change("key", "personalize:azure:ApiKey", "update", "rotation"),
        change("autoscaler", "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "update", "spec.maxReplicas"),
    ],
    ids=["code", "parameters", "settings of the data", "infrastructure", "keys", "scaling"],
)
def test_other_changes_wait_for_their_own_deployment(planned: Planned, other: Change) -> None:
    planned.changes = (*NEW_DATA, other)
    assert f"More than the data has changed: {other.name} would change too." in skipped()
    assert planned.updates == 0


def test_a_service_that_lags_behind_is_no_new_data(planned: Planned) -> None:
    planned.changes = NEW_DATA[3:]
    assert "the last deployment did not finish" in skipped()


def test_data_in_a_resource_that_would_be_replaced_is_refused_before_the_training(planned: Planned) -> None:
    planned.changes = (*NEW_DATA, LAKE)
    assert "lake (replace)" in refused(PersonalizationError, "up", "--if-new-data", "--refuse-data-loss", "--json")


def differs(planned: Planned, *changes: Change) -> str | None:
    """What `preview --refresh --expect-no-changes` says of these changes; None if it ends with 0."""
    planned.changes = changes
    done = typed("preview", "--refresh", "--expect-no-changes")
    assert done.exception is None or isinstance(done.exception, PersonalizationError)
    return str(done.exception) if done.exception else None


HARMLESS = (
    change("insights", INSIGHTS, "update", 'tags["hidden-link:x"]'),
    change("cluster", CLUSTER, "update", "agentPoolProfiles[1]"),
    change("pods", DEPLOYMENT, "update", 'spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"]'),
)


def test_a_harmless_difference_is_shown_with_its_reason(planned: Planned) -> None:
    assert differs(planned, *HARMLESS) is None
    assert "the portal's own tags" in typed("preview").stdout


@pytest.mark.parametrize(
    "other",
    [
        change("it", INSIGHTS, "update", 'tags["hidden-link:x"]', "kind"),
        change("it", INSIGHTS, "update"),
        change("it", INSIGHTS, "create"),
        change("it", INSIGHTS, "replace", 'tags["hidden-link:x"]'),
        change("it", CLUSTER, "update", "agentPoolProfiles[0].vmSize"),
        change("it", "azure-native:keyvault:Vault", "update", "properties.enableRbacAuthorization"),
        change("it", ACCOUNT, "update", "allowBlobPublicAccess"),
        change("it", "azure-native:authorization:RoleAssignment", "update", "principalId"),
        change("it", DEPLOYMENT, "update", "spec.template.spec.containers[0].image"),
        change("it", DEPLOYMENT, "update", 'tags["hidden-x"]'),
    ],
    ids=lambda one: f"{one.type.rpartition(':')[2]} {one.operation} {' '.join(one.properties)}",
)
def test_any_other_difference_is_not_expected(planned: Planned, other: Change) -> None:
    said = differs(planned, *HARMLESS, other)
    assert said is not None
    assert "last deployment in it." in said
    assert "up --stack local --refresh`" in said


def test_a_plan_names_what_changes_and_what_is_lost(planned: Planned) -> None:
    many = change("scoring", CLUSTER, "update", *(f"path{number}" for number in range(9)))
    planned.changes, planned.data_read = (LAKE, many), False
    shown = typed("preview").stdout
    assert f"replaced  lake ({ACCOUNT}): location; this deletes the training data and the model bundles\n" in shown
    assert "path5, ...\n" in shown
    assert "9 unchanged" in shown
    assert "The data was not read" in shown
    planned.changes, planned.data_read = (), True
    assert typed("preview").stdout.split() == ["9", "unchanged,", "1", "s."]


def test_a_plan_as_json_has_its_changes(planned: Planned) -> None:
    planned.changes = (LAKE,)
    found: dict[str, Any] = json.loads(typed("preview", "--json").stdout)
    assert [(one["name"], one["operation"]) for one in found["resources"]] == [("lake", "replace")]
    assert found["data_read"] is True
