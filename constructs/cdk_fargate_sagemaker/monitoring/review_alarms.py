"""Alarms on posts that reviewers do not get, and on a model that is worse by the reviewers' decisions."""

from typing import Protocol

from aws_cdk import Names
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_fargate_sagemaker.review import IReviewQueue

from .._checks import check_interface, check_kind, check_percent, refusal
from .._interfaces import AnyTopic
from .._metric_names import check_dimension_value, check_namespace
from .._number_token import number_text
from .._readable_help import CallSignature
from .._topic_publishers import alarm_action


class StartsOnAlarm(Protocol):
    """Starts a release when an alarm fires: `ModelReleaseWorkflow`."""

    def start_on(self, alarm: cloudwatch.IAlarm) -> None:
        """Starts a release each time `alarm` fires."""


class ReviewAlarms(Construct):
    """Watches for posts that reviewers do not get, and for low precision or recall by the reviewers' decisions.

    `quota_used_up`: the service stores no more posts, because the queue's `daily_quota` is used up. It returns to OK
    five minutes after the last post that was not stored, at the latest when the next day of UTC begins.

    `precision_low` and `recall_low`: the upper bound of precision, or recall, over the last seven days is below the
    minimum that you give. They are evaluated once a day, at 00:10 UTC. While the model is exactly at its minimum, each
    is false on at most one day of 1,000; while it is better, less often. A day without judged posts changes nothing.

    Example:
        ```python
        ReviewAlarms(
            self,
            "ReviewAlarms",
            reviews=reviews,
            namespace="Moderation/Api",
            service_name="forum",
            alerts_topic=topic,
            min_precision=70,
            min_recall=50,
        )
        ```

    Args:
        reviews: the review queue, made here or imported.
        namespace: the CloudWatch namespace of the service's own metrics.
        service_name: the value of their dimension `service`.
        alerts_topic: is notified when the alarm fires and when it is over. The owner of an imported topic must allow
            alarms to publish; the app warns with the statement to add. Default: the alarms notify nobody.
        min_precision: alarm when a smaller percentage of the flagged posts are violations. Default: no alarm.
        min_recall: alarm when a smaller percentage of all violations are flagged; the queue needs a
            `sample_percent` above 0. Default: no alarm.
        starts: a workflow that trains on the queue's decisions: it starts a release when `precision_low` or
            `recall_low` fires (`ModelReleaseWorkflow.start_on`). Default: a person does.

    Raises:
        InvalidArgumentError: a value that is not a review queue, a name that is not text, a topic of another region, a
            percentage out of range, or a workflow without a minimum or without decisions to train on.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        reviews: IReviewQueue,
        namespace: str,
        service_name: str,
        alerts_topic: AnyTopic | None = None,
        min_precision: float | None = None,
        min_recall: float | None = None,
        starts: StartsOnAlarm | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_kind("reviews", reviews, IReviewQueue, "a ReviewQueue, made here or imported")
        check_namespace("namespace", namespace, "the namespace of the service's metrics")
        check_dimension_value("service_name", service_name, "the name of the service's metrics")
        for name, percent in (("min_precision", min_precision), ("min_recall", min_recall)):
            if percent is not None:
                check_percent(name, percent, at_least=1)
        if starts is not None:
            check_interface("starts", starts, "start_on", "a ModelReleaseWorkflow")
            if min_precision is None and min_recall is None:
                raise refusal("starts", starts, "None without a minimum", "give min_precision or min_recall")
        self._action = alarm_action(self, alerts_topic) if alerts_topic is not None else None
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        self._quota_used_up = self._alarm(
            "QuotaUsedUp",
            f"{service_name}: the day's quota of posts for reviewers is used up; no more are stored",
            reviews.metric_over_quota(namespace=namespace, service_name=service_name),
            threshold=1,
            operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            missing=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._precision_low = self._worse(
            "PrecisionLow",
            reviews.metric_precision_at_most(),
            min_precision,
            f"{service_name}: precision is low: reviewers find that fewer of the flagged posts are violations",
        )
        self._recall_low = self._worse(
            "RecallLow",
            reviews.metric_recall_at_most(),
            min_recall,
            f"{service_name}: recall is low: the model flags fewer of the violations that reviewers find",
        )
        if starts is not None:
            for alarm in (self._precision_low, self._recall_low):
                if alarm is not None:
                    starts.start_on(alarm)

    @property
    def quota_used_up(self) -> cloudwatch.Alarm:
        """Alarm on posts that were not stored, because the day's quota was used up."""
        return self._quota_used_up

    @property
    def precision_low(self) -> cloudwatch.Alarm | None:
        """Alarm on the share of violations in the flagged posts; None without `min_precision`."""
        return self._precision_low

    @property
    def recall_low(self) -> cloudwatch.Alarm | None:
        """Alarm on the share of violations that are flagged; None without `min_recall`."""
        return self._recall_low

    def _worse(self, id: str, metric: cloudwatch.Metric, minimum: float | None, what: str) -> cloudwatch.Alarm | None:
        if minimum is None:
            return None
        return self._alarm(
            id,
            f"{what} than the minimum of {number_text(minimum)} %, in the last seven days",
            metric,
            threshold=minimum,
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            # A day without judged posts shows nothing about the model.
            missing=cloudwatch.TreatMissingData.IGNORE,
        )

    def _alarm(
        self,
        id: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float,
        operator: cloudwatch.ComparisonOperator,
        missing: cloudwatch.TreatMissingData,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            treat_missing_data=missing,
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        return alarm
