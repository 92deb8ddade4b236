"""An availability test: Azure calls the service every few minutes from several locations, and alerts if it fails.

The test does not check the service's certificate, because Azure does not know the stack's own authority.
"""

from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import applicationinsights, monitor
from pulumi_azure_native.applicationinsights import WebTestKind

from infra.cloud.monitoring.alerts import what_to_do
from infra.cloud.monitoring.log_analytics import Monitoring
from infra.cloud.names import Names
from infra.cloud.site import Site
from infra.cost.scenarios import EVERY_SECONDS, PLACES

ALERT = "availability"
FAILING = len(PLACES) - 2
TIMEOUT_SECONDS = 30
READY = "/readyz"
OK = 200
EVERY = "PT1M"
WINDOW = "PT5M"
"""Each location calls once in this time. Both values are from Microsoft's template for this alert."""
CRITICAL = 1


@dataclass(frozen=True, kw_only=True)
class AvailabilityArgs:
    """What is tested, and who is notified."""

    site: Site
    names: Names
    monitoring: Monitoring
    host: str


class Availability(pulumi.ComponentResource):
    """The test and its alert."""

    def __init__(self, name: str, args: AvailabilityArgs, opts: ResourceOptions | None = None) -> None:
        """Create both; the service should respond by then."""
        super().__init__("personalization:azure:Availability", name, None, opts)
        self._args = args
        self._called = args.names.alert(ALERT)
        self._alert(self._test())
        self.register_outputs({})

    def _test(self) -> applicationinsights.WebTest:
        site = self._args.site
        return applicationinsights.WebTest(
            "availability-test",
            web_test_name=self._called,
            synthetic_monitor_id=self._called,
            resource_group_name=site.group,
            location=site.location,
            kind=WebTestKind.STANDARD,
            web_test_kind=WebTestKind.STANDARD,
            enabled=True,
            frequency=EVERY_SECONDS,
            timeout=TIMEOUT_SECONDS,
            retry_enabled=True,
            locations=[applicationinsights.WebTestGeolocationArgs(location=place) for place in PLACES],
            request=applicationinsights.WebTestPropertiesRequestArgs(
                request_url=f"https://{self._args.host}{READY}",
                http_verb="GET",
                follow_redirects=False,
                parse_dependent_requests=False,
            ),
            validation_rules=applicationinsights.WebTestPropertiesValidationRulesArgs(
                expected_http_status_code=OK, s_sl_check=False
            ),
            # This tag assigns the results to Application Insights.
            tags=self._args.monitoring.insights.id.apply(
                lambda found: {**site.tags, f"hidden-link:{found}": "Resource"}
            ),
            opts=ResourceOptions(parent=self),
        )

    def _alert(self, test: applicationinsights.WebTest) -> None:
        site, monitoring = self._args.site, self._args.monitoring
        monitor.MetricAlert(
            ALERT,
            rule_name=self._called,
            resource_group_name=site.group,
            location="global",
            description=what_to_do(ALERT),
            enabled=True,
            severity=CRITICAL,
            scopes=[test.id, monitoring.insights.id],
            evaluation_frequency=EVERY,
            window_size=WINDOW,
            criteria=monitor.WebtestLocationAvailabilityCriteriaArgs(
                odata_type="Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria",
                web_test_id=test.id,
                component_id=monitoring.insights.id,
                failed_location_count=FAILING,
            ),
            actions=[monitor.MetricAlertActionArgs(action_group_id=monitoring.operators.id)],
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
