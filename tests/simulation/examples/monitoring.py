"""Valid inputs of logs, alerts and the budget, in creation order."""

from typing import Any

from tests.simulation.examples.names import HERE, IN_GROUP, INSIGHTS, LAKE, LOGS, SUBSCRIPTION, THIS_MONTH, VAULT

MONITORING: list[tuple[str, dict[str, Any]]] = [
    (
        "azure-native:operationalinsights:Workspace",
        {
            **HERE,
            "workspaceName": "logs",
            "sku": {"name": "PerGB2018"},
            "retentionInDays": 30,
            "workspaceCapping": {"dailyQuotaGb": 1.0},
        },
    ),
    (
        "azure-native:applicationinsights:Component",
        {
            **HERE,
            "resourceName": "insights",
            "kind": "web",
            "applicationType": "web",
            "ingestionMode": "LogAnalytics",
            "workspaceResourceId": LOGS,
        },
    ),
    (
        "azure-native:applicationinsights:Workbook",
        {
            **HERE,
            "resourceName": "6e1a1f9c-3a5c-4c55-9d2c-0a5cb1c1a001",
            "kind": "shared",
            "category": "workbook",
            "displayName": "Scoring",
            "serializedData": "{}",
            "sourceId": LOGS,
        },
    ),
    (
        "azure-native:monitor:DiagnosticSetting",
        {
            "resourceUri": f"{LAKE}/blobServices/default",
            "name": "to-logs",
            "workspaceId": LOGS,
            "logs": [{"categoryGroup": "allLogs", "enabled": True}],
            "metrics": [{"category": "Transaction", "enabled": True}],
        },
    ),
    (
        "azure-native:monitor:ActionGroup",
        {
            **IN_GROUP,
            "location": "global",
            "actionGroupName": "operators",
            "groupShortName": "ops",
            "enabled": True,
            "emailReceivers": [{"name": "mail", "emailAddress": "ops@example.com", "useCommonAlertSchema": True}],
        },
    ),
    (
        "azure-native:monitor:MetricAlert",
        {
            **IN_GROUP,
            "location": "global",
            "ruleName": "vault-latency",
            "enabled": True,
            "severity": 2,
            "scopes": [VAULT],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {
                "odataType": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "criterionType": "StaticThresholdCriterion",
                        "name": "slow",
                        "metricNamespace": "Insights.Container/nodes",
                        "metricName": "cpuUsagePercentage",
                        "operator": "GreaterThan",
                        "threshold": 85,
                        "timeAggregation": "Average",
                        "skipMetricValidation": True,
                    }
                ],
            },
            "actions": [{"actionGroupId": f"{INSIGHTS}/actionGroups/operators"}],
        },
    ),
    (
        "azure-native:applicationinsights:WebTest",
        {
            **HERE,
            "webTestName": "availability",
            "syntheticMonitorId": "availability",
            "kind": "standard",
            "webTestKind": "standard",
            "enabled": True,
            "frequency": 300,
            "timeout": 30,
            "retryEnabled": True,
            "locations": [{"location": "emea-nl-ams-azr"}],
            "request": {"requestUrl": "https://example.com/readyz", "httpVerb": "GET"},
            "validationRules": {"expectedHttpStatusCode": 200, "sSLCheck": False},
            "tags": {f"hidden-link:{INSIGHTS}/components/insights": "Resource"},
        },
    ),
    (
        "azure-native:monitor:MetricAlert",
        {
            **IN_GROUP,
            "location": "global",
            "ruleName": "availability",
            "enabled": True,
            "severity": 1,
            "scopes": [f"{INSIGHTS}/webtests/availability", f"{INSIGHTS}/components/insights"],
            "evaluationFrequency": "PT1M",
            "windowSize": "PT5M",
            "criteria": {
                "odataType": "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria",
                "webTestId": f"{INSIGHTS}/webtests/availability",
                "componentId": f"{INSIGHTS}/components/insights",
                "failedLocationCount": 3,
            },
        },
    ),
    (
        "azure-native:monitor:ScheduledQueryRule",
        {
            **HERE,
            "ruleName": "errors",
            "enabled": True,
            "severity": 2,
            "scopes": [LOGS],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "skipQueryValidation": True,
            "criteria": {
                "allOf": [
                    {"query": "ContainerLogV2", "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 5}
                ]
            },
        },
    ),
    (
        "azure-native:consumption:Budget",
        {
            "scope": SUBSCRIPTION,
            "budgetName": "monthly",
            "amount": 200,
            "category": "Cost",
            "timeGrain": "Monthly",
            "timePeriod": {"startDate": THIS_MONTH},
            "notifications": {
                "actual80": {
                    "enabled": True,
                    "operator": "GreaterThan",
                    "threshold": 80,
                    "thresholdType": "Actual",
                    "contactEmails": ["ops@example.com"],
                }
            },
        },
    ),
]
