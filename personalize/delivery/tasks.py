"""The work of each workflow. Without GitHub's token, comments and issues are printed only."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError
from personalize.delivery.command import CommandFailedError, Personalize, changed_settings, result, settings_at
from personalize.delivery.github import GitHub
from personalize.delivery.plan import LABEL, Plan, refuse_data_loss
from personalize.delivery.reports import counted, destroyed, mark, plan_comment, rejection_report
from personalize.delivery.resource_drift import allowed, drift_report, find_resource_drift
from personalize.delivery.retraining import Need, decide
from personalize.stack.power import Power
from personalize.terminal.output import ExitCode

DRIFT_LABEL = "resource-drift"
REJECTED_LABEL = "gate-rejected"
MODEL_VERSION = "personalization:model_version"
"""The setting that keeps a version in service."""


class ResourceDriftError(PersonalizationError):
    """The resources differ from what was deployed."""


class NotConfirmedError(PersonalizationError):
    """The typed name is not the stack's."""


class ServiceNotReadyError(PersonalizationError):
    """The service does not answer after it was deployed or started."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A stack, the command to work on it, and GitHub if there is a token."""

    stack: str
    run: Personalize
    github: GitHub | None
    say: Callable[[str], None]
    """Takes Markdown for the workflow's summary."""

    def preview(self, base: str) -> None:
        """Comment on the pull request with the plan, and the price compared with the settings at the git revision
        `base`.

        The identity of pull requests may not read data. Raises `DataAtRiskError` if the plan deletes data and no label
        allows it. A paused stack can't be planned, which keeps no pull request from being merged.
        """
        if self._is_paused():
            return
        plan = self._plan("--known-data")
        bill = self._bill(base)
        number = self.github.pull_request if self.github else None
        labels = self.github.labels(number) if self.github and number is not None else frozenset[str]()
        text = plan_comment(self.stack, plan, bill, allowed=LABEL in labels)
        self.say(text)
        if self.github and number is not None:
            self.github.comment(number, mark(self.stack), text)
        refuse_data_loss(plan, labels)

    def deploy(self, commit: str) -> None:
        """Bring the stack up. Raises `DataAtRiskError` if that deletes data and the pull request of `commit` has no
        label."""
        plan = self._plan()
        labels = self.github.labels_of_commit(commit) if self.github and plan.data_at_risk else frozenset[str]()
        refuse_data_loss(plan, labels, where="the pull request that brings it")
        self._up(*(["--replace-data"] if plan.data_at_risk else []))

    def retrain(self) -> None:
        """Train if there is new data. A model that the gate rejects opens an issue."""
        if self._is_paused():
            return
        decision = decide(self._plan())
        self.say(decision.reason)
        if decision.need is Need.NEW_DATA:
            self._up()

    def resource_drift(self) -> None:
        """Compare the resources with the last deployment. Raises `ResourceDriftError` after opening an issue."""
        if self._is_paused():
            return
        plan = Plan.read(result(self.run, "preview", "--stack", self.stack, "--refresh"))
        found = find_resource_drift(plan, allowed())
        title = f"Stack {self.stack} differs from its deployment"
        if not found.real:
            self.say(f"Nothing differs, apart from {len(found.benign)} allowed difference(s).")
            if self.github:
                self.github.close_issue(DRIFT_LABEL, title, "A later comparison found no difference.")
            return
        report = drift_report(self.stack, found)
        self.say(report)
        if self.github:
            self.github.open_issue(DRIFT_LABEL, title, report)
        raise ResourceDriftError(f"{len(found.real)} resource(s) of stack {self.stack} differ from the deployment.")

    def rollback(self, version: str) -> None:
        """Serve a model version, a number or `latest`, until the next deployment serves what the stack file says."""
        result(self.run, "serve", version, "--stack", self.stack)
        status = self._ready()
        self.say(f"`{status['endpoint']}` serves model version {status['model_version']}.")
        served = f"with the line `  {MODEL_VERSION}: {status['model_version']}`"
        change = f"without the line `{MODEL_VERSION}`" if version == "latest" else served
        self.say(
            f"Commit Pulumi.{self.stack}.yaml {change}: until then the next deployment ends this, and `resource-drift` "
            "reports it."
        )

    def pause(self) -> None:
        """Stop the stack's cluster."""
        costs = result(self.run, "pause", "--stack", self.stack)["still_usd_per_month"]
        self.say(
            f"The cluster of stack `{self.stack}` is stopped. What stays costs {sum(costs.values()):,.0f} USD a month."
        )

    def resume(self) -> None:
        """Start the stack's cluster. Raises `ServiceNotReadyError` if the service does not answer then."""
        result(self.run, "resume", "--stack", self.stack)
        self.say(f"`{self._ready()['endpoint']}` answers.")

    def destroy(self, typed: str, *, delete_data: bool) -> None:
        """Save the models and delete the stack, if its name was typed. Fails if something left costs money.

        `delete_data` confirms that the data lake may be deleted too, without which `destroy` refuses on Azure.
        """
        if typed != self.stack:
            raise NotConfirmedError(
                f"You typed {typed!r}, not {self.stack!r}: nothing was deleted. Set CONFIRM to the stack's name."
            )
        options = ["--keep-data", "--yes", *(["--delete-data"] if delete_data else [])]
        ended = self.run("destroy", "--stack", self.stack, *options)
        self.say("\n".join(destroyed(self.stack, ended.content)))
        if ended.code != 0:
            raise CommandFailedError(f"`.venv/bin/personalize destroy` ended with exit code {ended.code}; see above.")
        if renewed := changed_settings(self.stack):
            self.say(
                f"Commit this before the next deployment, since deleted names stay taken:\n\n```diff\n{renewed}```"
            )

    def _is_paused(self) -> bool:
        """Whether the stack's cluster is stopped, and so nothing can be compared or served."""
        ended = self.run("status", "--stack", self.stack)
        if ended.code != 0 or (ended.content.get("cluster") or {}).get("power") != Power.STOPPED:
            return False
        self.say(f"Stack `{self.stack}` is paused: nothing was done. The workflow `resume` starts it.")
        return True

    def _ready(self) -> Mapping[str, Any]:
        """The stack's status. Raises `ServiceNotReadyError` if its service does not answer."""
        status = result(self.run, "status", "--stack", self.stack)
        if not status["service"]["ready"]:
            raise ServiceNotReadyError(f"The service at {status['endpoint']} does not answer.")
        return status

    def _plan(self, *options: str) -> Plan:
        return Plan.read(result(self.run, "preview", "--stack", self.stack, *options))

    def _bill(self, base: str) -> Mapping[str, Any] | None:
        """The output of `estimate`, None for a stack that costs nothing."""
        options = ["estimate", "--stack", self.stack]
        before = settings_at(base, self.stack)
        ended = self.run(*options, *(["--compare", str(before)] if before else []))
        if ended.code == ExitCode.BAD_INPUT:
            return None
        if ended.code != 0:
            raise CommandFailedError(f"`.venv/bin/personalize estimate` ended with exit code {ended.code}; see above.")
        return ended.content

    def _up(self, *options: str) -> None:
        title = f"The gate rejected a model of stack {self.stack}"
        ended = self.run("up", "--stack", self.stack, "--yes", *options)
        if ended.code == ExitCode.GATE_REJECTED:
            versions = result(self.run, "models", "--stack", self.stack)["models"]
            report = rejection_report(self.stack, versions, os.environ)
            self.say(report)
            if self.github:
                self.github.open_issue(REJECTED_LABEL, title, report)
        if ended.code != 0:
            raise CommandFailedError(f"`.venv/bin/personalize up` ended with exit code {ended.code}; see above.")
        self._ready()
        if self.github:
            self.github.close_issue(REJECTED_LABEL, title, "A later model was accepted.")
        outputs = ended.content["outputs"]
        self.say(
            f"`{outputs['endpoint']}` serves model version {outputs['model_version']}: "
            f"{counted(ended.content['changes'])}."
        )


def summarise(text: str) -> None:
    """Print Markdown, and add it to the summary of the workflow's run."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text.rstrip("\n") + "\n")
