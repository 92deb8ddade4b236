"""The rules as Pulumi's policies."""

from collections.abc import Callable, Iterable, Iterator

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

from infra.policy import cloud_resources, pods, private, training_clusters
from infra.policy.rule import Properties, Rule

NAME = "personalization"
StackCheck = Callable[[Iterable[tuple[str, Properties]]], Iterator[str]]
"""Yields a sentence for each problem of a stack with these resources, given with their types."""
RULES: tuple[Rule, ...] = (*cloud_resources.RULES, *private.RULES, *training_clusters.RULES, *pods.RULES)


def make_pack() -> PolicyPack:
    """Serve all policies to the engine that started this process; a violation of any of them stops `up`."""
    return PolicyPack(name=NAME, policies=list(_policies()), enforcement_level=EnforcementLevel.MANDATORY)


def _policies() -> Iterator[Policy]:
    for rule in RULES:
        yield ResourceValidationPolicy(name=rule.name, description=rule.description, validate=_validation(rule))
    yield StackValidationPolicy(
        name=cloud_resources.POOL_RULE,
        description="In production, the service has nodes of its own.",
        validate=_stack_validation(cloud_resources.missing_pool),
    )
    yield StackValidationPolicy(
        name=private.STACK_RULE,
        description="A private stack has no public IP address but its NAT gateway's.",
        validate=_stack_validation(private.public_entrances),
    )


def _validation(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type not in rule.types:
            return
        stack = args.urn.removeprefix("urn:pulumi:").partition("::")[0]
        for sentence in rule.check(args.props, stack):
            report(sentence, None)

    return validate


def _stack_validation(check: StackCheck) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for sentence in check((resource.resource_type, resource.props) for resource in args.resources):
            report(sentence, None)

    return validate
