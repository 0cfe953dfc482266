"""Alarms on failures that a release workflow cannot report itself."""

from aws_cdk import Duration, Names
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from constructs import Construct

from cdk_fargate_sagemaker.sagemaker import ModelReleaseWorkflow

from .. import _statistics as statistics
from .._checks import check_duration, check_kind
from .._interfaces import AnyTopic
from .._number_token import number_text
from .._readable_help import CallSignature
from .._topic_publishers import alarm_action, rule_target

_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
_DAY = Duration.days(1)
# The event has the states in capitals:
# https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
_GONE = ["DELETING", "DELETED", "FAILED", "OUT_OF_SERVICE", "UPDATE_ROLLBACK_FAILED"]

# The longest time that CloudWatch evaluates:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
_LONGEST_LOOK_BACK = Duration.days(7)


class WorkflowAlarms(Construct):
    """Watches for lost notifications, failed rollbacks and optionally overdue releases.

    The workflow itself notifies once of a release that fails; these alarms cover what it cannot report. With
    `alerts_topic`, a rule notifies it at once when SageMaker reports that the endpoint is being deleted, has failed or
    is out of service, for any cause. When the workflow's stack is deleted, the rule is deleted first.

    Example:
        ```python
        WorkflowAlarms(
            self,
            "Alarms",
            workflow=workflow,
            alerts_topic=topic,
            release_within=cdk.Duration.days(7),
        )
        ```

    Args:
        workflow: the release workflow.
        alerts_topic: is notified when an alarm fires and when it is over. The owner of an imported topic must allow
            alarms to publish; the app warns with the statement to add. Default: alarms notify nobody.
        release_within: alarm when no release succeeded for this long: whole days, 1 to 7. A weekly schedule just fits
            into 7. Default: no such alarm.

    Raises:
        InvalidArgumentError: a time longer than CloudWatch evaluates, or a topic of another region.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workflow: ModelReleaseWorkflow,
        alerts_topic: AnyTopic | None = None,
        release_within: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_kind("workflow", workflow, ModelReleaseWorkflow)
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        self._action = alarm_action(self, alerts_topic) if alerts_topic is not None else None
        endpoint_name = workflow.endpoint_name
        if alerts_topic is not None:
            self._notify_of_endpoint(workflow, alerts_topic)
        self._undelivered = self._alarm(
            "Undelivered",
            workflow.rollback.undelivered_events.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic=statistics.MAXIMUM
            ),
            f"{endpoint_name}: an execution ended, and its notification could not be delivered; the event is in the "
            "dead-letter queue",
        )
        rollback = workflow.rollback.state_machine
        self._rollback_failed = self._alarm(
            "RollbackFailed",
            cloudwatch.MathExpression(
                expression="FILL(failed, 0) + FILL(timed_out, 0) + FILL(aborted, 0)",
                using_metrics={
                    "failed": rollback.metric_failed(),
                    "timed_out": rollback.metric_timed_out(),
                    "aborted": rollback.metric_aborted(),
                },
                period=Duration.minutes(5),
                label="rollbacks that did not succeed",
            ),
            f"{endpoint_name}: a rollback did not succeed; check what the endpoint serves",
        )
        self._no_release = None
        if release_within is not None:
            check_duration("release_within", release_within, at_least=_DAY, at_most=_LONGEST_LOOK_BACK, whole="days")
            days = release_within.to_days()
            self._no_release = self._alarm(
                "NoRelease",
                workflow.state_machine.metric_succeeded(statistic=statistics.SUM, period=_DAY),
                f"{endpoint_name}: no release succeeded for {number_text(days)} days",
                operator=_BELOW,
                periods=days,
                # No execution means no data, and that is what the alarm must report.
                missing=cloudwatch.TreatMissingData.BREACHING,
            )

    @property
    def undelivered(self) -> cloudwatch.Alarm:
        """Alarm on events that could not be delivered."""
        return self._undelivered

    @property
    def rollback_failed(self) -> cloudwatch.Alarm:
        """Alarm on a rollback that failed, timed out or was stopped."""
        return self._rollback_failed

    @property
    def no_release(self) -> cloudwatch.Alarm | None:
        """Alarm on overdue releases; None without `release_within`."""
        return self._no_release

    def _notify_of_endpoint(self, workflow: ModelReleaseWorkflow, topic: AnyTopic) -> None:
        rule = events.Rule(
            self,
            "EndpointGone",
            description=f"{workflow.endpoint_name} is being deleted, has failed or is out of service",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Endpoint State Change"],
                detail={"EndpointName": [workflow.endpoint_name], "EndpointStatus": _GONE},
            ),
            targets=[
                rule_target(self, "EndpointGoneRole", topic, dead_letter_queue=workflow.rollback.undelivered_events)
            ],
        )
        # When the stack is deleted, the rule is deleted before the endpoint, so that it does not notify of the
        # deletion.
        rule.node.add_dependency(workflow._end)

    def _alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        operator: cloudwatch.ComparisonOperator = _AT_LEAST,
        periods: float = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            metric=metric,
            threshold=1,
            comparison_operator=operator,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=missing,
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        return alarm
