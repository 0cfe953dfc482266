"""The alarm that says that posts for reviewers are left out."""

from aws_cdk import Names
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_fargate_sagemaker.review import IReviewQueue

from .._checks import check_kind
from .._interfaces import AnyTopic
from .._topic_publishers import alarm_action

_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class ReviewAlarms(Construct):
    """Watches for a service that stores no more posts for reviewers, because the queue's `daily_quota` is used up.

    The alarm is over five minutes after the last post that was left out, at the latest when the next day of UTC begins.

    Example:
        ```python
        ReviewAlarms(
            self,
            "ReviewAlarms",
            reviews=reviews,
            namespace="Moderation/Api",
            service_name="forum",
            alerts_topic=topic,
        )
        ```

    Args:
        reviews: the review queue, made here or imported.
        namespace: where the service puts its own metrics in CloudWatch.
        service_name: the name that it puts them under.
        alerts_topic: is notified when the alarm fires and when it is over. The owner of an imported one has to let
            alarms publish: the app warns with the statement. Default: the alarm notifies nobody.

    Raises:
        InvalidArgumentError: something else than a review queue, a name that is no text, or a topic of another region.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        reviews: IReviewQueue,
        namespace: str,
        service_name: str,
        alerts_topic: AnyTopic | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_kind("reviews", reviews, IReviewQueue, "a ReviewQueue, made here or imported")
        check_kind("namespace", namespace, str, "the namespace of the service's metrics")
        check_kind("service_name", service_name, str, "the name of the service's metrics")
        action = alarm_action(self, alerts_topic) if alerts_topic is not None else None
        self._quota_used_up = cloudwatch.Alarm(
            self,
            "QuotaUsedUp",
            alarm_name=f"{Names.unique_resource_name(self, max_length=200, separator='-')}-QuotaUsedUp",
            alarm_description=f"{service_name}: the day's quota of posts for reviewers is used up; no more are stored",
            metric=reviews.metric_over_quota(namespace=namespace, service_name=service_name),
            threshold=1,
            comparison_operator=_AT_LEAST,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if action is not None:
            self._quota_used_up.add_alarm_action(action)
            self._quota_used_up.add_ok_action(action)

    @property
    def quota_used_up(self) -> cloudwatch.Alarm:
        """Alarm on posts that were not stored, because the quota of the day was used up."""
        return self._quota_used_up
