"""The lower bound of task-hours: the minimum with perfect knowledge of the traffic."""

from __future__ import annotations

import math

import numpy as np

from fargate_capacity.input_error import InputError
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import STEADIEST_UTILIZATION, ServiceModel
from fargate_capacity.traffic.trace import Trace


def least_task_hours(model: ServiceModel, guardrail: Guardrail, trace: Trace, *, minimum: int) -> float:
    """Task-hours with the fewest tasks in each minute that keep latency within the limit, each launched just in time.

    An idle task is kept if that is cheaper than its draining and next start. Each count of tasks is decided separately,
    which is optimal because tasks are interchangeable.
    """
    utilization = highest_utilization(model, guardrail)
    overhead = (model.start_seconds + model.drain_seconds) / 60
    per_request = model.cpu_seconds / 60 / model.vcpus * model.skew
    needed_minutes = 0.0
    bridged_minutes = 0.0
    latest = np.empty(0, dtype=np.int64)  # per additional task, the minute in which it was last needed
    begin = 0
    for block in trace.blocks():
        load = np.nan_to_num(block) * per_request
        tasks = np.maximum(np.ceil(load / utilization - 1e-9), minimum).astype(np.int64)
        needed_minutes += float(tasks.sum())
        highest = int(tasks.max())
        if highest > latest.size:
            latest = np.concatenate([latest, np.full(highest - latest.size, -1)])
        for level in range(minimum, highest):
            minutes = np.flatnonzero(tasks > level) + begin
            if latest[level] >= 0:
                minutes = np.insert(minutes, 0, latest[level])
            bridged_minutes += float(np.minimum(np.diff(minutes) - 1, overhead).sum())
            latest[level] = minutes[-1]
        begin += len(block)
    return (needed_minutes + bridged_minutes) / 60


def highest_utilization(model: ServiceModel, guardrail: Guardrail) -> float:
    """The utilization of the hottest task, without idle CPU, at which latency just meets the limit.

    Raises:
        InputError: even a task without load is slower than the limit.
    """
    room = guardrail.latency_seconds - model.elsewhere_seconds
    idle = model.idle_percent / 100
    low, high = idle, STEADIEST_UTILIZATION
    if low >= high or model.seconds_at_task(low) > room:
        raise InputError(
            f"--latency-limit-ms: got {1000 * guardrail.latency_seconds:g}, allowed: above "
            f"{1000 * (model.elsewhere_seconds + model.service_seconds):g}, what a request takes without any load"
        )
    while high - low > 1e-9:
        middle = (low + high) / 2
        if model.seconds_at_task(middle) <= room:
            low = middle
        else:
            high = middle
    return math.nextafter(low, 0.0) - idle
