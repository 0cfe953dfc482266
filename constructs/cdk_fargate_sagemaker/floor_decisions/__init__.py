"""Forecasts the minimum number of tasks that a service needs: pure functions that use only the standard library."""

from .floor_decision import Accuracy, Action, Decision, Seen, accuracy_of, decided
from .floor_forecast import FloorForecast, hourly_floors
from .floor_plan import HORIZON, FloorChange, FloorPlan
from .floor_settings import LONGEST_LEAD_MINUTES, FloorSettings, LookBack
from .load_history import SLOT, LoadHistory, slot_of

__all__ = [
    "HORIZON",
    "LONGEST_LEAD_MINUTES",
    "SLOT",
    "Accuracy",
    "Action",
    "Decision",
    "FloorChange",
    "FloorForecast",
    "FloorPlan",
    "FloorSettings",
    "LoadHistory",
    "LookBack",
    "Seen",
    "accuracy_of",
    "decided",
    "hourly_floors",
    "slot_of",
]
