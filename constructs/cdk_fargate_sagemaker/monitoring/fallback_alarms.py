"""Alarms of a service that answers without its model while the endpoint does not answer."""

from typing import Unpack

from aws_cdk import Duration, Names
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from .. import _statistics as statistics
from .._checks import check_percent
from .._interfaces import AnyTopic
from .._metric_names import check_dimension_value, check_namespace
from .._metric_options import ExpressionOptions, with_expression_options
from .._number_token import number_text
from .._readable_help import CallSignature
from .._topic_publishers import alarm_action

_MINUTE = Duration.minutes(1)


class FallbackAlarms(Construct):
    """Watches for answers that were given without the model, and for posts that were lost.

    A service with a fallback answers 200 even if its endpoint fails. So no alarm on status codes or latency notices
    that the endpoint is deleted, that its name is wrong, that the permission to invoke it is missing, or that its
    region does not answer. `fallbacks` does: it is in ALARM when the share of posts that got the fallback is above
    `fallback_percent` in three minutes of five. `breaker_open` notices a problem that is too small for that share: a
    single task of many that cannot reach the endpoint, so that its circuit breaker was open in three minutes of five.
    Both are `guardrail_alarms`, which stop a deployment. `lost_posts` is in ALARM when a task stopped with posts that
    it could not store; its log has their request ids.

    A minute without posts says nothing about the endpoint: the first two alarms keep their state. The third treats
    missing data as OK, because the metric has data only when posts are lost.

    The service publishes the metrics `Decisions`, `Fallbacks` and `LostPosts`, which count posts, and `BreakerOpen`,
    which is 1 for each request while the circuit breaker is open, with the dimension `service`. The reference system's
    ML API does so.

    Example:
        ```python
        fallbacks = FallbackAlarms(
            self,
            "Fallbacks",
            namespace="Moderation/Api",
            service_name="forum",
            alerts_topic=topic,
            fallback_percent=2,
        )
        alarms = ServiceAlarms(
            self, "Alarms", service=web, alerts_topic=topic, deployment_alarms=fallbacks.guardrail_alarms
        )
        ServiceDashboard(self, "Monitor", service=web, alarms=alarms, team_metrics=[fallbacks.fallbacks])
        ```

    Args:
        namespace: the CloudWatch namespace of the service's own metrics.
        service_name: the value of their dimension `service`.
        alerts_topic: is notified when an alarm fires and when it is over. The owner of an imported topic must allow
            alarms to publish; the app warns with the statement to add. Default: alarms notify nobody.
        fallback_percent: alarm when the share of fallbacks is above it. Default: 5 %.

    Raises:
        InvalidArgumentError: a percentage out of range, a name that is not text, or a topic of another region.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        namespace: str,
        service_name: str,
        alerts_topic: AnyTopic | None = None,
        fallback_percent: float = 5,
    ) -> None:
        super().__init__(scope, id)
        check_namespace("namespace", namespace, "the namespace of the service's metrics")
        check_dimension_value("service_name", service_name, "the name of the service's metrics")
        check_percent("fallback_percent", fallback_percent)
        self._namespace = namespace
        self._service_name = service_name
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        self._action = alarm_action(self, alerts_topic) if alerts_topic is not None else None
        self._fallbacks = self._alarm(
            "Fallbacks",
            self.metric_fallback_percent(),
            f"more than {number_text(fallback_percent)} % of the posts are answered without the model",
            threshold=fallback_percent,
            operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        )
        self._breaker_open = self._alarm(
            "BreakerOpen",
            self._metric("BreakerOpen", statistics.MAXIMUM),
            "a task's circuit breaker is open: its endpoint fails each time the task tries again",
        )
        self._lost_posts = self._alarm(
            "LostPosts",
            self._metric("LostPosts", statistics.SUM),
            "a task stopped with posts that it could not store in the table or the queue; its log has their request "
            "ids",
            minutes=(1, 1),
            missing=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    @property
    def guardrail_alarms(self) -> tuple[cloudwatch.Alarm, ...]:
        """The alarms that stop a deployment; give them to `ServiceAlarms` (`deployment_alarms`)."""
        return (self._fallbacks, self._breaker_open)

    @property
    def fallbacks(self) -> cloudwatch.Alarm:
        """Alarm on the share of posts that were answered without the model."""
        return self._fallbacks

    @property
    def breaker_open(self) -> cloudwatch.Alarm:
        """Alarm on a task whose circuit breaker is open."""
        return self._breaker_open

    @property
    def lost_posts(self) -> cloudwatch.Alarm:
        """Alarm on posts that were lost with a task's memory."""
        return self._lost_posts

    def metric_fallback_percent(self, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """The share of posts that were answered without the model, or refused because there was none, in percent.

        Args:
            options: those of the CDK's math expressions.
        """
        share = cloudwatch.MathExpression(
            # Refused posts count as fallbacks, not as decisions, so fallbacks may outnumber decisions.
            expression="100 * fallbacks / MAX([decisions, fallbacks])",
            using_metrics={
                "fallbacks": self._metric("Fallbacks", statistics.SUM),
                "decisions": self._metric("Decisions", statistics.SUM),
            },
            period=_MINUTE,
            label="Answers without the model, %",
        )
        return with_expression_options(share, options)

    def _metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={"service": self._service_name},
            statistic=statistic,
            period=_MINUTE,
        )

    def _alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: float = 1,
        operator: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        minutes: tuple[int, int] = (3, 5),
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.IGNORE,
    ) -> cloudwatch.Alarm:
        datapoints, periods = minutes
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=f"{self._service_name}: {description}",
            metric=metric,
            threshold=threshold,
            comparison_operator=operator,
            evaluation_periods=periods,
            datapoints_to_alarm=datapoints,
            treat_missing_data=missing,
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        return alarm
