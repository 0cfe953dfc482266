"""Replays a block of minutes: load on tasks, metrics, scaling decisions, new task count.

Everything is a number or a column of numbers, so that the same code runs interpreted or, with numba, compiled;
`compiled.py` chooses.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fargate_capacity.replay.guardrail import AlarmRow, GuardedMetric
from fargate_capacity.replay.latency import stretch
from fargate_capacity.replay.service_model import STEADIEST_UTILIZATION
from fargate_capacity.scaling_decisions.alarm_window import is_in_alarm, observed
from fargate_capacity.scaling_decisions.capacity_decision import decided_capacity
from fargate_capacity.scaling_decisions.metrics import MISSING
from fargate_capacity.scaling_decisions.policy_rows import BandRow, StepRow, TargetRow, TrackingRow

# Converts seconds of queued work to minutes of CPU.
_PERCENT_A_SECOND = 100.0 / 60.0
# Average CPU, maximum CPU, requests per task, and the task counts of the CPU and request metrics.
IN_DELAY = 5
_LATENCY = int(GuardedMetric.LATENCY)
_CPU_MAXIMUM = int(GuardedMetric.CPU_MAXIMUM)
_CPU_AVERAGE = int(GuardedMetric.CPU_AVERAGE)


class Writable(Protocol):
    """A list of floats, or an array of them."""

    def __len__(self) -> int: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...


class LoopSettings(NamedTuple):
    """A service model and a guardrail, precomputed for the loop; utilizations are fractions of a task's reservation.

    Fields that depend on the delay of a decision have one value per `Trigger`.
    """

    load_per_request: float  # utilization of one task by one request per minute
    service_seconds: float
    elsewhere_seconds: float
    servers: int
    wait_factor: float
    give_up_seconds: float
    longest_latency: float
    skew: float
    idle: float
    start_minutes: tuple[int, int, int]  # whole minutes of the start delay
    first_share: tuple[float, float, float]  # share of the minute in which a new task begins to serve
    launch_minutes: tuple[int, int, int]  # whole minutes until a new task's program starts
    hot_minutes: tuple[int, int, int]  # whole minutes in which it is then busy with its start
    boot_minutes: tuple[int, int, int]  # whole minutes in which it then boots
    boot_percent: float
    drain_minutes: float
    delay: int  # whole minutes until alarms see a data point
    quick_delay: int  # the same for the 20-second CPU metric
    trusted: float
    latency_limit: float
    stops_at_guardrail: int


@dataclass(slots=True, kw_only=True)
class LoopState:
    """The state between blocks, and the sums over all blocks, which `Totals` documents."""

    ready: int
    minute: int = 0
    event: int = 0
    is_alarming: int = 0
    hot_backlog: float = 0.0  # seconds of queued work at the hottest task
    backlog: float = 0.0  # seconds of queued work per task, on average
    last_serving: float = 0.0
    hour: float = 0.0  # task-minutes billed in the current hour
    billed: float = 0.0  # task-minutes
    above_minimum: float = 0.0
    requests: float = 0.0
    failed: float = 0.0
    latency: float = 0.0  # seconds, weighted by served requests
    worst_latency: float = 0.0
    cpu: float = 0.0  # sum of the average CPU over minutes with tasks and data
    cpu_minutes: int = 0
    breached_requests: float = 0.0
    breach_seconds: float = 0.0  # seconds beyond the limit, summed over all requests
    breaches: int = 0
    low_confidence: int = 0
    saturated: int = 0
    missing: int = 0
    alarms: int = 0
    scale_outs: int = 0
    scale_ins: int = 0
    highest_tasks: int = 0


class Schedule(NamedTuple):
    """Bounds, and the minutes at which they change; the first entry applies from the start."""

    minute: Sequence[int]
    minimum: Sequence[int]
    maximum: Sequence[int]


class Recording(NamedTuple):
    """One column per series, as long as the block; empty if nothing is recorded."""

    desired: Writable
    running: Writable
    cpu_average: Writable
    cpu_maximum: Writable
    latency: Writable
    failed: Writable


def replay_minutes(
    requests: Sequence[float],
    deploying: Sequence[int],
    settings: LoopSettings,
    targets: Sequence[TargetRow],
    tracking: Sequence[TrackingRow],
    steps: Sequence[StepRow],
    bands: Sequence[BandRow],
    schedule: Schedule,
    guards: Sequence[AlarmRow],
    states: Sequence[LoopState],
    starting: MutableSequence[int],
    joining: MutableSequence[float],
    heating: MutableSequence[int],
    booting: MutableSequence[int],
    delayed: MutableSequence[float],
    quick: MutableSequence[float],
    values: MutableSequence[float],
    counts: MutableSequence[float],
    hours: MutableSequence[int],
    recording: Recording,
    begin: int,
) -> int:
    """Replays from `begin` to the end of `requests`; NaN is a minute without data.

    Args:
        requests: one number per minute.
        deploying: nonzero for minutes of a deployment; empty if there is none.
        settings: settings of service and guardrail.
        targets: the scalable target, in one row.
        tracking: the target tracking policies.
        steps: the step policies.
        bands: the bands of the step policies.
        schedule: the bounds.
        guards: the alarms of the guardrail.
        states: the state, in one row.
        starting: a ring buffer: the tasks that begin to serve in each coming minute.
        joining: a ring buffer of the same length: how many of them serve in that first minute, on average.
        heating: a ring buffer of the same length: the tasks that are busy with their start in each coming minute.
        booting: a ring buffer of the same length: the tasks that boot in each coming minute.
        delayed: a ring buffer of metrics that the alarms do not see yet, `IN_DELAY` per minute.
        quick: a ring buffer of the 20-second average CPU and its task count, two values per minute.
        values: a buffer for one minute's metrics.
        counts: a buffer for the task counts of these metrics.
        hours: a histogram: the number of hours with n task-minutes at index n.
        recording: the output columns of the series.
        begin: index into `requests`.

    Returns the index after the last replayed minute: the end, or the minute after the guardrail triggered if `settings`
    stops there.
    """
    target = targets[0]
    state = states[0]
    slots = len(starting)
    delay = settings.delay
    quick_delay = settings.quick_delay
    longest_start = max(settings.start_minutes[0], settings.start_minutes[1], settings.start_minutes[2])
    starts_hot = settings.hot_minutes[0] > 0 or settings.boot_minutes[0] > 0
    give_up = settings.give_up_seconds
    seconds_per_request = 60.0 * settings.load_per_request
    is_limited = settings.latency_limit < math.inf
    records = len(recording.desired) > 0
    has_deployments = len(deploying) > 0
    events = len(schedule.minute)
    next_event = schedule.minute[state.event + 1] if state.event + 1 < events else -1
    minute = state.minute
    ready = state.ready
    hot_backlog = state.hot_backlog
    backlog = state.backlog
    last_serving = state.last_serving
    share = 1.0 / last_serving if last_serving > 0.0 else 0.0
    slot = minute % slots
    ring = minute % delay * IN_DELAY if delay else 0
    quick_ring = minute % quick_delay * 2 if quick_delay else 0

    billed_sum = state.billed
    above_minimum = state.above_minimum
    hour = state.hour
    request_sum = state.requests
    failed_sum = state.failed
    latency_sum = state.latency
    cpu_sum = state.cpu
    worst_latency = state.worst_latency

    place = begin
    while place < len(requests):
        if minute == next_event:
            state.event += 1
            target.minimum = schedule.minimum[state.event]
            target.maximum = schedule.maximum[state.event]
            next_event = schedule.minute[state.event + 1] if state.event + 1 < events else -1

        arriving = starting[slot]
        serving = float(ready)
        if arriving:
            starting[slot] = 0
            serving += joining[slot]
            joining[slot] = 0.0
            ready += arriving

        arrived = requests[place]
        is_missing = arrived != arrived
        load = 0.0 if is_missing else arrived * settings.load_per_request
        failed = 0.0
        counted = serving
        hot_before = hot_backlog
        if serving > 0.0:
            if serving != last_serving:
                # Queued work is spread over more tasks, or fewer: the average changes, the hottest task does not.
                backlog = backlog * last_serving / serving
                last_serving = serving
                share = 1.0 / serving
            each = load * share
            hot = each * settings.skew + settings.idle
            average = each + settings.idle
            hot_backlog = max(hot_backlog + 60.0 * (hot - 1.0), 0.0)
            cpu_maximum = min(100.0 * hot + hot_before * _PERCENT_A_SECOND, 100.0)
            cpu_average = min(100.0 * average + backlog * _PERCENT_A_SECOND, 100.0)
            backlog = max(backlog + 60.0 * (average - 1.0), 0.0)
            if hot_backlog > give_up or backlog > give_up:
                # Requests that would wait longer give up. Only the hottest task and the average are known: use the
                # larger count.
                excess = max((hot_backlog - give_up) * min(serving, 1.0), (backlog - give_up) * serving)
                hot_backlog = min(hot_backlog, give_up)
                backlog = min(backlog, give_up)
                if not is_missing:
                    failed = min(excess / seconds_per_request, arrived)
        else:
            # No task, no queue: the load balancer answers 503 at once.
            hot = 0.0
            hot_backlog = 0.0
            backlog = 0.0
            cpu_maximum = 0.0
            cpu_average = 0.0
            if not is_missing:
                failed = arrived
        if starts_hot:
            hot_starts = heating[slot]
            boots = booting[slot]
            if hot_starts or boots:
                heating[slot] = 0
                booting[slot] = 0
                busy = cpu_average * serving + 100.0 * hot_starts + settings.boot_percent * boots
                counted = serving + hot_starts + boots
                cpu_average = busy / counted
                cpu_maximum = max(cpu_maximum, 100.0 if hot_starts else settings.boot_percent)

        latency = MISSING
        failed_percent = MISSING
        if is_missing:
            state.missing += 1
        else:
            request_sum += arrived
            if counted > 0.0:
                cpu_sum += cpu_average
                state.cpu_minutes += 1
            if serving > 0.0:
                at_task = 1.0 + settings.wait_factor * (
                    stretch(min(hot, STEADIEST_UTILIZATION), settings.servers) - 1.0
                )
                latency = min(
                    settings.elsewhere_seconds + settings.service_seconds * at_task + 0.5 * (hot_before + hot_backlog),
                    settings.longest_latency,
                )
                latency_sum += latency * (arrived - failed)
                worst_latency = max(worst_latency, latency)
            if arrived > 0.0:
                failed_percent = 100.0 * failed / arrived
            failed_sum += failed
            if hot_backlog > 0.0 or failed > 0.0:
                state.saturated += 1
            if hot > settings.trusted or hot_before + hot_backlog > 0.0 or failed > 0.0:
                state.low_confidence += 1
            if latency > settings.latency_limit or (failed > 0.0 and is_limited):
                state.breaches += 1
                state.breached_requests += arrived
                # A request that gave up or met no task counts as one that waited until it gave up.
                state.breach_seconds += failed * settings.longest_latency
                if latency > settings.latency_limit:
                    state.breach_seconds += (latency - settings.latency_limit) * (arrived - failed)

        desired = target.desired
        if records:
            recording.desired[place] = desired
            recording.running[place] = serving
            recording.cpu_average[place] = MISSING if is_missing or counted <= 0.0 else cpu_average
            recording.cpu_maximum[place] = MISSING if is_missing or counted <= 0.0 else cpu_maximum
            recording.latency[place] = latency
            recording.failed[place] = MISSING if is_missing else failed

        requests_per_task = MISSING
        if is_missing or counted <= 0.0:
            cpu_average = MISSING
            cpu_maximum = MISSING
        elif serving > 0.0:
            requests_per_task = arrived * share
        if quick_delay:
            values[3] = quick[quick_ring]
            counts[3] = quick[quick_ring + 1]
            quick[quick_ring] = cpu_average
            quick[quick_ring + 1] = counted
            quick_ring += 2
            if quick_ring == 2 * quick_delay:
                quick_ring = 0
        else:
            values[3] = cpu_average
            counts[3] = counted
        if delay:
            # The alarms see this minute `delay` minutes later; until then it is buffered with its task count.
            values[0] = delayed[ring]
            values[1] = delayed[ring + 1]
            values[2] = delayed[ring + 2]
            counts[0] = delayed[ring + 3]
            counts[1] = delayed[ring + 3]
            counts[2] = delayed[ring + 4]
            delayed[ring] = cpu_average
            delayed[ring + 1] = cpu_maximum
            delayed[ring + 2] = requests_per_task
            delayed[ring + 3] = counted
            delayed[ring + 4] = serving
            ring += IN_DELAY
            if ring == IN_DELAY * delay:
                ring = 0
        else:
            values[0] = cpu_average
            values[1] = cpu_maximum
            values[2] = requests_per_task
            counts[0] = counted
            counts[1] = counted
            counts[2] = serving

        if has_deployments:
            target.is_scale_in_suspended = deploying[place]
        minute += 1
        slot += 1
        if slot == slots:
            slot = 0
        decided = decided_capacity(target, tracking, steps, bands, values, counts, minute * 60, ready)
        billed = float(desired)
        if decided > desired:
            state.scale_outs += 1
            trigger = target.trigger
            added = decided - desired
            begins = (slot + settings.start_minutes[trigger]) % slots
            starting[begins] += added
            joining[begins] += added * settings.first_share[trigger]
            if starts_hot:
                launched = slot + settings.launch_minutes[trigger]
                hot_minutes = settings.hot_minutes[trigger]
                for hot_minute in range(hot_minutes):
                    heating[(launched + hot_minute) % slots] += added
                for boot_minute in range(hot_minutes, settings.boot_minutes[trigger]):
                    booting[(launched + boot_minute) % slots] += added
            state.highest_tasks = max(state.highest_tasks, decided)
        elif decided < desired:
            state.scale_ins += 1
            removed = desired - decided
            billed += removed * settings.drain_minutes
            # Tasks that do not serve yet are removed first, the youngest first.
            age = 0
            while removed > 0 and age < slots:
                young = (slot + longest_start + slots - age) % slots
                if starting[young]:
                    cancelled = min(removed, starting[young])
                    joining[young] = joining[young] * (starting[young] - cancelled) / starting[young]
                    starting[young] -= cancelled
                    removed -= cancelled
                age += 1
            ready -= removed
        target.desired = decided

        billed_sum += billed
        above_minimum += max(billed - target.minimum, 0.0)
        hour += billed
        place += 1
        if minute % 60 == 0:
            hours[min(int(hour + 0.5), len(hours) - 1)] += 1
            hour = 0.0
        if not is_missing:
            is_alarming = False
            for number in range(len(guards)):
                guard = guards[number]
                if guard.metric == _LATENCY:
                    value = latency
                elif guard.metric == _CPU_MAXIMUM:
                    value = cpu_maximum
                elif guard.metric == _CPU_AVERAGE:
                    value = cpu_average
                else:
                    value = failed_percent
                has_datapoint = guard.period_minutes == 1 or minute % guard.period_minutes == 0
                if guard.period_minutes > 1:
                    if value == value:
                        if guard.metric != _CPU_MAXIMUM:
                            guard.gathered += value
                        elif guard.gathered_minutes == 0 or value > guard.gathered:
                            guard.gathered = value
                        guard.gathered_minutes += 1
                    if has_datapoint:
                        value = MISSING
                        if guard.gathered_minutes:
                            value = guard.gathered / (1 if guard.metric == _CPU_MAXIMUM else guard.gathered_minutes)
                        guard.gathered = 0.0
                        guard.gathered_minutes = 0
                if has_datapoint:
                    guard.window, guard.absent = observed(
                        guard.window,
                        guard.absent,
                        value,
                        guard.threshold,
                        guard.comparison,
                        guard.periods,
                        guard.missing_data,
                    )
                if is_in_alarm(guard.window, guard.periods, guard.datapoints):
                    is_alarming = True
            if is_alarming and not state.is_alarming:
                state.is_alarming = 1
                state.alarms += 1
                if settings.stops_at_guardrail:
                    break
            elif not is_alarming:
                state.is_alarming = 0

    state.billed = billed_sum
    state.above_minimum = above_minimum
    state.hour = hour
    state.requests = request_sum
    state.failed = failed_sum
    state.latency = latency_sum
    state.cpu = cpu_sum
    state.worst_latency = worst_latency
    state.minute = minute
    state.ready = ready
    state.hot_backlog = hot_backlog
    state.backlog = backlog
    state.last_serving = last_serving
    return place
