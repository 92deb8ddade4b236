"""How many pods there are, and how many may be missing at a time."""

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

from steps.shared.cluster_names import LABELS, NAME

BUSY_PERCENT = 70
"""Of a pod's CPU, on average over all pods: above it there are more pods, below it fewer."""


@dataclass(frozen=True, kw_only=True)
class AutoscalingArgs:
    """The fewest and the most pods."""

    namespace: Input[str]
    replicas_min: int
    replicas_max: int


class Autoscaling(pulumi.ComponentResource):
    """Autoscaler and disruption budget."""

    def __init__(self, name: str, args: AutoscalingArgs, opts: ResourceOptions | None = None) -> None:
        """Make both."""
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
                # "At least N available" would stop every node upgrade of a stack with one pod.
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels=LABELS),
            ),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})
