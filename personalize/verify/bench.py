"""What the stages share: the stack's session, Azure's clients, and the waiting times of steps."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from azure_clients import credentials
from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names, names_of
from infra.settings import load_settings
from personalize.bootstrap.subscription import Bootstrap
from personalize.checks.subscription.subject import Subject, subject_of
from personalize.clients.cluster import Cluster
from personalize.clients.service import Service
from personalize.engine.events import StepUpdate
from personalize.engine.outcome import OnStep, Outcome
from personalize.stack.on_azure import require_azure
from personalize.stack.session import StackSession
from personalize.stack.stack_files import StackFiles
from training.parameters import Fit

WAITED = re.compile(r"waiting (?:to|for) (.+?)[:,].*?(\d+) s so far")
"""A step's message while it waits (`azure_clients.retries`)."""
Shown = Callable[[Callable[[OnStep], Outcome]], Outcome]
ACCESS_VERSION = "2022-04-01"


@dataclass
class Bench:
    """A stack on Azure. `shown` runs an operation of the engine and shows its steps."""

    stack: str
    settings_file: Path | None
    shown: Shown
    say: Callable[[str], None]
    waits: dict[str, float] = field(default_factory=dict)
    """The longest wait in seconds, by what was waited for."""
    before_destroy: Names | None = None
    """The names before a destroy renewed the suffix."""

    @property
    def settings(self) -> AzureSettings:
        """The current settings: `destroy` renews the suffix. Raises `SettingsError`."""
        return require_azure(self.stack, self.settings_file)

    @property
    def fit(self) -> Fit:
        """How the stack's models are fitted. Raises `SettingsError`."""
        return load_settings(StackFiles(self.stack, self.settings_file).effective()).training.fit

    @property
    def names(self) -> Names:
        """The names of the stack's resources."""
        return names_of(self.stack, self.settings)

    @cached_property
    def manager(self) -> ResourceManager:
        """The Resource Manager."""
        return credentials.resource_manager(self.settings.tenant)

    @property
    def subject(self) -> Subject:
        """The subject of the preflight checks."""
        return subject_of(self.stack, self.settings)

    @property
    def bootstrap(self) -> Bootstrap:
        """The bootstrap of the subscription."""
        return Bootstrap(stack=self.stack, settings=self.settings, manager=self.manager, say=self.say)

    def session(self) -> StackSession:
        """The stack's session."""
        return StackSession(self.stack, settings_file=self.settings_file, say=self.say)

    def up(self, *, refresh: bool = False) -> Outcome:
        """Bring the stack up."""
        return self.operate(lambda session, on_step: session.up(on_step, refresh=refresh))

    def operate(self, operation: Callable[[StackSession, OnStep], Outcome]) -> Outcome:
        """Run an operation of the engine, and record how long its steps wait."""

        def watched(on_step: OnStep) -> Outcome:
            def note(update: StepUpdate) -> None:
                if found := WAITED.search(update.text):
                    self.waits[found[1]] = max(self.waits.get(found[1], 0.0), float(found[2]))
                on_step(update)

            return operation(self.session(), note)

        return self.shown(watched)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, including secret ones."""
        return self.session().outputs()[0]

    def service(self) -> Service:
        """The running service."""
        return Service.of(self.session())

    def cluster(self) -> Cluster:
        """The cluster's API server."""
        return Cluster.of(self.stack, self.settings)

    def resource(self, path: str, version: str) -> dict[str, Any]:
        """A resource's `properties`; empty if the resource does not exist."""
        return (self.manager.get(path, version) or {}).get("properties") or {}
