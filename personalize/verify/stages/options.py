"""Checks of options that only some stacks use, such as `prod`: zones, the pods' logs, traces, a web test."""

from infra.cloud.serving.service_nodes import label_of_service_nodes
from personalize.stack.power import VERSION, cluster_path
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen

ZONE = "topology.kubernetes.io/zone"
ASSOCIATION = "providers/Microsoft.Insights/dataCollectionRuleAssociations/ContainerInsightsExtension"
ASSOCIATION_VERSION = "2022-06-01"
COMPONENTS = "Microsoft.Insights/components"
METRICS_VERSION = "2023-10-01"


def zones(bench: Bench) -> Seen:
    """Whether the nodes that the service runs on are spread over the zones in the settings."""
    settings = bench.settings
    asked = {f"{settings.location}-{zone.value}" for zone in settings.zones}
    if not asked:
        return Seen(holds=None, answer="the stack file sets no zones")
    label, value = label_of_service_nodes(settings)
    nodes = [node for node in bench.cluster().nodes() if node.get(label) == value]
    found = {node.get(ZONE, "") for node in nodes}
    spread = 0 < len(found) == min(len(nodes), len(asked))
    return Seen(holds=found <= asked and spread, answer=f"{len(nodes)} scoring nodes in zones {sorted(found)}")


def container_logs(bench: Bench) -> Seen:
    """Whether the cluster's agent runs and has a rule for what to collect."""
    if not bench.settings.container_insights:
        return Seen(holds=None, answer="the stack file does not collect the pods' logs")
    cluster = cluster_path(bench.stack, bench.settings)
    agent = (bench.resource(cluster, VERSION).get("addonProfiles") or {}).get("omsagent") or {}
    rule = bench.resource(f"{cluster}/{ASSOCIATION}", ASSOCIATION_VERSION).get("dataCollectionRuleId")
    answer = f"omsagent enabled {bool(agent.get('enabled'))}, rule {str(rule).rpartition('/')[2]}"
    return Seen(holds=bool(agent.get("enabled") and rule), answer=answer)


def traces(bench: Bench) -> Seen:
    """Whether a traced request has arrived. The stage `endpoint` sends one."""
    if not bench.settings.traces:
        return Seen(holds=None, answer="the stack file enables no traces")
    count = sum(_last_hour(bench, "requests/count", "count"))
    return Seen(holds=count > 0, answer=f"{count:.0f} traced requests in the last hour")


def asked_from_outside(bench: Bench) -> Seen:
    """Whether the web test succeeded at least once."""
    if not bench.settings.availability_test:
        return Seen(holds=None, answer="the stack file enables no web test")
    found = _last_hour(bench, "availabilityResults/availabilityPercentage", "average")
    if not found:
        return Seen(holds=None, answer="no result in the last hour; the first takes up to 20 minutes")
    return Seen(holds=max(found) > 0, answer=f"{found[-1]:.0f} % succeeded in the last minute with a result")


def _last_hour(bench: Bench, metric: str, aggregation: str) -> list[float]:
    """A metric of Application Insights by minute, without empty minutes (Azure Monitor's "Metrics - List")."""
    path = f"{bench.subject.serving(COMPONENTS, bench.names.insights)}/providers/Microsoft.Insights/metrics"
    found = bench.manager.list(path, METRICS_VERSION, metricnames=metric, aggregation=aggregation)
    minutes = [minute for one in found for series in one["timeseries"] for minute in series["data"]]
    return [float(minute[aggregation]) for minute in minutes if minute.get(aggregation) is not None]
