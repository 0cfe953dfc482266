"""How requests go over from the model that serves to the one that is released."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch

# DeploymentConfig's limits
_LONGEST_WAIT = Duration.hours(1)
_MAXIMUM_DURATION = (Duration.minutes(10), Duration.hours(8))
_MOST_ALARMS = 10
_LARGEST_STEP_PERCENT = 50
_LEAST_LINEAR_PERCENT = 10

_BAKE = Duration.minutes(10)
_WAIT = Duration.minutes(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShifting:
    """A blue/green deployment: new instances beside those that serve, and a way for the requests to go over.

    Make one with `all_at_once`, `canary` or `linear`. When one of `rollback_alarms` fires before the old instances are
    gone, SageMaker gives every request back to them. For that they stay for `bake` after the last step.

    `step_percent` or `step_instances` is what goes over in the first step (canary) or in each (linear), at most half of
    the instances; `wait` is the time from a step to the next. `maximum_duration` is when a deployment that goes on has
    failed.
    """

    kind: Literal["ALL_AT_ONCE", "CANARY", "LINEAR"] = "ALL_AT_ONCE"
    step_percent: int | None = None
    step_instances: int | None = None
    wait: Duration = field(default_factory=lambda: Duration.seconds(0))
    bake: Duration = _BAKE
    rollback_alarms: Sequence[cloudwatch.IAlarm] = ()
    maximum_duration: Duration | None = None

    @classmethod
    def all_at_once(
        cls,
        *,
        bake: Duration = _BAKE,
        rollback_alarms: Sequence[cloudwatch.IAlarm] = (),
        maximum_duration: Duration | None = None,
    ) -> Self:
        """Every request at once; the old instances stay for `bake` (10 minutes).

        `maximum_duration`: default: SageMaker's.
        """
        return cls(kind="ALL_AT_ONCE", bake=bake, rollback_alarms=rollback_alarms, maximum_duration=maximum_duration)

    @classmethod
    def canary(
        cls,
        *,
        percent: int | None = None,
        instances: int | None = None,
        wait: Duration = _WAIT,
        bake: Duration = _BAKE,
        rollback_alarms: Sequence[cloudwatch.IAlarm] = (),
        maximum_duration: Duration | None = None,
    ) -> Self:
        """A small share first, `percent` (1 to 50) or `instances`; after `wait` (5 minutes) the rest."""
        return cls(
            kind="CANARY",
            step_percent=percent,
            step_instances=instances,
            wait=wait,
            bake=bake,
            rollback_alarms=rollback_alarms,
            maximum_duration=maximum_duration,
        )

    @classmethod
    def linear(
        cls,
        *,
        percent: int | None = None,
        instances: int | None = None,
        wait: Duration = _WAIT,
        bake: Duration = _BAKE,
        rollback_alarms: Sequence[cloudwatch.IAlarm] = (),
        maximum_duration: Duration | None = None,
    ) -> Self:
        """In equal steps of `percent` (10 to 50) or `instances`, `wait` (5 minutes) apart."""
        return cls(
            kind="LINEAR",
            step_percent=percent,
            step_instances=instances,
            wait=wait,
            bake=bake,
            rollback_alarms=rollback_alarms,
            maximum_duration=maximum_duration,
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "rollback_alarms", tuple(self.rollback_alarms))
        self._check_step()
        for name in ("wait", "bake"):
            _check_duration(name, getattr(self, name), Duration.seconds(0), _LONGEST_WAIT)
        if self.maximum_duration is not None:
            _check_duration("maximum_duration", self.maximum_duration, *_MAXIMUM_DURATION)
            self._check_waits()
        check_number_of_alarms("rollback_alarms", len(self.rollback_alarms))

    @property
    def waits(self) -> Duration:
        """The time that a deployment waits at least: between its steps, and for `bake` after the last."""
        if self.kind == "ALL_AT_ONCE":
            return self.bake
        steps = 1
        if self.kind == "LINEAR" and self.step_percent is not None and not Token.is_unresolved(self.step_percent):
            steps = -(-100 // self.step_percent) - 1
        return Duration.seconds(steps * self.wait.to_seconds() + self.bake.to_seconds())

    def _check_step(self) -> None:
        if self.kind == "ALL_AT_ONCE":
            if self.step_percent is not None or self.step_instances is not None:
                raise ValueError("a step is given for all at once: leave it out, or take canary or linear")
            return
        if (self.step_percent is None) == (self.step_instances is None):
            raise ValueError(f"{self.kind.lower()} takes percent or instances: give exactly one of them")
        least = _LEAST_LINEAR_PERCENT if self.kind == "LINEAR" else 1
        percent, instances = self.step_percent, self.step_instances
        if percent is not None and not Token.is_unresolved(percent) and not least <= percent <= _LARGEST_STEP_PERCENT:
            raise ValueError(
                f"percent is {percent}: SageMaker takes {least} to {_LARGEST_STEP_PERCENT} for {self.kind.lower()}"
            )
        if instances is not None and not Token.is_unresolved(instances) and instances < 1:
            raise ValueError(f"instances is {instances}: give at least 1")

    def _check_waits(self) -> None:
        maximum = self.maximum_duration
        if maximum is None or any(duration.is_unresolved() for duration in (maximum, self.wait, self.bake)):
            return
        if maximum.to_seconds() <= self.waits.to_seconds():
            raise ValueError(
                f"maximum_duration is {maximum.to_human_string()}: a deployment waits for "
                f"{self.waits.to_human_string()} already; give more"
            )


def check_number_of_alarms(name: str, number: int) -> None:
    """Refuses more alarms than an update takes."""
    if number > _MOST_ALARMS:
        raise ValueError(f"{name} has {number} entries: SageMaker takes {_MOST_ALARMS}; join some in a composite alarm")


def _check_duration(name: str, duration: Duration, least: Duration, most: Duration) -> None:
    if not duration.is_unresolved() and not least.to_seconds() <= duration.to_seconds() <= most.to_seconds():
        raise ValueError(
            f"{name} is {duration.to_human_string()}: "
            f"SageMaker takes {least.to_human_string()} to {most.to_human_string()}"
        )
