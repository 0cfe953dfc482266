"""AWS's predictive scaling: AWS forecasts the load and adds tasks ahead of it."""

from enum import StrEnum

import jsii
from aws_cdk import Duration, Fn, Names
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, IValidation

from .._checks import check_duration, check_number, check_one_of, check_percent, plain, refusal
from .._construct_tree import path_of
from .._readable_help import CallSignature
from ._scalable_target_reference import scalable_target_reference
from ._service_parts import AnyService, ServiceParts

# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredictiveScalingPolicyConfiguration.html
_LONGEST_BUFFER_TIME = Duration.seconds(3599)
_RAISED_BY = "cdk-fargate-sagemaker:maximum-raised-by"


class PredictiveScalingMode(StrEnum):
    """What AWS does with its forecast."""

    # The console and `get-predictive-scaling-forecast` show the forecast; the task count does not change.
    FORECAST_ONLY = "ForecastOnly"
    # The task count is raised to the forecast ahead of each hour. It is never lowered.
    FORECAST_AND_SCALE = "ForecastAndScale"


class PredictiveScalingMetric(StrEnum):
    """AWS's predefined metric pairs: the load that AWS forecasts, and the metric per task that it scales by."""

    ECS_SERVICE_CPU_UTILIZATION = "ECSServiceCPUUtilization"
    ECS_SERVICE_MEMORY_UTILIZATION = "ECSServiceMemoryUtilization"
    ALB_REQUEST_COUNT = "ALBRequestCount"


class MaxCapacityBreachBehavior(StrEnum):
    """What AWS does when its forecast is near or above the maximum."""

    HONOR_MAX_CAPACITY = "HonorMaxCapacity"
    INCREASE_MAX_CAPACITY = "IncreaseMaxCapacity"


class PredictiveScaling(Construct):
    """Raises the task count ahead of the load that AWS forecasts. It never lowers the count: target tracking does.

    AWS analyses up to 14 days of the load's metric (24 hours at least), forecasts the next 48 hours by the hour, and
    renews the forecast every 6 hours
    (https://docs.aws.amazon.com/autoscaling/application/userguide/aas-predictive-scaling-how-it-works.html). By default
    it only forecasts, and scales nothing. Keep target tracking as well, for load that AWS did not forecast and to scale
    in. Of several policies, the one that needs the most tasks wins.

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), any other ECS service
            of this app, or an imported one.
        target_value: the target of the metric per task at the forecast load: percent of CPU or memory, at least 1; with
            `ALB_REQUEST_COUNT` the requests per task.
        metric: the load that is forecast, and the metric per task. Default: the service's CPU.
        mode: whether AWS scales by its forecast. Default: it only forecasts. Before you change it, compare the forecast
            with the tasks that ran.
        scheduling_buffer_time: how long before the hour tasks are started, less than an hour, whole seconds. Default: 5
            minutes, which is AWS's default. Tasks that take longer to start need more.
        max_capacity_breach_behavior: whether AWS may raise the scalable target's maximum when the forecast comes near
            it. Default: the maximum is kept.
        max_capacity_buffer: with `INCREASE_MAX_CAPACITY`, percent above the forecast that the raised maximum is, whole,
            0 to 100. Default: none; required with `INCREASE_MAX_CAPACITY`, and refused without.
        scalable_target: the task count to raise, as an `applicationautoscaling.ScalableTarget`, or one imported with
            `from_scalable_target_attributes`. Default: what `service.auto_scale_task_count(…)` made; required for a
            service on which it was not called, such as an imported one.
        load_balancer: with `ALB_REQUEST_COUNT`, the ALB in front of the service. Default: that of its target group.
        target_group: with `ALB_REQUEST_COUNT`, the target group whose requests are counted. Default: the service's
            first one.

    Raises:
        InvalidArgumentError: a service of another region, no scalable target or that of another service, a value out of
            its range, a buffer without `INCREASE_MAX_CAPACITY` or the other way round, or `ALB_REQUEST_COUNT` for a
            service without a load balancer or with blue/green deployments.

    Example:
        ```python
        PredictiveScaling(
            self,
            "Predictive",
            service=web,
            target_value=50,
            mode=PredictiveScalingMode.FORECAST_AND_SCALE,
            scheduling_buffer_time=cdk.Duration.minutes(10),
        )
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        target_value: float,
        metric: PredictiveScalingMetric = PredictiveScalingMetric.ECS_SERVICE_CPU_UTILIZATION,
        mode: PredictiveScalingMode = PredictiveScalingMode.FORECAST_ONLY,
        scheduling_buffer_time: Duration | None = None,
        max_capacity_breach_behavior: MaxCapacityBreachBehavior = MaxCapacityBreachBehavior.HONOR_MAX_CAPACITY,
        max_capacity_buffer: int | None = None,
        scalable_target: IScalableTargetRef | None = None,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        target_group: elbv2.IApplicationTargetGroup | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_one_of("metric", metric, list(PredictiveScalingMetric), "choose one of PredictiveScalingMetric")
        check_one_of("mode", mode, list(PredictiveScalingMode), "choose one of PredictiveScalingMode")
        by_requests = metric == PredictiveScalingMetric.ALB_REQUEST_COUNT
        if by_requests:
            check_number("target_value", target_value, above=0)
        else:
            check_percent("target_value", target_value, at_least=1)
        if scheduling_buffer_time is not None:
            check_duration(
                "scheduling_buffer_time",
                scheduling_buffer_time,
                at_least=Duration.seconds(0),
                at_most=_LONGEST_BUFFER_TIME,
                whole="seconds",
            )
        _check_maximum(max_capacity_breach_behavior, max_capacity_buffer)
        parts = ServiceParts.of(
            self, service, scalable_target=scalable_target, load_balancer=load_balancer, target_group=target_group
        )
        counted = parts.required_scalable_target()
        reference = scalable_target_reference(counted)
        assert reference is not None, "ServiceParts takes scalable targets alone"
        self._mode = PredictiveScalingMode(mode)
        raises_maximum = max_capacity_breach_behavior == MaxCapacityBreachBehavior.INCREASE_MAX_CAPACITY
        if raises_maximum:
            counted.node.add_metadata(_RAISED_BY, path_of(self))
        policies = applicationautoscaling.CfnScalingPolicy
        self._cfn_policy = policies(
            self,
            "Policy",
            policy_name=Names.unique_id(self),
            policy_type="PredictiveScaling",
            scaling_target_id=reference.resource_id,
            predictive_scaling_policy_configuration=policies.PredictiveScalingPolicyConfigurationProperty(
                metric_specifications=[
                    policies.PredictiveScalingMetricSpecificationProperty(
                        target_value=target_value,
                        predefined_metric_pair_specification=policies.PredictiveScalingPredefinedMetricPairProperty(
                            predefined_metric_type=str(metric),
                            resource_label=_resource_label(parts) if by_requests else None,
                        ),
                    )
                ],
                mode=str(mode),
                scheduling_buffer_time=None if scheduling_buffer_time is None else scheduling_buffer_time.to_seconds(),
                max_capacity_breach_behavior=str(max_capacity_breach_behavior) if raises_maximum else None,
                max_capacity_buffer=max_capacity_buffer,
            ),
        )

    @property
    def cfn_policy(self) -> applicationautoscaling.CfnScalingPolicy:
        """The scaling policy."""
        return self._cfn_policy

    @property
    def mode(self) -> PredictiveScalingMode:
        """What AWS does with its forecast."""
        return self._mode


def _check_maximum(behavior: MaxCapacityBreachBehavior, buffer: int | None) -> None:
    name = "max_capacity_breach_behavior"
    check_one_of(name, behavior, list(MaxCapacityBreachBehavior), "choose one of MaxCapacityBreachBehavior")
    raises_maximum = behavior == MaxCapacityBreachBehavior.INCREASE_MAX_CAPACITY
    if buffer is not None:
        check_number("max_capacity_buffer", buffer, at_least=0, at_most=100, whole=True)
    if raises_maximum and buffer is None:
        raise refusal("max_capacity_buffer", None, "0 to 100 percent, with IncreaseMaxCapacity")
    if buffer is not None and not raises_maximum:
        raise refusal(
            "max_capacity_buffer",
            buffer,
            "none with HonorMaxCapacity",
            f"leave it out, or give {name}=MaxCapacityBreachBehavior.INCREASE_MAX_CAPACITY",
        )


def _resource_label(parts: ServiceParts) -> str:
    """`app/<balancer>/<id>/targetgroup/<group>/<id>`: the last parts of both ARNs."""
    balancer, group = parts.load_balancer, parts.target_group
    if balancer is None or group is None:
        missing = "load_balancer" if balancer is None else "target_group"
        raise refusal(missing, None, "the application load balancer's, for ALBRequestCount", f"pass {missing}")
    if parts.has_alternate_target_group:
        raise refusal(
            "metric",
            str(PredictiveScalingMetric.ALB_REQUEST_COUNT),
            "CPU or memory for a service with BLUE_GREEN deployments",
            "AWS counts the requests of one target group, and the two take turns",
        )
    balancer_name = Fn.select(1, Fn.split(":loadbalancer/", balancer.load_balancer_arn))
    return f"{balancer_name}/{Fn.select(5, Fn.split(':', group.target_group_arn))}"


@jsii.implements(IValidation)
class MaximumIsKept:
    """Checks at synthesis that no policy raises the maximum: a policy may be declared after the forecast floor."""

    def __init__(self, scalable_target: IScalableTargetRef) -> None:
        self._scalable_target = scalable_target

    def validate(self) -> list[str]:
        """An error if AWS may raise the maximum, since a forecast floor would yield to that change."""
        raised = [entry.data for entry in self._scalable_target.node.metadata if entry.type == _RAISED_BY]
        if not raised:
            return []
        return [
            str(
                refusal(
                    "max_capacity_breach_behavior",
                    plain(f"IncreaseMaxCapacity of {raised[0]} beside a forecast floor"),
                    "HonorMaxCapacity",
                    "the floor yields to whoever changes the maximum",
                )
            )
        ]
