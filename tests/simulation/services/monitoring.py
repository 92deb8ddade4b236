"""Log Analytics, Application Insights, workbooks, diagnostic settings, alerts, data collection."""

import uuid
from typing import Any

from tests.simulation.published import DIAGNOSTICS, LOG_GROUPS, TEST_PLACES
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.references import referring
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType
from tests.simulation.services.resources import GROUP
from tests.simulation.world import key_of

INSIGHTS = GROUP + "/providers/Microsoft.Insights"
RULE_NAME = NameRule(pattern=r"[^*#&+:<>?@%{}\\/|]+", shortest=1, longest=260)
LINK = "hidden-link:"
ASSOCIATION = "azure-native:monitor:DataCollectionRuleAssociation"


def _refuse_unknown_category(call: Call) -> None:
    """Which logs and metrics there are depends on the type of the resource. A storage account itself has no logs."""
    provider, _, names = key_of(call.input("resourceUri", "")).rpartition("/providers/")[2].partition("/")
    kind = "/".join((provider, *names.split("/")[::2]))
    logs, metrics = DIAGNOSTICS.get(kind, ((), ()))
    for wanted in call.input("logs", []):
        category, group = wanted.get("category"), wanted.get("categoryGroup")
        if category not in logs and (group not in LOG_GROUPS or not logs):
            raise RefusedError(400, "BadRequest", f"Category '{category or group}' is not supported for {kind}.")
    for wanted in call.input("metrics", []):
        if wanted["category"] not in metrics:
            known = f"supported categories are: '{';'.join(metrics)}'"
            raise RefusedError(400, "BadRequest", f"Metric category '{wanted['category']}' is not supported, {known}.")


def _refuse_retention_policy(call: Call) -> None:
    parts = [*call.input("logs", []), *call.input("metrics", [])]
    if any(part.get("retentionPolicy") for part in parts):
        raise RefusedError(400, "BadRequest", "Diagnostic settings do not support retention any more.")


def _refuse_no_target(call: Call) -> None:
    if not any(call.input(name) for name in ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId")):
        raise RefusedError(400, "BadRequest", "At least one data sink needs to be specified.")


def _refuse_unknown_metric(call: Call) -> None:
    """A metric without data is unknown, unless the alert skips the validation."""
    for criterion in call.input("criteria.allOf", []):
        if criterion.get("metricNamespace", "").startswith("Insights.") and not criterion.get("skipMetricValidation"):
            raise RefusedError(400, "BadRequest", f"Couldn't find a metric named {criterion.get('metricName')}.")


def _refuse_test_without_insights(call: Call) -> None:
    """In Azure's words: a tag links a test to its component."""
    owners = [tag.removeprefix(LINK) for tag in call.input("tags", {}) if tag.startswith(LINK)]
    found = [owner for owner in owners if call.world.get(key_of(owner)) is not None]
    if len(owners) != 1 or len(found) != 1:
        message = "A single 'hidden-link' tag pointing to an existing AI component is required."
        raise RefusedError(400, "BadRequest", f"{message} Found none or several in {owners}.")


def _refuse_incomplete_test(call: Call) -> None:
    """A standard test has a request; the other kinds, with XML, are retired."""
    if (call.input("kind"), call.input("webTestKind")) != ("standard", "standard"):
        raise RefusedError(
            400, "BadRequest", "Kind must be 'standard' in both places; ping tests ended in September 2026."
        )
    if not call.input("request.requestUrl", "").startswith("http"):
        raise RefusedError(400, "BadRequest", "A standard test needs Request.RequestUrl.")
    if call.input("frequency", 300) not in (300, 600, 900) or not 0 < call.input("timeout", 30) <= 120:
        raise RefusedError(400, "BadRequest", "Frequency is 300, 600 or 900 seconds, Timeout at most 120.")
    unknown = {place["location"] for place in call.input("locations", [])} - TEST_PLACES
    if unknown or not call.input("locations"):
        raise RefusedError(400, "BadRequest", f"Unknown or no test locations: {sorted(unknown)}.")


def _refuse_other_scopes(call: Call) -> None:
    """An alert on a test names the test and its component, in its scopes and in its criteria."""
    test, component = call.input("criteria.webTestId"), call.input("criteria.componentId")
    if test is None:
        return
    if sorted(map(key_of, call.input("scopes", []))) != sorted(map(key_of, (test, component))):
        raise RefusedError(400, "BadRequest", "The scopes of this alert must be its web test and its component.")
    if call.input("criteria.failedLocationCount", 0) < 1:
        raise RefusedError(400, "BadRequest", "failedLocationCount must be at least 1.")


def _refuse_unvalidated_query(call: Call) -> None:
    if not call.input("skipQueryValidation"):
        message = "The query could not be validated: its tables do not exist yet (skipQueryValidation skips this)."
        raise RefusedError(400, "BadArgumentError", message)


def _refuse_associated(call: Call) -> None:
    for other in referring(call, ASSOCIATION, "dataCollectionRuleId"):
        raise RefusedError(400, "DataCollectionRuleHasAssociations", f"'{call.id}' is associated with '{other}'.")


def _refuse_workbook_name(call: Call) -> None:
    try:
        uuid.UUID(call.name)
    except ValueError as error:
        raise RefusedError(400, "BadRequest", f"The workbook name '{call.name}' must be a GUID.") from error


def _workspace_outputs(call: Call) -> dict[str, Any]:
    old = call.old.outputs if call.old else {}
    return {
        "name": call.name,
        "customerId": old.get("customerId") or str(uuid.uuid4()),
        "provisioningState": "Succeeded",
    }


def _component_outputs(call: Call) -> dict[str, Any]:
    key = (call.old.outputs if call.old else {}).get("instrumentationKey") or str(uuid.uuid4())
    return {"name": call.name, "instrumentationKey": key, "connectionString": f"InstrumentationKey={key}"}


def _named(call: Call) -> dict[str, Any]:
    return {"name": call.name}


TYPES = [
    ResourceType(
        pulumi_type="azure-native:operationalinsights:Workspace",
        model="azure.mgmt.loganalytics.models:Workspace",
        path=GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
        name=NameRule(pattern="[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", shortest=4, longest=63),
        replaces=frozenset({"location"}),
        seconds=40,
        outputs=_workspace_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:Component",
        model="azure.mgmt.applicationinsights.v2020_02_02.models:ApplicationInsightsComponent",
        path=INSIGHTS + "/components/{resourceName}",
        name=NameRule(pattern=r"[^%&\\?/]*[^%&\\?/.\s]", shortest=1, longest=260),
        aliases={"applicationType": "Application_Type", "flowType": "Flow_Type", "requestSource": "Request_Source"},
        replaces=frozenset({"location"}),
        outputs=_component_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:Workbook",
        model="azure.mgmt.applicationinsights.v2023_06_01.models:Workbook",
        path=INSIGHTS + "/workbooks/{resourceName}",
        rules=(_refuse_workbook_name,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:WebTest",
        model="azure.mgmt.applicationinsights.v2022_06_15.models:WebTest",
        path=INSIGHTS + "/webtests/{webTestName}",
        aliases={
            "webTestKind": "properties.Kind",
            "webTestName": "properties.Name",
            "WebTestGeolocation.location": "Id",
        },
        replaces=frozenset({"location"}),
        rules=(_refuse_test_without_insights, _refuse_incomplete_test),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DiagnosticSetting",
        model="azure.mgmt.monitor.v2021_05_01_preview.models:DiagnosticSettingsResource",
        path="/{resourceUri}/providers/microsoft.insights/diagnosticSettings/{name}",
        name=RULE_NAME,
        rules=(_refuse_unknown_category, _refuse_retention_policy, _refuse_no_target),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:ActionGroup",
        model="azure.mgmt.monitor.v2022_06_01.models:ActionGroupResource",
        path=INSIGHTS + "/actionGroups/{actionGroupName}",
        name=RULE_NAME,
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:MetricAlert",
        model="azure.mgmt.monitor.v2018_03_01.models:MetricAlertResource",
        path=INSIGHTS + "/metricAlerts/{ruleName}",
        name=RULE_NAME,
        rules=(_refuse_unknown_metric, _refuse_other_scopes),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:ScheduledQueryRule",
        model="azure.mgmt.monitor.v2022_08_01_preview.models:ScheduledQueryRuleResource",
        path=INSIGHTS + "/scheduledQueryRules/{ruleName}",
        name=RULE_NAME,
        replaces=frozenset({"location"}),
        rules=(_refuse_unvalidated_query,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DataCollectionRule",
        model="azure.mgmt.monitor.v2022_06_01.models:DataCollectionRuleResource",
        path=INSIGHTS + "/dataCollectionRules/{dataCollectionRuleName}",
        name=NameRule(pattern="[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", shortest=3, longest=64),
        replaces=frozenset({"location"}),
        delete_rules=(_refuse_associated,),
        outputs=_named,
    ),
    ResourceType(
        pulumi_type=ASSOCIATION,
        model="azure.mgmt.monitor.v2022_06_01.models:DataCollectionRuleAssociationProxyOnlyResource",
        path="/{resourceUri}/providers/Microsoft.Insights/dataCollectionRuleAssociations/{associationName}",
        outputs=_named,
    ),
]
