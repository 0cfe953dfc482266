"""Scaling policies of a service besides its CPU target: further targets, and schedules."""

import jsii
from aws_cdk import Duration, TimeZone
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct, IValidation

from .._checks import check_duration, check_flags, check_kind, check_number, check_one_of, plain, refusal
from .._construct_tree import note_stack
from .._number_token import is_token
from .._readable_help import readable
from . import cpu_metric
from .service_scaling import ServiceScaling
from .task_count import check_target_percent, check_task_count

SCALE_IN_COOLDOWN = readable(Duration.minutes(5))
SCALE_OUT_COOLDOWN = readable(Duration.minutes(1))
_CPU_POLICY = "CpuAverage"
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_CustomizedMetricSpecification.html
_TRACKED_STATISTICS = ("Average", "Minimum", "Maximum", "SampleCount", "Sum")


class ServicePolicies(Construct):
    """Adds scaling policies to a service; the service inherits from this class.

    The service makes its scalable target and its target groups, then calls `_track_cpu`.
    """

    _scalable_target: ecs.ScalableTaskCount
    _target_group: elbv2.ApplicationTargetGroup
    _alternate_target_group: elbv2.ApplicationTargetGroup | None

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        note_stack(scope, self)
        self._policies = {_CPU_POLICY}
        self._schedules: set[str] = set()

    def track_memory(
        self,
        *,
        target_percent: float,
        scale_in: bool = True,
        scale_in_cooldown: Duration = SCALE_IN_COOLDOWN,
        scale_out_cooldown: Duration = SCALE_OUT_COOLDOWN,
    ) -> None:
        """Keeps the average memory of the tasks near a target too. The target that needs the most tasks wins.

        Args:
            target_percent: memory of all tasks, percent of what they reserve, above 0, at most 100.
            scale_in: whether tasks are removed when it is below. Default: they are, once every target allows it.
            scale_in_cooldown: no further tasks are removed for this long after a scale-in. Default: 5 minutes.
            scale_out_cooldown: during it, tasks just added count toward the next scale-out. Default: 1 minute.

        Raises:
            InvalidArgumentError: a target outside 1 to 100, or a second call.
        """
        check_target_percent(target_percent)
        check_tracking(scale_in=scale_in, scale_in_cooldown=scale_in_cooldown, scale_out_cooldown=scale_out_cooldown)
        self._claim("track_memory", "MemoryAverage", plain("a second call"), "one call")
        self._scalable_target.scale_on_memory_utilization(
            "MemoryAverage",
            target_utilization_percent=target_percent,
            disable_scale_in=not scale_in,
            scale_in_cooldown=scale_in_cooldown,
            scale_out_cooldown=scale_out_cooldown,
        )

    def track_requests(
        self,
        *,
        requests_per_task: float,
        scale_in: bool = True,
        scale_in_cooldown: Duration = SCALE_IN_COOLDOWN,
        scale_out_cooldown: Duration = SCALE_OUT_COOLDOWN,
    ) -> None:
        """Keeps the requests per minute and task near a target too.

        Args:
            requests_per_task: requests per minute and task, above 0.
            scale_in: whether tasks are removed when it is below. Default: they are, once every target allows it.
            scale_in_cooldown: no further tasks are removed for this long after a scale-in. Default: 5 minutes.
            scale_out_cooldown: during it, tasks just added count toward the next scale-out. Default: 1 minute.

        Raises:
            InvalidArgumentError: a target that is not above 0, a second call, or a service with blue/green deployments,
                which change the target group.
        """
        check_number("requests_per_task", requests_per_task, above=0)
        check_tracking(scale_in=scale_in, scale_in_cooldown=scale_in_cooldown, scale_out_cooldown=scale_out_cooldown)
        if self._alternate_target_group:
            raise refusal(
                "track_requests",
                plain("a service with BLUE_GREEN deployments"),
                "ROLLING",
                "AWS counts the requests of one target group, and the two take turns",
            )
        self._claim("track_requests", "RequestsPerTask", plain("a second call"), "one call")
        self._scalable_target.scale_on_request_count(
            "RequestsPerTask",
            requests_per_target=requests_per_task,
            target_group=self._target_group,
            disable_scale_in=not scale_in,
            scale_in_cooldown=scale_in_cooldown,
            scale_out_cooldown=scale_out_cooldown,
        )

    def track_metric(
        self,
        id: str,
        *,
        metric: cloudwatch.Metric,
        target_value: float,
        scale_in: bool = True,
        scale_in_cooldown: Duration = SCALE_IN_COOLDOWN,
        scale_out_cooldown: Duration = SCALE_OUT_COOLDOWN,
    ) -> None:
        """Keeps any metric near a target too; it has to fall as tasks are added.

        Args:
            id: the policy's construct id, unique in this service.
            metric: what is kept near the target.
            target_value: the target in the metric's unit, above 0.
            scale_in: whether tasks are removed when it is below. Default: they are, once every target allows it.
            scale_in_cooldown: no further tasks are removed for this long after a scale-in. Default: 5 minutes.
            scale_out_cooldown: during it, tasks just added count toward the next scale-out. Default: 1 minute.

        Raises:
            InvalidArgumentError: a target that is not above 0, a math expression, a statistic that target tracking does
                not support, or an id that is used already.
        """
        check_kind(
            "metric",
            metric,
            cloudwatch.Metric,
            "a cloudwatch.Metric",
            "target tracking follows no expression; publish its result as a metric",
        )
        check_number("target_value", target_value, above=0)
        check_tracking(scale_in=scale_in, scale_in_cooldown=scale_in_cooldown, scale_out_cooldown=scale_out_cooldown)
        check_one_of("metric.statistic", metric.statistic, _TRACKED_STATISTICS, "target tracking knows no other")
        self._claim("id", id, id, "one that no other policy of the service has")
        self._scalable_target.scale_to_track_custom_metric(
            id,
            metric=metric,
            target_value=target_value,
            disable_scale_in=not scale_in,
            scale_in_cooldown=scale_in_cooldown,
            scale_out_cooldown=scale_out_cooldown,
        )

    def schedule_tasks(
        self,
        id: str,
        *,
        schedule: applicationautoscaling.Schedule,
        time_zone: TimeZone,
        min_tasks: int | None = None,
        max_tasks: int | None = None,
    ) -> None:
        """Sets new bounds at the times of a schedule; they hold until the next one. The tasks follow at once.

        Args:
            id: the scheduled action's name, unique in this service.
            schedule: when, such as `Schedule.cron(hour="8", minute="30")`.
            time_zone: the zone that the schedule is in.
            min_tasks: the new lower bound. Default: unchanged.
            max_tasks: the new upper bound. Default: unchanged.

        Raises:
            InvalidArgumentError: neither bound, bounds that contradict each other, or an id that is used already.

        Synthesis fails when a bound contradicts every other bound that holds at some time.
        """
        if min_tasks is None and max_tasks is None:
            raise refusal("min_tasks and max_tasks", plain("neither"), "one or both", "pass what changes")
        check_task_count(min_tasks, max_tasks)
        check_kind("schedule", schedule, applicationautoscaling.Schedule, "an aws_applicationautoscaling.Schedule")
        remedy = f"give cdk.TimeZone.of({time_zone!r})" if isinstance(time_zone, str) else None
        check_kind("time_zone", time_zone, TimeZone, "a cdk.TimeZone", remedy)
        if id in self._schedules:
            raise refusal("id", id, "one that no other schedule of the service has", "rename it")
        if not self._schedules:
            self.node.add_validation(_SchedulesAgree(self._scalable_target))
        self._schedules.add(id)
        self._scalable_target.scale_on_schedule(
            id, schedule=schedule, time_zone=time_zone, min_capacity=min_tasks, max_capacity=max_tasks
        )

    def _claim(self, name: str, policy_id: str, given: str, allowed: str) -> None:
        if policy_id in self._policies:
            raise refusal(name, given, allowed, "make one policy of the two")
        self._policies.add(policy_id)

    def _track_cpu(
        self,
        target_percent: float,
        high_resolution: bool,
        scale_in: bool,
        scale_in_cooldown: Duration,
        scale_out_cooldown: Duration,
    ) -> None:
        self._scalable_target.scale_on_cpu_utilization(
            _CPU_POLICY,
            target_utilization_percent=target_percent,
            disable_scale_in=not scale_in,
            scale_in_cooldown=scale_in_cooldown,
            scale_out_cooldown=scale_out_cooldown,
        )
        if not high_resolution:
            return
        # The CDK's enumeration lacks this metric. Replacing the policy's configuration keeps its logical id.
        policy = self._scalable_target.node.find_child("Target").node.find_child(_CPU_POLICY).node.default_child
        assert isinstance(policy, applicationautoscaling.CfnScalingPolicy)
        policy.target_tracking_scaling_policy_configuration = (
            applicationautoscaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=target_percent,
                predefined_metric_specification=(
                    applicationautoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                        predefined_metric_type=cpu_metric.TRACKED_EVERY_20_SECONDS
                    )
                ),
                disable_scale_in=not scale_in,
                scale_in_cooldown=scale_in_cooldown.to_seconds(),
                scale_out_cooldown=scale_out_cooldown.to_seconds(),
            )
        )


def check_tracking(*, scale_in: bool, scale_in_cooldown: Duration, scale_out_cooldown: Duration) -> None:
    """Refuses a `scale_in` that is not a flag, and cooldowns that Application Auto Scaling would refuse.

    Raises:
        InvalidArgumentError: see above.
    """
    check_flags(scale_in=scale_in)
    check_duration("scale_in_cooldown", scale_in_cooldown, whole="seconds")
    check_duration("scale_out_cooldown", scale_out_cooldown, whole="seconds")


@jsii.implements(IValidation)
class _SchedulesAgree:
    """Checks the bounds at synthesis, because a schedule that is declared later may change one."""

    def __init__(self, scalable_target: ecs.ScalableTaskCount) -> None:
        self._scalable_target = scalable_target

    def validate(self) -> list[str]:
        scaling = ServiceScaling.of(self._scalable_target)
        least, most = scaling.least_bounds, scaling.most_bounds
        if any(map(is_token, (*least, *most))):
            return []
        found = [
            f"schedule_tasks: got min_tasks={schedule.min_tasks:g}, allowed: at most {max(most):g}, the largest "
            "max_tasks; give max_tasks too"
            for schedule in scaling.schedules
            if schedule.min_tasks is not None and schedule.min_tasks > max(most)
        ]
        return found + [
            f"schedule_tasks: got max_tasks={schedule.max_tasks:g}, allowed: at least {min(least):g}, the smallest "
            "min_tasks; give min_tasks too"
            for schedule in scaling.schedules
            if schedule.max_tasks is not None and schedule.max_tasks < min(least)
        ]
