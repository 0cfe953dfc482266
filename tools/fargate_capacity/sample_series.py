"""Plausible series for a dashboard without data: one service's day with a spike, the same in every run."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fargate_capacity.annotations import HorizontalLine
from fargate_capacity.dashboard_body import DashboardBody, Metric, MetricWidget
from fargate_capacity.metric_kind import MetricKind, is_total, kind_of, latency_unit
from fargate_capacity.time_window import TimeWindow

Series = NDArray[np.float64]
_ENDS = ("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
_SHARES = (0.85, 0.09, 0.03, 0.03)
_PEAK_REQUESTS = 6000.0
_WARM_UP_MINUTES = 180
_DRIFTS = ("ScoreDrift", "LengthDrift", "VocabularyDrift", "FirstStageDrift")
_PERCENTILE = re.compile(r"(?:p|tm|wm|tc|ts)\(?(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleService:
    """The service whose day is drawn.

    Args:
        target_percent: the CPU target of its target tracking.
        spike_percent: the CPU maximum at which three tasks are added at once.
        min_tasks: the minimum number of tasks.
        max_tasks: the maximum number of tasks.
    """

    target_percent: float = 60.0
    spike_percent: float = 90.0
    min_tasks: int = 2
    max_tasks: int = 12

    @classmethod
    def of(cls, body: DashboardBody) -> SampleService:
        """Derives the service from horizontal annotations: a line in a graph of average CPU is the target, and so on;
        otherwise defaults.
        """
        usual = cls()
        average = _lines_across(body, MetricKind.CPU, "Average")
        maximum = _lines_across(body, MetricKind.CPU, "Maximum")
        tasks = _lines_across(body, MetricKind.CPU, "SampleCount") or _lines_across(body, MetricKind.TASKS, None)
        target = next((value for value in average if 5 <= value <= 95), usual.target_percent)
        spike = next((value for value in maximum if target < value <= 100), max(target + 5, usual.spike_percent))
        least = math.ceil(min(tasks)) if tasks and min(tasks) >= 1 else usual.min_tasks
        most = math.floor(max(tasks)) if tasks and max(tasks) > least else max(6 * least, usual.max_tasks)
        return cls(target_percent=target, spike_percent=spike, min_tasks=least, max_tasks=most)


def _lines_across(body: DashboardBody, kind: MetricKind, stat: str | None) -> list[float]:
    return [
        line.value
        for widget in body.widgets
        if isinstance(widget, MetricWidget)
        and (metrics := [drawn.source for drawn in widget.lines if isinstance(drawn.source, Metric)])
        and any(kind_of(metric) is kind and (stat is None or metric.stat == stat) for metric in metrics)
        # Graphs of requests per task mention tasks, but their lines are not task counts.
        and not any(kind_of(metric) is MetricKind.REQUESTS for metric in metrics)
        for line in widget.annotations.horizontal
        if isinstance(line, HorizontalLine) and line.axis == "left"
    ]


class SampleSeries:
    """Series for any metric in one window; all metrics of a dashboard show the same service's day."""

    def __init__(self, *, window: TimeWindow, service: SampleService, seed: str) -> None:
        self._window = window
        self._service = service
        self._seed = seed
        start = int(window.start.timestamp()) // 60 * 60 - 60 * _WARM_UP_MINUTES
        self._minutes: NDArray[np.int64] = np.arange(start, int(window.end.timestamp()) + 60, 60, dtype=np.int64)

    @property
    def is_sample(self) -> bool:
        """True: all series are samples."""
        return True

    def period_s(self, metric: Metric) -> int:
        """The period of its points, in seconds."""
        return self._window.drawn_period_s(metric.period_s)

    def values(self, metric: Metric, label: str | None, period_s: int) -> Series:
        """The metric's value in each period of the window's grid."""
        minute_values = self._by_minute(metric)
        grid = self._window.grid(period_s)
        if period_s < 60:
            return np.interp(grid, self._minutes, minute_values)
        first = np.searchsorted(self._minutes, grid)
        edges = np.append(first, first[-1] + period_s // 60 if first.size else 0)
        in_periods = [minute_values[begin:end] for begin, end in itertools.pairwise(edges)]
        match metric.stat:
            case stat if is_total(stat):
                return np.array([np.sum(values) for values in in_periods])
            case "Maximum":
                return np.array([np.max(values) for values in in_periods])
            case "Minimum":
                return np.array([np.min(values) for values in in_periods])
        return np.array([np.mean(values) for values in in_periods])

    def note(self, metric: Metric, label: str | None) -> str | None:
        """None: there is a sample for every metric."""
        return None

    def _noise(self, identity: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self._seed}/{identity}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    @cached_property
    def _requests(self) -> Series:
        noise = self._noise("requests")
        # One spike per day, at an hour that depends on the seed: a steep rise, then a decay. It is drawn first: how
        # many numbers the noise takes depends on the view, and every view shows the same service.
        spike_hour = noise.uniform(10, 18)
        hours = (self._minutes / 3600) % 24
        day = 0.5 - 0.5 * np.cos((hours - 4) / 24 * 2 * np.pi)
        evening = np.exp(-(((hours - 20) / 2.2) ** 2))
        level = 0.22 + 0.6 * day + 0.18 * evening
        slow = np.convolve(noise.normal(0, 0.12, self._minutes.size + 29), np.ones(30) / 30, mode="valid")
        requests = level * (1 + slow + noise.normal(0, 0.018, self._minutes.size))
        minutes_since = (hours - spike_hour) * 60
        spike = np.where(minutes_since >= 0, np.minimum(minutes_since / 2, 1) * np.exp(-minutes_since / 14), 0)
        return _PEAK_REQUESTS * np.maximum(requests * (1 + 0.9 * spike), 0.02)

    @cached_property
    def _day(self) -> tuple[Series, Series, Series]:
        """Average CPU, maximum CPU and running tasks per minute of a scaled service."""
        service, noise = self._service, self._noise("cpu")
        busiest = min(0.75 * service.max_tasks, max(3.0 * service.min_tasks, 6.0))
        cpu_per_request = service.target_percent * busiest / _PEAK_REQUESTS
        skew = 1.12 + np.abs(noise.normal(0, 0.05, self._minutes.size))
        average, maximum, tasks = (np.empty(self._minutes.size) for _ in range(3))
        running, coming, high, low, ready_at, quiet_until = service.min_tasks, 0, 0, 0, -1, 0
        for minute, requests in enumerate(self._requests):
            if coming and minute >= ready_at:
                running, coming = min(running + coming, service.max_tasks), 0
            average[minute] = min(requests * cpu_per_request / running, 100)
            maximum[minute] = min(average[minute] * skew[minute] + 3, 100)
            tasks[minute] = running
            high = high + 1 if average[minute] > service.target_percent else 0
            low = low + 1 if average[minute] < 0.9 * service.target_percent else 0
            if not coming and maximum[minute] >= service.spike_percent:
                coming, ready_at = 3, minute + 2
            elif not coming and high >= 3:
                coming = math.ceil(running * average[minute] / service.target_percent) - running
                ready_at = minute + 3
            elif low >= 15 and minute >= quiet_until and not coming:
                wanted = math.ceil(running * average[minute] / service.target_percent)
                running, quiet_until = max(service.min_tasks, min(wanted, running)), minute + 5
        return average, maximum, tasks

    def _by_minute(self, metric: Metric) -> Series:
        average, maximum, tasks = self._day
        noise = self._noise(repr((metric.namespace, metric.name, metric.dimensions)))
        level = noise.uniform(0, 1)  # before the noise, as the hour of the spike
        jitter = 1 + noise.normal(0, 0.02, self._minutes.size)
        kind = kind_of(metric)
        if metric.namespace.rpartition("/")[2] == "Reviews":
            return self._reviews(metric)
        if metric.name.startswith(_DRIFTS):
            return self._drift(metric)
        if metric.namespace == "AWS/States" and metric.name in ("ExecutionTime", *_ENDS, "ExecutionsStarted"):
            return self._executions(metric)
        if metric.name == "InvocationModelErrors":
            # The errors that SageMaker counts for a container: 4xx and 5xx.
            refused, broken = (replace(metric, name=f"Invocation{code}Errors") for code in ("4XX", "5XX"))
            return self._by_minute(refused) + self._by_minute(broken)
        if metric.stat == "SampleCount":
            is_per_task = kind in (MetricKind.CPU, MetricKind.MEMORY)
            return tasks if is_per_task else np.round(self._requests)
        match kind:
            case MetricKind.CPU if metric.namespace in ("AWS/ECS", "ECS/ContainerInsights"):
                return self._spread(metric.stat, average, maximum, tasks)
            case MetricKind.CPU:
                return self._spread(metric.stat, 0.7 * average * jitter, 0.9 * maximum, tasks)
            case MetricKind.MEMORY | MetricKind.PERCENT:
                own = 30 + 25 * level + 0.15 * average * jitter
                return self._spread(metric.stat, own, np.minimum(own * 1.15, 100), tasks)
            case MetricKind.TASKS:
                return tasks
            case MetricKind.ABSENT:
                return (noise.uniform(0, 1, self._minutes.size) < 0.002).astype(float)
            case MetricKind.REQUESTS:
                share = 1.0 if metric.name in ("RequestCount", "Invocations") else 0.2 + 0.8 * level
                is_rate = is_total(metric.stat)
                return np.round(share * self._requests) if is_rate else np.ones(self._minutes.size)
            case MetricKind.REQUESTS_PER_TASK:
                return self._requests / tasks
            case MetricKind.ERRORS:
                return noise.poisson(0.00004 * self._requests * (1 + (maximum / 90) ** 8)).astype(float)
            case MetricKind.CLIENT_ERRORS:
                return noise.poisson(0.004 * self._requests).astype(float)
            case MetricKind.LATENCY:
                congestion = 1 + 0.25 / np.maximum(1.05 - maximum / 100, 0.08)
                seconds = 0.04 * congestion * jitter * _tail(metric.stat)
                return latency_unit(metric)[1] * seconds
            case MetricKind.BYTES:
                return 2048 * self._requests * jitter
        return 10 ** (1 + 2 * level) * (0.4 + 0.6 * self._requests / _PEAK_REQUESTS) * jitter

    def _executions(self, metric: Metric) -> Series:
        """A state machine that runs once a day for three quarters of an hour and succeeds on most days."""
        values = np.zeros(self._minutes.size)
        noise = self._noise(f"executions {metric.dimensions}")
        for day in range(int(self._minutes[0]) // 86400, int(self._minutes[-1]) // 86400 + 1):
            minutes, outcome = 35 + noise.integers(0, 20), _ENDS[noise.choice(len(_ENDS), p=_SHARES)]
            start = day * 86400 + 60 * int(noise.integers(3 * 60, 20 * 60))
            is_start = metric.name == "ExecutionsStarted"
            at = np.searchsorted(self._minutes, start if is_start else start + 60 * minutes)
            if 0 < at < self._minutes.size and metric.name in (outcome, "ExecutionsStarted", "ExecutionTime"):
                values[at] = 60_000 * minutes if metric.name == "ExecutionTime" else 1
        return values

    def _reviews(self, metric: Metric) -> Series:
        """A queue that grows at night, reviewers who process it by day, and the model metrics from their decisions."""
        noise = self._noise(f"reviews {metric.dimensions}")
        hours, day = (self._minutes / 3600) % 24, self._minutes // 86400
        worked = np.clip((hours - 9) / 9, 0, 1)
        of_day: Series = noise.normal(1, 0.12, int(day[-1] - day[0]) + 1)[day - day[0]]
        # Metrics of several weeks of decisions change slowly.
        drift = np.interp(self._minutes / 86400, day[0] + np.arange(40), noise.normal(0, 1, 40))
        since_evening: Series = np.where(hours < 9, hours + 6, np.maximum(hours - 18, 0) + 15 * (1 - worked))
        match metric.name:
            case "Waiting":
                return np.round(of_day * (15 + 12 * since_evening))
            case "OldestAge":
                return 3600 * of_day * (2 + since_evening)
            case "Decisions":
                return np.round(420 * of_day * worked)
            case "Reviewers":
                return np.round(6 * np.sqrt(worked))
            case "Agreement":
                return 0.78 + 0.02 * drift
            case "ReviewerDecisionsMedian":
                return np.round(60 * of_day * worked)
            case "ReviewerDecisionsP90" | "ReviewerDecisionsMost":
                return np.round(130 * of_day * worked)
        for name, level in (("DecisionSeconds", 6.0), ("SeverePercent", 24.0)):
            if metric.name.startswith(name):
                return level * (1 + 0.05 * drift) * (1 if metric.name.endswith("Median") else 1.6)
        share, below, above = (81.0, 2.8, 2.5) if metric.name.startswith("Precision") else (57.0, 10.0, 9.0)
        ends = {"Low": -below, "High": above, "AtMost": 3 * above}
        return share + drift + next((far for end, far in ends.items() if metric.name.endswith(end)), 0.0)

    def _drift(self, metric: Metric) -> Series:
        """The served distribution, which moves slowly around that of the release's validation; bounds of some hundred
        posts.
        """
        name = next(drift for drift in _DRIFTS if metric.name.startswith(drift))
        days = self._minutes / 86400
        moved = self._noise(f"{name} {metric.dimensions}").normal(9, 1.5, 40)
        far = {"Low": -7.0, "High": 7.0, "AtLeast": -11.0}.get(metric.name.removeprefix(name), 0.0)
        return np.maximum(0.0, np.interp(days, days[0] + np.arange(40), moved) + far)

    @staticmethod
    def _spread(stat: str, average: Series, maximum: Series, tasks: Series) -> Series:
        if stat == "Maximum":
            return maximum
        if stat == "Minimum":
            return 0.85 * average
        if stat == "Sum":
            return average * tasks
        if found := _PERCENTILE.match(stat):
            return average + (maximum - average) * max(0.0, (float(found[1]) - 50) / 50)
        return average


def _tail(stat: str) -> float:
    """The ratio of a latency statistic to the mean, for a right-skewed distribution."""
    if found := _PERCENTILE.match(stat):
        share = min(float(found[1]), 99.99) / 100
        return float(0.8 * (1 + 0.55 * max(0.0, -math.log10(1 - share) - 0.3)) ** 1.9)
    return {"Maximum": 9.0, "Minimum": 0.3}.get(stat, 1.0)
