"""Messages for the engine's events and failures, and the sentence that follows a refusal of Azure's."""

import pytest
from pulumi.automation import CommandResult, EngineEvent
from pulumi.automation.errors import create_command_error

from features.errors import PersonalizationError
from personalize import errors
from personalize.stack.events import EventReader, Phase, StepUpdate, clean, explain
from personalize.stack.refusals import advice
from tests.support.azure_stack import azure_stack

URN = "urn:pulumi:local::personalization::personalization:training:TrainingRun$personalize:local:TrainingRun::training"
STACK_URN = "urn:pulumi:local::personalization::pulumi:pulumi:Stack::personalization-local"


def step_event(kind: str, op: str, **new: object) -> EngineEvent:
    state = {"type": "personalize:local:TrainingRun", "urn": URN, "custom": True, "id": "1", "parent": "", **new}
    state |= {"provider": "", "inputs": {}, "outputs": new.get("outputs", {})}
    metadata = {"op": op, "urn": state["urn"], "type": state["type"], "old": None, "new": state, "provider": ""}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata}})


def diagnostic(message: str, *, severity: str = "error", urn: str = URN) -> EngineEvent:
    content = {"message": message, "color": "raw", "severity": severity, "urn": urn}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": content})


def test_a_step_is_told_from_start_to_end() -> None:
    seen: list[StepUpdate] = []
    reader = EventReader(seen.append)
    reader(step_event("resourcePreEvent", "create"))
    reader(diagnostic("<{%reset%}>fit: iteration 3 of 50<{%reset%}>\n", severity="info"))
    reader(step_event("resOutputsEvent", "create", outputs={"verdict": {"accepted": True}}))
    assert [(update.step, update.phase, update.text) for update in seen] == [
        ("TrainingRun", Phase.STARTED, ""),
        ("TrainingRun", Phase.MESSAGE, "fit: iteration 3 of 50"),
        ("TrainingRun", Phase.FINISHED, ""),
    ]
    assert reader.results["TrainingRun"] == {"verdict": {"accepted": True}}


def test_a_change_is_kept_with_what_differs_and_what_stays_is_not() -> None:
    reader = EventReader(lambda _: None)
    reader(step_event("resourcePreEvent", "same"))
    event = step_event("resourcePreEvent", "create-replacement")
    assert event.resource_pre_event
    event.resource_pre_event.metadata.keys = ["manifest_hash"]
    event.resource_pre_event.metadata.diffs = ["manifest_hash", "location"]
    reader(event)
    reader(step_event("resourcePreEvent", "replace"))
    reader(step_event("resourcePreEvent", "delete-replaced"))
    [change] = reader.resources
    assert (change.urn, change.name, change.operation) == (URN, "training", "replace")
    assert (change.properties, change.replaces) == (("manifest_hash", "location"), ("manifest_hash",))


def test_an_error_that_is_said_twice_is_kept_once_and_the_engines_summary_not_at_all() -> None:
    reader = EventReader(lambda _: None)
    for message in ("The disk is full.", "<{%reset%}>The disk is full.<{%reset%}>"):
        reader(diagnostic(message))
    reader(diagnostic("update failed", urn=STACK_URN))
    assert reader.failures == {"TrainingRun": ["The disk is full."]}


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("<{%reset%}>Port 8123 is in use.<{%reset%}>\n", "Port 8123 is in use."),
        ("rpc error: code = Unknown desc = Port 8123 is in use.", "Port 8123 is in use."),
        ("1 error occurred:\n\t* Port 8123 is in use.", "Port 8123 is in use."),
        (f"creating {URN}: Port 8123 is in use.", "Port 8123 is in use."),
        ("Updating the service needs a port.", "Updating the service needs a port."),
    ],
)
def test_what_the_engine_puts_before_a_sentence_is_taken_off(message: str, sentence: str) -> None:
    assert clean(message) == sentence


def test_a_traceback_is_reduced_to_its_exception() -> None:
    message = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no\nplugin exited'
    assert clean(message).startswith("no. This is a defect")


def failed(stderr: str = "") -> str:
    return str(create_command_error(CommandResult("", stderr, 255)))


def test_a_failed_step_is_named_with_its_sentence() -> None:
    reader = EventReader(lambda _: None)
    reader(diagnostic("The disk is full."))
    error = explain("update", failed(), reader, "local")
    assert isinstance(error, errors.StepFailedError)
    assert str(error) == "training: The disk is full."


def test_a_rejected_candidate_is_an_error_of_its_own() -> None:
    reader = EventReader(lambda _: None)
    reader(step_event("resOutputsEvent", "create", outputs={"verdict": {"accepted": False, "reasons": []}}))
    reader(diagnostic("The gate rejected it.", urn=URN.replace("TrainingRun", "ModelVersion")))
    assert isinstance(explain("update", failed(), reader, "local"), errors.GateRejectedError)


@pytest.mark.parametrize(("refusal", "kind"), [("It did.", errors.AnotherServesError), ("", errors.StepFailedError)])
def test_another_version_that_serves_instead_is_an_error_of_its_own(refusal: str, kind: type[Exception]) -> None:
    reader = EventReader(lambda _: None)
    version, champion = (URN.replace("TrainingRun", step) for step in ("ModelVersion", "Champion"))
    reader(step_event("resOutputsEvent", "same", urn=version, outputs={"refusal": refusal}))
    reader(diagnostic("The gate rejected it.", urn=champion))
    assert type(explain("update", failed(), reader, "local")) is kind


LOCK = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\n  file:///x/y.json: created by ada@host (pid 77) at 2026-11-25T00:00:00Z"
)
BACKEND = 'error: read ".pulumi/meta.yaml": GET https://state.blob.core.windows.net/state/.pulumi/meta.yaml\nRESPONSE '


@pytest.mark.parametrize(
    ("stderr", "kind", "said"),
    [
        (LOCK, errors.StackBusyError, "process 77 of ada@host"),
        (LOCK, errors.StackBusyError, '`eval "$(make env STACK=dev)"` and `pulumi cancel --yes` do'),
        ("error: incorrect passphrase", PersonalizationError, "Restore the right file"),
        ("error: something odd", errors.EngineFailedError, "something odd"),
        (f"{BACKEND}403: 403 This request is not authorized", errors.EngineForbiddenError, "could not finish"),
        (f"{BACKEND}404: 404 The container does not exist", errors.EngineFailedError, "could not finish"),
    ],
)
def test_a_failure_outside_the_steps_is_explained(stderr: str, kind: type[Exception], said: str) -> None:
    error = explain("update", failed(stderr), EventReader(lambda _: None), "dev")
    assert type(error) is kind, "only what Azure forbids may be a role that is not effective yet"
    assert said in str(error)


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
DELETED = "Status=409 Code=ConflictError A vault with the same name already exists in deleted state."
ROLLOUT = (
    "the Kubernetes API server reported that \"scoring/scoring\" failed to fully initialize or become live: 'scoring' "
    "timed out waiting to be Ready\n\t* Attempted to roll forward to new ReplicaSet, but minimum number of Pods did "
    "not become live"
)
CREDENTIAL = "cannot create storage credential: User does not have CREATE STORAGE CREDENTIAL on Metastore 'm-1'."
VOLUME = "cannot create volume: User does not have CREATE EXTERNAL VOLUME on External Location 'dev_raw'."


POLICY = (
    "Code=RequestDisallowedByPolicy Resource 'kv-dev' was disallowed by policy. Policy identifiers: "
    '\'[{"policyAssignment":{"name":"Allowed locations"}}]\'.'
)
NOBODY = "Code=PrincipalNotFound Principal 3333 does not exist in the directory 2222. Check the ID."
NOT_IN_ACCOUNT = "cannot create permission assignment: Principal not found in account."
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
            "no Standard_E4ds_v5 in swedencentral now: set `azure.training_vm_size` to another size",
        ),
        ("AgentPool", FAMILY, "`azure.location` to northeurope or westeurope, then"),
        ("ManagedCluster", FAMILY, "for a cluster that already runs request more quota"),
        ("TrainingRun", REGION, "Total Regional vCPUs"),
        ("ManagedCluster", "Insufficient regional vcpu quota left for location x.", "Total Regional vCPUs"),
        (
            "ExternalLocation",
            OVERLAP,
            "somebody in swedencentral has one there, such as another stack",
        ),
        ("StorageCredential", CREDENTIAL, "run `GRANT CREATE STORAGE CREDENTIAL ON METASTORE TO ...` for it"),
        ("Volume", VOLUME, "`GRANT CREATE EXTERNAL VOLUME ON EXTERNAL LOCATION dev_raw TO ...`"),
        ("Deployment", ROLLOUT, "keep serving: `.venv/bin/personalize logs --stack dev` shows why; correct it"),
        ("Vault", DELETED, "deletes what was created and renews `azure.suffix`, now a; then run"),
        ("Vault", POLICY, "such as `azure.location` or `azure.tags`, or let its owner exempt the stack's"),
        ("RoleAssignment", NOBODY, "correct `object_id` in `azure.deployers`"),
        ("PermissionAssignment", NOT_IN_ACCOUNT, "correct its `databricks_name` in `azure.deployers`"),
        ("Grant", "cannot create grant: Could not find principal with name x@y.org", "an account admin add it"),
        ("RoleAssignment", ROLES, "let an owner of the subscription run `.venv/bin/personalize bootstrap --stack dev`"),
    ],
)
def test_a_refusal_that_a_user_can_mend_says_how_and_that_up_goes_on(step: str, text: str, said: str) -> None:
    (sentence,) = advice({step: [text]}, "dev", azure_stack())
    assert said in sentence
    assert sentence.endswith(("run `up` again.", "run this again.", "`up` again, which continues from here."))


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
    assert str(error).splitlines()[-1].endswith("northeurope or westeurope, then run `up` again.")
