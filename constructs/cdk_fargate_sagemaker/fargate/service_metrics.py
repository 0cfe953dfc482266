"""The metrics of an ECS service behind a load balancer, made in one place for alarms, scaling and dashboards."""

from aws_cdk import Duration, Fn, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

_MINUTE = Duration.minutes(1)


class ServiceMetrics:
    """Makes the metrics of one ECS service, each over one minute: the finest period that is free.

    Args:
        service: any ECS service, made here or imported. One that is imported by its ARN alone needs the long form,
            `arn:…:service/<cluster>/<service>`.
        load_balancer: the ALB in front of it. Default: none, and a load-balancer metric is refused.

    Raises:
        ValueError: the service's cluster is not known.
    """

    def __init__(self, *, service: ecs.IService, load_balancer: elbv2.IApplicationLoadBalancer | None = None) -> None:
        self._dimensions = {"ClusterName": _cluster_name(service), "ServiceName": service.service_name}
        self._load_balancer = load_balancer

    def cpu_average(self) -> cloudwatch.Metric:
        """CPU of all tasks together, percent of what they reserve: what target tracking follows."""
        return self._cpu(cloudwatch.Stats.AVERAGE)

    def cpu_maximum(self) -> cloudwatch.Metric:
        """CPU of the hottest task, percent of its reservation: what spike scaling follows."""
        return self._cpu(cloudwatch.Stats.MAXIMUM)

    def running_tasks(self) -> cloudwatch.Metric:
        """Number of running tasks.

        Each task reports its CPU once a minute, so the number of samples in a minute is the number of tasks; unlike
        Container Insights' `RunningTaskCount` it costs nothing.
        """
        return self._cpu(cloudwatch.Stats.SAMPLE_COUNT)

    def request_count(self) -> cloudwatch.Metric:
        """Requests a minute that the load balancer took in.

        Raises:
            ValueError: there is no load balancer.
        """
        if self._load_balancer is None:
            raise ValueError("request_count: got no load_balancer, allowed: an application load balancer; pass it")
        return self._load_balancer.metrics.request_count(statistic=cloudwatch.Stats.SUM, period=_MINUTE)

    def _cpu(self, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ECS",
            metric_name="CPUUtilization",
            dimensions_map=self._dimensions,
            statistic=statistic,
            period=_MINUTE,
        )


def _cluster_name(service: ecs.IService) -> str:
    cluster = getattr(service, "cluster", None)
    if cluster is not None:
        name: str = cluster.cluster_name
        return name
    arn = service.service_arn
    if not Token.is_unresolved(arn) and arn.count("/") != 2:
        raise ValueError(
            f"service: got {arn}, which names no cluster, allowed: "
            "arn:<partition>:ecs:<region>:<account>:service/<cluster>/<service>; "
            "import it with FargateService.from_fargate_service_attributes and its cluster"
        )
    return Fn.select(1, Fn.split("/", arn))
