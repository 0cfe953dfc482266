"""How a service's task count is decided, and how its target is tuned: pure functions of the standard library alone."""

from .alarm_window import Comparison, MissingData
from .latency_ratio import HourlyLatency, latency_ratio, whole_hours
from .metrics import MISSING, Metric, Trigger
from .policy_rows import Policy
from .scaling_engine import CapacityBounds, ScalingEngine
from .scheduled_action import ScheduledAction
from .step_scaling import Adjustment, StepBand, StepScaling
from .target_tracking import CountReading, TargetTracking
from .tuner_decision import Action, Decision, GuardrailStatus, Seen, begun, completed, decided, rehearsed
from .tuner_settings import ObservationPeriod, TunerSettings
from .tuner_state import PendingChange, Phase, TunerState

__all__ = [
    "MISSING",
    "Action",
    "Adjustment",
    "CapacityBounds",
    "Comparison",
    "CountReading",
    "Decision",
    "GuardrailStatus",
    "HourlyLatency",
    "Metric",
    "MissingData",
    "ObservationPeriod",
    "PendingChange",
    "Phase",
    "Policy",
    "ScalingEngine",
    "ScheduledAction",
    "Seen",
    "StepBand",
    "StepScaling",
    "TargetTracking",
    "Trigger",
    "TunerSettings",
    "TunerState",
    "begun",
    "completed",
    "decided",
    "latency_ratio",
    "rehearsed",
    "whole_hours",
]
