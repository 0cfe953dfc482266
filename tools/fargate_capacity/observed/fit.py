"""Fits a service model to observations: CPU per request, skew between tasks, time spent elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fargate_capacity.declared.scaled_service import ScaledService
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.observations import Observations
from fargate_capacity.replay.latency import stretch
from fargate_capacity.replay.service_model import STEADIEST_UTILIZATION, ServiceModel

# A task near its reservation shows less CPU than its requests need.
_SATURATED_PERCENT = 95.0
_LEAST_MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model.

    Args:
        minutes: the number of fitted minutes.
        explained: coefficient of determination of the CPU, at most 1.
    """

    model: ServiceModel
    minutes: int
    explained: float


def fit(seen: Observations, *, service: ScaledService) -> Fit:
    """Fits by least squares: CPU of a task = idle + requests · CPU time / (tasks · vCPUs).

    Saturated minutes are excluded. Assumptions of the user override the fit afterwards.

    Raises:
        InputError: too few minutes, or CPU that does not grow with the requests.
    """
    # Without a measured maximum, the hottest task is assumed to equal the average.
    hottest_percent = seen.cpu_average if "cpu_maximum" in seen.empty_columns else seen.cpu_maximum
    usable = (
        ~np.isnan(seen.requests)
        & ~np.isnan(seen.cpu_average)
        & (np.nan_to_num(seen.tasks) > 0)
        & (np.nan_to_num(hottest_percent, nan=100.0) < _SATURATED_PERCENT)
    )
    if empty := [name for name in ("requests", "cpu_average", "tasks") if name in seen.empty_columns]:
        raise InputError(
            f"{seen.name}: got the column {empty[0]} without a number, allowed: one in each minute to fit on; or give "
            "--assume cpu_ms=… instead of --observed"
        )
    if usable.sum() < _LEAST_MINUTES:
        raise InputError(
            f"{seen.name}: got {int(usable.sum())} minutes with requests, CPU and tasks, and not saturated, allowed: "
            f"at least {_LEAST_MINUTES} to fit on; or give --assume cpu_ms=… instead of --observed"
        )
    rate = seen.requests[usable] / (60 * seen.tasks[usable] * service.vcpus)
    busy = seen.cpu_average[usable] / 100
    spread = float(((rate - rate.mean()) ** 2).sum())
    if spread == 0:
        raise InputError(f"{seen.name}: got the same requests a task in every minute, allowed: traffic that varies")
    cpu_seconds = float(((rate - rate.mean()) * (busy - busy.mean())).sum()) / spread
    idle = float(busy.mean() - cpu_seconds * rate.mean())
    if idle < 0:
        # Idle CPU cannot be negative: fit through the origin instead.
        idle, cpu_seconds = 0.0, float((rate * busy).sum() / (rate * rate).sum())
    if cpu_seconds <= 0:
        raise InputError(f"{seen.name}: got CPU that does not grow with the requests, allowed: CPU of the same service")
    residual = float(((busy - idle - cpu_seconds * rate) ** 2).sum())
    variance = float(((busy - busy.mean()) ** 2).sum())

    hottest = hottest_percent[usable] / 100
    loaded = ~np.isnan(hottest) & (busy - idle > 0.02)
    ratios = (hottest[loaded] - idle) / (busy[loaded] - idle)
    skew = max(float(np.median(ratios)), 1.0) if ratios.size else 1.0
    model = ServiceModel(
        vcpus=service.vcpus,
        cpu_seconds=cpu_seconds,
        skew=skew,
        idle_percent=100 * idle,
        health_check_seconds=service.health_check_seconds,
        drain_seconds=service.drain_seconds,
        trusted_utilization=min(float(np.nanmax(hottest)) if ratios.size else 1.0, STEADIEST_UTILIZATION),
        elsewhere_seconds=_elsewhere(seen, usable, service, cpu_seconds),
    )
    return Fit(model=model, minutes=int(usable.sum()), explained=1 - residual / variance if variance else 0.0)


def _elsewhere(
    seen: Observations, usable: np.ndarray[tuple[int], np.dtype[np.bool_]], service: ScaledService, cpu_seconds: float
) -> float:
    """Time spent elsewhere, from the less busy half of the minutes.

    In busy minutes a slow lock or database would count as time spent elsewhere at every CPU.
    """
    chosen = usable & ~np.isnan(seen.latency) & (seen.requests > 0)
    if not chosen.any():
        return 0.0
    chosen &= seen.cpu_average <= np.median(seen.cpu_average[chosen])
    model = ServiceModel(vcpus=service.vcpus, cpu_seconds=cpu_seconds)
    at_task = [
        model.service_seconds * stretch(min(percent / 100, STEADIEST_UTILIZATION), model.servers)
        for percent in seen.cpu_average[chosen]
    ]
    return max(float(np.median(seen.latency[chosen] - at_task)), 0.0)
