"""Web services on Fargate whose task count follows their load."""

from typing import TYPE_CHECKING, Any

from ._service_parts import AnyService, OwnsService
from .cpu_step import CpuStep
from .metric_step import MetricStep
from .predictive_scaling import (
    MaxCapacityBreachBehavior,
    PredictiveScaling,
    PredictiveScalingMetric,
    PredictiveScalingMode,
)
from .retry_queue import RetryQueue
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ScheduledBounds, ServiceScaling, SpikeBand, SpikePolicy, TrackingPolicy
from .service_vpc import ServiceVpc
from .service_vpc_endpoints import ServiceVpcEndpoints
from .spike_scaling import SpikeScaling
from .spot_capacity import SpotCapacity
from .web_acl import WebAcl

if TYPE_CHECKING:
    from .spike_scaling_mixin import SpikeScalingMixin

__all__ = [
    "AnyService",
    "CpuStep",
    "MaxCapacityBreachBehavior",
    "MetricStep",
    "OwnsService",
    "PredictiveScaling",
    "PredictiveScalingMetric",
    "PredictiveScalingMode",
    "RetryQueue",
    "ScaledFargateService",
    "ScheduledBounds",
    "ServiceMetrics",
    "ServiceScaling",
    "ServiceVpc",
    "ServiceVpcEndpoints",
    "SpikeBand",
    "SpikePolicy",
    "SpikeScaling",
    "SpikeScalingMixin",
    "SpotCapacity",
    "TrackingPolicy",
    "WebAcl",
]


def __getattr__(name: str) -> Any:
    # Older releases of `constructs` have no mixins; code that does not use this one works with them.
    if name == "SpikeScalingMixin":
        from .spike_scaling_mixin import SpikeScalingMixin

        globals()[name] = SpikeScalingMixin
        return SpikeScalingMixin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
