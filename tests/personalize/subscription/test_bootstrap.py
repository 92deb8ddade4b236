"""The bootstrap: it creates everything in order and only once, and tells repository and owners of data what to do."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from pulumi._types import input_type_types
from pulumi_azure_native import authorization, consumption, keyvault, managedidentity, resources, storage

from azure_clients.errors import ManagerRefusedError
from features.errors import PersonalizationError
from infra.cloud.names import Names, names_of
from infra.cloud.role_list import Role
from personalize.bootstrap.names import STATE_GROUP, StateNames
from personalize.bootstrap.resources import State, group_paths
from personalize.bootstrap.rights import only_roles, reader_commands
from personalize.bootstrap.subscription import Bootstrap
from personalize.commands import github
from tests.personalize.subscription.conftest import CALLER, TENANT
from tests.support.azure_native import faults
from tests.support.azure_stack import SUBSCRIPTION, azure_stack
from tests.support.fake_manager import Call, FakeManager
from training.datasets.placed.listing import Address

PRINCIPAL = "77777777-7777-4777-8777-777777777777"
PREVIEW = "99999999-9999-4999-8999-999999999999"
CLIENT = "88888888-8888-4888-8888-888888888888"
NAMES = StateNames(subscription=SUBSCRIPTION, stack="dev")
BLOB_READER, KEY_USER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "12338af0-0e69-4776-bea7-57ae8d297424"
PROVIDER = r"^(GET|POST) /subscriptions/[^/]+/providers/[^/]+(/register)?$"


@pytest.fixture
def fake() -> FakeManager:
    """An unused subscription: identities get their IDs on creation, and providers are registered at the second poll."""
    made = FakeManager()
    registered: dict[str, int] = {}

    def provider(call: Call) -> dict[str, Any]:
        namespace = call.path.split("/")[4]
        if call.method == "POST":
            registered[namespace] = 0
        elif namespace in registered:
            registered[namespace] += 1
        return {"registrationState": "Registered" if registered.get(namespace, 0) > 1 else "Registering"}

    def identity(call: Call) -> dict[str, Any]:
        own = PREVIEW if call.path.endswith("-preview") else PRINCIPAL
        content = {"properties": {"principalId": own, "clientId": CLIENT, "provisioningState": "Succeeded"}}
        made.resources[call.path.lower()] = content
        return content

    made.answer(PROVIDER, provider)
    made.answer(r"^PUT .*/userAssignedIdentities/[^/]+$", identity)
    account = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{STATE_GROUP}/providers/Microsoft.Storage"
    service = f"{account}/storageAccounts/{NAMES.account}/blobServices/default".lower()
    made.resources[service] = {"properties": {"isVersioningEnabled": False}}  # Azure creates it with the account
    return made


def bootstrap(fake: FakeManager, say: Callable[[str], None] = lambda _: None, **settings: object) -> Bootstrap:
    azure = azure_stack(**{"github_repository": "octo/clicks"} | settings)
    return Bootstrap(stack="dev", settings=azure, manager=fake.manager(), pause=lambda _: None, say=say)


def made(fake: FakeManager) -> list[Call]:
    return [call for call in fake.calls if call.method == "PUT"]


def body(fake: FakeManager, ending: str) -> dict[str, Any]:
    [found] = [call.body for call in made(fake) if call.path.endswith(ending)]
    assert found is not None
    return found


def test_everything_is_made_once_and_found_the_second_time(fake: FakeManager) -> None:
    first = bootstrap(fake).run(dry_run=False)
    assert set(first.values()) == {State.MADE}
    assert len(first) == 36
    fake.calls.clear()
    assert set(bootstrap(fake).run(dry_run=False).values()) == {State.THERE}
    assert fake.changes() == []


def test_a_dry_run_changes_nothing_and_names_the_same_things(fake: FakeManager) -> None:
    planned = bootstrap(fake).run(dry_run=True)
    assert set(planned.values()) == {State.MISSING}
    assert fake.changes() == []
    assert list(planned) == list(bootstrap(fake).run(dry_run=False))


def test_it_goes_on_where_it_was_refused(fake: FakeManager) -> None:
    fake.refused["PUT .*/vaults/[^/]+$"] = (409, "VaultAlreadyExists")
    with pytest.raises(ManagerRefusedError, match="VaultAlreadyExists"):
        bootstrap(fake).run(dry_run=False)
    fake.refused.clear()
    found = bootstrap(fake).run(dry_run=False)
    assert found[f"storage account {NAMES.account}"] is State.THERE
    assert found[f"Key Vault {NAMES.vault}"] is State.MADE


def test_a_provider_that_is_never_registered_is_named(fake: FakeManager) -> None:
    fake.answer("^(GET|POST) .*/Microsoft.Databricks(/register)?$", {"registrationState": "Registering"})
    with pytest.raises(PersonalizationError, match=r"registered Microsoft\.Databricks within 15 minutes"):
        bootstrap(fake).run(dry_run=False)


def error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "The vault was deleted."}}


@pytest.mark.parametrize("recovery", [(200, {}), (404, error("SoftDeletedVaultDoesNotExist"))])
def test_a_deleted_vault_is_recovered_or_named_with_the_way_out(
    fake: FakeManager, recovery: tuple[int, dict[str, Any]]
) -> None:
    def put(call: Call) -> tuple[int, dict[str, Any]]:
        recovering = (call.body or {})["properties"].get("createMode") == "recover"
        return recovery if recovering else (409, error("ConflictError"))

    fake.answer(r"^PUT .*/vaults/[^/]+$", put)
    way_out = rf"`az keyvault recover --name {NAMES.vault}`, .* run `bootstrap` again"
    with nullcontext() if recovery[0] == 200 else pytest.raises(PersonalizationError, match=way_out):
        assert bootstrap(fake).run(dry_run=False)[f"Key Vault {NAMES.vault}"] is State.RECOVERED


KINDS: Mapping[str, type] = {
    "/resourceGroups/[^/]+$": resources.ResourceGroupArgs,
    "/storageAccounts/[^/]+$": storage.StorageAccountArgs,
    "/blobServices/default$": storage.BlobServicePropertiesArgs,
    "/containers/[^/]+$": storage.BlobContainerArgs,
    "/vaults/[^/]+$": keyvault.VaultArgs,
    "/keys/[^/]+$": keyvault.KeyArgs,
    "/locks/": authorization.ManagementLockByScopeArgs,
    "/roleAssignments/": authorization.RoleAssignmentArgs,
    "/roleDefinitions/": authorization.RoleDefinitionArgs,
    "/budgets/": consumption.BudgetArgs,
    "/userAssignedIdentities/[^/]+$": managedidentity.UserAssignedIdentityArgs,
    "/federatedIdentityCredentials/": managedidentity.FederatedIdentityCredentialArgs,
}
"""By the end of a path: azure-native's types, which are generated from Azure's own description of its API."""
WHOLE = (keyvault.VaultArgs, keyvault.KeyArgs)
"""Of all others azure-native moves the fields of `properties` to the top."""
RENAMED = {"supportsHttpsTrafficOnly": "enableHttpsTrafficOnly", "type": "roleType"}
IN_PATH = ("resourceGroupName", "accountName", "blobServicesName", "vaultName", "resourceName", "scope")


def test_azure_knows_every_field_and_value_that_it_is_sent(fake: FakeManager) -> None:
    bootstrap(fake, protect=True).run(dry_run=False)
    met = set()
    for call in made(fake):
        (kind,) = [kind for ending, kind in KINDS.items() if re.search(ending, call.path)]
        met.add(kind)
        sent = dict(call.body or {})
        if kind not in WHOLE:
            sent |= sent.pop("properties", {})
        inputs = {RENAMED.get(name, name): value for name, value in sent.items()}
        inputs |= {name: "in the path" for name in IN_PATH if name in input_type_types(kind)}
        assert list(faults(kind, inputs, call.path)) == []
    assert met == {*KINDS.values()}


def test_the_state_has_no_keys_to_lose_and_keeps_its_old_versions(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    account = body(fake, f"/storageAccounts/{NAMES.account}")["properties"]
    assert (account["allowSharedKeyAccess"], account["allowBlobPublicAccess"]) == (False, False)
    assert body(fake, "/blobServices/default")["properties"]["isVersioningEnabled"] is True
    assert body(fake, f"/vaults/{NAMES.vault}")["properties"]["enablePurgeProtection"] is True
    assert body(fake, "/locks/keep")["properties"]["level"] == "CanNotDelete"


def test_each_environment_of_the_repository_has_an_identity_of_its_own(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    trusted = [call.body or {} for call in made(fake) if "/federatedIdentityCredentials/" in call.path]
    assert [found["properties"]["subject"] for found in trusted] == [
        "repo:octo/clicks:environment:dev",
        "repo:octo/clicks:environment:dev-nightly",
        "repo:octo/clicks:environment:dev-preview",
    ]


def test_the_form_of_github_s_subject_is_a_setting(fake: FakeManager) -> None:
    bootstrap(fake, github_subject="repo:octo@1/clicks@2").run(dry_run=False)
    subject = body(fake, "/federatedIdentityCredentials/dev")["properties"]["subject"]
    assert subject == "repo:octo@1/clicks@2:environment:dev"


def roles(fake: FakeManager) -> set[tuple[str, str, str]]:
    """Principal, role and scope of each assignment."""
    given = [call for call in made(fake) if "/roleAssignments/" in call.path]
    return {
        (
            str((call.body or {})["properties"]["principalId"]),
            str((call.body or {})["properties"]["roleDefinitionId"]).rpartition("/")[2],
            call.path.partition("/providers/Microsoft.Authorization/")[0].rpartition("/")[2],
        )
        for call in given
    }


def test_the_preview_s_identity_reads_the_stack_s_groups_and_state_and_nothing_else(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    names = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
    reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    assert {(role, scope) for principal, role, scope in roles(fake) if principal == PREVIEW} == {
        (reader, names.training_group),
        (reader, names.serving_group),
        (Role.CLUSTER_USER, names.serving_group),  # none inside the cluster
        (BLOB_READER, "state-dev"),
        (KEY_USER, "pulumi-dev"),
    }


def test_the_workflow_s_identity_has_the_rights_of_a_deployer(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    ours, deployer = ({one[1:] for one in roles(fake) if one[0] == principal} for principal in (PRINCIPAL, CALLER))
    assert ours == deployer > set()


def test_nobody_is_let_at_the_state_of_another_stack(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    data = {Role.BLOB_DATA_CONTRIBUTOR, BLOB_READER, KEY_USER}
    assert {scope for _, role, scope in roles(fake) if role in data} == {"state-dev", "pulumi-dev"}


def test_the_workflow_may_give_the_stack_s_roles_and_no_others(fake: FakeManager) -> None:
    bootstrap(fake).run(dry_run=False)
    given = [call.body["properties"] for call in made(fake) if call.body and "/roleAssignments/" in call.path]
    limited = [properties for properties in given if "condition" in properties]
    given = [found["roleDefinitionId"].rpartition("/")[2] for found in limited]
    assert given == ["f58310d9-a9f6-439a-9e8d-f62e7b41a168"] * 4, "of a person and of the workflow, in two groups"
    for one in limited:
        assert set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", one["condition"])) == {str(role) for role in Role}
    assert only_roles("a").count("ForAnyOfAnyValues:GuidEquals {a}") == 2


@pytest.mark.parametrize(("status", "code"), [(400, "PrincipalNotFound"), (404, "RoleDefinitionDoesNotExist")])
def test_an_identity_or_role_that_azure_does_not_know_everywhere_yet_is_waited_for(
    fake: FakeManager, status: int, code: str
) -> None:
    answers = iter([(status, {"error": {"code": code, "message": "not yet"}})] * 2)

    def put(call: Call) -> tuple[int, dict[str, Any]] | dict[str, Any]:
        new = call.body is not None and call.body["properties"]["principalId"] == PRINCIPAL
        return (next(answers, None) if new else None) or {"id": call.path}

    fake.answer("^PUT /subscriptions/[^/]+/providers/Microsoft.Authorization/roleAssignments/", put)
    assert State.MADE in bootstrap(fake).run(dry_run=False).values()
    assert next(answers, None) is None


@pytest.mark.parametrize(
    ("code", "said"), [("PrincipalNotFound", "knows nobody with this ID"), ("RequestDisallowedByPolicy", "exempt")]
)
def test_a_refusal_that_the_owner_can_mend_says_how_and_is_not_waited_for(
    fake: FakeManager, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    fake.refused["PUT .*/roleAssignments/"] = (400, code)
    waits: list[float] = []
    made_by = replace(bootstrap(fake), pause=waits.append)
    monkeypatch.setattr(github, "require_azure", lambda _: made_by.settings)
    monkeypatch.setattr(github, "Bootstrap", lambda **_: made_by)
    with pytest.raises(PersonalizationError, match=rf"{code} \(the test ordered it\).*{said}"):
        github.bootstrap(stack="dev", yes=True)
    assert len(waits) == 1, "for the providers' registration"


def test_a_role_that_was_given_before_under_another_name_is_enough(fake: FakeManager) -> None:
    fake.refused["PUT .*/roleAssignments/"] = (409, "RoleAssignmentExists")
    found = bootstrap(fake).run(dry_run=False)
    assert {state for title, state in found.items() if title.startswith("role ")} == {State.THERE}


def test_the_repository_is_told_ids_and_no_secret(fake: FakeManager) -> None:
    done = bootstrap(fake)
    done.run(dry_run=False)
    assert done.variables() == {
        "": {"ARM_TENANT_ID": TENANT, "ARM_SUBSCRIPTION_ID": SUBSCRIPTION},
        "dev": {"ARM_CLIENT_ID": CLIENT},
        "dev-nightly": {"ARM_CLIENT_ID": CLIENT},
        "dev-preview": {"ARM_CLIENT_ID": CLIENT},
    }
    assert done.deployer() == {"object_id": PRINCIPAL, "type": "ServicePrincipal", "databricks_name": CLIENT}


def test_without_a_repository_there_are_no_identities(fake: FakeManager) -> None:
    done = bootstrap(fake, github_repository=None)
    done.run(dry_run=False)
    assert "managedidentity" not in json.dumps(fake.changes()).lower().replace("microsoft.managedidentity/register", "")
    assert (done.deployer(), list(done.variables())) == (None, [""])


CONNECTOR = "66666666-6666-4666-8666-666666666666"


def test_the_owner_of_a_container_is_told_whom_to_let_read() -> None:
    fake = FakeManager()
    stack = bootstrap(fake)
    assert stack.workflows is not None
    for preview, principal in ((False, PRINCIPAL), (True, PREVIEW)):
        fake.resources[stack.workflows.path(preview=preview).lower()] = {"properties": {"principalId": principal}}
    deploying = {CALLER: "User", PRINCIPAL: "ServicePrincipal"}
    assert stack.readers() == deploying, "not the identity of pull requests, whose code nobody has reviewed"
    names = names_of("dev", stack.settings)
    place = f"{group_paths(names)[0]}/providers/Microsoft.Databricks/accessConnectors/{names.connector}"
    fake.resources[place.lower()] = {"identity": {"type": "SystemAssigned", "principalId": CONNECTOR}}
    assert stack.readers() == deploying | {CONNECTOR: "ServicePrincipal"}
    tables = [Address("shoplake", "events", "users.csv"), Address("shoplake", "events", "days")]
    assert reader_commands(tables, stack.readers())[-1] == (
        "az role assignment create --role 'Storage Blob Data Reader' "
        f"--assignee-object-id {CONNECTOR} --assignee-principal-type ServicePrincipal "
        '--scope "$(az storage account show --name shoplake --query id --output tsv)'
        '/blobServices/default/containers/events"'
    )
    assert len(reader_commands(tables, stack.readers())) == 3


@pytest.mark.parametrize("stack", ["Dev_EU", "dev.eu", "-dev-", "ü", "x" * 100])
def test_any_stack_has_a_container_and_a_key_that_azure_accepts(stack: str) -> None:
    names = StateNames(subscription=SUBSCRIPTION, stack=stack)
    assert re.fullmatch(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", names.container)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,127}", names.key)
    assert names.container != StateNames(subscription=SUBSCRIPTION, stack="dev-eu").container


def test_the_names_are_ones_that_azure_takes() -> None:
    names = StateNames(subscription=SUBSCRIPTION, stack="dev")
    assert re.fullmatch("[a-z0-9]{3,24}", names.account)
    assert re.fullmatch("[a-z][a-z0-9-]{1,22}[a-z0-9]", names.vault)
    assert StateNames(subscription=CALLER, stack="dev").account != names.account
