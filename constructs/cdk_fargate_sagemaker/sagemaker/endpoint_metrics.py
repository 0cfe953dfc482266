"""The metrics of a SageMaker endpoint, made in one place for alarms and dashboards."""

import re

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ._update_mark import update_mark
from .endpoint_configuration import EndpointConfiguration
from .endpoint_variant import EndpointVariant

_MINUTE = Duration.minutes(1)
_REQUESTS, _INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
_MICROSECONDS_A_MILLISECOND = 1000

AnyMetric = cloudwatch.Metric | cloudwatch.MathExpression


class EndpointMetrics:
    """Makes the metrics of one endpoint, each over one minute.

    It takes the endpoint's name and not the endpoint, so that alarms can be made before the endpoint that names them.

    https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

    Args:
        endpoint_name: the endpoint's name.
        configuration: what the endpoint runs. Default: one variant named `primary`.
    """

    def __init__(self, *, endpoint_name: str, configuration: EndpointConfiguration | None = None) -> None:
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

    def invocations(self) -> AnyMetric:
        """Requests a minute that the endpoint took in."""
        return self._sum("invocations", "Invocations")

    def invocations_per_instance(self, variant: EndpointVariant) -> cloudwatch.Metric:
        """Requests a minute that an instance of the variant answered: what its scaling follows."""
        return self.of_variant(variant, "InvocationsPerInstance", "Sum")

    def client_errors(self) -> AnyMetric:
        """Requests a minute that the model answered with 4xx: the request's fault."""
        return self._sum("client_errors", "Invocation4XXErrors")

    def server_errors(self) -> AnyMetric:
        """Requests a minute that ended in 5xx: the model's fault, or SageMaker's."""
        return self._sum("server_errors", "Invocation5XXErrors")

    def model_errors(self) -> AnyMetric:
        """Requests a minute that the container did not answer with 2xx: 4xx, 5xx, a broken answer, or none in time."""
        return self._sum("model_errors", "InvocationModelErrors")

    def server_error_percent(self) -> cloudwatch.MathExpression:
        """Share of the requests that ended in 5xx, in percent; no value in a minute without requests."""
        return self._percent("5xx, %", server_errors=self.server_errors())

    def model_error_percent(self) -> cloudwatch.MathExpression:
        """Share of the requests that the container did not answer with 2xx, in percent: 4xx, 5xx, a broken answer, or
        none in time.
        """
        return self._percent("model errors, %", model_errors=self.model_errors())

    def model_latency(self, percentile: float) -> AnyMetric:
        """Milliseconds from the request's arrival at the container to its answer, at a percentile from 0 to 100; of
        several variants the slowest.
        """
        return self._latency("ModelLatency", percentile, f"model p{percentile:g}")

    def overhead_latency(self, percentile: float) -> AnyMetric:
        """Milliseconds that SageMaker added to the container's, at a percentile from 0 to 100; of several variants the
        slowest. With serverless inference a cold start is in it.
        """
        return self._latency("OverheadLatency", percentile, f"overhead p{percentile:g}")

    def updates(self) -> cloudwatch.Metric:
        """Looks a minute that a release or a rollback workflow had at the endpoint while it changed it; no value while
        none does.
        """
        return update_mark(self._endpoint_name)

    def cpu(self, variant: EndpointVariant, statistic: str = cloudwatch.Stats.AVERAGE) -> cloudwatch.Metric:
        """CPU of the variant's instances, percent of one core: four cores in full use are 400."""
        return self.of_instances(variant, "CPUUtilization", statistic)

    def memory(self, variant: EndpointVariant, statistic: str = cloudwatch.Stats.AVERAGE) -> cloudwatch.Metric:
        """Memory that the containers use, percent of the instance's, or of a serverless container's."""
        return self.of_instances(variant, "MemoryUtilization", statistic)

    def gpu(self, variant: EndpointVariant, statistic: str = cloudwatch.Stats.AVERAGE) -> cloudwatch.Metric:
        """GPU of the variant's instances, percent of one GPU; no value where there is none."""
        return self.of_instances(variant, "GPUUtilization", statistic)

    def gpu_memory(self, variant: EndpointVariant, statistic: str = cloudwatch.Stats.AVERAGE) -> cloudwatch.Metric:
        """Memory of the GPUs, percent of one GPU's; no value where there is none."""
        return self.of_instances(variant, "GPUMemoryUtilization", statistic)

    def disk(self, variant: EndpointVariant, statistic: str = cloudwatch.Stats.AVERAGE) -> cloudwatch.Metric:
        """Disk that the containers use, percent of the instance's."""
        return self.of_instances(variant, "DiskUtilization", statistic)

    def instances(self, variant: EndpointVariant) -> cloudwatch.MathExpression:
        """Number of the variant's instances that answer; no value in a minute without requests.

        SageMaker has no metric of it, but sends 1 / instances for each request.
        """
        number = self._configuration.variants.index(variant)
        requests, share = f"invocations_{number}", f"per_instance_{number}"
        return cloudwatch.MathExpression(
            expression=f"{requests} / {share}",
            using_metrics={
                requests: self.of_variant(variant, "Invocations", "Sum"),
                share: self.invocations_per_instance(variant),
            },
            period=_MINUTE,
            label="instances",
        )

    def of_variant(self, variant: EndpointVariant, name: str, statistic: str) -> cloudwatch.Metric:
        """A metric of a variant's requests, by SageMaker's name."""
        return self._metric(_REQUESTS, variant, name, statistic)

    def of_instances(self, variant: EndpointVariant, name: str, statistic: str) -> cloudwatch.Metric:
        """A metric of a variant's instances, by SageMaker's name."""
        return self._metric(_INSTANCES, variant, name, statistic)

    # A graph refuses two metrics of one id, so that each id says what it is.

    def _latency(self, name: str, percentile: float, label: str) -> cloudwatch.MathExpression:
        id = _identifier(label)
        statistic = cloudwatch.Stats.percentile(percentile)
        return cloudwatch.MathExpression(
            expression=f"{id} / {_MICROSECONDS_A_MILLISECOND}",
            using_metrics={id: self._folded(id, name, statistic, "MAX")},
            period=_MINUTE,
            label=label,
        )

    def _percent(self, label: str, **errors: AnyMetric) -> cloudwatch.MathExpression:
        (name,) = errors
        return cloudwatch.MathExpression(
            expression=f"100 * {name} / requests",
            using_metrics={**errors, "requests": self.invocations()},
            period=_MINUTE,
            label=label,
        )

    def _sum(self, id: str, name: str) -> AnyMetric:
        return self._folded(id, name, cloudwatch.Stats.SUM, "SUM")

    def _folded(self, id: str, name: str, statistic: str, fold: str) -> AnyMetric:
        """A metric of the only variant, or folded over those that there are."""
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
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"EndpointName": self._endpoint_name, "VariantName": variant.name},
            statistic=statistic,
            period=_MINUTE,
        )


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)
