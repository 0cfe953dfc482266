"""Alarms on a service's latency, errors, CPU and tasks."""

from collections.abc import Sequence

from aws_cdk import Annotations, Duration, Names
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_events as events
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct

from cdk_fargate_sagemaker.fargate import AnyService, ServiceMetrics, ServiceScaling
from cdk_fargate_sagemaker.fargate._service_parts import ServiceParts

from .. import _statistics as statistics
from .._acknowledgment import Acknowledgment, acknowledge
from .._checks import check_duration, check_flags, check_number, check_percent, plain, refusal
from .._construct_tree import stack_of
from .._interfaces import AnyTopic
from .._number_token import is_token, number_text
from .._readable_help import CallSignature, readable
from .._topic_publishers import alarm_action, rule_target
from ._declared_before import DeclaredBefore
from ._deployment_guardrail import names_of
from ._deployment_guardrail import stop_deployments as stop_deployments_on_alarm

_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
_RESPONSE_TIME = readable(Duration.seconds(1))
_SATURATED_FOR = readable(Duration.minutes(10))
_AT_MAXIMUM_FOR = readable(Duration.minutes(15))
_MINUTE = Duration.minutes(1)
# The longest time of an alarm whose period is less than an hour:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
_LONGEST_LOOK_BACK = Duration.days(1)


class ServiceAlarms(Construct):
    """Watches latency, server errors, unhealthy hosts, CPU, failing tasks, and whether the service can still scale out.

    The first five are the guardrail: `degraded` is in ALARM when any of them is. The target tuner watches `degraded`. A
    deployment watches the five alarms themselves, because ECS derives from their periods how long it must observe. The
    alarm on a service at its maximum notifies, but rolls nothing back. The maximum is the largest one that is declared
    or scheduled: a lower one for some hours is intended. If the minimum equals it at any time, the service would be at
    its maximum without any load. Then there is no such alarm, and an annotation reports that.

    Example:
        ```python
        alarms = ServiceAlarms(
            self,
            "Alarms",
            service=web,
            alerts_topic=topic,
            response_time=cdk.Duration.millis(500),
            server_error_percent=0.5,
        )
        ```

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), any other ECS service
            of this app, or an imported one.
        load_balancer: the ALB in front of it. Default: the one that a service of this app was attached to before the
            alarms were made; if there is none, latency and server errors have no alarm, and an annotation reports that.
        target_group: the target group with its tasks. Default: the first application target group that a service of
            this app was attached to; if there is none, unhealthy hosts have no alarm, and an annotation reports that.
        scalable_target: its task count. The alarm reads the maximum that this app declares on it, schedules included:
            declare them before the alarms. Default: what `service.auto_scale_task_count(…)` made; if there is none, a
            service at its maximum has no alarm, and an annotation reports that.
        alerts_topic: is notified when an alarm fires, when it is over, and each time a task fails. The owner of an
            imported topic must allow alarms and rules to publish; the app warns with the statements to add. Default:
            alarms notify nobody.
        response_time: alarm when the percentile is above it in three minutes of five. Default: 1 second.
        response_time_percentile: 1 to 100. Default: 95.
        server_error_percent: alarm when the share of 5xx is above it in three minutes of five. Default: 1 %.
        cpu_maximum_percent: alarm when the hottest task stays at or above it for `cpu_saturated_for`, although spike
            scaling added tasks; 1 to 100. Default: 95 %.
        cpu_saturated_for: whole minutes, up to a day. Tasks of a deployment that are hot only while they start are no
            saturation: give the minutes that a task is hot and four more, for tasks that start after the first and for
            partial minutes. Default: 10 minutes, for tasks that are hot for up to six.
        task_failures: alarm when this many tasks failed to start, or stopped by themselves, within five minutes.
            Default: 3.
        at_maximum_for: alarm when the service ran its maximum number of tasks for this long: whole minutes, up to a
            day. Default: 15 minutes.
        stop_deployments: whether the guardrail stops and rolls back a deployment. Default: it does if this app makes
            the service and ECS deploys it, with any strategy. An imported service cannot be changed. A service that
            CodeDeploy or an external controller deploys supports no alarms, and an annotation reports that.
        deployment_alarms: further alarms that stop a deployment, such as `FallbackAlarms.guardrail_alarms`, made in
            this app with an `alarm_name`. They are not part of `degraded`. Default: none.
        anomaly_bands: adds alarms on latency and requests outside the band that CloudWatch's anomaly detection learned,
            three standard deviations wide. They are billed and not part of the guardrail. Default: none.

    Raises:
        InvalidArgumentError: a service of another region, a load balancer, target group or task count that is another
            service's, a threshold that its metric cannot have or that has to be known at synthesis,
            `stop_deployments` for a service that takes no alarms, or a topic of another region.

    Synthesis fails when bounds are scheduled after the alarms are made.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        target_group: elbv2.IApplicationTargetGroup | None = None,
        scalable_target: IScalableTargetRef | None = None,
        alerts_topic: AnyTopic | None = None,
        response_time: Duration = _RESPONSE_TIME,
        response_time_percentile: float = 95,
        server_error_percent: float = 1,
        cpu_maximum_percent: float = 95,
        cpu_saturated_for: Duration = _SATURATED_FOR,
        task_failures: int = 3,
        at_maximum_for: Duration = _AT_MAXIMUM_FOR,
        stop_deployments: bool | None = None,
        deployment_alarms: Sequence[cloudwatch.Alarm] = (),
        anomaly_bands: bool = False,
    ) -> None:
        super().__init__(scope, id)
        check_duration("response_time", response_time, above_zero=True)
        # No token, because the number is part of the statistic's name.
        check_percent("response_time_percentile", response_time_percentile, at_least=1, token=False)
        check_percent("server_error_percent", server_error_percent)
        check_percent("cpu_maximum_percent", cpu_maximum_percent, at_least=1)
        check_number("task_failures", task_failures, at_least=1, whole=True)
        check_flags(anomaly_bands=anomaly_bands)
        if stop_deployments is not None:
            check_flags(stop_deployments=stop_deployments)
        saturated_minutes = _minutes("cpu_saturated_for", cpu_saturated_for)
        minutes_at_maximum = _minutes("at_maximum_for", at_maximum_for)
        # All are given at once, because the CDK drops alarms that are added later (aws/aws-cdk#36308).
        further = names_of("deployment_alarms", deployment_alarms)
        parts = ServiceParts.of(
            self,
            service,
            scalable_target=scalable_target,
            load_balancer=load_balancer,
            target_group=target_group,
        )
        metrics, scaling, scalable_target = parts.metrics, parts.scaling, parts.scalable_target
        parts.say_what_is_not_known(
            self,
            load_balancer="latency and 5xx have no alarm",
            target_group="unhealthy hosts have no alarm",
            both="latency, 5xx and unhealthy hosts have no alarm",
            scalable_target="a service at its maximum has no alarm",
        )
        # Names are given, not generated: the service names its alarms and they refer to the service. Otherwise the
        # dependency would be circular.
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        self._topic = alerts_topic
        self._action = alarm_action(self, alerts_topic) if alerts_topic is not None else None
        self._latency = self._server_errors = self._unhealthy_hosts = self._at_maximum = None
        guardrail_alarms = []
        if metrics.has_load_balancer:
            self._latency = self._alarm(
                "Latency",
                metrics.response_time(response_time_percentile),
                f"p{response_time_percentile:g} of the response time is above {_shown(response_time)}",
                threshold=_seconds(response_time),
                operator=_ABOVE,
                minutes=(3, 5),
            )
            self._server_errors = self._alarm(
                "ServerErrors",
                metrics.server_error_percent(),
                f"more than {number_text(server_error_percent)} % of the requests end in 5xx",
                threshold=server_error_percent,
                operator=_ABOVE,
                minutes=(3, 5),
            )
            guardrail_alarms += [self._latency, self._server_errors]
        if metrics.has_target_group:
            self._unhealthy_hosts = self._alarm(
                "UnhealthyHosts",
                metrics.unhealthy_hosts(),
                "a task fails its health check",
                threshold=1,
                operator=_AT_LEAST,
                minutes=(3, 3),
            )
            guardrail_alarms.append(self._unhealthy_hosts)
        self._cpu_saturated = self._alarm(
            "CpuSaturated",
            metrics.cpu_maximum(),
            f"the hottest task's CPU is at least {number_text(cpu_maximum_percent)} % and stays there",
            threshold=cpu_maximum_percent,
            operator=_AT_LEAST,
            minutes=(saturated_minutes, saturated_minutes),
        )
        self._task_failures = self._alarm(
            "TaskFailures",
            self._failing_tasks(metrics),
            f"{number_text(task_failures)} tasks failed to start or stopped by themselves within five minutes",
            threshold=task_failures,
            operator=_AT_LEAST,
            minutes=(1, 1),
        )
        guardrail_alarms += [self._cpu_saturated, self._task_failures]
        self._guardrail_alarms = tuple(guardrail_alarms)
        self._degraded = self._composite()
        most_tasks = self._most_tasks(scaling)
        if scalable_target is not None:
            self.node.add_validation(DeclaredBefore("ServiceAlarms", scalable_target, scaling))
        if most_tasks is not None:
            self._at_maximum = self._alarm(
                "AtMaximum",
                metrics.running_tasks(),
                f"the service has run its maximum number of tasks for {number_text(minutes_at_maximum)} minutes and "
                "cannot scale out further",
                threshold=most_tasks,
                operator=_AT_LEAST,
                minutes=(minutes_at_maximum, minutes_at_maximum),
            )
        if anomaly_bands:
            self._anomalies(metrics, response_time_percentile)
        names = [f"{self._name}-{alarm.node.id}" for alarm in self._guardrail_alarms] + further
        stop_deployments_on_alarm(self, parts.service, names, stop_deployments)

    @property
    def degraded(self) -> cloudwatch.CompositeAlarm:
        """The composite alarm that is in ALARM when any alarm of the guardrail is."""
        return self._degraded

    @property
    def guardrail_alarms(self) -> tuple[cloudwatch.Alarm, ...]:
        """The alarms that `degraded` combines."""
        return self._guardrail_alarms

    @property
    def latency(self) -> cloudwatch.Alarm | None:
        """Alarm on the response time; None without a load balancer."""
        return self._latency

    @property
    def server_errors(self) -> cloudwatch.Alarm | None:
        """Alarm on the share of 5xx; None without a load balancer."""
        return self._server_errors

    @property
    def unhealthy_hosts(self) -> cloudwatch.Alarm | None:
        """Alarm on tasks that fail their health check; None without a target group."""
        return self._unhealthy_hosts

    @property
    def cpu_saturated(self) -> cloudwatch.Alarm:
        """Alarm on a hottest task whose CPU stays high."""
        return self._cpu_saturated

    @property
    def task_failures(self) -> cloudwatch.Alarm:
        """Alarm on tasks that fail to start or stop by themselves."""
        return self._task_failures

    @property
    def at_maximum(self) -> cloudwatch.Alarm | None:
        """Alarm on a service that cannot scale out further.

        None if this app does not declare the maximum, if the minimum equals it, or if it is known at deployment only
        which of several maxima is the largest.
        """
        return self._at_maximum

    def _most_tasks(self, scaling: ServiceScaling) -> float | None:
        """The largest upper bound; None if reaching it does not show that the load is too high."""
        bounds = scaling.most_bounds
        if not bounds:
            return None
        if len(bounds) > 1 and any(map(is_token, bounds)):
            self._say(
                "atMaximum", "no AtMaximum alarm: which of several max_tasks is the most is known at deployment only"
            )
            return None
        most = max(bounds)
        if any(_is_at_least(least, most) for least in scaling.least_bounds):
            number = "the same" if is_token(most) else f"{most:g}"
            self._say(
                "atMaximum",
                f"no AtMaximum alarm: min_tasks and max_tasks are {number} at some time, so that it would fire without "
                "any load; set min_tasks below max_tasks to get it",
            )
            return None
        return most

    def _say(self, id: str, text: str) -> None:
        Annotations.of(self).add_info_v2(f"cdk-fargate-sagemaker:{id}", text)

    def _alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: float,
        operator: cloudwatch.ComparisonOperator,
        minutes: tuple[float, float],
    ) -> cloudwatch.Alarm:
        datapoints, periods = minutes
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=periods,
            datapoints_to_alarm=datapoints,
            # No requests or no tasks means no data, and is no fault.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._notify(alarm)
        return alarm

    def _composite(self) -> cloudwatch.CompositeAlarm:
        in_alarm = cloudwatch.AlarmState.ALARM
        states = [cloudwatch.AlarmRule.from_alarm(alarm, in_alarm) for alarm in self._guardrail_alarms]
        composite = cloudwatch.CompositeAlarm(
            self,
            "Degraded",
            composite_alarm_name=f"{self._name}-Degraded",
            alarm_description="the service is degraded: one of its guardrail alarms is in ALARM",
            alarm_rule=cloudwatch.AlarmRule.any_of(*states),
        )
        self._notify(composite)
        return composite

    def _notify(self, alarm: cloudwatch.AlarmBase) -> None:
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)

    def _failing_tasks(self, metrics: ServiceMetrics) -> cloudwatch.Metric:
        # ECS has no free metric of failing tasks. It sends events, and EventBridge counts those that match a rule.
        rule = events.Rule(
            self,
            "TaskFailureEvents",
            description="Tasks that failed to start or whose container exited by itself",
            event_pattern=events.EventPattern(
                source=["aws.ecs"],
                detail_type=["ECS Task State Change"],
                detail={
                    "clusterArn": [
                        stack_of(self).format_arn(service="ecs", resource="cluster", resource_name=metrics.cluster_name)
                    ],
                    "group": [f"service:{metrics.service_name}"],
                    "lastStatus": ["STOPPED"],
                    "stopCode": ["TaskFailedToStart", "EssentialContainerExited"],
                },
            ),
        )
        acknowledge(
            rule,
            Acknowledgment(
                id="Serverless-EventBusDLQ",
                reason="The alarm counts the events that the rule matches, whether or not an event reaches the topic.",
            ),
        )
        if self._topic is not None:
            rule.add_target(rule_target(self, "TaskFailureEventsRole", self._topic))
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="TriggeredRules",
            dimensions_map={"RuleName": rule.rule_name},
            statistic=statistics.SUM,
            period=Duration.minutes(5),
        )

    def _anomalies(self, metrics: ServiceMetrics, percentile: float) -> None:
        if not metrics.has_load_balancer:
            given = plain("True for a service without a load balancer")
            raise refusal("anomaly_bands", given, "with one only", "pass load_balancer")
        above = cloudwatch.ComparisonOperator.GREATER_THAN_UPPER_THRESHOLD
        outside = cloudwatch.ComparisonOperator.LESS_THAN_LOWER_OR_GREATER_THAN_UPPER_THRESHOLD
        for id, metric, operator in (
            ("LatencyAnomaly", metrics.response_time(percentile), above),
            ("RequestsAnomaly", metrics.request_count(), outside),
        ):
            self._notify(
                cloudwatch.AnomalyDetectionAlarm(
                    self,
                    id,
                    alarm_name=f"{self._name}-{id}",
                    metric=metric,
                    comparison_operator=operator,
                    std_devs=3,
                    evaluation_periods=5,
                    datapoints_to_alarm=5,
                    treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
                )
            )


def _is_at_least(bound: float, other: float) -> bool:
    """Whether `bound` is known to be at least `other`; the encoded number of a token shows nothing."""
    return bound == other or (bound > other and not is_token(bound) and not is_token(other))


def _minutes(name: str, duration: Duration) -> float:
    check_duration(name, duration, at_least=_MINUTE, at_most=_LONGEST_LOOK_BACK, whole="minutes")
    return duration.to_minutes()


def _seconds(duration: Duration) -> float:
    # A token cannot be converted; `check_duration` accepts it in seconds only.
    return duration.to_seconds() if duration.is_unresolved() else duration.to_milliseconds(integral=False) / 1000


def _shown(duration: Duration) -> str:
    if duration.is_unresolved():
        return f"{number_text(duration.to_seconds())} s"
    return f"{duration.to_milliseconds(integral=False):g} ms"
