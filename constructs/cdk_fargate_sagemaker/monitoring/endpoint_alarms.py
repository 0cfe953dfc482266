"""Alarms on an endpoint's latency and errors."""

from collections.abc import Sequence

from aws_cdk import Duration, Names
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, InferenceEndpoint, ModelReleaseWorkflow

from .. import _statistics as statistics
from .._acknowledgment import Acknowledgment, acknowledge
from .._checks import check_duration, check_kind, check_percent
from .._interfaces import AnyTopic
from .._readable_help import CallSignature, readable
from .._topic_publishers import alarm_action

_MODEL_LATENCY = readable(Duration.seconds(1))
_MINUTE = Duration.minutes(1)
_EVALUATION_PERIODS = 5

# The alarms use SageMaker's own metrics and units. Graphs use units that are easier to read.
MICROSECONDS_A_MILLISECOND = 1000
PERCENT = 100


class EndpointAlarms(Construct):
    """Watches model latency, server errors and model errors; its `guardrail_alarms` roll an endpoint's update back.

    Create it from the endpoint, or before the endpoint from its metrics, and pass it to the endpoint (`roll_back_on`).

    Each alarm watches one metric of one variant, the only form that SageMaker documents for automatic rollback.
    `degraded` is in ALARM while one of them is, and notifies the topic. While a workflow updates the endpoint it writes
    a heartbeat metric, and `degraded` ignores the endpoint's alarms: the workflow itself reports how the update ends.
    Heartbeats end with the workflow; five minutes later `degraded` notifies again.

    Example:
        ```python
        alarms = EndpointAlarms(
            self,
            "Alarms",
            endpoint=endpoint,
            alerts_topic=topic,
            model_latency=cdk.Duration.millis(300),
        )
        endpoint.roll_back_on(alarms)
        ```

    Args:
        endpoint: the endpoint, the workflow that releases to it, or its metrics.
        alerts_topic: is notified when the first alarm fires and when all are over. The owner of an imported topic must
            allow alarms to publish; the app warns with the statement to add. Default: `degraded` notifies nobody.
        model_latency: alarm when the percentile is above it in three minutes of five. Like all numbers here, it has to
            be known at synthesis, because it is converted to the unit of SageMaker's metric. Default: 1 second.
        model_latency_percentile: 1 to 100. Default: 99.
        server_error_percent: alarm when the share of 5xx is above it in three minutes of five. Default: 1 %.
        model_error_percent: alarm when the share of requests that the container does not answer with 2xx is above it in
            three minutes of five. A request that the model refuses with 4xx counts: raise the percentage if clients
            send such requests. Default: 1 %.

    Raises:
        InvalidArgumentError: a threshold that its metric cannot have or that is known at deployment only, or a topic of
            another region.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: EndpointMetrics | InferenceEndpoint | ModelReleaseWorkflow,
        alerts_topic: AnyTopic | None = None,
        model_latency: Duration = _MODEL_LATENCY,
        model_latency_percentile: float = 99,
        server_error_percent: float = 1,
        model_error_percent: float = 1,
    ) -> None:
        super().__init__(scope, id)
        kinds = (EndpointMetrics, InferenceEndpoint, ModelReleaseWorkflow)
        check_kind("endpoint", endpoint, kinds, remedy="give EndpointMetrics(endpoint_name=…) for any other endpoint")
        # No tokens, because each threshold is computed from the argument.
        check_duration("model_latency", model_latency, above_zero=True, token=False)
        check_percent("model_latency_percentile", model_latency_percentile, at_least=1, token=False)
        check_percent("server_error_percent", server_error_percent, token=False)
        check_percent("model_error_percent", model_error_percent, token=False)
        self._metrics = endpoint if isinstance(endpoint, EndpointMetrics) else endpoint.metrics
        # Names are given, not generated: what updates the endpoint names its alarms, and they refer to the endpoint.
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        milliseconds = model_latency.to_milliseconds(integral=False)
        self._model_latency = self._alarms(
            "ModelLatency",
            cloudwatch.Stats.percentile(model_latency_percentile),
            f"p{model_latency_percentile:g} of the model's latency is above {milliseconds:g} ms",
            threshold=milliseconds * MICROSECONDS_A_MILLISECOND,
        )
        # SageMaker publishes 1 or 0 per request, so the average is a share.
        self._server_errors = self._alarms(
            "ServerErrors",
            statistics.AVERAGE,
            f"more than {server_error_percent:g} % of the requests end in 5xx",
            metric_name="Invocation5XXErrors",
            threshold=server_error_percent / PERCENT,
        )
        self._model_errors = self._alarms(
            "ModelErrors",
            statistics.AVERAGE,
            f"the container does not answer more than {model_error_percent:g} % of the requests, or not with 2xx",
            metric_name="InvocationModelErrors",
            threshold=model_error_percent / PERCENT,
        )
        self._updating = self._make_updating()
        self._degraded = self._make_degraded()
        if alerts_topic is not None:
            self._notify(alerts_topic)

    @property
    def guardrail_alarms(self) -> tuple[cloudwatch.Alarm, ...]:
        """All alarms that roll an update of the endpoint back."""
        return (*self._model_latency, *self._server_errors, *self._model_errors)

    @property
    def model_latency(self) -> tuple[cloudwatch.Alarm, ...]:
        """Alarms on the container's response time, one per variant."""
        return self._model_latency

    @property
    def server_errors(self) -> tuple[cloudwatch.Alarm, ...]:
        """Alarms on the share of 5xx, one per variant."""
        return self._server_errors

    @property
    def model_errors(self) -> tuple[cloudwatch.Alarm, ...]:
        """Alarms on requests that the container does not answer with 2xx, one per variant."""
        return self._model_errors

    @property
    def degraded(self) -> cloudwatch.CompositeAlarm:
        """The alarm that notifies `alerts_topic`; add actions of your own to it."""
        return self._degraded

    @property
    def updating(self) -> cloudwatch.Alarm:
        """The alarm that suppresses `degraded`: it is in ALARM while a workflow updates the endpoint."""
        return self._updating

    def _alarms(
        self, id: str, statistic: str, description: str, *, threshold: float, metric_name: str | None = None
    ) -> tuple[cloudwatch.Alarm, ...]:
        variants = self._metrics.configuration.variants
        alarms = []
        for variant in variants:
            several = len(variants) > 1
            alarm_id = f"{id}-{variant.name}" if several else id
            of = f"{self._metrics.endpoint_name}, {variant.name}" if several else self._metrics.endpoint_name
            alarms.append(
                cloudwatch.Alarm(
                    self,
                    alarm_id,
                    alarm_name=f"{self._name}-{alarm_id}",
                    alarm_description=f"{of}: {description}",
                    metric=self._metrics.of_variant(variant, metric_name or id, statistic),
                    threshold=threshold,
                    comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
                    evaluation_periods=_EVALUATION_PERIODS,
                    datapoints_to_alarm=3,
                    # No requests means no data, and is no fault.
                    treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
                )
            )
        return tuple(alarms)

    def _make_updating(self) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Updating",
            alarm_name=f"{self._name}-Updating",
            alarm_description=(
                f"{self._metrics.endpoint_name}: a release or a rollback is updating the endpoint, and reports how it "
                "ends"
            ),
            metric=self._metrics.updates(),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # The same window as that of the other alarms, so that they no longer count what happened during the update.
            evaluation_periods=_EVALUATION_PERIODS,
            datapoints_to_alarm=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _make_degraded(self) -> cloudwatch.CompositeAlarm:
        return cloudwatch.CompositeAlarm(
            self,
            "Degraded",
            composite_alarm_name=f"{self._name}-Degraded",
            alarm_description=(
                f"{self._metrics.endpoint_name}: an alarm of the endpoint is in ALARM, and no workflow is updating it"
            ),
            # The rule excludes updates, so that an alarm that begins and ends during one notifies neither ALARM nor OK.
            alarm_rule=cloudwatch.AlarmRule.all_of(
                cloudwatch.AlarmRule.any_of(*_in_alarm(self.guardrail_alarms)),
                cloudwatch.AlarmRule.not_(*_in_alarm([self._updating])),
            ),
            # The suppressor prevents an OK notification when an update begins during an alarm.
            actions_suppressor=self._updating,
            actions_suppressor_wait_period=_MINUTE,
            actions_suppressor_extension_period=_MINUTE,
        )

    def _notify(self, topic: sns.ITopic) -> None:
        for alarm in (*self.guardrail_alarms, self._updating):
            acknowledge(
                alarm,
                Acknowledgment(
                    id="NIST.800.53.R5-CloudWatchAlarmAction",
                    reason="The composite alarm that includes it notifies the topic.",
                ),
            )
        action = alarm_action(self, topic)
        self._degraded.add_alarm_action(action)
        self._degraded.add_ok_action(action)


def _in_alarm(alarms: Sequence[cloudwatch.Alarm]) -> list[cloudwatch.IAlarmRule]:
    return [cloudwatch.AlarmRule.from_alarm(alarm, cloudwatch.AlarmState.ALARM) for alarm in alarms]
