"""The replay of a block of minutes: load on tasks, metrics of the tasks, decisions of the policies, tasks again.

Everything is a number or a column of numbers, so that this very text runs in the interpreter and, where numba is
installed, compiled; `compiled.py` chooses.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from scaling_decisions.alarm_window import is_in_alarm
from scaling_decisions.capacity_decision import decided_capacity
from scaling_decisions.metrics import MISSING
from scaling_decisions.policy_rows import BandRow, StepRow, TargetRow, TrackingRow

from fargate_capacity.replay.latency import stretch
from fargate_capacity.replay.service_model import STEADIEST_UTILIZATION

# A task that is a second behind is busy for that much of a minute.
_PERCENT_A_SECOND = 100.0 / 60.0


class Writable(Protocol):
    """A list of floats, or an array of them."""

    def __len__(self) -> int: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...


class LoopSettings(NamedTuple):
    """A service model and a guardrail, worked out for the loop; utilizations are fractions of a task's reservation."""

    load_per_request: float  # utilization of one task by one request a minute
    service_seconds: float
    elsewhere_seconds: float
    servers: int
    skew: float
    idle: float
    start_minutes: int  # whole minutes of the start delay
    first_share: float  # of the minute in which a new task begins to serve
    launch_minutes: int  # whole minutes until a new task's program starts
    hot_minutes: int  # in which it is then busy with itself
    drain_minutes: float
    delay: int
    trusted: float
    latency_limit: float
    guardrail_periods: int
    guardrail_datapoints: int
    stops_at_guardrail: int


@dataclass(slots=True, kw_only=True)
class LoopState:
    """What a block hands to the next, and the sums over all of them; `Totals` says what each sum means."""

    ready: int
    minute: int = 0
    event: int = 0
    guardrail_window: int = 0
    is_alarming: int = 0
    hot_backlog: float = 0.0  # seconds that the hottest task is behind
    backlog: float = 0.0  # seconds that a task is behind, on average
    last_serving: float = 0.0
    hour: float = 0.0  # task-minutes billed in the hour under way
    billed: float = 0.0  # task-minutes
    above_minimum: float = 0.0
    requests: float = 0.0
    latency: float = 0.0  # seconds, weighted by requests
    worst_latency: float = 0.0
    cpu: float = 0.0  # sum of the average over minutes with data
    breached_requests: float = 0.0
    breaches: int = 0
    low_confidence: int = 0
    saturated: int = 0
    missing: int = 0
    alarms: int = 0
    scale_outs: int = 0
    scale_ins: int = 0
    highest_tasks: int = 0


class Schedule(NamedTuple):
    """Bounds, and the minutes at which they change; the first entry holds from the start."""

    minute: Sequence[int]
    minimum: Sequence[int]
    maximum: Sequence[int]


class Recording(NamedTuple):
    """One column a series, as long as the block; of no length where nothing is to be recorded."""

    desired: Writable
    running: Writable
    cpu_average: Writable
    cpu_maximum: Writable
    latency: Writable


def replay_minutes(
    requests: Sequence[float],
    deploying: Sequence[int],
    settings: LoopSettings,
    targets: Sequence[TargetRow],
    tracking: Sequence[TrackingRow],
    steps: Sequence[StepRow],
    bands: Sequence[BandRow],
    schedule: Schedule,
    states: Sequence[LoopState],
    starting: MutableSequence[int],
    heating: MutableSequence[int],
    delayed: MutableSequence[float],
    values: MutableSequence[float],
    hours: MutableSequence[int],
    recording: Recording,
    begin: int,
) -> int:
    """Replays from `begin` to the end of `requests`, which has NaN for minutes without data.

    Args:
        requests: one number a minute.
        deploying: not 0 for minutes of a deployment; of no length where there is none.
        settings: of service and guardrail.
        targets: one row, the scalable target.
        tracking: its target tracking policies.
        steps: its step policies.
        bands: the bands of its step policies.
        schedule: its bounds.
        states: one row.
        starting: a ring of the tasks that begin to serve in each of the coming minutes.
        heating: a ring, as long, of the tasks that are busy with their own start in each of the coming minutes.
        delayed: a ring of the metrics that are on their way to the alarms, three a minute.
        values: room for one minute's metrics.
        hours: counts, at index n, the hours with n task-minutes.
        recording: where to write the series.
        begin: index into `requests`.

    Returns how far it came: the end, or the minute after the guardrail fired where `settings` stops there.
    """
    target = targets[0]
    state = states[0]
    slots = len(starting)
    delay = settings.delay
    start_minutes = settings.start_minutes
    hot_minutes = settings.hot_minutes
    guardrail_mask = (1 << settings.guardrail_periods) - 1
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
    window = state.guardrail_window
    slot = minute % slots
    ring = minute % delay * 3 if delay else 0

    billed_sum = state.billed
    above_minimum = state.above_minimum
    hour = state.hour
    request_sum = state.requests
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
            serving += arriving * settings.first_share
            ready += arriving

        arrived = requests[place]
        is_missing = arrived != arrived
        load = 0.0 if is_missing else arrived * settings.load_per_request
        if serving > 0.0:
            if serving != last_serving:
                # What waits is spread over more tasks, or fewer: the average changes, the hottest task does not.
                backlog = backlog * last_serving / serving
                last_serving = serving
                share = 1.0 / serving
            each = load * share
            hot = each * settings.skew + settings.idle
            average = each + settings.idle
        else:
            hot = 2.0 if load > 0.0 else 0.0
            average = hot
        hot_before = hot_backlog
        hot_backlog = max(hot_backlog + 60.0 * (hot - 1.0), 0.0)
        cpu_maximum = min(100.0 * hot + hot_before * _PERCENT_A_SECOND, 100.0)
        cpu_average = min(100.0 * average + backlog * _PERCENT_A_SECOND, 100.0)
        backlog = max(backlog + 60.0 * (average - 1.0), 0.0)
        if hot_minutes:
            hot_starts = heating[slot]
            if hot_starts:
                heating[slot] = 0
                cpu_maximum = 100.0
                cpu_average = (cpu_average * serving + 100.0 * hot_starts) / (serving + hot_starts)

        latency = MISSING
        if is_missing:
            state.missing += 1
        else:
            latency = (
                settings.elsewhere_seconds
                + settings.service_seconds * stretch(min(hot, STEADIEST_UTILIZATION), settings.servers)
                + 0.5 * (hot_before + hot_backlog)
            )
            request_sum += arrived
            latency_sum += latency * arrived
            cpu_sum += cpu_average
            worst_latency = max(worst_latency, latency)
            if hot_backlog > 0.0:
                state.saturated += 1
            if hot > settings.trusted or hot_before + hot_backlog > 0.0:
                state.low_confidence += 1
            window = (window << 1) & guardrail_mask
            if latency > settings.latency_limit:
                window |= 1
                state.breaches += 1
                state.breached_requests += arrived

        desired = target.desired
        if records:
            recording.desired[place] = desired
            recording.running[place] = serving
            recording.cpu_average[place] = MISSING if is_missing else cpu_average
            recording.cpu_maximum[place] = MISSING if is_missing else cpu_maximum
            recording.latency[place] = latency

        requests_per_task = MISSING
        if is_missing or serving <= 0.0:
            cpu_average = MISSING
            cpu_maximum = MISSING
        else:
            requests_per_task = arrived * share
        values[3] = cpu_average
        if delay:
            # The alarms see this minute `delay` minutes later; until then it is on its way.
            values[0] = delayed[ring]
            values[1] = delayed[ring + 1]
            values[2] = delayed[ring + 2]
            delayed[ring] = cpu_average
            delayed[ring + 1] = cpu_maximum
            delayed[ring + 2] = requests_per_task
            ring += 3
            if ring == 3 * delay:
                ring = 0
        else:
            values[0] = cpu_average
            values[1] = cpu_maximum
            values[2] = requests_per_task

        if has_deployments:
            target.is_scale_in_suspended = deploying[place]
        minute += 1
        slot += 1
        if slot == slots:
            slot = 0
        decided = decided_capacity(target, tracking, steps, bands, values, minute * 60, ready)
        billed = float(desired)
        if decided > desired:
            state.scale_outs += 1
            starting[(slot + start_minutes) % slots] += decided - desired
            for hot_minute in range(hot_minutes):
                heating[(slot + settings.launch_minutes + hot_minute) % slots] += decided - desired
            state.highest_tasks = max(state.highest_tasks, decided)
        elif decided < desired:
            state.scale_ins += 1
            removed = desired - decided
            billed += removed * settings.drain_minutes
            # Those that do not serve yet go first, the youngest before the others.
            age = 0
            while removed > 0 and age < slots:
                young = (slot + start_minutes + slots - age) % slots
                cancelled = min(removed, starting[young])
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
            is_alarming = is_in_alarm(window, settings.guardrail_periods, settings.guardrail_datapoints)
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
    state.latency = latency_sum
    state.cpu = cpu_sum
    state.worst_latency = worst_latency
    state.minute = minute
    state.ready = ready
    state.hot_backlog = hot_backlog
    state.backlog = backlog
    state.last_serving = last_serving
    state.guardrail_window = window
    return place
