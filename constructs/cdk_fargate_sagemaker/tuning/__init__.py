"""Settings that tune themselves, and a minimum that is raised before the load comes."""

from ..floor_decisions import LookBack
from .forecast_floor import ForecastFloor
from .observation import Observation
from .target_tuner import TargetTuner

__all__ = ["ForecastFloor", "LookBack", "Observation", "TargetTuner"]
