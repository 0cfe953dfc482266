"""How a service's task count is decided, and how its target is tuned: pure functions of the standard library alone."""

from .alarm_window import Comparison, MissingData
from .metrics import MISSING, Metric
from .policy_tables import Policy
from .scaling_engine import CapacityBounds, ScalingEngine
from .scheduled_action import ScheduledAction
from .step_scaling import Adjustment, StepBand, StepScaling
from .target_tracking import TargetTracking

__all__ = [
    "MISSING",
    "Adjustment",
    "CapacityBounds",
    "Comparison",
    "Metric",
    "MissingData",
    "Policy",
    "ScalingEngine",
    "ScheduledAction",
    "StepBand",
    "StepScaling",
    "TargetTracking",
]
