"""What only some stacks ask for, such as the committed `prod`: zones, and the pods' logs."""

from infra.cloud.serving.kubernetes import POOL_LABEL, SCORING
from personalize.clients.power import VERSION, cluster_path
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen

ZONE = "topology.kubernetes.io/zone"
ASSOCIATION = "providers/Microsoft.Insights/dataCollectionRuleAssociations/ContainerInsightsExtension"
ASSOCIATION_VERSION = "2022-06-01"


def zones(bench: Bench) -> Seen:
    """Whether the scoring nodes lie in the zones that were asked for, in as many as their number lets them."""
    settings = bench.settings
    asked = {f"{settings.location}-{zone.value}" for zone in settings.zones}
    if not asked:
        return Seen(holds=None, answer="the stack file asks for no zones")
    nodes = [node for node in bench.cluster().nodes() if node.get(POOL_LABEL) == SCORING]
    found = {node.get(ZONE, "") for node in nodes}
    spread = 0 < len(found) == min(len(nodes), len(asked))
    return Seen(holds=found <= asked and spread, answer=f"{len(nodes)} scoring nodes in zones {sorted(found)}")


def container_logs(bench: Bench) -> Seen:
    """Whether the cluster's agent runs and is told by a rule what to collect."""
    if not bench.settings.container_insights:
        return Seen(holds=None, answer="the stack file does not collect the pods' logs")
    cluster = cluster_path(bench.stack, bench.settings)
    agent = (bench.resource(cluster, VERSION).get("addonProfiles") or {}).get("omsagent") or {}
    rule = bench.resource(f"{cluster}/{ASSOCIATION}", ASSOCIATION_VERSION).get("dataCollectionRuleId")
    answer = f"omsagent enabled {bool(agent.get('enabled'))}, rule {str(rule).rpartition('/')[2]}"
    return Seen(holds=bool(agent.get("enabled") and rule), answer=answer)
