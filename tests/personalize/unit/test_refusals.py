"""The sentence that follows a refusal of Azure's, for messages as Azure and Databricks write them."""

import pytest

from personalize.engine.events import EventReader
from personalize.engine.failures import explain
from personalize.stack.refusals import advice
from tests.personalize.unit.test_cli_events import diagnostic
from tests.support.azure_stack import azure_stack

STOCKOUT = (
    "The training run failed: Cluster '1120-1' was terminated. Reason: CLOUD_PROVIDER_RESOURCE_STOCKOUT. Parameters: "
    "azure_error_code:SkuNotAvailable."
)
FAMILY = 'Code="ErrCode_InsufficientVCPUQuota" Message="Insufficient vcpu quota requested 2, remaining 0 for family x.'
REGION = (
    "AZURE_QUOTA_EXCEEDED_EXCEPTION (CLIENT_ERROR). Parameters: azure_error_code:QuotaExceeded,azure_error_message:"
    "Operation could not be completed as it results in exceeding approved Total Regional Cores quota."
)
ROLES = (
    "Status=403 Code=AuthorizationFailed The client 'x' with object id 'x' does not have authorization or an ABAC "
    "condition not fulfilled to perform action 'Microsoft.Authorization/roleAssignments/write' over path '/y'."
)
ROLLOUT = (
    "the Kubernetes API server reported that \"scoring/scoring\" failed to fully initialize or become live: 'scoring' "
    "timed out waiting to be Ready\n\t* Attempted to roll forward to new ReplicaSet, but minimum number of Pods did "
    "not become live"
)
CREDENTIAL = "cannot create storage credential: User does not have CREATE STORAGE CREDENTIAL on Metastore 'm-1'."
VOLUME = "cannot create volume: User does not have CREATE EXTERNAL VOLUME on External Location 'dev_raw'."


OVERLAP = (
    "cannot create external location: [RequestId=1 ErrorClass=INVALID_PARAMETER_VALUE.LOCATION_OVERLAP] Input path url "
    "'abfss://events@shoplake.dfs.core.windows.net/' overlaps with other external locations."
)
LOCKED = (
    "Status=409 Code=ScopeLocked "
    "The scope '/x/providers/Microsoft.Authorization/roleAssignments/y' cannot perform delete "
    "operation because following scope(s) are locked: '/x'."
)


@pytest.mark.parametrize(
    ("step", "text", "said"),
    [
        (
            "TrainingRun",
            STOCKOUT,
            "set `azure.training_vm_size` to another size such as Standard_E4ads_v5 or Standard_E4ds_v4",
        ),
        ("AgentPool", FAMILY, "`azure.location` to northeurope or swedencentral, then"),
        ("ManagedCluster", FAMILY, "or for a cluster that already runs request more quota"),
        ("TrainingRun", REGION, "Total Regional vCPUs"),
        ("ManagedCluster", "Insufficient regional vcpu quota left for location x.", "Total Regional vCPUs"),
        (
            "ExternalLocation",
            OVERLAP,
            "somebody in westeurope has one there, such as another stack",
        ),
        ("StorageCredential", CREDENTIAL, "run `GRANT CREATE STORAGE CREDENTIAL ON METASTORE TO ...` for it"),
        ("Volume", VOLUME, "`GRANT CREATE EXTERNAL VOLUME ON EXTERNAL LOCATION dev_raw TO ...`"),
        ("Deployment", ROLLOUT, "keep serving: `.venv/bin/personalize logs --stack dev` shows why; correct it"),
        ("RoleAssignment", ROLES, "let an owner of the subscription run `.venv/bin/personalize bootstrap --stack dev`"),
    ],
)
def test_a_refusal_that_a_user_can_mend_says_how_and_that_up_goes_on(step: str, text: str, said: str) -> None:
    (sentence,) = advice({step: [text]}, "dev", azure_stack())
    assert said in sentence
    assert sentence.endswith(("run `up` again.", "run this again.", "`up` again, which continues from here."))


@pytest.mark.parametrize(
    ("chosen", "such"),
    [
        ("Standard_E8ads_v5", " such as Standard_E8ds_v4 or Standard_E8ds_v5 that"),
        ("Standard_F4s_v2", " that"),
    ],
)
def test_the_sizes_to_try_are_as_large_and_of_another_series(chosen: str, such: str) -> None:
    (sentence,) = advice({"TrainingRun": [STOCKOUT]}, "dev", azure_stack(training_vm_size=chosen))
    assert f"no {chosen} in westeurope" in sentence
    assert f"set `azure.training_vm_size` to another size{such} `.venv/bin/personalize doctor" in sentence


def test_other_failures_get_no_advice_and_one_cause_one_sentence() -> None:
    assert advice({"TrainingRun": ["no rows"], "StorageAccount": [FAMILY]}, "dev", azure_stack()) == []
    assert advice({"Service": [ROLLOUT]}, "dev", azure_stack()) == [], "an address that is not there yet has no log"
    assert advice({"RoleAssignment": [LOCKED]}, "dev", azure_stack()) == [], "`bootstrap` would only lock it again"
    both = {"TrainingRun": [REGION], "ManagedCluster": ["Insufficient regional vcpu quota left"]}
    assert len(advice(both, "dev", azure_stack())) == 1


def test_the_advice_stands_at_the_end_of_the_error() -> None:
    reader = EventReader(lambda _: None)
    reader(diagnostic(f"error: {STOCKOUT}"))
    error = explain("update", "", reader, "dev", lambda failures: advice(failures, "dev", azure_stack()))
    assert str(error).splitlines()[-1].endswith("northeurope or swedencentral, then run `up` again.")
