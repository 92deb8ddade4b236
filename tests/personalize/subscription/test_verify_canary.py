"""The canary run by itself: its inputs, found by resource names on Azure, and its errors if something is missing."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.azure_settings import AzureSettings
from infra.cloud.names import Names
from personalize.verify.bench import Bench
from personalize.verify.stage import StageFailedError
from personalize.verify.stages import canary
from personalize.verify.stages.canary import CANARY
from steps.azure.canary_run import CanaryRun
from steps.descriptions.canary_run import AzureInputs, Outputs
from steps.provider.step import Context, Created
from tests.personalize.subscription.conftest import CALLER, SUBSCRIPTION, TENANT
from training.parameters import Fit

NAMES = Names(stack="dev", subscription=SUBSCRIPTION, suffix="a")
HOST = "adb-1.2.azuredatabricks.net"
PAGE = f"https://{HOST}/jobs/7/runs/9"


class Deployed:
    """A deployed stack as a stage sees it: resources by name, and jobs in Databricks."""

    def __init__(self, **azure: object) -> None:
        values = {
            "subscription": SUBSCRIPTION,
            "tenant": TENANT,
            "alert_mail": "operators@example.com",
            "authorized_ip_ranges": "anywhere",
            "allowed_sources": "anywhere",
        }
        deployers = [{"object_id": CALLER, "type": "User"}]
        self.stack, self.names, self.fit = "dev", NAMES, Fit.SYNAPSEML
        self.settings = AzureSettings.model_validate({**values, "deployers": deployers, **azure})
        self.subject = SimpleNamespace(training=lambda kind, name: f"/training/{kind}/{name}")
        self.resources: dict[str, dict[str, Any]] = {
            NAMES.databricks: {"workspaceUrl": HOST},
            NAMES.lake: {"primaryEndpoints": {"blob": "https://lakeabc.blob.core.windows.net/"}},
        }
        self.jobs = {NAMES.canary_job: 7}
        self.said: list[str] = []
        self.say = self.said.append

    def resource(self, path: str, _version: str) -> dict[str, Any]:
        return self.resources.get(path.rpartition("/")[2], {})

    def list_jobs(self, name: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(job_id=number) for known, number in self.jobs.items() if known == name]

    def run(self) -> str:
        return CANARY.act(cast("Bench", self))


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[AzureInputs]:
    """The inputs that the step gets; the step succeeds, and reports one line twice."""
    told: list[AzureInputs] = []

    def create(_: CanaryRun, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        told.append(inputs)
        for line in ("pending", "pending", "running"):
            context.report(line)
        return Created("1", Outputs(canary_url=PAGE))

    monkeypatch.setattr(CanaryRun, "create", create)
    jobs = lambda bench: SimpleNamespace(jobs=SimpleNamespace(list=bench.list_jobs))  # noqa: E731 - a stand-in
    monkeypatch.setattr(canary, "databricks", jobs)
    return told


def test_the_step_of_up_is_told_what_lies_on_azure(asked: list[AzureInputs]) -> None:
    found = Deployed()
    assert found.run() == f"a thousand rows became a model: {PAGE}"
    (told,) = asked
    workspace = f"/training/Microsoft.Databricks/workspaces/{NAMES.databricks}"
    assert (told.stack, told.tenant, told.databricks_workspace_id) == ("dev", TENANT, workspace)
    assert (told.databricks_url, told.job_id) == (f"https://{HOST}", "7")
    assert (told.volumes, told.fit) == (f"/Volumes/lake_dev{NAMES.token}/training", "synapseml")
    assert told.blob_endpoint == "https://lakeabc.blob.core.windows.net/"
    assert found.said == ["pending", "running"]


@pytest.mark.parametrize("missing", [NAMES.databricks, NAMES.lake])
def test_a_stack_without_workspace_or_lake_is_told_what_makes_them(missing: str, asked: list[AzureInputs]) -> None:
    found = Deployed()
    del found.resources[missing]
    with pytest.raises(
        StageFailedError, match=r"no Databricks workspace or no lake yet\. `.venv/bin/personalize up --stack dev`"
    ):
        found.run()
    assert asked == []


def test_a_workspace_without_the_job_is_told_what_makes_it() -> None:
    found = Deployed()
    found.jobs = {NAMES.databricks: 3}
    with pytest.raises(StageFailedError, match=f"no job {NAMES.canary_job} yet"):
        found.run()
