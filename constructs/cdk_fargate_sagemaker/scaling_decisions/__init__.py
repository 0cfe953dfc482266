"""Decides a service's task count, and tunes its target: pure functions that use only the standard library."""

from .alarm_window import Comparison, MissingData
from .hottest_task import hottest_ratio
from .latency_ratio import HourlyLatency, latency_ratio, whole_hours
from .metrics import MISSING, Metric, Trigger
from .policy_rows import Policy
from .scaling_engine import CapacityBounds, ScalingEngine
from .scheduled_action import ScheduledAction
from .service_cost import CostChange, ServiceHour, cost_change, saved_task_hours
from .step_scaling import Adjustment, StepBand, StepScaling
from .target_tracking import CountReading, TargetTracking
from .tuner_decision import Action, Decision, GuardrailStatus, Seen, begun, completed, decided, rehearsed
from .tuner_settings import ObservationPeriod, TunerSettings
from .tuner_state import Cause, PendingChange, Phase, TunerState

__all__ = [
    "MISSING",
    "Action",
    "Adjustment",
    "CapacityBounds",
    "Cause",
    "Comparison",
    "CostChange",
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
    "ServiceHour",
    "StepBand",
    "StepScaling",
    "TargetTracking",
    "Trigger",
    "TunerSettings",
    "TunerState",
    "begun",
    "completed",
    "cost_change",
    "decided",
    "hottest_ratio",
    "latency_ratio",
    "rehearsed",
    "saved_task_hours",
    "whole_hours",
]
