"""Decides whether to write a new plan, keep the old one, or yield to bounds that another user or program set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .floor_forecast import FloorForecast
from .floor_plan import FloorPlan
from .floor_settings import FloorSettings
from .load_history import SLOT, SLOTS_PER_HOUR, LoadHistory, slot_of

# A forecast that is off by this factor did not help, or kept idle tasks.
MISS_RATIO = 1.5
# Beyond this factor the forecast is not wrong: an unusual event happened, which earlier days do not predict.
ANOMALY_RATIO = 3.0
# A smaller difference is rounding.
_LEAST_TASKS = 1.0
# The share of the last 24 hours that must have data.
_LEAST_KNOWN = 0.75
# A new minimum takes effect up to this long after the plan's time.
_LATE = timedelta(minutes=15)


class Action(StrEnum):
    """What to do with the existing plan."""

    PLAN = "plan"
    HOLD = "hold"
    # Another user or program set the bounds: the floor deletes its scheduled actions and writes nothing more.
    YIELD = "yield"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The state that a decision is based on.

    Args:
        now: the current time.
        live_minimum: the scalable target's minimum. None: it is not registered.
        live_maximum: the scalable target's maximum.
        plan: the latest plan that was written. None: there was none.
        former_plan: the plan before it, whose minimum holds until that of the new plan takes effect.
        has_yielded: whether the floor has yielded to bounds that another user or program set.
        is_deploying: whether the service, or the stack that declares its bounds, is being deployed.
    """

    now: datetime
    live_minimum: int | None
    live_maximum: int | None
    plan: FloorPlan | None = None
    former_plan: FloorPlan | None = None
    has_yielded: bool = False
    is_deploying: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The tasks that the previous hour needed, and those that were forecast. None: not known."""

    needed: float | None
    forecast: float | None

    @property
    def ratio(self) -> float | None:
        """Needed / forecast; None if one is not known, 1 if they differ by at most one task."""
        if self.needed is None or self.forecast is None:
            return None
        if abs(self.needed - self.forecast) <= _LEAST_TASKS:
            return 1.0
        return max(self.needed, _LEAST_TASKS) / max(self.forecast, _LEAST_TASKS)

    @property
    def is_miss(self) -> bool:
        """Whether the forecast missed, by `MISS_RATIO`."""
        return _is_beyond(self.ratio, MISS_RATIO)

    @property
    def is_anomaly(self) -> bool:
        """Whether the hour was so unusual, by `ANOMALY_RATIO`, that earlier days do not predict this one."""
        return _is_beyond(self.ratio, ANOMALY_RATIO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision about the plan.

    Args:
        action: what to do with the existing plan.
        at: the time of the decision.
        why: the reason, a sentence.
        plan: the plan to write. None: no plan is written.
        floor: the floor that applies now; None if the floor yields.
        accuracy: that of the previous hour's forecast.
    """

    action: Action
    at: datetime
    why: str
    plan: FloorPlan | None
    floor: int | None
    accuracy: Accuracy


def decided(settings: FloorSettings, history: LoadHistory, seen: Seen) -> Decision:
    """Makes the decision from the data that are known at `seen.now`."""
    forecast = FloorForecast(settings, history, seen.now)
    accuracy = accuracy_of(settings, history, seen.now)

    def made(action: Action, why: str, plan: FloorPlan | None = None) -> Decision:
        held = plan or seen.plan
        floor = None if action is Action.YIELD else (held.tasks(seen.now) if held else None)
        return Decision(
            action=action,
            at=seen.now,
            why=why,
            plan=plan,
            floor=settings.minimum if floor is None and action is not Action.YIELD else floor,
            accuracy=accuracy,
        )

    if seen.live_minimum is None or seen.live_maximum is None:
        return made(Action.YIELD, "the service is no longer a scalable target")
    if seen.is_deploying:
        # The bounds may still change while a deployment is in progress.
        if seen.has_yielded:
            return made(Action.YIELD, "a deployment is in progress, and somebody had changed the bounds before it")
        return made(Action.HOLD, "a deployment is in progress")
    other = _whose(settings, seen)
    if other:
        return made(Action.YIELD, other)
    known = _known_share(history, seen.now)
    if known < _LEAST_KNOWN:
        return made(Action.HOLD, f"only {known:.0%} of the last 24 hours have data, needed {_LEAST_KNOWN:.0%}")
    if accuracy.is_anomaly and seen.plan is not None:
        return made(
            Action.HOLD,
            f"the last hour needed {accuracy.needed:.1f} tasks, past days suggested {accuracy.forecast:.1f}: "
            "something unusual is happening",
        )
    plan = FloorPlan.of(forecast, seen.now)
    if plan.highest <= settings.minimum:
        span = seen.now - history.start
        if span < settings.look_back.history:
            return made(Action.PLAN, f"{span.days} days of history are too few; the declared minimum stays", plan)
        return made(Action.PLAN, "past days needed no more than the declared minimum", plan)
    return made(
        Action.PLAN,
        f"at least {plan.tasks(seen.now)} tasks now, up to {plan.highest} within 48 hours, as past days needed",
        plan,
    )


def accuracy_of(settings: FloorSettings, history: LoadHistory, now: datetime) -> Accuracy:
    """The accuracy of the latest known hour: the tasks it needed, and those forecast an hour before it began."""
    end = min(slot_of(now), history.end)
    slots = [end - (each + 1) * SLOT for each in range(SLOTS_PER_HOUR)]
    earlier = FloorForecast(settings, history, slots[-1] - timedelta(hours=1))
    needed = [load for slot in slots if (load := history.steady_load(slot)) == load]
    forecast = [each for slot in slots if (each := earlier.load(slot)) is not None]
    if now - end > timedelta(hours=1):
        needed = []
    return Accuracy(
        needed=sum(needed) / len(needed) / settings.utilization if needed else None,
        forecast=sum(forecast) / len(forecast) / settings.utilization if forecast else None,
    )


def _whose(settings: FloorSettings, seen: Seen) -> str:
    """A sentence on bounds that another user or program set; empty if they are the declared ones or the floor's."""
    if seen.live_maximum != settings.maximum:
        return f"somebody set the maximum to {seen.live_maximum}; the app declares {settings.maximum}"
    # A deployment restores the declared minimum, which the floor may raise again.
    ours: set[int | None] = {settings.minimum}
    for plan in () if seen.has_yielded else (seen.plan, seen.former_plan):
        if plan is not None:
            ours |= {plan.tasks(seen.now), plan.tasks(seen.now - _LATE)}
    if seen.live_minimum in ours:
        return ""
    return f"somebody set the minimum to {seen.live_minimum}; the app declares {settings.minimum}"


def _known_share(history: LoadHistory, now: datetime) -> float:
    slots = 24 * SLOTS_PER_HOUR
    last = slot_of(now)
    return sum((load := history.load(last - (each + 1) * SLOT)) == load for each in range(slots)) / slots


def _is_beyond(ratio: float | None, limit: float) -> bool:
    return ratio is not None and not 1 / limit <= ratio <= limit
