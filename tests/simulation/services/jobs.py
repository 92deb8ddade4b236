"""Databricks workspace objects: cluster policies and jobs."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.databricks.cloud import DatabricksCall, DatabricksType
from tests.simulation.published import RUNTIMES
from tests.simulation.refusal import RefusedError
from tests.simulation.services.principals import principals
from tests.simulation.services.privileges import PERMISSIONS, refuse_job_stranger
from tests.simulation.services.sizes import SIZES
from tests.simulation.services.unity import MEMBER

JOB = "databricks:index/job:Job"
POLICY = "databricks:index/clusterPolicy:ClusterPolicy"
INVALID = "INVALID_PARAMETER_VALUE"
RULE_TYPES = frozenset({"fixed", "forbidden", "allowlist", "blocklist", "regex", "range", "unlimited"})
RUNTIME = re.compile(r"(?P<number>\d+(\.\d+)?)\.x-((cpu|gpu)-ml-)?(photon-)?scala2\.1[23]")
LEVELS = {
    "jobId": frozenset({"CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"}),
    "clusterPolicyId": frozenset({"CAN_USE"}),
}
"""The levels of permissions by the field that names the object."""
COLLECTIONS = {"jobId": "jobs", "clusterPolicyId": "policies"}
DEDICATED = frozenset({"SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED"})


def _definition(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise RefusedError(400, INVALID, f"The policy's definition is not JSON: {error}.") from error
    if not isinstance(parsed, dict):
        raise RefusedError(400, INVALID, "The policy's definition must be an object.")
    return parsed


def _refuse_policy(call: DatabricksCall) -> None:
    for path, rule in _definition(str(call.inputs.get("definition", "{}"))).items():
        if not isinstance(rule, dict) or rule.get("type") not in RULE_TYPES:
            raise RefusedError(
                400, INVALID, f"The policy's rule for '{path}' needs a type, one of {sorted(RULE_TYPES)}."
            )
    for other in call.world.all(POLICY):
        if other.inputs.get("name") == call.inputs.get("name") and not other.id.endswith("/" + call.name.lower()):
            raise RefusedError(400, INVALID, f"A policy named '{call.inputs.get('name')}' exists already.")


def _refuse_used_policy(call: DatabricksCall) -> None:
    for job in call.world.all(JOB):
        if any(cluster.get("policyId") == call.name for _, cluster in _clusters(job.inputs)):
            raise RefusedError(400, "INVALID_STATE", f"The policy is in use by the job '{job.inputs.get('name')}'.")


def refuse_job(call: DatabricksCall) -> None:
    """Raise `RefusedError` for what Databricks refuses of a job or of a one-time run."""
    keys = {entry["jobClusterKey"] for entry in call.inputs.get("jobClusters") or []}
    tasks = call.inputs.get("tasks") or []
    if not tasks:
        raise RefusedError(400, INVALID, "A job needs at least one task.")
    names = [task.get("taskKey") for task in tasks]
    if len(set(names)) != len(names):
        raise RefusedError(400, INVALID, f"Task keys must differ, not {names}.")
    for task in tasks:
        used = task.get("jobClusterKey")
        if used is not None and used not in keys:
            raise RefusedError(
                400, INVALID, f"Task '{task['taskKey']}' names the job cluster '{used}', which is not defined."
            )
        if not any(name.endswith("Task") for name in task):
            raise RefusedError(400, INVALID, f"Task '{task['taskKey']}' does nothing.")
        _refuse_libraries(call, task)
    for where, cluster in _clusters(call.inputs):
        _refuse_cluster(call, where, cluster)


def _refuse_libraries(call: DatabricksCall, task: Mapping[str, Any]) -> None:
    for library in task.get("libraries") or []:
        maven = library.get("maven")
        if maven is not None and len(str(maven.get("coordinates", "")).split(":")) != 3:
            raise RefusedError(400, INVALID, f"'{maven.get('coordinates')}' is not group:artifact:version.")
        modes = {str(cluster.get("dataSecurityMode")) for _, cluster in _clusters(call.inputs)}
        if maven is not None and not modes <= DEDICATED:
            raise RefusedError(400, INVALID, f"Maven libraries need the dedicated access mode, not {sorted(modes)}.")


def _refuse_cluster(call: DatabricksCall, where: str, cluster: Mapping[str, Any]) -> None:
    runtime = RUNTIME.fullmatch(str(cluster.get("sparkVersion")))
    if runtime is None or runtime["number"] not in RUNTIMES:
        raise RefusedError(400, INVALID, f"{where}: Invalid spark version {cluster.get('sparkVersion')}.")
    if cluster.get("nodeTypeId") not in SIZES:
        raise RefusedError(400, INVALID, f"{where}: Node type {cluster.get('nodeTypeId')} is not supported.")
    fixed, scaled = cluster.get("numWorkers"), cluster.get("autoscale")
    if (fixed is None) == (scaled is None):
        raise RefusedError(400, INVALID, f"{where}: exactly one of numWorkers and autoscale must be given.")
    single = (cluster.get("sparkConf") or {}).get("spark.databricks.cluster.profile") == "singleNode"
    if fixed == 0 and not (single and (cluster.get("customTags") or {}).get("ResourceClass") == "SingleNode"):
        message = "NumWorkers could be 0 only for SingleNode clusters: profile singleNode and tag ResourceClass."
        raise RefusedError(400, INVALID, f"{where}: {message}")
    identity = cluster.get("policyId")
    if identity is not None:
        policy = call.named("policies", identity)
        if policy is None:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"{where}: The policy '{identity}' does not exist.")
        for path, rule in _definition(str(policy.inputs.get("definition", "{}"))).items():
            _refuse_against_policy(where, cluster, path, rule)


def _refuse_against_policy(where: str, cluster: Mapping[str, Any], path: str, rule: Mapping[str, Any]) -> None:
    value = _at(cluster, path)
    message = f"{where}: Validation failed for {path}: {value!r} against {json.dumps(rule)}."
    match rule["type"]:
        case "forbidden":
            wrong = value is not None
        case "fixed":
            wrong = str(value) != str(rule["value"])
        case "allowlist":
            wrong = value is not None and str(value) not in map(str, rule["values"])
        case "blocklist":
            wrong = value is not None and str(value) in map(str, rule["values"])
        case "regex":
            wrong = value is not None and re.fullmatch(rule["pattern"], str(value)) is None
        case "range":
            least, most = rule.get("minValue", float("-inf")), rule.get("maxValue", float("inf"))
            wrong = value is not None and not least <= value <= most
        case _:
            wrong = False
    if wrong:
        raise RefusedError(400, INVALID, message)


def _at(cluster: Mapping[str, Any], path: str) -> Any:
    """The value at a policy's path. Its parts are snake_case; keys of free-form maps may contain dots."""
    head, _, rest = path.partition(".")
    value = cluster.get(re.sub(r"_(\w)", lambda found: found[1].upper(), head))
    if rest and isinstance(value, Mapping):
        return value[rest] if rest in value else _at(value, rest)
    return None if rest else value


def _clusters(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in inputs.get("jobClusters") or []:
        yield f"job cluster '{entry['jobClusterKey']}'", entry["newCluster"]
    for task in inputs.get("tasks") or []:
        if task.get("newCluster"):
            yield f"task '{task['taskKey']}'", task["newCluster"]


def _refuse_permissions(call: DatabricksCall) -> None:
    """Source: `permission_definitions.go` and `validate` of databricks/terraform-provider-databricks."""
    of = [name for name in LEVELS if call.inputs.get(name)]
    if len(of) != 1:
        raise RefusedError(400, INVALID, f"Permissions are of exactly one object, not of {of}.")
    if call.named(COLLECTIONS[of[0]], str(call.inputs[of[0]])) is None:
        raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"{of[0]} '{call.inputs[of[0]]}' does not exist.")
    members = {str(item.inputs["applicationId"]).lower() for item in call.world.all(MEMBER)}
    known = {"userName": _called(call, "User"), "groupName": _called(call, "Group"), "servicePrincipalName": members}
    for entry in call.inputs["accessControls"]:
        if entry["permissionLevel"] not in LEVELS[of[0]]:
            message = f"permission_level {entry['permissionLevel']} is not supported with {of[0]} objects."
            raise RefusedError(400, INVALID, message)
        ((field, name),) = [item for item in entry.items() if item[0] != "permissionLevel"]
        if str(name).lower() not in known[field]:
            raise RefusedError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Principal: {field} {name} does not exist.")


def _called(call: DatabricksCall, kind: str) -> set[str]:
    return {name.lower() for name, found in principals(call.world).items() if found.type == kind}


def _permissions(inputs: Mapping[str, Any]) -> str | None:
    """An ID as the provider builds it: `/jobs/NUMBER`."""
    return next((f"{COLLECTIONS[name]}-{inputs[name]}" for name in LEVELS if inputs.get(name)), None)


TYPES = [
    DatabricksType(
        pulumi_type=PERMISSIONS,
        arguments="pulumi_databricks.permissions:PermissionsArgs",
        collection="permissions",
        identity=_permissions,
        replaces=frozenset({"jobId", "clusterPolicyId"}),
        rules=(_refuse_permissions,),
    ),
    DatabricksType(
        pulumi_type=POLICY,
        arguments="pulumi_databricks.cluster_policy:ClusterPolicyArgs",
        collection="policies",
        identity=lambda _: None,
        rules=(_refuse_policy,),
        delete_rules=(_refuse_used_policy,),
        outputs=lambda call: {"policyId": call.name},
    ),
    DatabricksType(
        pulumi_type=JOB,
        arguments="pulumi_databricks.job:JobArgs",
        collection="jobs",
        identity=lambda _: None,
        rules=(refuse_job_stranger, refuse_job),
        delete_rules=(refuse_job_stranger,),
        outputs=lambda call: {"url": f"https://{call.workspace.outputs['workspaceUrl']}/#job/{call.name}"},
    ),
]
