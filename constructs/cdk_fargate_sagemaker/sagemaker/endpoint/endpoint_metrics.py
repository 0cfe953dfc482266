"""The metrics of a SageMaker endpoint, made in one place for alarms and dashboards."""

import re
from typing import Unpack

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ... import _statistics as statistics
from ..._checks import check_kind, check_percent, check_text, plain, refusal
from ..._metric_options import (
    AnyMetric,
    ExpressionOptions,
    MetricOptions,
    with_expression_options,
    with_options,
)
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.endpoint_variant import EndpointVariant
from ._update_mark import update_mark

_MINUTE = Duration.minutes(1)
_REQUESTS, _INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
_MICROSECONDS_A_MILLISECOND = 1000


class EndpointMetrics:
    """Makes the metrics of one endpoint, each over one minute unless an option says otherwise.

    Each takes the options of the CDK's metrics: `period`, `label`, `color`, `region`, `account`. Metrics with a
    statistic also take `statistic` and `unit`.

    Requests and errors are sums over a minute, or over another `period`. CloudWatch draws a graph at the period that
    fits the time range, and a sum grows with it: `EndpointDashboard` divides sums by `PERIOD(…)`.

    It takes the endpoint's name, not the endpoint, so that alarms can be created before the endpoint that refers to
    them.

    https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

    Args:
        endpoint_name: the endpoint's name.
        configuration: what the endpoint runs. Default: one variant named `primary`.

    Raises:
        InvalidArgumentError: a name that is not text or is empty, or a `configuration` of another type.
    """

    def __init__(self, *, endpoint_name: str, configuration: EndpointConfiguration | None = None) -> None:
        check_text("endpoint_name", endpoint_name)
        if configuration is not None:
            check_kind("configuration", configuration, EndpointConfiguration)
        self._endpoint_name = endpoint_name
        self._configuration = configuration or EndpointConfiguration()

    @property
    def endpoint_name(self) -> str:
        """The endpoint's name."""
        return self._endpoint_name

    @property
    def configuration(self) -> EndpointConfiguration:
        """What the endpoint runs."""
        return self._configuration

    def invocations(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Requests that the endpoint received."""
        return with_options(self._sum("invocations", "Invocations"), options)

    def invocations_per_instance(
        self, variant: EndpointVariant, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """Requests per instance of the variant. Its scaling tracks this metric.

        Args:
            variant: a variant of the configuration.
            options: those of the CDK's metrics.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self.of_variant(variant, "InvocationsPerInstance", "Sum"), options)

    def client_errors(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Requests that the model answered with 4xx: the request's fault."""
        return with_options(self._sum("client_errors", "Invocation4XXErrors"), options)

    def server_errors(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Requests that ended in 5xx: the model's fault, or SageMaker's."""
        return with_options(self._sum("server_errors", "Invocation5XXErrors"), options)

    def model_errors(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Requests that the container did not answer with 2xx: 4xx, 5xx, a broken answer, or none in time."""
        return with_options(self._sum("model_errors", "InvocationModelErrors"), options)

    def server_error_percent(self, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """Share of the requests that ended in 5xx, in percent; no value in a minute without requests."""
        return with_expression_options(self._percent("5xx, %", server_errors=self.server_errors()), options)

    def model_error_percent(self, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """Share of the requests that the container did not answer with 2xx, in percent: 4xx, 5xx, a broken answer, or
        none in time.
        """
        return with_expression_options(self._percent("model errors, %", model_errors=self.model_errors()), options)

    def model_latency(self, percentile: float, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Milliseconds from the request's arrival at the container to its answer, for the slowest variant.

        Args:
            percentile: from 1 to 100.
            options: those of the CDK's metrics; `statistic` replaces the percentile.

        Raises:
            InvalidArgumentError: a percentile that is out of range or known only at deployment.
        """
        return self._latency("ModelLatency", percentile, "model", options)

    def overhead_latency(self, percentile: float, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Milliseconds that SageMaker added to the container's, for the slowest variant. With serverless inference they
        include a cold start.

        Args:
            percentile: from 1 to 100.
            options: those of the CDK's metrics; `statistic` replaces the percentile.

        Raises:
            InvalidArgumentError: a percentile that is out of range or known only at deployment.
        """
        return self._latency("OverheadLatency", percentile, "overhead", options)

    def updates(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Checks of the endpoint per minute by a release or rollback workflow that is updating it; no value at other
        times.
        """
        return with_options(update_mark(self._endpoint_name), options)

    def cpu(self, variant: EndpointVariant, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """CPU of the variant's instances, percent of one core: four cores in full use are 400.

        Args:
            variant: a variant of the configuration.
            options: those of the CDK's metrics.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self.of_instances(variant, "CPUUtilization", statistics.AVERAGE), options)

    def memory(self, variant: EndpointVariant, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Memory that the containers use, percent of the memory of the instance, or of the serverless container.

        Args:
            variant: a variant of the configuration.
            options: those of the CDK's metrics.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self.of_instances(variant, "MemoryUtilization", statistics.AVERAGE), options)

    def gpu(self, variant: EndpointVariant, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """GPU of the variant's instances, percent of one GPU; no value without GPUs.

        Args:
            variant: a variant of the configuration.
            options: those of the CDK's metrics.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self.of_instances(variant, "GPUUtilization", statistics.AVERAGE), options)

    def gpu_memory(self, variant: EndpointVariant, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Memory of the GPUs, percent of one GPU's; no value without GPUs.

        Args:
            variant: a variant of the configuration.
            options: those of the CDK's metrics.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self.of_instances(variant, "GPUMemoryUtilization", statistics.AVERAGE), options)

    def disk(self, variant: EndpointVariant, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Disk that the containers use, percent of the instance's.

        Args:
            variant: a variant of the configuration.
            options: those of the CDK's metrics.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self.of_instances(variant, "DiskUtilization", statistics.AVERAGE), options)

    def instances(self, variant: EndpointVariant, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """Number of the variant's instances that answer; no value in a minute without requests.

        SageMaker has no such metric, but publishes 1 / instances for each request.

        Args:
            variant: a variant of the configuration that takes requests, so not the shadow.
            options: those of the CDK's expressions.

        Raises:
            InvalidArgumentError: another variant.
        """
        check_kind("variant", variant, EndpointVariant)
        if variant not in self._configuration.variants:
            known = ", ".join(one.name for one in self._configuration.variants)
            raise refusal("variant", plain(variant.name), f"{known}, those of the configuration")
        number = self._configuration.variants.index(variant)
        requests, share = f"invocations_{number}", f"per_instance_{number}"
        instances = cloudwatch.MathExpression(
            expression=f"{requests} / {share}",
            using_metrics={
                requests: self.of_variant(variant, "Invocations", "Sum"),
                share: self.invocations_per_instance(variant),
            },
            period=_MINUTE,
            label="instances",
        )
        return with_expression_options(instances, options)

    def of_variant(
        self, variant: EndpointVariant, name: str, statistic: str, **options: "Unpack[ExpressionOptions]"
    ) -> cloudwatch.Metric:
        """A metric of a variant's requests, with the name that SageMaker gives it.

        Args:
            variant: a variant of the configuration.
            name: SageMaker's name of the metric.
            statistic: in CloudWatch's notation, such as `Average` or `p99`.
            options: those of the CDK's metrics; `statistic` is given already.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self._metric(_REQUESTS, variant, name, statistic), options)

    def of_instances(
        self, variant: EndpointVariant, name: str, statistic: str, **options: "Unpack[ExpressionOptions]"
    ) -> cloudwatch.Metric:
        """A metric of a variant's instances, with the name that SageMaker gives it.

        Args:
            variant: a variant of the configuration.
            name: SageMaker's name of the metric.
            statistic: in CloudWatch's notation, such as `Average` or `p99`.
            options: those of the CDK's metrics; `statistic` is given already.

        Raises:
            InvalidArgumentError: an argument that is not a variant.
        """
        return with_options(self._metric(_INSTANCES, variant, name, statistic), options)

    # A graph refuses two metrics with the same id, so each id contains the metric's name.

    def _latency(self, name: str, percentile: float, of: str, options: MetricOptions) -> cloudwatch.MathExpression:
        check_percent("percentile", percentile, at_least=1, token=False)
        # The ids and the label contain the statistic.
        statistic = options.get("statistic") or cloudwatch.Stats.percentile(percentile)
        label = f"{of} {statistic}"
        id = _identifier(label)
        latency = cloudwatch.MathExpression(
            expression=f"{id} / {_MICROSECONDS_A_MILLISECOND}",
            using_metrics={id: self._folded(id, name, statistic, "MAX")},
            period=_MINUTE,
            label=label,
        )
        return with_options(latency, options)

    def _percent(self, label: str, **errors: AnyMetric) -> cloudwatch.MathExpression:
        (name,) = errors
        return cloudwatch.MathExpression(
            expression=f"100 * {name} / requests",
            using_metrics={**errors, "requests": self.invocations()},
            period=_MINUTE,
            label=label,
        )

    def _sum(self, id: str, name: str) -> AnyMetric:
        return self._folded(id, name, statistics.SUM, "SUM")

    def _folded(self, id: str, name: str, statistic: str, fold: str) -> AnyMetric:
        """The metric of the only variant, or the metrics of several variants combined by `fold`."""
        metrics = {
            f"{id}_{number}": self.of_variant(variant, name, statistic)
            for number, variant in enumerate(self._configuration.variants)
        }
        if len(metrics) == 1:
            return next(iter(metrics.values()))
        return cloudwatch.MathExpression(
            expression=f"{fold}([{', '.join(metrics)}])",
            using_metrics=metrics,
            period=_MINUTE,
            label=id.replace("_", " "),
        )

    def _metric(self, namespace: str, variant: EndpointVariant, name: str, statistic: str) -> cloudwatch.Metric:
        check_kind("variant", variant, EndpointVariant)
        check_text("name", name)
        check_text("statistic", statistic)
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"EndpointName": self._endpoint_name, "VariantName": variant.name},
            statistic=statistic,
            period=_MINUTE,
        )


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)
