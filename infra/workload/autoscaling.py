"""The number of pods, and how many may be unavailable at once."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from steps.cluster_names import LABELS, NAME

BUSY_PERCENT = 70
"""Target CPU utilization, the average of all pods."""


@dataclass(frozen=True, kw_only=True)
class AutoscalingArgs:
    """Minimum and maximum number of pods."""

    namespace: Input[str]
    replicas_min: int
    replicas_max: int


class Autoscaling(pulumi.ComponentResource):
    """Autoscaler and disruption budget."""

    def __init__(self, name: str, args: AutoscalingArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:workload:Scaling", name, None, opts)
        metadata = ObjectMetaArgs(name=NAME, namespace=args.namespace, labels=LABELS)
        target = MetricTargetArgs(type="Utilization", average_utilization=BUSY_PERCENT)
        HorizontalPodAutoscaler(
            "autoscaler",
            metadata=metadata,
            spec=HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=NAME),
                min_replicas=args.replicas_min,
                max_replicas=args.replicas_max,
                metrics=[MetricSpecArgs(type="Resource", resource=ResourceMetricSourceArgs(name="cpu", target=target))],
            ),
            opts=ResourceOptions(parent=self),
        )
        PodDisruptionBudget(
            "disruption-budget",
            metadata=metadata,
            spec=PodDisruptionBudgetSpecArgs(
                # A minimum of available pods would block node upgrades in a stack with one pod.
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels=LABELS),
            ),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})
