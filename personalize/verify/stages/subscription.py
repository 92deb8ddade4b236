"""Before anything costs money: the sign-in, the subscription's offers, the bootstrap, the plan."""

from azure_clients import credentials
from personalize.bootstrap.item import State
from personalize.bootstrap.providers import NAMESPACES, unregistered
from personalize.checks.subscription.identity import SUBSCRIPTION_VERSION, owner_of
from personalize.checks.subscription.sizes import ALL_FAMILIES, USAGES_VERSION, vm_sizes
from personalize.checks.subscription.subject import CLUSTER_VERSION
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage, StageFailedError
from personalize.views.health import diagnose_stack

COMPUTE = "providers/Microsoft.Compute"


def _look_around(bench: Bench) -> str:
    findings = diagnose_stack(bench.stack, bench.settings_file)
    left = [finding for finding in findings if not finding["ok"]]
    bad = [f"{one['name']}: {one['found']}. {one['fix']}" for one in left if not one["by_bootstrap"]]
    if bad:
        raise StageFailedError("The subscription is not ready:\n" + "\n".join(f"  {line}" for line in bad))
    mended = f"; the next stage fixes {', '.join(one['name'] for one in left)}" if left else ""
    return f"{len(findings) - len(left)} checks passed{mended}."


def _one_identity(bench: Bench) -> Seen:
    subject = bench.subject
    scopes = (
        credentials.MANAGER_SCOPE,
        credentials.STORAGE,
        credentials.DATABRICKS,
        credentials.KUBERNETES,
    )
    owners = [owner for scope in scopes if (owner := owner_of(subject, scope)) is not None]
    return Seen(holds=len(set(owners)) == 1, answer=f"{len(owners)} tokens name {len(set(owners))} object id(s)")


def _offer(bench: Bench) -> Seen:
    found = bench.manager.get(bench.subject.subscription, SUBSCRIPTION_VERSION) or {}
    policies = found.get("subscriptionPolicies") or {}
    answer = f"quotaId {policies.get('quotaId')}, spendingLimit {policies.get('spendingLimit')}"
    return Seen(holds=bool(policies.get("quotaId")), answer=answer)


def _size_catalogue(bench: Bench) -> Seen:
    settings = bench.settings
    size = vm_sizes(bench.subject, settings.location).get(settings.system_vm_size, {})
    zones = sorted(zone for place in size.get("locationInfo") or () for zone in place.get("zones") or ())
    capabilities = {entry["name"]: entry["value"] for entry in size.get("capabilities") or ()}
    family, cores = size.get("family"), capabilities.get("vCPUs")
    answer = f"{settings.system_vm_size}: family {family}, zones {zones}, vCPUs {cores}"
    return Seen(holds=bool(family and str(cores).isdigit()), answer=answer)


def _usage_names(bench: Bench) -> Seen:
    path = f"{bench.subject.subscription}/{COMPUTE}/locations/{bench.settings.location}/usages"
    names = [str(usage["name"]["value"]) for usage in bench.manager.list(path, USAGES_VERSION)]
    families = [name for name in names if "Family" in name]
    shown = ", ".join(families[:3])
    return Seen(holds=ALL_FAMILIES in names and bool(families), answer=f"{len(names)} names, such as {shown}")


def _versions(bench: Bench) -> Seen:
    place = f"locations/{bench.settings.location}/kubernetesVersions"
    path = f"{bench.subject.subscription}/providers/Microsoft.ContainerService/{place}"
    listed = (bench.manager.get(path, CLUSTER_VERSION) or {}).get("values") or ()
    offered = [str(entry.get("version")) for entry in listed]
    minors = all(version.count(".") == 1 for version in offered)
    return Seen(holds=bool(offered) and minors, answer=f"offers {', '.join(offered) or 'none'}")


SUBSCRIPTION = Stage(
    name="subscription",
    title="the sign-in, and what the subscription offers",
    minutes="1",
    act=_look_around,
    looks={
        "one-identity": _one_identity,
        "offer": _offer,
        "size-catalogue": _size_catalogue,
        "usage-names": _usage_names,
        "kubernetes-versions": _versions,
    },
)


def _bootstrap(bench: Bench) -> str:
    made = bench.bootstrap.run(dry_run=False)
    new = sum(state is State.MADE for state in made.values())
    return f"{len(made)} resources: {new} created, {len(made) - new} existed."


def _registered(bench: Bench) -> Seen:
    missing = unregistered(bench.manager, bench.settings.subscription)
    return Seen(holds=not missing, answer=f"{len(NAMESPACES) - len(missing)} of {len(NAMESPACES)} are Registered")


def _found_again(bench: Bench) -> Seen:
    again = bench.bootstrap.run(dry_run=True)
    missing = [title for title, state in again.items() if state is not State.THERE]
    return Seen(holds=not missing, answer=f"a second run misses {', '.join(missing) or 'nothing'}")


BOOTSTRAP = Stage(
    name="bootstrap",
    title="resource providers and the state backend",
    minutes="2 to 15",
    act=_bootstrap,
    looks={"providers-register": _registered, "bootstrap-found-again": _found_again},
    changes=True,
)


def _preview(bench: Bench) -> str:
    changes = bench.operate(lambda session, on_step: session.preview(on_step)).changes
    others = {kind: count for kind, count in changes.items() if kind not in ("create", "same") and count}
    if others:
        raise StageFailedError(f"Stack {bench.stack} is not new: its preview also has {others}.")
    return f"{changes.get('create', 0)} resources to create."


def _plugins_agree(bench: Bench) -> Seen:
    """Holds, or the preview would have failed."""
    del bench
    return Seen(holds=True, answer="azure-native, databricks and every policy accept all inputs")


PREVIEW = Stage(
    name="preview",
    title="a preview of `up` with the real plugins",
    minutes="1 to 3",
    act=_preview,
    looks={"plugins-accept-inputs": _plugins_agree},
)
