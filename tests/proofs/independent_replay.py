"""A second replay, written from AWS's documentation and nothing of the project's: the judge of the first.

It is slow and keeps everything: each minute's datapoints with the tasks that they are of, each launch with the second
in which its tasks serve. Alarms are slices of what they see, cooldowns are moments. It knows policies on CPU alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Target tracking on the average CPU, of every minute or of every 20 seconds."""

    target: float
    out_cooldown_s: int
    in_cooldown_s: int
    every_20_seconds: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """So many tasks more while the hottest task's minute is at the threshold or above."""

    threshold: float
    tasks: int
    cooldown_s: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Tasks of one vCPU; times in seconds, CPU in shares."""

    cpu_seconds: float
    skew: float
    idle: float
    start_s: float
    drain_s: float
    give_up_s: float
    minimum: int
    maximum: int
    # From AWS's 363 s and 86 s to the trigger, without the alarms' three datapoints.
    delay_s: float = 183.0
    quick_delay_s: float = 26.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What came of one minute."""

    desired: int
    serving: float
    failed: float
    billed: float


@dataclasses.dataclass(slots=True, kw_only=True)
class _Datapoint:
    average: float
    maximum: float
    tasks: float


@dataclasses.dataclass(slots=True, kw_only=True)
class _Memory:
    until_s: float = -1.0
    base: int = 0


def replay(
    service: Service, tracking: Sequence[Tracking], steps: Sequence[Step], requests: Sequence[float], *, desired: int
) -> list[Minute]:
    """Each minute of `requests`, which has NaN where nothing is known."""
    launches: list[tuple[float, int]] = []  # when they serve, and how many: the latest launch last
    old = desired
    seen: list[_Datapoint | None] = []
    hottest_behind = average_behind = spread_over = 0.0
    out_memory = [_Memory() for _ in tracking]
    step_memory = [_Memory() for _ in steps]
    in_until_s = -1.0
    found = []
    for minute, count in enumerate(requests):
        end = 60.0 * minute + 60
        serving = old + sum(tasks * min(max(end - at, 0), 60) / 60 for at, tasks in launches)
        # One request is so many seconds of one task.
        work = 0.0 if math.isnan(count) else count * service.cpu_seconds
        failed = 0.0
        datapoint = None
        if serving > 0:
            if spread_over and serving != spread_over:
                average_behind *= spread_over / serving
            spread_over = serving
            average = work / serving / 60 + service.idle
            hottest = work / serving / 60 * service.skew + service.idle
            datapoint = _Datapoint(
                average=min(100 * average + average_behind / 0.6, 100),
                maximum=min(100 * hottest + hottest_behind / 0.6, 100),
                tasks=serving,
            )
            average_behind = max(average_behind + 60 * average - 60, 0)
            hottest_behind = max(hottest_behind + 60 * hottest - 60, 0)
            too_much = max(
                (average_behind - service.give_up_s) * serving,
                (hottest_behind - service.give_up_s) * min(serving, 1),
                0,
            )
            average_behind = min(average_behind, service.give_up_s)
            hottest_behind = min(hottest_behind, service.give_up_s)
            failed = min(too_much / service.cpu_seconds, count) if count == count else 0.0
        else:
            average_behind = hottest_behind = 0.0
            failed = count if count == count else 0.0
        seen.append(None if math.isnan(count) else datapoint)

        now = end
        bounded = min(max(desired, service.minimum), service.maximum)
        most, chosen, late_s = bounded, None, 0.0
        removals: list[tuple[int, int]] = []
        agreed = True
        for policy, memory in zip(tracking, out_memory, strict=True):
            visible = _visible(seen, service.quick_delay_s if policy.every_20_seconds else service.delay_s)
            newest = visible[-1] if visible else None
            # Minutes without a datapoint are looked past; of as many as the alarm has, nothing is left.
            high = _latest(visible, 1 if policy.every_20_seconds else 3)
            low = _latest(visible, 15)
            is_low = newest is not None and len(low) == 15 and all(p.average < policy.target * 0.9 for p in low)
            agreed = agreed and is_low
            if newest is None:
                continue
            wanted = math.ceil(newest.tasks * newest.average / policy.target - 1e-9)
            if len(high) == (1 if policy.every_20_seconds else 3) and all(p.average > policy.target for p in high):
                if wanted > most:
                    most, chosen = wanted, memory
                    late_s = (service.quick_delay_s if policy.every_20_seconds else service.delay_s) % 60
                    cooldown_s, base = policy.out_cooldown_s, 0
            elif is_low:
                removals.append((wanted, policy.in_cooldown_s))
        for step, memory in zip(steps, step_memory, strict=True):
            visible = _visible(seen, service.delay_s)
            if not visible or visible[-1] is None or visible[-1].maximum < step.threshold:
                continue
            begun = memory.base if now < memory.until_s else bounded
            if begun + step.tasks > most:
                most, chosen, late_s = begun + step.tasks, memory, service.delay_s % 60
                cooldown_s, base = step.cooldown_s, begun
        is_blocked = now < in_until_s or any(now < memory.until_s for memory in (*out_memory, *step_memory))
        before = desired
        desired = bounded
        if chosen is not None:
            desired = min(most, service.maximum)
            if desired > bounded:
                chosen.until_s, chosen.base = now + cooldown_s, base
                in_until_s = now
        elif removals and agreed and not is_blocked:
            wanted, cooldown_s = max(removals, key=lambda each: each[0])
            wanted = max(wanted, service.minimum)
            if wanted < bounded:
                desired, in_until_s = wanted, now + cooldown_s
        if desired > before:
            launches.append((now + service.start_s + (late_s if chosen is not None else 0.0), desired - before))
        removed = max(before - desired, 0)
        found.append(
            Minute(desired=before, serving=serving, failed=failed, billed=before + removed * service.drain_s / 60)
        )
        old += sum(tasks for at, tasks in launches if at < end)
        launches = [(at, tasks) for at, tasks in launches if at >= end]
        # Tasks that do not serve yet go first, those that would be the last to serve before the others.
        launches.sort(key=lambda each: each[0])
        while removed and launches:
            at, tasks = launches.pop()
            gone = min(tasks, removed)
            removed -= gone
            if tasks > gone:
                launches.append((at, tasks - gone))
        old -= removed
    return found


def _visible(seen: list[_Datapoint | None], delay_s: float) -> list[_Datapoint | None]:
    hidden = int(delay_s // 60)
    return seen[: max(len(seen) - hidden, 0)]


def _latest(visible: list[_Datapoint | None], periods: int) -> list[_Datapoint]:
    """The latest datapoints, as many as the alarm has; none once as many minutes in a row had none."""
    found: list[_Datapoint] = []
    absent = 0
    for datapoint in reversed(visible):
        if datapoint is None:
            absent += 1
            if absent >= periods:
                break
        else:
            absent = 0
            found.append(datapoint)
            if len(found) == periods:
                break
    return found
