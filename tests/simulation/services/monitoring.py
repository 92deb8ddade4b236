"""Log Analytics, Application Insights, workbooks, diagnostic settings, alerts, data collection."""

import uuid
from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services.resources import GROUP

INSIGHTS = GROUP + "/providers/Microsoft.Insights"


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


TYPES = [
    ResourceType(
        pulumi_type="azure-native:operationalinsights:Workspace",
        model="azure.mgmt.loganalytics.models:Workspace",
        path=GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
        replaces=frozenset({"location"}),
        seconds=40,
        outputs=_workspace_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:Component",
        model="azure.mgmt.applicationinsights.v2020_02_02.models:ApplicationInsightsComponent",
        path=INSIGHTS + "/components/{resourceName}",
        aliases={"applicationType": "Application_Type", "flowType": "Flow_Type", "requestSource": "Request_Source"},
        replaces=frozenset({"location"}),
        outputs=_component_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:Workbook",
        model="azure.mgmt.applicationinsights.v2023_06_01.models:Workbook",
        path=INSIGHTS + "/workbooks/{resourceName}",
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
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DiagnosticSetting",
        model="azure.mgmt.monitor.v2021_05_01_preview.models:DiagnosticSettingsResource",
        path="/{resourceUri}/providers/microsoft.insights/diagnosticSettings/{name}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:ActionGroup",
        model="azure.mgmt.monitor.v2022_06_01.models:ActionGroupResource",
        path=INSIGHTS + "/actionGroups/{actionGroupName}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:MetricAlert",
        model="azure.mgmt.monitor.v2018_03_01.models:MetricAlertResource",
        path=INSIGHTS + "/metricAlerts/{ruleName}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:ScheduledQueryRule",
        model="azure.mgmt.monitor.v2022_08_01_preview.models:ScheduledQueryRuleResource",
        path=INSIGHTS + "/scheduledQueryRules/{ruleName}",
        replaces=frozenset({"location"}),
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DataCollectionRule",
        model="azure.mgmt.monitor.v2022_06_01.models:DataCollectionRuleResource",
        path=INSIGHTS + "/dataCollectionRules/{dataCollectionRuleName}",
        replaces=frozenset({"location"}),
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DataCollectionRuleAssociation",
        model="azure.mgmt.monitor.v2022_06_01.models:DataCollectionRuleAssociationProxyOnlyResource",
        path="/{resourceUri}/providers/Microsoft.Insights/dataCollectionRuleAssociations/{associationName}",
    ),
]
