"""How traffic shifts from the current model to the released one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ..._checks import check_duration, check_interface, check_number, check_one_of, check_sequence, plain, refusal
from ..._number_token import is_token
from ..._readable_help import readable

Kind = Literal["ALL_AT_ONCE", "CANARY", "LINEAR"]

# DeploymentConfig's limits
_LONGEST_WAIT = Duration.hours(1)
_MAX_DURATION = (Duration.minutes(10), Duration.hours(8))
_MOST_ALARMS = 10
_LARGEST_STEP_PERCENT = 50
_LEAST_LINEAR_PERCENT = 10

_BAKE = readable(Duration.minutes(10))
_WAIT = readable(Duration.minutes(5))

_NO_WAIT = readable(Duration.seconds(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShifting:
    """A blue/green deployment: new instances start beside those that serve, and traffic shifts to them.

    Make one with `all_at_once`, `canary` or `linear`. If one of `rollback_alarms` fires before the old instances are
    deleted, SageMaker shifts all traffic back to them.

    Args:
        kind: `ALL_AT_ONCE`, `CANARY` or `LINEAR`. Default: `ALL_AT_ONCE`.
        percent: percentage of the instances that traffic shifts to in the first step (canary, 1 to 50) or in each step
            (linear, 10 to 50), a whole number. Default: none, if `instances` is given.
        instances: number of instances that traffic shifts to in the first step (canary) or in each step (linear), at
            most half of them. Default: none, if `percent` is given.
        wait: time from one step to the next, at most 1 hour. Default: zero, for all at once.
        bake: how long the old instances stay after the last step, at most 1 hour. Default: 10 minutes.
        rollback_alarms: each of them rolls the deployment back, at most ten. Default: none; `roll_back_on(alarms)` of
            the endpoint or the workflow adds some.
        max_duration: time limit of a deployment, after which it fails, 10 minutes to 8 hours. Default: SageMaker's.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse, or values that exclude each other.

    Example:
        ```python
        InferenceEndpoint(
            self,
            "Gradual",
            image=model_image,
            model_bucket=bucket,
            model_key="models/2026-11-23/model.tar.gz",
            configuration=EndpointConfiguration(variants=[EndpointVariant(count=4)]),
            traffic_shifting=TrafficShifting.linear(percent=25, wait=cdk.Duration.minutes(3)),
        )
        ```
    """

    kind: Kind = "ALL_AT_ONCE"
    percent: int | None = None
    instances: int | None = None
    wait: Duration = _NO_WAIT
    bake: Duration = _BAKE
    rollback_alarms: Sequence[cloudwatch.IAlarm] = ()
    max_duration: Duration | None = None

    @classmethod
    def all_at_once(
        cls,
        *,
        bake: Duration = _BAKE,
        rollback_alarms: Sequence[cloudwatch.IAlarm] = (),
        max_duration: Duration | None = None,
    ) -> Self:
        """Shifts all traffic to the new instances at once.

        Args:
            bake: how long the old instances stay, at most 1 hour. Default: 10 minutes.
            rollback_alarms: each of them rolls the deployment back. Default: none.
            max_duration: time limit of a deployment, after which it fails. Default: SageMaker's.

        Raises:
            InvalidArgumentError: a value that SageMaker would refuse.
        """
        return cls(kind="ALL_AT_ONCE", bake=bake, rollback_alarms=rollback_alarms, max_duration=max_duration)

    @classmethod
    def canary(
        cls,
        *,
        percent: int | None = None,
        instances: int | None = None,
        wait: Duration = _WAIT,
        bake: Duration = _BAKE,
        rollback_alarms: Sequence[cloudwatch.IAlarm] = (),
        max_duration: Duration | None = None,
    ) -> Self:
        """Shifts a small share of the traffic to the new instances first, and the rest after `wait`.

        Args:
            percent: percentage of the instances in the first step, a whole number, 1 to 50. Default: none, if
                `instances` is given.
            instances: number of instances in the first step, at most half of them. Default: none, if `percent` is
                given.
            wait: how long the small share is observed, at most 1 hour. Default: 5 minutes.
            bake: how long the old instances stay afterwards, at most 1 hour. Default: 10 minutes.
            rollback_alarms: each of them rolls the deployment back. Default: none.
            max_duration: time limit of a deployment, after which it fails. Default: SageMaker's.

        Raises:
            InvalidArgumentError: a value that SageMaker would refuse, or not exactly one of percent and instances.
        """
        return cls(
            kind="CANARY",
            percent=percent,
            instances=instances,
            wait=wait,
            bake=bake,
            rollback_alarms=rollback_alarms,
            max_duration=max_duration,
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
        max_duration: Duration | None = None,
    ) -> Self:
        """Shifts the traffic to the new instances in equal steps.

        Args:
            percent: percentage of the instances in each step, a whole number, 10 to 50. Default: none, if `instances`
                is given.
            instances: number of instances in each step, at most half of them. Default: none, if `percent` is given.
            wait: time from one step to the next, at most 1 hour. Default: 5 minutes.
            bake: how long the old instances stay after the last step, at most 1 hour. Default: 10 minutes.
            rollback_alarms: each of them rolls the deployment back. Default: none.
            max_duration: time limit of a deployment, after which it fails. Default: SageMaker's.

        Raises:
            InvalidArgumentError: a value that SageMaker would refuse, or not exactly one of percent and instances.
        """
        return cls(
            kind="LINEAR",
            percent=percent,
            instances=instances,
            wait=wait,
            bake=bake,
            rollback_alarms=rollback_alarms,
            max_duration=max_duration,
        )

    def __post_init__(self) -> None:
        check_one_of("kind", self.kind, get_args(Kind), "take all_at_once, canary or linear")
        self._check_step()
        for name in ("wait", "bake"):
            check_duration(
                name, getattr(self, name), at_least=Duration.seconds(0), at_most=_LONGEST_WAIT, whole="seconds"
            )
        if self.max_duration is not None:
            least, most = _MAX_DURATION
            check_duration("max_duration", self.max_duration, at_least=least, at_most=most, whole="seconds")
            self._check_waits()
        object.__setattr__(self, "rollback_alarms", checked_alarms("rollback_alarms", self.rollback_alarms))

    @property
    def waits(self) -> Duration | None:
        """The minimum time that a deployment waits: between its steps, and for `bake` after the last.

        None if it is known only at deployment.
        """
        if self.kind == "ALL_AT_ONCE":
            return None if self.bake.is_unresolved() else self.bake
        if self.bake.is_unresolved() or self.wait.is_unresolved():
            return None
        steps = 1
        if self.kind == "LINEAR" and self.percent is not None:
            if is_token(self.percent):
                return None
            steps = -(-100 // self.percent) - 1
        return Duration.seconds(steps * self.wait.to_seconds() + self.bake.to_seconds())

    def _check_step(self) -> None:
        steps = {"percent": self.percent, "instances": self.instances}
        given = [name for name, value in steps.items() if value is not None]
        if self.kind == "ALL_AT_ONCE":
            for name in given:
                raise refusal(name, steps[name], "none for all at once", "take canary or linear")
            return
        if len(given) != 1:
            raise refusal(
                "percent",
                plain("percent and instances" if given else "neither percent nor instances"),
                f"exactly one of percent and instances for {self.kind.lower()}",
            )
        if self.percent is not None:
            least = _LEAST_LINEAR_PERCENT if self.kind == "LINEAR" else 1
            check_number("percent", self.percent, at_least=least, at_most=_LARGEST_STEP_PERCENT, whole=True)
        if self.instances is not None:
            check_number("instances", self.instances, at_least=1, whole=True)

    def _check_waits(self) -> None:
        longest, waits = self.max_duration, self.waits
        if longest is None or longest.is_unresolved() or waits is None:
            return
        if longest.to_seconds() <= waits.to_seconds():
            raise refusal(
                "max_duration", longest, f"more than the {waits.to_human_string()} that a deployment waits already"
            )


def checked_alarms(name: str, alarms: object) -> tuple[cloudwatch.IAlarm, ...]:
    """Returns `alarms` as a tuple that SageMaker accepts for an update.

    Raises:
        InvalidArgumentError: one alarm instead of a list, a value that is not an alarm, or more than ten alarms.
    """
    # EndpointAlarms, most likely. This module cannot import the class: `monitoring` imports `sagemaker`.
    if hasattr(alarms, "node") and not hasattr(alarms, "alarm_arn"):
        raise refusal(name, alarms, "a list of alarms", "call roll_back_on(…) of the endpoint or the workflow with it")
    listed = check_sequence(name, alarms, "a list of alarms")
    for alarm in listed:
        check_interface(name, alarm, "alarm_arn", "alarms", "import one with Alarm.from_alarm_arn(…)")
    check_number_of_alarms(name, len(listed))
    return tuple(listed)


def check_number_of_alarms(name: str, number: int) -> None:
    """Refuses more alarms than SageMaker accepts for an update.

    Raises:
        InvalidArgumentError: see above.
    """
    if number > _MOST_ALARMS:
        raise refusal(name, plain(f"{number} alarms"), f"at most {_MOST_ALARMS}", "join some in a composite alarm")
