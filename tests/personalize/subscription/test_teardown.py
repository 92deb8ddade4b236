"""`destroy` on Azure: what it asks, saves, and says about what is left."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from typer.testing import CliRunner, Result

from azure_clients import credentials
from azure_clients.model_versions import INDEX, Version
from features.bundle import BundleError, checked_hash
from features.errors import BadInputError
from infra.cloud.names import Names
from personalize.commands import destroy as teardown
from personalize.commands.app import app
from personalize.commands.destroy import Leftover, leftovers, settled
from personalize.commands.models import export
from personalize.errors import StackMissingError
from personalize.stack import guards
from personalize.stack.events import Outcome
from personalize.stack.session import StackSession
from personalize.terminal import ExitCode
from steps.registry_here import LocalRegistry
from tests.personalize.subscription.test_power import SETTINGS
from tests.support.azure_stack import SUBSCRIPTION
from tests.support.bundles import MakeBundle
from tests.support.fake_manager import FakeManager

NAMES = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
OURS = {"project": "personalization", "stack": "dev"}
LAKE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{NAMES.training_group}/providers/Microsoft.Storage/storageAccounts/"
    f"{NAMES.lake}"
)
Destroy = Callable[..., Result]


def listed(fake: FakeManager, **lists: list[dict[str, Any]]) -> FakeManager:
    """Let the subscription contain these resources and nothing else."""
    for name, path in {"groups": "/resourcegroups$", "resources": f"{SUBSCRIPTION}/resources$"}.items():
        fake.answer(f"^GET .*{path}", {"value": lists.get(name, [])})
    return fake


def found(**lists: list[dict[str, Any]]) -> list[Leftover]:
    return leftovers(listed(FakeManager(), **lists).manager(), NAMES)


def test_a_resource_of_the_stack_that_is_still_there_costs_money() -> None:
    identity = {"id": "/x/disk", "name": "disk", "type": "Microsoft.Compute/disks"}
    left = found(resources=[identity | {"tags": OURS}, identity | {"tags": OURS | {"stack": "prod"}}])
    assert [(one.name, one.billable, one.why) for one in left] == [
        ("disk", True, "`az resource delete --ids /x/disk` deletes it")
    ]


def test_groups_are_known_by_their_tags_or_names_and_those_of_others_are_left_alone() -> None:
    left = found(
        groups=[
            {"name": NAMES.databricks_group, "tags": OURS, "managedBy": "/x/workspaces/databricks-dev"},
            {"name": NAMES.nodes_group},
            {"name": "rg-nodes-dev2", "tags": {"project": "personalization", "stack": "dev2"}},
            {"name": "NetworkWatcherRG"},
        ]
    )
    assert {one.name: one.why.partition(" deletes")[0] for one in left} == {
        NAMES.databricks_group: "delete databricks-dev, to which the group belongs",
        NAMES.nodes_group: f"`az group delete --name {NAMES.nodes_group}`",
    }


def test_a_list_that_lags_is_looked_at_again() -> None:
    costing = Leftover(name="a", kind="disk", billable=True, why="")
    answers = iter([[costing], [costing], []])
    waits: list[float] = []
    assert settled(lambda: next(answers), lambda _: None, waits.append) == []
    assert waits == [teardown.PAUSE_SECONDS] * 2


@pytest.fixture
def registry(empty_registry: Path, tmp_path: Path, bundle_of: MakeBundle) -> LocalRegistry:
    """A registry with two versions."""
    shutil.copytree(empty_registry, tmp_path / "registry")
    made = LocalRegistry(tmp_path / "registry")
    for seed in (1, 2):
        made.register(bundle_of(seed))
    return made


def test_every_version_is_saved_whole_with_its_report_and_an_index(registry: LocalRegistry, tmp_path: Path) -> None:
    versions = registry.list()
    saved = export(registry.list, registry.fetch, tmp_path / "saved")
    assert [entry["number"] for entry in json.loads((saved / INDEX).read_text())] == [1, 2]
    for version in versions:
        folder = tmp_path / "saved" / f"version-{version.number}"
        assert checked_hash(folder) == version.bundle_hash
        assert (folder / "report.html").is_file()
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["version-1", "version-2", INDEX]


def test_a_bundle_that_is_not_the_registered_one_stops_the_destroy(registry: LocalRegistry, tmp_path: Path) -> None:
    first, second = registry.list()
    with pytest.raises(BundleError, match="Nothing was deleted"):
        export(lambda: [first], lambda _, target: registry.fetch(second, target), tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["registry"]


@pytest.fixture
def destroy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destroy:
    """Run `personalize destroy --stack dev` for a deployed stack, with an engine that deletes the registry."""
    monkeypatch.setattr(StackSession, "exists", lambda _: True)
    monkeypatch.setattr(StackSession, "_state", Mock(snapshot=dict))
    outcome = Outcome(changes={"delete": 70}, steps={}, outputs={}, secret=frozenset(), seconds=1.0)

    def engine(_: object) -> Outcome:
        shutil.rmtree(tmp_path / "registry", ignore_errors=True)
        (tmp_path / "destroyed").touch()
        return outcome

    monkeypatch.setattr(teardown, "shown_operation", engine)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PERSONALIZE_CONFIG_FILE", str(tmp_path / "stack.yaml"))

    def run(fake: FakeManager, *arguments: str, **settings: object) -> Result:
        monkeypatch.setattr(credentials, "resource_manager", lambda _: fake.manager())
        azure = SETTINGS.model_dump(mode="json") | settings
        own = {"personalization:target": "azure", "personalization:azure": azure}
        file = tmp_path / "stack.yaml"
        file.write_text(yaml.safe_dump({"config": own}))
        return CliRunner().invoke(app, ["destroy", "--stack", "dev", *arguments])

    return run


def test_a_destroy_that_leaves_nothing_succeeds(destroy: Destroy) -> None:
    done = destroy(listed(FakeManager()), "--yes", "--json")
    assert done.exit_code == ExitCode.OK
    assert json.loads(done.stdout) == {"changes": {"delete": 70}, "steps": {}, "seconds": 1.0, "left": []}


def test_a_destroy_that_leaves_what_costs_money_fails(destroy: Destroy) -> None:
    done = destroy(listed(FakeManager(), groups=[{"name": NAMES.nodes_group, "tags": OURS}]), "--yes", "--json")
    assert done.exit_code == ExitCode.FAILED
    assert json.loads(done.stdout)["left"][0]["name"] == NAMES.nodes_group


@pytest.mark.parametrize("moved", [False, True])
def test_the_lake_needs_a_second_yes_wherever_it_is(
    destroy: Destroy, monkeypatch: pytest.MonkeyPatch, *, moved: bool
) -> None:
    """Names follow `azure.suffix`, which may have been changed since the stack came up."""
    fake, lake = listed(FakeManager()), f"{LAKE[:-1]}z" if moved else LAKE
    fake.resources[lake.lower()] = {"name": lake.rpartition("/")[2]}
    if moved:
        known = {"type": guards.ACCOUNT, "urn": "urn:pulumi:dev::personalization::x::lake", "id": lake}
        monkeypatch.setattr(StackSession, "_state", Mock(snapshot=lambda: {"resources": [known]}))
        refused = destroy(fake, "--yes", "--delete-data", "--keep-data", "--json")
        assert "its models can't be saved. Restore" in str(refused.exception)
    refused = destroy(fake, "--yes", "--json")
    assert isinstance(refused.exception, BadInputError)
    assert not Path("destroyed").exists()
    assert f"delete the data lake {lake.rpartition('/')[2]}. Add `--delete-data`" in str(refused.exception)
    assert destroy(fake, "--yes", "--delete-data", "--json").exit_code == ExitCode.OK


def test_a_stack_that_protects_its_data_is_left_alone(destroy: Destroy) -> None:
    refused = destroy(listed(FakeManager()), "--yes", protect=True)
    assert "azure.protect" in str(refused.exception)
    assert not Path("destroyed").exists()


def test_a_stack_that_is_gone_is_still_looked_for(destroy: Destroy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StackSession, "exists", lambda _: False)
    done = destroy(listed(FakeManager(), resources=[{"id": "/x", "name": "x", "type": "t", "tags": OURS}]), "--yes")
    assert done.exit_code == ExitCode.FAILED
    assert "Something is left that costs money." in done.stdout


def test_the_models_are_saved_before_anything_is_deleted_and_one_that_another_update_registers_meanwhile(
    destroy: Destroy, registry: LocalRegistry, bundle_of: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi's lock is taken later, by when that update may have ended."""
    fetch = registry.fetch

    def while_it_registers(version: Version, target: Path) -> None:
        registry.register(bundle_of(3))
        fetch(version, target)

    monkeypatch.setattr(registry, "fetch", while_it_registers)
    monkeypatch.setattr(teardown, "versions_of", lambda *_: registry)
    saved = json.loads(destroy(listed(FakeManager()), "--yes", "--keep-data", "--json").stdout)["saved"]
    assert Path("destroyed").exists()
    assert Path(saved) == tmp_path / "personalization-dev-export"
    assert checked_hash(Path(saved) / "version-3") == checked_hash(bundle_of(3))
    assert [entry["number"] for entry in json.loads((Path(saved) / INDEX).read_text())] == [1, 2, 3]


@pytest.mark.parametrize("has_bundles", [False, True])
def test_without_a_registry_it_goes_on_unless_there_may_be_models(
    destroy: Destroy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_bundles: bool
) -> None:
    monkeypatch.setattr(teardown, "state_folder", lambda _: tmp_path)
    monkeypatch.setattr(teardown, "versions_of", Mock(side_effect=StackMissingError("no models yet")))
    if has_bundles:
        (tmp_path / "registry").mkdir()
    done = destroy(listed(FakeManager()), "--yes", "--keep-data", "--json")
    assert done.exit_code == (ExitCode.FAILED if has_bundles else ExitCode.OK)
    assert ("no models yet" in str(done.exception)) is has_bundles
    assert Path("destroyed").exists() is not has_bundles


def test_models_that_can_t_be_saved_whole_are_not_deleted(
    destroy: Destroy, registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (next((tmp_path / "registry" / "bundles").iterdir()) / "report.html").write_text("another")
    monkeypatch.setattr(teardown, "versions_of", lambda *_: registry)
    refused = destroy(listed(FakeManager()), "--yes", "--keep-data", "--json")
    assert refused.exit_code == ExitCode.FAILED
    assert not Path("destroyed").exists()
    assert not [*tmp_path.glob("*-export*")]


def test_the_groups_stay_empty_with_the_rights_in_them_and_cost_nothing() -> None:
    left = found(groups=[{"name": NAMES.training_group, "tags": OURS}, {"name": NAMES.serving_group, "tags": OURS}])
    assert {one.name for one in left} == {NAMES.training_group, NAMES.serving_group}
    assert not any(one.billable for one in left)
    assert all("stays for the next `up`" in one.why for one in left)
    assert f"an owner deletes it: `az group delete --name {left[0].name}`" in left[0].why
