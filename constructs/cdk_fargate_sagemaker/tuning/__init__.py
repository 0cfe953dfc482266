"""Settings that tune themselves."""

from .observation import Observation
from .target_tuner import TargetTuner

__all__ = ["Observation", "TargetTuner"]
