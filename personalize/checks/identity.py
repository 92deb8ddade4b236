"""The signed-in identity: whether all clients use the same one, is a deployer, and reaches the state."""

from azure_clients.errors import ManagerRefusedError
from infra.azure_settings import PrincipalType
from personalize.bootstrap.names import StateNames
from personalize.bootstrap.resources import STORAGE_VERSION
from personalize.checks.machine import Finding, bad, good, remark
from personalize.checks.subject import Subject

SUBSCRIPTION_VERSION = "2022-12-01"
NOBODY = "00000000-0000-0000-0000-000000000000"
FOREIGN = {
    "ARM_CLIENT_SECRET": "Pulumi's Azure provider",
    "ARM_CLIENT_CERTIFICATE_PATH": "Pulumi's Azure provider",
    "ARM_USE_MSI": "Pulumi's Azure provider",
    "AZURE_CLIENT_SECRET": "the store of Pulumi's state",
    "AZURE_USERNAME": "the store of Pulumi's state",
}
"""Environment variables that give a client another identity, and that client. Databricks' are overridden
(`databricks_sign_in`)."""


def check_subscription(subject: Subject) -> Finding:
    """Whether the subscription exists, is enabled and belongs to the directory in the settings."""
    name, wanted = "subscription", f"{subject.settings.subscription}, enabled"
    found = subject.manager.get(subject.subscription, SUBSCRIPTION_VERSION)
    if found is None:
        fix = "set `azure.subscription` to one that `az account list --output table` shows, or `az login` elsewhere"
        return bad(name, f"{subject.settings.subscription} is not visible to the signed-in identity", wanted, fix)
    if found.get("state") != "Enabled":
        return bad(name, f"it is {found.get('state')}", wanted, "enable it in the portal, or use another subscription")
    if (tenant := found.get("tenantId")) != subject.settings.tenant:
        return bad(name, f"it belongs to the directory {tenant}", wanted, f"set `azure.tenant` to {tenant}")
    return good(name, f"{found.get('displayName') or subject.settings.subscription}, enabled", wanted)


def check_identity(subject: Subject) -> Finding:
    """Whether all clients use the identity that is signed in."""
    wanted = "one identity for all clients"
    if foreign := [f"{name} ({client})" for name, client in FOREIGN.items() if subject.environment.get(name)]:
        names = " ".join(name.partition(" ")[0] for name in foreign)
        return bad("identity", f"others by {', '.join(foreign)}", wanted, f"unset {names}")
    return good("identity", _shown(subject), wanted)


def check_deployer(subject: Subject) -> Finding:
    """Whether `azure.deployers` names the signed-in identity, or a group that it belongs to."""
    own = str(subject.caller.get("oid"))
    named = {deployer.object_id: deployer for deployer in subject.settings.deployers}
    wanted = "`azure.deployers` names the signed-in identity, or its group"
    kind = PrincipalType.SERVICE_PRINCIPAL if subject.caller.get("idtyp") == "app" else PrincipalType.USER
    fix = f"add `{{object_id: {own}, type: {kind}, databricks_name: ...}}` to `azure.deployers`"
    if own in named:
        return good("deployer", _shown(subject), wanted)
    groups = [identity for identity, deployer in named.items() if deployer.type is PrincipalType.GROUP]
    if not groups or set(groups) == {NOBODY}:
        return bad("deployer", f"{_shown(subject)} is not a deployer", wanted, fix)
    try:
        member = subject.graph.post(f"/v1.0/directoryObjects/{own}/checkMemberObjects", "", {"ids": groups})
    except ManagerRefusedError as error:
        return remark("deployer", f"the directory does not say who is in {', '.join(groups)} ({error})", wanted, fix)
    if member.get("value"):
        return good("deployer", f"{_shown(subject)}, in {member['value'][0]}", wanted)
    return bad("deployer", f"{_shown(subject)} is in none of {', '.join(groups)}", wanted, fix)


def check_databricks_names(subject: Subject) -> Finding:
    """Whether the stack can add the deployers to Databricks; one alone becomes a member there by signing in."""
    name, deployers = "deployers in Databricks", subject.settings.deployers
    wanted = "`databricks_name` of each deployer, unless it is the only one and not a group"
    nameless = [one.object_id for one in deployers if one.databricks_name is None]
    if nameless and (len(deployers) > 1 or deployers[0].type is PrincipalType.GROUP):
        fix = (
            "add it in `azure.deployers`: a mail address, an application's client ID, or the name of a group in "
            "Databricks' account, to which an account admin adds it"
        )
        return bad(name, f"{', '.join(nameless)} without `databricks_name`", wanted, fix)
    return good(name, ", ".join(one.databricks_name or one.object_id for one in deployers), wanted)


def check_state(subject: Subject) -> Finding:
    """Whether the bootstrap has run, by the container for the state, which deployers may see."""
    names = StateNames(subscription=subject.settings.subscription, stack=subject.stack)
    wanted = f"a container {names.container} in {names.account}"
    if subject.manager.get(names.container_path, STORAGE_VERSION) is None:
        return bad("state", "it is missing", wanted, f".venv/bin/personalize bootstrap --stack {subject.stack}")
    return good("state", f"in {names.account}", wanted)


def _shown(subject: Subject) -> str:
    """The name in the token, or its ID."""
    claims = subject.caller
    return str(claims.get("upn") or claims.get("unique_name") or claims.get("appid") or claims.get("oid"))
