"""Web services on Fargate whose task count follows their load."""

from .cpu_step import CpuStep
from .metric_step import MetricStep
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ScheduledBounds, ServiceScaling, SpikeBand, SpikePolicy, TrackingPolicy
from .spike_scaling import SpikeScaling
from .spot_capacity import SpotCapacity

__all__ = [
    "CpuStep",
    "MetricStep",
    "ScaledFargateService",
    "ScheduledBounds",
    "ServiceMetrics",
    "ServiceScaling",
    "SpikeBand",
    "SpikePolicy",
    "SpikeScaling",
    "SpotCapacity",
    "TrackingPolicy",
]
