"""A target that tunes itself, and a minimum that rises before the load does."""

from ..floor_decisions import LookBack
from .forecast_floor import ForecastFloor
from .observation import Observation
from .target_tuner import TargetTuner

__all__ = ["ForecastFloor", "LookBack", "Observation", "TargetTuner"]
