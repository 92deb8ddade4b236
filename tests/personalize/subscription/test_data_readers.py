"""Whoever owns a container with a stack's data is told whom to let read it."""

from infra.cloud.names import names_of
from personalize.bootstrap.data_readers import reader_commands
from personalize.bootstrap.groups import group_paths
from tests.personalize.subscription.conftest import CALLER
from tests.personalize.subscription.test_bootstrap import PREVIEW, PRINCIPAL, bootstrap
from tests.support.fake_manager import FakeManager
from training.datasets.placed.address import Address

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
