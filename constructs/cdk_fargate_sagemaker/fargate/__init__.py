"""Web services on Fargate whose task count follows their load."""

from ._service_parts import AnyService, OwnsService
from .cpu_step import CpuStep
from .metric_step import MetricStep
from .retry_queue import RetryQueue
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ScheduledBounds, ServiceScaling, SpikeBand, SpikePolicy, TrackingPolicy
from .service_vpc import ServiceVpc
from .service_vpc_endpoints import ServiceVpcEndpoints
from .spike_scaling import SpikeScaling
from .spot_capacity import SpotCapacity
from .web_acl import WebAcl

__all__ = [
    "AnyService",
    "CpuStep",
    "MetricStep",
    "OwnsService",
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
    "SpotCapacity",
    "TrackingPolicy",
    "WebAcl",
]
