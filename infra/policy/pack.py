"""The rules as Pulumi's policies."""

from collections.abc import Callable, Iterator

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from infra.policy import cloud_resources, pods, training_clusters
from infra.policy.rule import Rule
from infra.policy.stack import BUDGET_RULE, missing_budget

NAME = "personalization"
RULES: tuple[Rule, ...] = (*cloud_resources.RULES, *training_clusters.RULES, *pods.RULES)


def make_pack() -> PolicyPack:
    """Serve all policies to the engine that started this process; every one stops an `up`."""
    return PolicyPack(name=NAME, policies=list(_policies()), enforcement_level=EnforcementLevel.MANDATORY)


def _policies() -> Iterator[Policy]:
    for rule in RULES:
        yield ResourceValidationPolicy(name=rule.name, description=rule.description, validate=_validation(rule))
    yield StackValidationPolicy(
        name=BUDGET_RULE, description="What a stack costs is watched.", validate=_validate_stack
    )


def _validation(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type not in rule.types:
            return
        stack = args.urn.removeprefix("urn:pulumi:").partition("::")[0]
        for sentence in rule.check(args.props, stack):
            report(sentence, None)

    return validate


def _validate_stack(args: StackValidationArgs, report: ReportViolation) -> None:
    for sentence in missing_budget((resource.resource_type, resource.props) for resource in args.resources):
        report(sentence, None)
