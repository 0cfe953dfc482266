"""Observed and modelled latency by CPU: up to which CPU the model can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fargate_capacity.observed.observations import Observations
from fargate_capacity.replay.latency import stretch
from fargate_capacity.replay.service_model import STEADIEST_UTILIZATION, ServiceModel

BAND_PERCENT = 5
_LEAST_MINUTES = 20
# Both must be exceeded: a fifth of a very short latency does not matter.
_TOLERATED_SHARE, _TOLERATED_SECONDS = 0.2, 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBand:
    """The minutes with an average CPU in a band.

    Args:
        low, high: percent; the band includes `low`, not `high`.
        minutes: number of minutes with a latency.
        observed_seconds, model_seconds: median latencies.
    """

    low: float
    high: float
    minutes: int
    observed_seconds: float
    model_seconds: float

    @property
    def error(self) -> float:
        """The model's error as a share of the observed latency; negative if requests took longer than modelled."""
        return self.model_seconds / self.observed_seconds - 1 if self.observed_seconds else math.nan

    @property
    def holds(self) -> bool:
        """Whether the model is close to the observations."""
        off = abs(self.model_seconds - self.observed_seconds)
        return off <= max(_TOLERATED_SHARE * self.observed_seconds, _TOLERATED_SECONDS)


def latency_bands(seen: Observations, model: ServiceModel) -> tuple[LatencyBand, ...]:
    """One band per five percentage points of average CPU with enough minutes with a latency."""
    known = ~np.isnan(seen.latency) & ~np.isnan(seen.cpu_average) & (np.nan_to_num(seen.requests) > 0)
    percent, latency = seen.cpu_average[known], seen.latency[known]
    found = []
    for low in range(0, 100, BAND_PERCENT):
        high = low + BAND_PERCENT
        inside = (percent >= low) & ((percent < high) | (high == 100))
        if inside.sum() >= _LEAST_MINUTES:
            found.append(
                LatencyBand(
                    low=low,
                    high=high,
                    minutes=int(inside.sum()),
                    observed_seconds=float(np.median(latency[inside])),
                    model_seconds=float(np.median(model_latency(percent[inside], model))),
                )
            )
    return tuple(found)


def model_latency(
    percent: np.ndarray[tuple[int], np.dtype[np.float64]], model: ServiceModel
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Modelled latency at a task with this CPU, seconds."""
    busy = np.minimum(percent / 100, STEADIEST_UTILIZATION)
    return np.array(
        [model.elsewhere_seconds + model.service_seconds * stretch(float(each), model.servers) for each in busy]
    )


def believed_up_to(bands: tuple[LatencyBand, ...]) -> float:
    """The average CPU, percent, up to which every band fits; NaN if no latency was observed."""
    if not bands:
        return math.nan
    broken = [band.low for band in bands if not band.holds and band.model_seconds < band.observed_seconds]
    return float(min(broken)) if broken else float(bands[-1].high)
