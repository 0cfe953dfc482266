"""The alarms that say whether an endpoint still answers, and answers in time."""

from aws_cdk import Duration, Names
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, InferenceEndpoint

_MODEL_LATENCY = Duration.seconds(1)

# The alarms are of SageMaker's own metrics where they can be, and so in its units, which nobody reads on a graph.
MICROSECONDS_A_MILLISECOND = 1000
PERCENT = 100


class EndpointAlarms(Construct):
    """Model latency, server errors and model errors: `guardrail`, which takes an update of the endpoint back.

    It is made of the endpoint's metrics and so before the endpoint, which names the alarms:

        metrics = EndpointMetrics(endpoint_name="moderation", configuration=configuration)
        alarms = EndpointAlarms(self, "Alarms", endpoint=metrics, alerts_topic=topic)
        shifting = TrafficShifting.canary(percent=10, rollback_alarms=alarms.guardrail)

    Args:
        endpoint: the endpoint's metrics, or an endpoint whose updates do not need the alarms.
        alerts_topic: is told when an alarm fires and when it is over. Default: nobody is.
        model_latency: alarm when the percentile is above it in three minutes of five. Default: 1 second.
        model_latency_percentile: from above 0 up to 100. Default: 99.
        server_error_percent: alarm when the share of 5xx is above it in three minutes of five. Default: 1 %.
        model_error_percent: alarm when the share of requests that the container does not answer with 2xx, for a reason
            other than the request, is above it in three minutes of five. Default: 1 %.

    Raises:
        ValueError: a threshold that its metric cannot have.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: EndpointMetrics | InferenceEndpoint,
        alerts_topic: sns.ITopic | None = None,
        model_latency: Duration = _MODEL_LATENCY,
        model_latency_percentile: float = 99,
        server_error_percent: float = 1,
        model_error_percent: float = 1,
    ) -> None:
        super().__init__(scope, id)
        _check_percent("model_latency_percentile", model_latency_percentile)
        _check_percent("server_error_percent", server_error_percent)
        _check_percent("model_error_percent", model_error_percent)
        metrics = endpoint.metrics if isinstance(endpoint, InferenceEndpoint) else endpoint
        # Names that are known now: whatever updates the endpoint names its alarms, and they measure the endpoint.
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        self._topic = alerts_topic
        endpoint_name = metrics.endpoint_name
        milliseconds = model_latency.to_milliseconds()
        self._model_latency = self._alarm(
            "ModelLatency",
            metrics.model_latency_microseconds(model_latency_percentile),
            f"{endpoint_name}: p{model_latency_percentile:g} of the model's latency is above {milliseconds:g} ms",
            threshold=milliseconds * MICROSECONDS_A_MILLISECOND,
        )
        self._server_errors = self._alarm(
            "ServerErrors",
            metrics.server_error_share(),
            f"{endpoint_name}: more than {server_error_percent:g} % of the requests end in 5xx",
            threshold=server_error_percent / PERCENT,
        )
        self._model_errors = self._alarm(
            "ModelErrors",
            metrics.model_error_percent(),
            f"{endpoint_name}: the container does not answer more than {model_error_percent:g} % of the requests, or "
            "not with 2xx",
            threshold=model_error_percent,
        )

    @property
    def guardrail(self) -> tuple[cloudwatch.Alarm, ...]:
        """All of them: what takes an update of the endpoint back."""
        return (self._model_latency, self._server_errors, self._model_errors)

    @property
    def model_latency(self) -> cloudwatch.Alarm:
        """Alarm on the time that the container takes."""
        return self._model_latency

    @property
    def server_errors(self) -> cloudwatch.Alarm:
        """Alarm on the share of 5xx."""
        return self._server_errors

    @property
    def model_errors(self) -> cloudwatch.Alarm:
        """Alarm on requests that the container does not answer as it should."""
        return self._model_errors

    def _alarm(self, id: str, metric: cloudwatch.IMetric, description: str, *, threshold: float) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=5,
            datapoints_to_alarm=3,
            # Without requests there is nothing to report, and nothing wrong.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic is not None:
            action = cloudwatch_actions.SnsAction(self._topic)
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)
        return alarm


def _check_percent(name: str, percent: float) -> None:
    if not 0 < percent <= 100:
        raise ValueError(f"{name}: got {percent}, allowed: above 0, at most 100")
