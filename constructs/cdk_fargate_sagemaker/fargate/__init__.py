"""Web services on Fargate whose task count follows their load."""

from .cpu_step import CpuStep
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ServiceScaling
from .spike_scaling import SpikeScaling

__all__ = ["CpuStep", "ScaledFargateService", "ServiceMetrics", "ServiceScaling", "SpikeScaling"]
