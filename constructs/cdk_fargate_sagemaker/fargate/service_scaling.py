"""The declared scaling of a service as value objects, read from its scalable target."""

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
    """A target tracking policy: a metric and its target.

    Args:
        metric: AWS's name of a predefined metric, such as ECSServiceAverageCPUUtilization, or `namespace/name`.
        target: the target value, in the metric's unit.
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
    """Adds tasks between its threshold and that of the next band.

    Args:
        threshold: a value of the metric, in its own unit.
        add_tasks: tasks that are added.
    """

    threshold: float
    add_tasks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikePolicy:
    """A step scaling policy that adds tasks while a metric is in a band. It never removes any.

    Args:
        metric: `namespace/name` of the metric.
        statistic: the metric's statistic over a period.
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
    """A scheduled action that sets bounds.

    Args:
        schedule: `cron(…)`, `rate(…)` or `at(…)` in the format of Application Auto Scaling.
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
    """The bounds of a service's task count, and the policies that change it between them.

    Args:
        min_tasks: the count is never below it. Default: None, it is declared outside this app.
        max_tasks: the count is never above it. Default: None, it is declared outside this app.
        tracking: target tracking policies; the one that needs the most tasks wins. Default: none.
        spikes: step scaling policies that add tasks when a metric jumps. Default: none.
        schedules: scheduled actions that change the bounds. Default: none.
    """

    min_tasks: float | None = None
    max_tasks: float | None = None
    tracking: tuple[TrackingPolicy, ...] = ()
    spikes: tuple[SpikePolicy, ...] = ()
    schedules: tuple[ScheduledBounds, ...] = ()

    @property
    def least_bounds(self) -> tuple[float, ...]:
        """All lower bounds without duplicates: the declared one, then those of schedules."""
        return _each_once([self.min_tasks, *(schedule.min_tasks for schedule in self.schedules)])

    @property
    def most_bounds(self) -> tuple[float, ...]:
        """All upper bounds without duplicates: the declared one, then those of schedules."""
        return _each_once([self.max_tasks, *(schedule.max_tasks for schedule in self.schedules)])

    @property
    def target_percent(self) -> float | None:
        """The target of the average CPU, in percent; of several the lowest, which adds tasks first."""
        return min(
            (policy.target for policy in self.tracking if policy.metric in cpu_metric.TRACKED_NAMES), default=None
        )

    @classmethod
    def of(cls, scalable_target: IScalableTargetRef) -> Self:
        """Reads the scaling declared on `scalable_target` so far, by this library or by the CDK's own methods.

        Args:
            scalable_target: the task count, as `service.auto_scale_task_count(…)` returns it.

        Raises:
            InvalidArgumentError: a value that is not a task count.
        """
        check_interface("scalable_target", scalable_target, "node", "what auto_scale_task_count(…) returned")
        read = _Declared(scalable_target)
        return cls(**read.bounds(), tracking=read.tracking(), spikes=tuple(policy for _, policy in read.spikes))


def tracked_percent(scalable_target: IScalableTargetRef) -> float | None:
    """Returns `ServiceScaling.of(scalable_target).target_percent`, at synthesis; reads only tracking policies."""
    looked_up = _LOOKED_UP[scalable_target] = _Declared(scalable_target)
    return ServiceScaling(tracking=looked_up.tracking()).target_percent


def _each_once(bounds: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(dict.fromkeys(bound for bound in bounds if bound is not None))


class _Declared:
    """The scaling declared on a scalable target, read from its resources."""

    def __init__(self, scalable_target: IScalableTargetRef) -> None:
        self._stack = stack_of(scalable_target)
        self._constructs = scalable_target.node.find_all()
        self.spikes = tuple(_spikes_of(scalable_target))

    def target(self) -> CfnScalableTarget | None:
        """The scalable target's resource; None if it is imported."""
        return next((one for one in self._constructs if isinstance(one, CfnScalableTarget)), None)

    def bounds(self) -> dict[str, Any]:
        """The bounds and schedules, as arguments of a `ServiceScaling`."""
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
        """The target tracking policies."""
        declared = (_properties(one) for one in self._constructs if isinstance(one, CfnScalingPolicy))
        policies = (policy.get("targetTrackingScalingPolicyConfiguration") for policy in declared)
        return tuple(_tracking(self._resolved(policy)) for policy in policies if policy is not None)

    def _resolved(self, policy: Any) -> Any:
        return policy if _is_known(policy) else self._stack.resolve(policy)


def _properties(resource: CfnScalableTarget | CfnScalingPolicy) -> Mapping[str, Any]:
    # This is one call to the JavaScript process; reading the attributes would be one per attribute and per part of it.
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


# The result of the spikes' validation, for the summary that is made next, so that it is read once.
_LOOKED_UP: WeakKeyDictionary[IScalableTargetRef, _Declared] = WeakKeyDictionary()
# The policies of `SpikeScaling`, each with its stack, by the scalable target's stack and path.
_SPIKES: WeakKeyDictionary[Stack, dict[str, list[tuple[Stack, SpikePolicy]]]] = WeakKeyDictionary()


def _spikes_of(scalable_target: IScalableTargetRef) -> list[tuple[Stack, SpikePolicy]]:
    # By path: a construct that the CDK made, such as the task count of a pattern's service, is a new Python object each
    # time it is read.
    return _SPIKES.setdefault(stack_of(scalable_target), {}).setdefault(path_of(scalable_target), [])


def declare_spike(scope: Construct, scalable_target: IScalableTargetRef, policy: SpikePolicy) -> None:
    """Records a policy that `scope` makes for `scalable_target`."""
    _spikes_of(scalable_target).append((stack_of(scope), policy))


def publish_scaling(scope: Construct, scalable_target: IScalableTargetRef) -> None:
    """Writes all scaling declared on `scalable_target` into the metadata of the template of `scope`, at synthesis.

    Each template contains what its own stack declares: that of the scalable target all but the spikes of other stacks,
    any other template only its own spikes. Otherwise a spike in another stack would change only the metadata of this
    template, and CloudFormation does not update a stack for metadata alone
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/metadata-section-structure.html).

    The key is `cdk-fargate-sagemaker:scaling:<path of the scalable target>`.
    """
    stack = stack_of(scope)
    stack.add_metadata(f"{_METADATA}:{path_of(scalable_target)}", Lazy.any(_Summary(stack, scalable_target)))


@jsii.implements(IStableAnyProducer)
class _Summary:
    """The summary of the scaling, made at synthesis: no policy can be added any more."""

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
    """Converts tuples to lists, since JavaScript has no tuples, and removes None, since no template may contain it."""
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
    # A metric math expression has no name.
    return f"{metric['namespace']}/{metric['metricName']}" if metric and "metricName" in metric else "expression"


def _schedule(action: Mapping[str, Any]) -> ScheduledBounds:
    bounds = action.get("scalableTargetAction", {})
    return ScheduledBounds(
        schedule=action["schedule"],
        time_zone=action.get("timezone"),
        min_tasks=_number(bounds.get("minCapacity")),
        max_tasks=_number(bounds.get("maxCapacity")),
    )
