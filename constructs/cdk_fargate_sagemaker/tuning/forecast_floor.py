"""A minimum number of tasks that rises before the load does, forecast from the same time on past days."""

import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct

from cdk_fargate_sagemaker.fargate import AnyService
from cdk_fargate_sagemaker.fargate._identity import claimant
from cdk_fargate_sagemaker.fargate._service_parts import ServiceParts
from cdk_fargate_sagemaker.fargate.predictive_scaling import MaximumIsKept
from cdk_fargate_sagemaker.fargate.task_count import check_task_count
from cdk_fargate_sagemaker.floor_decisions import LONGEST_LEAD_MINUTES, LookBack
from cdk_fargate_sagemaker.monitoring import ServiceDashboard

from .. import _statistics as statistics
from .._acknowledgment import Acknowledgment, acknowledge
from .._allow import allow
from .._checkov_skips import skip_checkov
from .._checks import (
    check_duration,
    check_flags,
    check_kind,
    check_one_of,
    check_percent,
    check_sequence,
    plain,
    refusal,
)
from .._construct_tree import stack_of
from .._interfaces import AnyKey, AnyTopic, check_topic, checked_grantee
from .._last_queue import last_queue
from .._lives import is_kept, kept_from_the_start
from .._log_checks import check_log_settings
from .._metric_options import MetricOptions, with_options
from .._number_token import number_text
from .._packaged_function import PackagedFunction
from .._readable_help import CallSignature, readable
from .._topic_publishers import alarm_action, allow_publishing
from ._cpu_reports import cpu_reports

_NAMESPACE = "ForecastFloor"
_LOOK_EVERY = Duration.hours(1)
_DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_LEAD = readable(Duration.minutes(30))
_CLAIMED_BY = "cdk-fargate-sagemaker:floor-by"
_DAY_FORM = re.compile(r"\d{4}-\d{2}-\d{2}")
# A forecast that misses in three of six hours is not an accident.
_MISSES, _WATCHED_HOURS = 3, 6


class ForecastFloor(Construct):
    """Raises a service's minimum of tasks before its load comes, and lowers it after; reactive scaling stays as it is.

    Every hour a function forecasts the next 48 hours from the total CPU of all tasks at the same time on past days,
    read from CloudWatch, and writes the minimum as scheduled actions of Application Auto Scaling: never below the
    declared minimum, never above the maximum. Because the floor covers the expected peak, the target of reactive
    scaling can be higher. `fargate-capacity recommend --floor` replays the same code to find out whether it helps.

    It keeps its scheduled actions unchanged while the service or the stack is deployed, while data are missing, and
    when the last hour was too unlike past days. A deployment resets the minimum to the declared one; the floor is
    raised again after ten minutes if the deployment is of this stack, otherwise within an hour. If another user or
    program changes the minimum or the maximum, the floor removes its scheduled actions, reports that, and continues
    once the declared bounds are restored. Invoke the function with `{"stop": true}` or `{"resume": true}` to stop or
    resume it. When its stack is deleted, its actions are deleted and the declared minimum is restored.

    Every decision is recorded in `table` with its figures. The dashboard's graph of tasks shows the floor as a line.
    The plan is reported to the topic once a day, and an alarm notifies the topic when forecasts miss in three of six
    hours.

    It works together with a `TargetTuner`, which changes a policy's target, not the minimum. Start with the floor:
    hours in which the floor determines the number of tasks are no evidence for the tuner.

    Example:
        ```python
        ForecastFloor(
            self,
            "Floor",
            service=web,
            alerts_topic=topic,
            utilization_percent=70,
            look_back=LookBack.WEEKS,
            time_zone="Europe/Berlin",
            holidays=["2026-12-25", "2026-12-26"],
            dry_run=True,
        )
        ```

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), or any other ECS
            service, an imported one too.
        alerts_topic: is notified of the day's plan, of bounds that another user or program changed, and by the alarms.
        utilization_percent: the average CPU at which the floor's tasks would carry the forecast load, 1 to 100; at or
            below the tracked target. Like the other settings, it has to be known at synthesis. Default: 60.
        look_back: the past days from which a day is forecast. Default: the seven days before.
        lead: how long before the load the floor rises, 0 to 2 hours, a multiple of 15 minutes. Default: 30 minutes.
        time_zone: the time zone of the days, a name of the IANA database: 8:00 stays 8:00 when clocks change. Default:
            UTC.
        holidays: days, such as `2026-12-25`. They are forecast from past holidays of the list, or from Sundays if there
            are fewer than two, and are not used to forecast other days. Default: none.
        min_tasks: the declared minimum, at least 1. Default: that of the scalable target; required for one of another
            app.
        max_tasks: the declared maximum. Default: that of the scalable target; required for one of another app.
        scalable_target: the service's task count. Default: what `service.auto_scale_task_count(…)` made. Default for an
            imported service: the bounds are `min_tasks` and `max_tasks`.
        dashboard: a dashboard whose graph of running tasks gets the floor as a line. Default: none.
        dry_run: decides, records and reports what it would do, and changes nothing. Default: on, so that you can read
            the decisions of some days before it acts.
        log_encryption_key: encrypts the logs. Default: a key of their own, rotated every year.
        removal_policy: what happens to the records when they leave the stack. Default: they are kept.

    Raises:
        InvalidArgumentError: a service of another region, bounds that are not known, a scalable target whose minimum
            changes by a schedule already or that has a floor, or a setting out of its range.

    Synthesis fails when a `PredictiveScaling` may raise the service's maximum: the floor would yield to that change.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        alerts_topic: AnyTopic,
        utilization_percent: float = 60,
        look_back: LookBack = LookBack.DAYS,
        lead: Duration = _LEAD,
        time_zone: str = "UTC",
        holidays: Sequence[str] = (),
        min_tasks: int | None = None,
        max_tasks: int | None = None,
        scalable_target: IScalableTargetRef | None = None,
        dashboard: ServiceDashboard | None = None,
        dry_run: bool = True,
        log_encryption_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        check_topic("alerts_topic", alerts_topic)
        days = _checked(utilization_percent, look_back, lead, time_zone, holidays)
        check_flags(dry_run=dry_run)
        if dashboard is not None:
            check_kind("dashboard", dashboard, ServiceDashboard)
        check_log_settings(log_encryption_key=log_encryption_key, removal_policy=removal_policy)
        parts = ServiceParts.of(self, service, scalable_target=scalable_target)
        check_task_count(min_tasks, max_tasks)
        least, most = _bounds(parts, min_tasks, max_tasks)
        _claim(parts, self)
        if parts.scalable_target is not None:
            self.node.add_validation(MaximumIsKept(parts.scalable_target))
        self._dry_run = dry_run
        self._metrics = parts.metrics
        self._table = self._make_table(removal_policy)
        self._undelivered = last_queue(self, "Undelivered")
        self._packaged = PackagedFunction(
            self,
            "Keeper",
            name="forecast_floor",
            description=f"Keeps the floor of {self.node.path}",
            timeout=Duration.minutes(5),
            # For weeks of load per quarter of an hour, and for the CPU that comes with the memory.
            memory_mib=512,
            environment={
                "CLUSTER_NAME": self._metrics.cluster_name,
                "SERVICE_NAME": self._metrics.service_name,
                "MIN_TASKS": number_text(least),
                "MAX_TASKS": number_text(most),
                "TABLE_NAME": self._table.table_name,
                "STACK_ARN": stack_of(self).stack_id,
                "ALERTS_TOPIC_ARN": alerts_topic.topic_arn,
                "METRIC_NAMESPACE": _NAMESPACE,
                **cpu_reports(self._metrics),
                "SETTINGS": json.dumps(
                    {
                        "utilization": utilization_percent,
                        "look_back": str(look_back),
                        "lead_minutes": int(lead.to_minutes()),
                        "time_zone": time_zone,
                        "holidays": days,
                        "dry_run": dry_run,
                    }
                ),
            },
            dead_letter_queue=self._undelivered,
            log_encryption_key=log_encryption_key,
        )
        self._grant_function(alerts_topic)
        self._look_by_events(self._end_with_the_stack())
        self._missed, self._failed = self._make_alarms(alerts_topic)
        if dashboard is not None:
            dashboard.draw_floor(self.metric_floor())

    @property
    def function(self) -> lambda_.Function:
        """The function; invoke it with `{"stop": true}` or `{"resume": true}` to stop or resume the floor."""
        return self._packaged.function

    @property
    def table(self) -> dynamodb.Table:
        """The floor's plan, and every decision with the figures that led to it, for 400 days."""
        return self._table

    @property
    def forecast_missed(self) -> cloudwatch.Alarm:
        """Alarm on forecasts that were off by half in three of six hours."""
        return self._missed

    @property
    def failed(self) -> cloudwatch.Alarm:
        """Alarm on two failed runs of the function in three hours."""
        return self._failed

    def grant_stop_and_resume(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows `grantee` to invoke the function, with `{"stop": true}` or `{"resume": true}`."""
        return self._packaged.function.grant_invoke(checked_grantee(grantee))

    def metric_floor(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """The minimum that the floor sets, or would set in a dry run, in tasks (maximum over an hour)."""
        return self._metric("Floor", statistics.MAXIMUM, options)

    def metric_needed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Tasks that the load of the previous hour needed at `utilization_percent` (maximum over an hour)."""
        return self._metric("Needed", statistics.MAXIMUM, options)

    def metric_forecast(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Tasks that were forecast for the previous hour (maximum over an hour)."""
        return self._metric("Forecast", statistics.MAXIMUM, options)

    def metric_missed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Hours that needed at least 1.5 times the forecast tasks, or at most two thirds of them (sum over an hour)."""
        return self._metric("Missed", statistics.SUM, options)

    def _metric(self, name: str, statistic: str, options: MetricOptions) -> cloudwatch.Metric:
        metric = cloudwatch.Metric(
            namespace=_NAMESPACE,
            metric_name=name,
            dimensions_map={
                "ClusterName": self._metrics.cluster_name,
                "ServiceName": self._metrics.service_name,
            },
            statistic=statistic,
            period=_LOOK_EVERY,
        )
        return with_options(metric, options)

    def _make_table(self, removal_policy: RemovalPolicy) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Record",
            partition_key=dynamodb.Attribute(name="floor", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="entry", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            deletion_protection=is_kept(removal_policy),
            removal_policy=kept_from_the_start(removal_policy),
        )
        acknowledge(
            table,
            Acknowledgment(
                id="NIST.800.53.R5-DynamoDBInBackupPlan",
                reason="It can be restored to any second of the last 35 days, and the plan is recomputed every hour.",
            ),
        )
        skip_checkov(
            table,
            {
                "CKV_AWS_119": "It holds numbers of tasks, nothing about a person; DynamoDB encrypts it with its own "
                "key. With a customer key, KMS refusing the function would keep the floor from rising.",
            },
        )
        return table

    def _grant_function(self, alerts_topic: sns.ITopic) -> None:
        stack, role = stack_of(self), self._packaged.role
        allow(role, ["dynamodb:GetItem", "dynamodb:PutItem"], self._table.table_arn)
        allow(
            role,
            [
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScheduledActions",
                "cloudwatch:GetMetricData",
            ],
            "*",
            wildcard_reason="The actions that read scalable targets, scheduled actions and metrics, and X-Ray's, "
            "support no resource-level permissions.",
        )
        allow(
            role,
            ["cloudwatch:PutMetricData"],
            "*",
            conditions={"StringEquals": {"cloudwatch:namespace": _NAMESPACE}},
            wildcard_reason="Metrics and X-Ray traces have no ARN; a condition limits the metrics to one namespace.",
        )
        allow(
            role,
            ["ecs:DescribeServices"],
            stack.format_arn(
                service="ecs",
                resource="service",
                resource_name=f"{self._metrics.cluster_name}/{self._metrics.service_name}",
            ),
        )
        allow(role, ["cloudformation:DescribeStacks"], stack.stack_id)
        allow_publishing(role, alerts_topic)
        if self._dry_run:
            return
        allow(
            role,
            [
                "application-autoscaling:DeleteScheduledAction",
                "application-autoscaling:PutScheduledAction",
                "application-autoscaling:RegisterScalableTarget",
            ],
            stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*"),
            conditions={
                "StringEquals": {
                    "application-autoscaling:service-namespace": "ecs",
                    "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
                }
            },
            wildcard_reason="AWS gives a scalable target's ARN an id that no template knows; a condition keeps it to "
            "the task counts of ECS services.",
        )

    def _look_by_events(self, ended: CustomResource) -> None:
        # A late event is dropped, because its scheduled actions could be in the past; the next run is soon enough.
        target = targets.LambdaFunction(
            self._packaged.function,
            dead_letter_queue=self._undelivered,
            retry_attempts=2,
            max_event_age=Duration.minutes(5),
        )
        hourly = events.Rule(
            self,
            "EveryHour",
            description="The floor of the next 48 hours",
            schedule=events.Schedule.cron(minute="2"),
            targets=[target],
        )
        deployed = events.Rule(
            self,
            "Deployed",
            description="The floor rises again after a deployment",
            event_pattern=events.EventPattern(
                source=["aws.cloudformation"],
                detail_type=["CloudFormation Stack Status Change"],
                detail={"stack-id": [stack_of(self).stack_id], "status-details": {"status": list(_DEPLOYED)}},
            ),
            targets=[target],
        )
        # The rules are deleted before the custom resource deletes the scheduled actions, so that no run writes them
        # again.
        for rule in (hourly, deployed):
            rule.node.add_dependency(ended)

    def _end_with_the_stack(self) -> CustomResource:
        ended = CustomResource(
            self,
            "End",
            service_token=self._packaged.function.function_arn,
            resource_type="Custom::ForecastFloorEnd",
            service_timeout=Duration.minutes(10),
        )
        # The custom resource is deleted before the function and the table, which it needs.
        ended.node.add_dependency(self._packaged, self._table)
        return ended

    def _make_alarms(self, alerts_topic: sns.ITopic) -> tuple[cloudwatch.Alarm, cloudwatch.Alarm]:
        action = alarm_action(self, alerts_topic)
        missed = self.metric_missed().create_alarm(
            self,
            "ForecastMissed",
            alarm_description=f"{self.node.path}: the load differs from that of past days; see the plan in its table, "
            "or stop the floor",
            threshold=1,
            evaluation_periods=_WATCHED_HOURS,
            datapoints_to_alarm=_MISSES,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        failed = self._packaged.function.metric_errors(period=_LOOK_EVERY, statistic=statistics.SUM).create_alarm(
            self,
            "Failed",
            alarm_description=f"{self.node.path}: the floor could not be forecast or written; see the function's logs",
            threshold=1,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        for alarm in (missed, failed):
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)
        return missed, failed


def _checked(
    utilization_percent: float, look_back: LookBack, lead: Duration, time_zone: str, holidays: Sequence[str]
) -> list[str]:
    """Refuses settings out of their range, and returns the holidays in order."""
    check_percent("utilization_percent", utilization_percent, at_least=1, token=False)
    check_one_of("look_back", look_back, list(LookBack), "choose one of LookBack")
    longest = Duration.minutes(LONGEST_LEAD_MINUTES)
    check_duration("lead", lead, at_most=longest, whole="minutes", token=False)
    if lead.to_minutes() % 15:
        raise refusal("lead", lead, f"0 to {longest.to_human_string()}, a multiple of 15 minutes")
    allowed = "a name of the IANA database, as Asia/Tokyo"
    check_kind("time_zone", time_zone, str, allowed)
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise refusal("time_zone", time_zone, allowed) from None
    days = check_sequence("holidays", holidays, "days, as 2026-12-25")
    for day in days:
        text = str(day) if isinstance(day, date) else day
        if not isinstance(text, str) or not _is_day(text):
            raise refusal("holidays", day, "days, as 2026-12-25")
    return sorted({str(day) for day in days})


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return bool(_DAY_FORM.fullmatch(text))


def _bounds(parts: ServiceParts, min_tasks: int | None, max_tasks: int | None) -> tuple[float, float]:
    """Returns the declared bounds: those given, or those of the scalable target."""
    declared = parts.scaling
    if any(schedule.min_tasks is not None for schedule in declared.schedules):
        raise refusal(
            "service",
            plain("one whose minimum changes by a schedule already"),
            "one with a fixed minimum",
            "take the schedule away, or leave the floor out: of two the later one wins",
        )
    found = []
    for name, given, own in (
        ("min_tasks", min_tasks, declared.min_tasks),
        ("max_tasks", max_tasks, declared.max_tasks),
    ):
        bound = own if given is None else given
        if bound is None:
            raise refusal(name, None, "the declared one", "pass it, or the scalable_target of this app")
        found.append(bound)
    return found[0], found[1]


def _claim(parts: ServiceParts, floor: ForecastFloor) -> None:
    """Claims the service for `floor`: each of two floors would yield to the other's minimum."""
    other = claimant(floor, _CLAIMED_BY, parts.identity)
    if other is not None:
        raise refusal("service", plain(f"one whose floor {other} keeps"), "one floor for a service")
