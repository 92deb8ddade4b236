"""Everything that a subscription needs once. Existing resources stay, so a second run changes nothing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import tenacity

from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager
from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings, PrincipalType
from infra.cloud.names import names_of
from personalize.bootstrap.names import StateNames
from personalize.bootstrap.resources import (
    NAMESPACES,
    REGISTERED,
    RESOURCES_VERSION,
    Item,
    State,
    group_lock,
    provider_path,
    stack_groups,
    state_store,
    unregistered,
)
from personalize.bootstrap.rights import IDENTITY_VERSION, Workflows, connector, deployer_rights, deployer_role, given

REGISTRATION_SECONDS = 900.0
REGISTRATION_PAUSE_SECONDS = 10.0
NO_PRINCIPAL = "PrincipalNotFound"
NOT_KNOWN_YET = frozenset({NO_PRINCIPAL, "RoleDefinitionDoesNotExist"})
"""Azure's error codes for a role assignment whose identity or own role was created moments before."""
NOT_KNOWN_SECONDS = 600.0
"""Time until a new identity or role is known everywhere. "Troubleshoot Azure RBAC" (Microsoft) says ten minutes for
roles; Azure/terraform-azurerm-caf-enterprise-scale quotes the error for new ones in its wiki ("Troubleshooting")."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """The bootstrap for one stack's settings. `say` gets a line for each resource; `pause` waits some seconds."""

    stack: str
    settings: AzureSettings
    manager: ResourceManager
    say: Callable[[str], None] = lambda _: None
    pause: Callable[[float], None] = field(default=time.sleep)

    @property
    def names(self) -> StateNames:
        """The names of the resources."""
        return StateNames(subscription=self.settings.subscription, stack=self.stack)

    @property
    def workflows(self) -> Workflows | None:
        """GitHub's workflows, None if the settings name no repository."""
        return Workflows(self.stack, self.settings) if self.settings.github_repository else None

    def run(self, *, dry_run: bool) -> dict[str, State]:
        """Create what is missing, or nothing with `dry_run`. Returns the result for each resource by its title.

        Raises `ManagerRefusedError` or `PersonalizationError`. The next run continues from there.
        """
        found = {"resource providers": self._providers(dry_run=dry_run)}
        for item in self._items():
            try:
                found[item.title] = self._ensure(item, dry_run=dry_run)
            except ManagerRefusedError as error:
                if not item.optional:
                    raise
                self.say(f"The {item.title} is missing or not as the settings say: {error} {item.optional}")
                found[item.title] = State.REFUSED
            self.say(f"{item.title}: {found[item.title]}")
        return found

    def variables(self) -> dict[str, dict[str, str]]:
        """GitHub's variables by environment. The empty name stands for the repository."""
        own = {"ARM_TENANT_ID": self.settings.tenant, "ARM_SUBSCRIPTION_ID": self.settings.subscription}
        workflows = self.workflows
        if workflows is None:
            return {"": own}
        clients = {
            environment: {"ARM_CLIENT_ID": self._identity(workflows, preview=preview)["clientId"]}
            for preview in (False, True)
            for environment in workflows.environments(preview=preview)
        }
        return {"": own, **clients}

    def deployer(self) -> dict[str, str] | None:
        """The entry for `azure.deployers` that lets the workflows deploy."""
        if self.workflows is None:
            return None
        identity = self._identity(self.workflows, preview=False)
        kind = "ServicePrincipal"
        return {"object_id": identity["principalId"], "type": kind, "databricks_name": identity["clientId"]}

    def readers(self) -> dict[str, PrincipalType]:
        """Who reads data in containers of others, by object ID: deployers and, after the first `up`, training.

        Not the identity of pull requests, whose code is not reviewed yet.
        """
        found = {deployer.object_id: deployer.type for deployer in self.settings.deployers}
        if (workflows := self.workflows) is not None:
            found[self._identity(workflows, preview=False)["principalId"]] = PrincipalType.SERVICE_PRINCIPAL
        if (trains := connector(names_of(self.stack, self.settings), self.manager)) is not None:
            found[trains] = PrincipalType.SERVICE_PRINCIPAL
        return found

    def _identity(self, workflows: Workflows, *, preview: bool) -> dict[str, str]:
        found = self.manager.get(workflows.path(preview=preview), IDENTITY_VERSION)
        return {name: str((found or {}).get("properties", {}).get(name, "")) for name in ("clientId", "principalId")}

    def _items(self) -> Iterator[Item]:
        yield from state_store(self.names, self.settings.tenant, self.settings.location)
        yield from stack_groups(self.stack, self.settings, self.manager)
        if self.settings.protect:
            yield group_lock(names_of(self.stack, self.settings))
        yield deployer_role(self.settings.subscription)
        for deployer in self.settings.deployers:
            for right in deployer_rights(self.stack, self.settings):
                yield given(right, deployer.object_id, deployer.object_id, deployer.type)
        if self.workflows is not None:
            yield from self.workflows.items(self.manager)

    def _ensure(self, item: Item, *, dry_run: bool) -> State:
        deployers = {one.object_id for one in self.settings.deployers}
        is_new = (item.body.get("properties") or {}).get("principalId") not in deployers
        passing = NOT_KNOWN_YET if is_new else NOT_KNOWN_YET - {NO_PRINCIPAL}
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, ManagerRefusedError) and error.code in passing
            ),
            stop=tenacity.stop_after_delay(NOT_KNOWN_SECONDS),
            wait=tenacity.wait_fixed(REGISTRATION_PAUSE_SECONDS),
            sleep=self.pause,
            reraise=True,
        )
        return retrying(item.ensure, self.manager, dry_run=dry_run)

    def _providers(self, *, dry_run: bool) -> State:
        missing = unregistered(self.manager, self.settings.subscription)
        if not missing:
            return State.THERE
        self.say(f"resource providers to register: {', '.join(missing)}")
        if dry_run:
            return State.MISSING
        for namespace in missing:
            self.manager.post(f"{provider_path(self.settings.subscription, namespace)}/register", RESOURCES_VERSION)
        self._await_providers()
        return State.MADE

    def _await_providers(self) -> None:
        tries = int(REGISTRATION_SECONDS / REGISTRATION_PAUSE_SECONDS)
        for _ in range(tries):
            missing = unregistered(self.manager, self.settings.subscription)
            if not missing:
                return
            self.say(f"waiting for {len(missing)} of {len(NAMESPACES)} resource providers")
            self.pause(REGISTRATION_PAUSE_SECONDS)
        raise PersonalizationError(
            f"Azure has not registered {', '.join(missing)} within {REGISTRATION_SECONDS / 60:.0f} minutes: their "
            f"state is not `{REGISTERED}`. Run the same command again later."
        )
