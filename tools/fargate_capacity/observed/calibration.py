"""Replays the current setting over what was observed, and says how far the model is off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.input_error import InputError
from fargate_capacity.observed.observations import Observations
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.replay.replay import Totals

# A replayed change of the task count is the observed one where it is no further away.
_SAME_EVENT_MINUTES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The model against what was observed.

    Args:
        task_hours_observed, task_hours_replayed: over minutes that were observed.
        cpu_error_points: mean absolute error of the average CPU, points of percent.
        scale_outs_observed: how often the count rose.
        scale_outs_found: how many of them the replay has, within half an hour.
        scale_out_minutes: median of how far apart, in minutes; NaN where none was found.
    """

    task_hours_observed: float
    task_hours_replayed: float
    cpu_error_points: float
    scale_outs_observed: int
    scale_outs_found: int
    scale_out_minutes: float
    totals: Totals

    @property
    def task_hours_error(self) -> float:
        """As a share of what was observed; positive where the replay has more."""
        return self.task_hours_replayed / self.task_hours_observed - 1

    def described(self) -> str:
        """In a line."""
        apart = "" if math.isnan(self.scale_out_minutes) else f", {self.scale_out_minutes:.0f} minutes apart (median)"
        return (
            f"task-hours {self.task_hours_error:+.1%}, average CPU {self.cpu_error_points:.1f} points, "
            f"{self.scale_outs_found} of {self.scale_outs_observed} scale-outs found{apart}"
        )


def calibrate(scenario: Scenario, setting: Setting, seen: Observations) -> Calibration:
    """Replays what was observed.

    Raises:
        InputError: no task was observed.
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
    distances = [int(np.abs(replayed - minute).min()) for minute in observed] if replayed.size else []
    found = [distance for distance in distances if distance <= _SAME_EVENT_MINUTES]
    return Calibration(
        task_hours_observed=float(np.nansum(seen.tasks)) / 60,
        task_hours_replayed=float(np.sum(series.running[known])) / 60,
        cpu_error_points=float(error.mean()) if error.size else math.nan,
        scale_outs_observed=len(observed),
        scale_outs_found=len(found),
        scale_out_minutes=float(np.median(found)) if found else math.nan,
        totals=replay.totals(),
    )


def _rises(tasks: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first minute of each rise; the following minutes of the same one do not count."""
    up = np.flatnonzero(np.diff(np.ceil(tasks)) > 0) + 1
    return up[np.insert(np.diff(up) > 1, 0, True)] if up.size else up
