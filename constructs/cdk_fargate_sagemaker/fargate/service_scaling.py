"""What is declared about a service's scaling: value objects, read back from its scalable target."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import IStableAnyProducer, Lazy, Stack, Token
from aws_cdk.aws_applicationautoscaling import CfnScalableTarget, CfnScalingPolicy
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct

from .._checks import check_interface
from .._construct_tree import path_of, stack_of
from .._number_token import is_token
from . import cpu_metric

_METADATA = "cdk-fargate-sagemaker:scaling"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingPolicy:
    """A metric that is kept near a target.

    Args:
        metric: AWS's name of a predefined metric, as ECSServiceAverageCPUUtilization, or `namespace/name` of another.
        target: the value that it is kept near, in its own unit.
        scale_in: whether tasks are removed when it is below. Default: they are.
        scale_in_cooldown_seconds: time between two removals. None: AWS's own, 300.
        scale_out_cooldown_seconds: time during which tasks just added count toward the next scale-out. None: AWS's own,
            300.
    """

    metric: str
    target: float
    scale_in: bool = True
    scale_in_cooldown_seconds: float | None = None
    scale_out_cooldown_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeBand:
    """Adds tasks from a threshold on, up to the next band's.

    Args:
        threshold: a value of the metric, in its own unit.
        add_tasks: tasks that are added.
    """

    threshold: float
    add_tasks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikePolicy:
    """Tasks that are added while a metric is in a band; it never removes any.

    Args:
        metric: `namespace/name` of the metric.
        statistic: what is taken of its values in a period.
        period_seconds: length of a period.
        evaluation_periods: how many periods in a row have to reach the first band.
        cooldown_seconds: time during which tasks just added count toward the next step.
        bands: by rising threshold.
    """

    metric: str
    statistic: str
    period_seconds: float
    evaluation_periods: float
    cooldown_seconds: float
    bands: tuple[SpikeBand, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledBounds:
    """Bounds that are set at the times of a schedule.

    Args:
        schedule: `cron(…)`, `rate(…)` or `at(…)` as Application Auto Scaling has it.
        time_zone: IANA name of the zone that the schedule is in. None: UTC.
        min_tasks: the new lower bound. None: unchanged.
        max_tasks: the new upper bound. None: unchanged.
    """

    schedule: str
    time_zone: str | None = None
    min_tasks: float | None = None
    max_tasks: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScaling:
    """The bounds of a service's task count, and everything that moves it between them.

    Args:
        min_tasks: the count is never below it. Default: None, it is declared outside this app.
        max_tasks: the count is never above it. Default: None, it is declared outside this app.
        tracking: metrics kept near a target; the one that asks for the most tasks wins. Default: none.
        spikes: steps on a metric that jumps. Default: none.
        schedules: bounds that change by the clock. Default: none.
    """

    min_tasks: float | None = None
    max_tasks: float | None = None
    tracking: tuple[TrackingPolicy, ...] = ()
    spikes: tuple[SpikePolicy, ...] = ()
    schedules: tuple[ScheduledBounds, ...] = ()

    @property
    def least_bounds(self) -> tuple[float, ...]:
        """Every lower bound that holds at some time, each once: the declared one, then those of schedules."""
        return _each_once([self.min_tasks, *(schedule.min_tasks for schedule in self.schedules)])

    @property
    def most_bounds(self) -> tuple[float, ...]:
        """Every upper bound that holds at some time, each once: the declared one, then those of schedules."""
        return _each_once([self.max_tasks, *(schedule.max_tasks for schedule in self.schedules)])

    @property
    def target_percent(self) -> float | None:
        """The average CPU that target tracking keeps, in percent; of several the lowest, the first to ask for tasks."""
        return min(
            (policy.target for policy in self.tracking if policy.metric in cpu_metric.TRACKED_NAMES), default=None
        )

    @classmethod
    def of(cls, scalable_target: IScalableTargetRef) -> Self:
        """Reads what was declared on `scalable_target` until now, by this library or by the CDK's own methods.

        Args:
            scalable_target: the task count, as `service.auto_scale_task_count(…)` returns it.

        Raises:
            InvalidArgumentError: something else.
        """
        check_interface("scalable_target", scalable_target, "node", "what auto_scale_task_count(…) returned")
        read = _Declared(scalable_target)
        return cls(**read.bounds(), tracking=read.tracking(), spikes=tuple(policy for _, policy in read.spikes))


def tracked_percent(scalable_target: IScalableTargetRef) -> float | None:
    """`ServiceScaling.of(scalable_target).target_percent` at synthesis, without reading anything else."""
    looked_up = _LOOKED_UP[scalable_target] = _Declared(scalable_target)
    return ServiceScaling(tracking=looked_up.tracking()).target_percent


def _each_once(bounds: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(dict.fromkeys(bound for bound in bounds if bound is not None))


class _Declared:
    """What is declared on a scalable target, read from its resources."""

    def __init__(self, scalable_target: IScalableTargetRef) -> None:
        self._stack = stack_of(scalable_target)
        self._constructs = scalable_target.node.find_all()
        self.spikes = tuple(_spikes_of(scalable_target))

    def target(self) -> CfnScalableTarget | None:
        """The resource; None for a target that is imported."""
        return next((one for one in self._constructs if isinstance(one, CfnScalableTarget)), None)

    def bounds(self) -> dict[str, Any]:
        """What a `ServiceScaling` takes of the bounds."""
        target = self.target()
        if target is None:
            return {}
        declared = _properties(target)
        scheduled = declared.get("scheduledActions")
        return {
            "min_tasks": declared["minCapacity"],
            "max_tasks": declared["maxCapacity"],
            "schedules": tuple(map(_schedule, self._stack.resolve(scheduled) or ())) if scheduled else (),
        }

    def tracking(self) -> tuple[TrackingPolicy, ...]:
        """The metrics that are kept near a target."""
        declared = (_properties(one) for one in self._constructs if isinstance(one, CfnScalingPolicy))
        policies = (policy.get("targetTrackingScalingPolicyConfiguration") for policy in declared)
        return tuple(_tracking(self._resolved(policy)) for policy in policies if policy is not None)

    def _resolved(self, policy: Any) -> Any:
        return policy if _is_known(policy) else self._stack.resolve(policy)


def _properties(resource: CfnScalableTarget | CfnScalingPolicy) -> Mapping[str, Any]:
    # One call to the JavaScript side; each attribute would be one, and each part of it another.
    return resource._cfn_properties


def _is_known(value: Any) -> bool:
    """Whether there is no token in `value`."""
    if isinstance(value, Mapping):
        return all(map(_is_known, value.values()))
    if isinstance(value, list):
        return all(map(_is_known, value))
    if isinstance(value, str):
        return "Token[" not in value
    return isinstance(value, bool) or (isinstance(value, int | float) and not is_token(value))


# What was found as spikes were validated: the summary, which is made next, need not look again.
_LOOKED_UP: WeakKeyDictionary[IScalableTargetRef, _Declared] = WeakKeyDictionary()
# What `SpikeScaling` makes elsewhere, with the stack that makes it; by the scalable target's stack and path.
_SPIKES: WeakKeyDictionary[Stack, dict[str, list[tuple[Stack, SpikePolicy]]]] = WeakKeyDictionary()


def _spikes_of(scalable_target: IScalableTargetRef) -> list[tuple[Stack, SpikePolicy]]:
    # What the CDK made itself, as the task count of a pattern's service, is a new object in Python at each question.
    return _SPIKES.setdefault(stack_of(scalable_target), {}).setdefault(path_of(scalable_target), [])


def declare_spike(scope: Construct, scalable_target: IScalableTargetRef, policy: SpikePolicy) -> None:
    """Notes a policy that `scope` makes for `scalable_target`."""
    _spikes_of(scalable_target).append((stack_of(scope), policy))


def publish_scaling(scope: Construct, scalable_target: IScalableTargetRef) -> None:
    """Puts what will have been declared on `scalable_target` into the metadata of the template of `scope`.

    Each template has what it declares itself: the scalable target's own has all but the spikes of other stacks, another
    one has its spikes alone. A spike of another stack would change this one's metadata and nothing else, and
    CloudFormation does not update metadata by itself
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/metadata-section-structure.html).

    The key is `cdk-fargate-sagemaker:scaling:<path of the scalable target>`.
    """
    stack = stack_of(scope)
    stack.add_metadata(f"{_METADATA}:{path_of(scalable_target)}", Lazy.any(_Summary(stack, scalable_target)))


@jsii.implements(IStableAnyProducer)
class _Summary:
    """Made at synthesis, when no policy can be added any more."""

    def __init__(self, stack: Stack, scalable_target: IScalableTargetRef) -> None:
        self._stack = stack
        self._scalable_target = scalable_target

    def produce(self) -> Any:
        read = _LOOKED_UP.pop(self._scalable_target, None) or _Declared(self._scalable_target)
        spikes = tuple(policy for stack, policy in read.spikes if stack is self._stack)
        target = read.target()
        resource_id = self._scalable_target.scalable_target_ref.resource_id if target is None else target.ref
        if stack_of(self._scalable_target) is not self._stack:
            return {"scalable_target_id": resource_id, "spikes": _plain([asdict(spike) for spike in spikes])}
        own = ServiceScaling(**read.bounds(), tracking=read.tracking(), spikes=spikes)
        return {"scalable_target_id": resource_id, **_plain(asdict(own))}


def _plain(value: Any) -> Any:
    """Lists for tuples, which the JavaScript side does not know, and nothing for None, which no template may hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _number(value: Any) -> Any:
    return Token.as_number(value) if isinstance(value, Mapping) else value


def _tracking(policy: Mapping[str, Any]) -> TrackingPolicy:
    predefined, customized = policy.get("predefinedMetricSpecification"), policy.get("customizedMetricSpecification")
    return TrackingPolicy(
        metric=predefined["predefinedMetricType"] if predefined else _name(customized),
        target=_number(policy["targetValue"]),
        scale_in=not policy.get("disableScaleIn", False),
        scale_in_cooldown_seconds=policy.get("scaleInCooldown"),
        scale_out_cooldown_seconds=policy.get("scaleOutCooldown"),
    )


def _name(metric: Mapping[str, Any] | None) -> str:
    # A metric that is computed from others has no name of its own.
    return f"{metric['namespace']}/{metric['metricName']}" if metric and "metricName" in metric else "expression"


def _schedule(action: Mapping[str, Any]) -> ScheduledBounds:
    bounds = action.get("scalableTargetAction", {})
    return ScheduledBounds(
        schedule=action["schedule"],
        time_zone=action.get("timezone"),
        min_tasks=_number(bounds.get("minCapacity")),
        max_tasks=_number(bounds.get("maxCapacity")),
    )
