"""Replays the current setting over observed traffic and reports the model's error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.declared.scaled_service import ScaledService
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.fit import fit
from fargate_capacity.observed.latency_bands import LatencyBand, believed_up_to, latency_bands, model_latency
from fargate_capacity.observed.observations import Observations
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.replay.replay import Totals
from fargate_capacity.replay.service_model import ServiceModel

# A replayed change of the task count matches an observed one within this distance.
_SAME_EVENT_MINUTES = 30
# A single minute is not enough evidence.
_BUSIEST = 99.5


# Below this, most scale-outs of the replay were not observed.
_LEAST_PRECISION = 0.5
_FITTED_SHARE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterDays:
    """A model fitted on the first part of the observations and evaluated on the rest.

    Args:
        cpu_error_points: mean absolute error of the average CPU, on the fitted part and on the later one.
        latency_error: median absolute error on the later part, as a share; NaN if no latency was observed.
    """

    fitted_cpu_error_points: float
    cpu_error_points: float
    latency_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The model compared with the observations.

    Args:
        task_hours_observed, task_hours_replayed: task-hours in observed minutes.
        cpu_error_points: mean absolute error of the average CPU, percentage points.
        scale_outs_observed, scale_outs_replayed: number of rises of the task count.
        scale_outs_found: pairs of an observed and a replayed one within half an hour.
        scale_out_minutes: median distance of the pairs, in minutes; NaN if there is none.
        bands: latency by CPU.
        believed_up_to_percent: average CPU up to which the modelled latency fits; NaN if none was observed.
        observed_up_to_percent: average CPU of the busiest observed minutes.
        later: the evaluation on later days; None if there are too few minutes to split.
    """

    task_hours_observed: float
    task_hours_replayed: float
    cpu_error_points: float
    scale_outs_observed: int
    scale_outs_replayed: int
    scale_outs_found: int
    scale_out_minutes: float
    totals: Totals
    bands: tuple[LatencyBand, ...] = ()
    believed_up_to_percent: float = math.nan
    observed_up_to_percent: float = math.nan
    later: LaterDays | None = None

    @property
    def task_hours_error(self) -> float:
        """As a share of the observed task-hours; positive if the replay has more."""
        return self.task_hours_replayed / self.task_hours_observed - 1

    @property
    def precision(self) -> float:
        """The share of the replay's scale-outs that were observed; NaN if it has none."""
        return self.scale_outs_found / self.scale_outs_replayed if self.scale_outs_replayed else math.nan

    def described(self) -> str:
        """In a line."""
        apart = "" if math.isnan(self.scale_out_minutes) else f", {self.scale_out_minutes:.0f} minutes apart (median)"
        precise = "" if math.isnan(self.precision) else f", which is {self.precision:.0%} of the replay's"
        return (
            f"task-hours {self.task_hours_error:+.1%}, average CPU {self.cpu_error_points:.1f} points, "
            f"{self.scale_outs_found} of {self.scale_outs_observed} scale-outs found{precise} "
            f"{self.scale_outs_replayed}{apart}"
        )

    def warnings(self) -> list[str]:
        """The reasons not to trust the model."""
        lines = []
        if self.scale_outs_replayed > 1 and self.precision < _LEAST_PRECISION:
            lines.append(
                f"the declared policies would have scaled out {self.scale_outs_replayed:,} times, and the count rose "
                f"{self.scale_outs_observed:,} times: something else sets it, as a person or another schedule"
            )
        broken = self._first_broken()
        if broken is not None:
            lines.append(
                f"latency: the model does not hold beyond {broken.low:g} % of CPU: from {broken.low:g} to "
                f"{broken.high:g} % requests took {1000 * broken.observed_seconds:.0f} ms, not "
                f"{1000 * broken.model_seconds:.0f}"
            )
        return lines

    def _first_broken(self) -> LatencyBand | None:
        return next((band for band in self.bands if band.low == self.believed_up_to_percent), None)

    def beyond(self, percent: float | None) -> str | None:
        """Why a setting with this average CPU is beyond the observations; None if it is not."""
        if percent is None or math.isnan(self.observed_up_to_percent):
            return None
        if self._first_broken() is not None and percent > self.believed_up_to_percent:
            return (
                f"{percent:g} % is beyond {self.believed_up_to_percent:g} % of CPU, up to which latency was as the "
                "model says: what it says of this setting is not known to hold"
            )
        if percent > self.observed_up_to_percent:
            return (
                f"{percent:g} % is beyond the {self.observed_up_to_percent:.0f} % of CPU that were observed: what the "
                "model says of this setting is not known to hold"
            )
        return None


def calibrate(
    scenario: Scenario, setting: Setting, seen: Observations, *, service: ScaledService | None = None
) -> Calibration:
    """Replays the observed traffic.

    Args:
        scenario: the fitted model.
        setting: the declared setting.
        seen: the observations.
        service: the service, to fit a model on the first part and evaluate it on the rest. Default: no such evaluation.

    Raises:
        InputError: no running task was observed.
    """
    known = ~np.isnan(seen.tasks)
    if not known.any() or not np.nansum(seen.tasks):
        raise InputError(f"{seen.name}: got no running tasks, allowed: the number of tasks in each minute")
    trace = seen.trace()
    replay = scenario.replay(
        setting, trace, is_compiled=is_worth_compiling(trace.minutes), desired=int(seen.tasks[known][0])
    )
    series = replay.feed_recorded(seen.requests, deploying=scenario.deployments.flags(trace.start, trace.minutes))
    both = ~np.isnan(seen.cpu_average) & ~np.isnan(series.cpu_average)
    error = np.abs(seen.cpu_average[both] - series.cpu_average[both])
    observed, replayed = _rises(seen.tasks), _rises(series.running)
    distances = paired_events(observed, replayed)
    bands = latency_bands(seen, scenario.model)
    busy = seen.cpu_average[~np.isnan(seen.cpu_average)]
    return Calibration(
        task_hours_observed=float(np.nansum(seen.tasks)) / 60,
        task_hours_replayed=float(np.sum(series.running[known])) / 60,
        cpu_error_points=float(error.mean()) if error.size else math.nan,
        scale_outs_observed=len(observed),
        scale_outs_replayed=len(replayed),
        scale_outs_found=len(distances),
        scale_out_minutes=float(np.median(distances)) if distances else math.nan,
        totals=replay.totals(),
        bands=bands,
        believed_up_to_percent=believed_up_to(bands),
        observed_up_to_percent=float(np.percentile(busy, _BUSIEST)) if busy.size else math.nan,
        later=None if service is None else _later_days(seen, service),
    )


def paired_events(observed: NDArray[np.int64], replayed: NDArray[np.int64]) -> list[int]:
    """The distances of paired events: each event is paired with one of the other kind, earliest first."""
    distances, place = [], 0
    for minute in observed:
        while place < len(replayed) and replayed[place] < minute - _SAME_EVENT_MINUTES:
            place += 1
        near = replayed[place : place + int(np.searchsorted(replayed[place:], minute + _SAME_EVENT_MINUTES, "right"))]
        if near.size:
            nearest = int(np.abs(near - minute).argmin())
            distances.append(int(abs(near[nearest] - minute)))
            place += nearest + 1
    return distances


def _later_days(seen: Observations, service: ScaledService) -> LaterDays | None:
    parted = int(seen.minutes * _FITTED_SHARE)
    first, rest = seen.part(0, parted), seen.part(parted, seen.minutes)
    try:
        model = fit(first, service=service).model
    except InputError:
        return None
    fitted, later = (_cpu_error(part, model) for part in (first, rest))
    known = ~np.isnan(rest.latency) & ~np.isnan(rest.cpu_average) & (rest.latency > 0)
    off = np.abs(model_latency(rest.cpu_average[known], model) / rest.latency[known] - 1)
    return LaterDays(
        fitted_cpu_error_points=fitted,
        cpu_error_points=later,
        latency_error=float(np.median(off)) if off.size else math.nan,
    )


def _cpu_error(seen: Observations, model: ServiceModel) -> float:
    """Mean absolute error, in percentage points, of the modelled CPU for each minute's requests and tasks."""
    known = ~np.isnan(seen.requests) & ~np.isnan(seen.cpu_average) & (np.nan_to_num(seen.tasks) > 0)
    rate = seen.requests[known] / (60 * seen.tasks[known] * model.vcpus)
    percent = np.minimum(model.idle_percent + 100 * model.cpu_seconds * rate, 100)
    return float(np.abs(percent - seen.cpu_average[known]).mean()) if known.any() else math.nan


def _rises(tasks: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first minute of each rise of the count; its following minutes do not count."""
    up = np.flatnonzero(np.diff(np.ceil(tasks)) > 0) + 1
    return up[np.insert(np.diff(up) > 1, 0, True)] if up.size else up
