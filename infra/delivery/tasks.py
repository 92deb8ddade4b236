"""The work of each workflow. Without GitHub's token, on a laptop, what would be a comment or an issue is printed."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError
from infra.cli.output import ExitCode
from infra.delivery.drift import allowed, drift_report, find_drift
from infra.delivery.github import GitHub
from infra.delivery.personalize import CommandFailedError, Personalize, result
from infra.delivery.plan import LABEL, Plan, refuse_data_loss
from infra.delivery.plan_comment import mark, plan_comment
from infra.delivery.rejection import rejection_report
from infra.delivery.retraining import Need, decide
from infra.paths import ROOT

DRIFT_LABEL = "drift"
REJECTED_LABEL = "gate-rejected"


class DriftFoundError(PersonalizationError):
    """What is there is not what was deployed."""


class NotConfirmedError(PersonalizationError):
    """The name that was typed is not the stack's."""


class ServiceNotReadyError(PersonalizationError):
    """The service does not answer after a deployment."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One stack, the command to work on it, and GitHub where there is one."""

    stack: str
    run: Personalize
    github: GitHub | None
    say: Callable[[str], None]
    """Takes Markdown for whoever reads the workflow's summary."""

    def preview(self, base: str) -> None:
        """Plan and cost difference against the settings at the git revision `base`, as the pull request's comment.

        Raises `DataAtRiskError` when the plan deletes what holds data and no label allows it.
        """
        plan = self._plan()
        bill = self._bill(base)
        number = self.github.pull_request if self.github else None
        labels = self.github.labels(number) if self.github and number is not None else frozenset[str]()
        text = plan_comment(self.stack, plan, bill, allowed=LABEL in labels)
        self.say(text)
        if self.github and number is not None:
            self.github.comment(number, mark(self.stack), text)
        refuse_data_loss(plan, labels)

    def deploy(self, commit: str) -> None:
        """Bring the stack up; raises `DataAtRiskError` unless the pull request of `commit` had the label."""
        plan = self._plan()
        labels = self.github.labels_of_commit(commit) if self.github and plan.data_at_risk else frozenset[str]()
        refuse_data_loss(plan, labels, where="the pull request that brings it")
        self._up()

    def retrain(self) -> None:
        """Train on new data, if there is any; a model that the gate rejects opens an issue."""
        decision = decide(self._plan())
        self.say(decision.reason)
        if decision.need is Need.NEW_DATA:
            self._up()

    def drift(self) -> None:
        """Compare what is there with the last deployment; raises `DriftFoundError`, after opening an issue."""
        plan = Plan.read(result(self.run, "preview", "--stack", self.stack, "--refresh"))
        found = find_drift(plan, allowed())
        title = f"Stack {self.stack} is not as it was deployed"
        if not found.real:
            self.say(f"Nothing differs, {len(found.benign)} allowed difference(s) aside.")
            if self.github:
                self.github.close_issue(DRIFT_LABEL, title, "A later look found no difference.")
            return
        report = drift_report(self.stack, found)
        self.say(report)
        if self.github:
            self.github.open_issue(DRIFT_LABEL, title, report)
        raise DriftFoundError(f"{len(found.real)} resource(s) of stack {self.stack} are not as they were deployed.")

    def destroy(self, typed: str) -> None:
        """Take the stack down when its name was typed; `destroy` itself ends by looking for what still costs money."""
        if typed != self.stack:
            raise NotConfirmedError(
                f"What was typed is {typed!r}, not {self.stack!r}: nothing is done. Set CONFIRM to the stack's name."
            )
        done = result(self.run, "destroy", "--stack", self.stack, "--yes")
        self.say(f"Stack `{self.stack}` is gone: {_counted(done['changes'])}.")

    def _plan(self) -> Plan:
        return Plan.read(result(self.run, "preview", "--stack", self.stack))

    def _bill(self, base: str) -> Mapping[str, Any] | None:
        """None for a stack that costs nothing."""
        options = ["estimate", "--stack", self.stack]
        before = settings_at(base, self.stack)
        ended = self.run(*options, *(["--compare", str(before)] if before else []))
        if ended.code == ExitCode.BAD_INPUT:
            return None
        if ended.code != 0:
            raise CommandFailedError(f"`personalize estimate` ended with exit code {ended.code}; see above.")
        return ended.content

    def _up(self) -> None:
        title = f"The gate rejected a model of stack {self.stack}"
        ended = self.run("up", "--stack", self.stack)
        if ended.code == ExitCode.GATE_REJECTED:
            versions = result(self.run, "models", "--stack", self.stack)["models"]
            report = rejection_report(self.stack, versions, os.environ)
            self.say(report)
            if self.github:
                self.github.open_issue(REJECTED_LABEL, title, report)
        if ended.code != 0:
            raise CommandFailedError(f"`personalize up` ended with exit code {ended.code}; see above.")
        status = result(self.run, "status", "--stack", self.stack)
        if not status["service"]["ready"]:
            raise ServiceNotReadyError(f"The service at {status['endpoint']} does not answer after the deployment.")
        if self.github:
            self.github.close_issue(REJECTED_LABEL, title, "A later model was accepted.")
        outputs = ended.content["outputs"]
        self.say(
            f"`{outputs['endpoint']}` serves model version {outputs['model_version']}: "
            f"{_counted(ended.content['changes'])}."
        )


def settings_at(revision: str, stack: str) -> Path | None:
    """The stack's file as it was at a git revision, in a file below `dist`; None where there was none."""
    name = f"Pulumi.{stack}.yaml"
    shown = subprocess.run(  # noqa: S603 - the revision is an argument of its own
        ["git", "show", f"{revision}:{name}"],  # noqa: S607 - git is what brought this file
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if shown.returncode != 0:
        return None
    file = ROOT / "dist" / "before" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(shown.stdout, encoding="utf-8")
    return file


def summarise(text: str) -> None:
    """Show Markdown on standard output, and in the summary of the workflow's run."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text.rstrip("\n") + "\n")


def _counted(changes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(changes.items()) if count) or "nothing changed"
