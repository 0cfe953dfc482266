"""Replays traffic against the settings before and after a change, with the model of `fargate-capacity`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cdk_review.flag import Flag
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.question import Question, ask
from fargate_capacity.plan.simulation import simulate
from fargate_capacity.traffic.trace import Trace
from fargate_capacity.traffic.traffic_file import read_traffic

# The relative error of the assumed or fitted CPU time per request, without a better estimate from observations.
ASSUMED_ERROR = 0.2
MONTH_HOURS = 730
# The share of requests by which breached requests may rise without a flag.
FEW_BREACHED = 0.0005
# The share by which the bill may rise without a flag.
DEARER = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure, and its range over the model's error.

    Args:
        low: the minimum of all replays.
        value: the result of the unchanged model.
        high: the maximum.
    """

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The result of the traffic on one side.

    Args:
        setting: the setting in words.
        task_hours: billed task-hours.
        highest_tasks: the highest task count.
        breached_requests: requests in minutes with a latency above the limit; None without a limit.
        saturated_minutes: minutes with requests still queued at their end.
        mean_latency_ms: mean over all requests, each with the latency at the hottest task.
        worst_latency_ms: the highest latency of any minute.
        month_dollars: US dollars on demand for 730 such hours; None if the tasks have no price.
    """

    setting: str
    task_hours: Figure
    highest_tasks: Figure
    breached_requests: Figure | None
    saturated_minutes: Figure
    mean_latency_ms: Figure
    worst_latency_ms: Figure
    month_dollars: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficReplay:
    """Both sides on the same traffic.

    Args:
        service: the service as `Stack/Path`.
        stack: the service's stack.
        traffic: the traffic in words.
        model: the model in words, with its error.
        requests: the number of requests.
        limit_ms: the latency limit; None if not given.
        before: the side before; None if the service is new.
        after: the side after; None if the service is removed.
        left_out: a message per thing that the replay ignores.
    """

    service: str
    stack: str
    traffic: str
    model: str
    requests: float
    limit_ms: float | None
    before: Side | None
    after: Side | None
    left_out: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The object for review.json."""
        return asdict(self)


def replay_both(
    base: Path,
    head: Path,
    *,
    trace: Path,
    service: str | None = None,
    assume: Sequence[str] = (),
    observed: Path | None = None,
    latency_limit_ms: float | None = None,
) -> TrafficReplay:
    """Replay traffic against a service of two cloud assemblies.

    The model is that of the side before, if the service exists there: settings do not change the cost of a request. The
    range comes from three replays: with the CPU time per request unchanged, lower and higher.

    Args:
        base: the cloud assembly before.
        head: the cloud assembly after.
        trace: traffic, in any form that `fargate-capacity` reads.
        service: the service, if there are several.
        assume: assumptions, `NAME=VALUE`, such as `cpu_ms=40`.
        observed: a file written by `fargate-capacity fetch`, to which the model is fitted.
        latency_limit_ms: the latency limit beyond which a request counts as breached.

    Raises:
        InputError: unreadable traffic, no service to replay on either side, or a missing or wrong assumption.
    """
    traffic = read_traffic(trace)
    questions: list[Question | None] = []
    faults: list[InputError] = []
    for folder in (base, head):
        try:
            questions.append(
                ask(folder, service=service, assume=assume, observed=observed, latency_limit_ms=latency_limit_ms)
            )
        except InputError as fault:
            questions.append(None)
            faults.append(fault)
    first = next((question for question in questions if question is not None), None)
    if first is None:
        raise faults[-1]
    error = _error(first)
    sides = [None if question is None else _side(question, first, traffic, error) for question in questions]
    lines = [f"on one side alone: {fault}" for fault in faults]
    lines += [line for question in questions if question is not None for line in question.left_out()]
    model = first.scenario.model
    requests = next((side[1] for side in sides if side is not None), 0.0)
    before, after = (None if side is None else side[0] for side in sides)
    return TrafficReplay(
        service=first.service.identity,
        stack=first.service.stack_identity,
        traffic=f"{traffic.name}, {traffic.minutes:,} minutes from {traffic.start:%Y-%m-%d %H:%M} UTC",
        model=(
            f"{1000 * model.cpu_seconds:.3g} ms of CPU a request, hottest task {model.skew:.3g} times the average; "
            f"{first.error or 'not compared with observations'}; the range is that of a request which costs "
            f"{100 * error:.0f} % less to {100 * error:.0f} % more"
        ),
        requests=requests,
        limit_ms=latency_limit_ms,
        before=before,
        after=after,
        left_out=tuple(dict.fromkeys(lines)),
    )


def _error(question: Question) -> float:
    """The relative error of the CPU time per request."""
    found = question.calibration
    if found is None or not found.totals.mean_cpu_percent > 0:
        return ASSUMED_ERROR
    points = found.later.cpu_error_points if found.later is not None else found.cpu_error_points
    share = points / found.totals.mean_cpu_percent
    return share if 0 < share < 1 else ASSUMED_ERROR


def _side(question: Question, first: Question, traffic: Trace, error: float) -> tuple[Side, float]:
    declared = question.service
    model = replace(
        first.scenario.model,
        vcpus=declared.vcpus,
        health_check_seconds=declared.health_check_seconds,
        drain_seconds=declared.drain_seconds,
    )
    runs = []
    for factor in (1.0, 1 - error, 1 + error):
        scaled = replace(model, cpu_seconds=model.cpu_seconds * factor)
        simulation = simulate(replace(question.scenario, model=scaled), question.setting, traffic)
        runs.append((simulation.totals, question.bill(simulation)))

    def figure(values: list[float]) -> Figure:
        return Figure(low=min(values), value=values[0], high=max(values))

    hours = traffic.minutes / 60
    bills = [bill.on_demand * MONTH_HOURS / hours for _, bill in runs if bill is not None]
    totals = [total for total, _ in runs]
    side = Side(
        setting=question.described_setting(),
        task_hours=figure([total.task_hours for total in totals]),
        highest_tasks=figure([total.highest_tasks for total in totals]),
        breached_requests=(
            None if question.scenario.guardrail is None else figure([total.breached_requests for total in totals])
        ),
        saturated_minutes=figure([total.saturated_minutes for total in totals]),
        mean_latency_ms=figure([1000 * total.mean_latency_s for total in totals]),
        worst_latency_ms=figure([1000 * total.worst_latency_s for total in totals]),
        month_dollars=figure(bills) if len(bills) == len(runs) else None,
    )
    return side, totals[0].requests


def replay_flags(replayed: TrafficReplay) -> Iterator[Flag]:
    """Flags of a replay: more requests beyond the limit, more saturated minutes, a higher bill."""
    before, after = replayed.before, replayed.after
    if before is None or after is None:
        return
    found: list[tuple[str, str]] = []
    if before.breached_requests is not None and after.breached_requests is not None:
        old, new = before.breached_requests.value, after.breached_requests.value
        if new - old > FEW_BREACHED * replayed.requests:
            found.append(("scaling", f"{new:,.0f} requests are beyond {replayed.limit_ms:g} ms instead of {old:,.0f}"))
    if after.saturated_minutes.value > before.saturated_minutes.value:
        minutes = (after.saturated_minutes.value, before.saturated_minutes.value)
        found.append(("scaling", f"requests are left over in {minutes[0]:,.0f} minutes instead of {minutes[1]:,.0f}"))
    if before.month_dollars is not None and after.month_dollars is not None:
        old, new = before.month_dollars.value, after.month_dollars.value
        if new > DEARER * old:
            found.append(("cost", f"its tasks cost {new:,.0f} dollars per month instead of {old:,.0f}"))
    for kind, says in found:
        yield Flag(
            kind=kind,
            severity="high" if kind == "scaling" else "medium",
            stack=replayed.stack,
            logical_id=replayed.service,
            sentence=f"On {replayed.traffic}, {says} (replayed)",
            type="AWS::ECS::Service",
        )
