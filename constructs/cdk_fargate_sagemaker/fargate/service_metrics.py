"""The metrics of an ECS service behind a load balancer, made in one place for alarms, scaling and dashboards."""

from aws_cdk import Duration, Fn, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

_MINUTE = Duration.minutes(1)


class ServiceMetrics:
    """Makes the metrics of one ECS service, each over one minute unless it says otherwise.

    Args:
        service: any ECS service, made here or imported. One that is imported by its ARN alone needs the long form,
            `arn:…:service/<cluster>/<service>`.
        load_balancer: the ALB in front of it. Default: none, and a load-balancer metric is refused.
        target_group: its tasks as the ALB sees them. Default: none, and a target-group metric is refused.
        alternate_target_group: with blue/green deployments the other one; the two take turns. Default: none.
        cpu_resolution: how often ECS publishes the service's CPU: 60 seconds, or 20 where the service's monitoring is
            set to it. Default: 60 seconds.
        container_insights: whether Container Insights is on in the cluster. Default: off, and the running tasks are
            counted from a metric that is free.

    Raises:
        ValueError: the service's cluster is not known.
    """

    def __init__(
        self,
        *,
        service: ecs.IService,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        target_group: elbv2.IApplicationTargetGroup | None = None,
        alternate_target_group: elbv2.IApplicationTargetGroup | None = None,
        cpu_resolution: Duration = _MINUTE,
        container_insights: bool = False,
    ) -> None:
        self._cluster_name, self._service_name = _cluster_name(service), service.service_name
        self._dimensions = {"ClusterName": self._cluster_name, "ServiceName": self._service_name}
        self._load_balancer = load_balancer
        self._target_group = target_group
        self._alternate_target_group = alternate_target_group
        self._cpu_resolution = cpu_resolution
        self._container_insights = container_insights

    @property
    def cluster_name(self) -> str:
        """The name of the service's cluster."""
        return self._cluster_name

    @property
    def service_name(self) -> str:
        """The name of the service."""
        return self._service_name

    @property
    def has_load_balancer(self) -> bool:
        """Whether the load balancer's metrics can be made."""
        return self._load_balancer is not None

    @property
    def has_target_group(self) -> bool:
        """Whether the target group's metrics can be made."""
        return self._target_group is not None

    @property
    def cpu_resolution(self) -> Duration:
        """How often ECS publishes the service's CPU."""
        return self._cpu_resolution

    def cpu_average(self) -> cloudwatch.Metric:
        """CPU of all tasks together, percent of what they reserve: what target tracking follows."""
        return self._of_service("CPUUtilization", cloudwatch.Stats.AVERAGE)

    def cpu_maximum(self) -> cloudwatch.Metric:
        """CPU of the hottest task, percent of its reservation: what spike scaling follows."""
        return self._of_service("CPUUtilization", cloudwatch.Stats.MAXIMUM)

    def memory_average(self) -> cloudwatch.Metric:
        """Memory of all tasks together, percent of what they reserve."""
        return self._of_service("MemoryUtilization", cloudwatch.Stats.AVERAGE)

    def running_tasks(self) -> cloudwatch.Metric | cloudwatch.MathExpression:
        """Number of running tasks.

        Every task reports its CPU once in each interval of the resolution, so that the number of reports tells the
        number of tasks, free of charge. Where Container Insights is on its `RunningTaskCount` is taken.
        """
        if self._container_insights:
            return self._of_service("RunningTaskCount", cloudwatch.Stats.MAXIMUM, namespace="ECS/ContainerInsights")
        reports = self._of_service("CPUUtilization", cloudwatch.Stats.SAMPLE_COUNT)
        reports_a_task = 60 / self._cpu_resolution.to_seconds()
        if reports_a_task == 1:
            return reports
        return cloudwatch.MathExpression(
            expression=f"reports / {reports_a_task:g}",
            using_metrics={"reports": reports},
            period=_MINUTE,
            label="tasks",
        )

    def request_count(self) -> cloudwatch.Metric:
        """Requests a minute that the load balancer took in.

        Raises:
            ValueError: there is no load balancer.
        """
        return self._of_load_balancer("request_count").request_count(statistic=cloudwatch.Stats.SUM, period=_MINUTE)

    def requests_per_task(self) -> cloudwatch.MathExpression:
        """Requests a minute that a task answers: how well the tasks are used.

        Raises:
            ValueError: there is no load balancer.
        """
        return cloudwatch.MathExpression(
            expression="requests / tasks",
            using_metrics={"requests": self.request_count(), "tasks": self.running_tasks()},
            period=_MINUTE,
            label="requests a task",
        )

    def cost_per_hour(self, *, task_hour: float) -> cloudwatch.MathExpression:
        """What the running tasks cost in an hour, at the price `task_hour` of one."""
        return cloudwatch.MathExpression(
            expression=f"tasks * {task_hour:.6g}",
            using_metrics={"tasks": self.running_tasks()},
            period=_MINUTE,
            label="cost an hour",
        )

    def response_time(self, percentile: float) -> cloudwatch.Metric:
        """Seconds that tasks took to answer, at a percentile from 0 to 100.

        Raises:
            ValueError: there is no load balancer.
        """
        return self._of_load_balancer("response_time").target_response_time(
            statistic=cloudwatch.Stats.percentile(percentile), period=_MINUTE
        )

    def server_error_percent(self) -> cloudwatch.MathExpression:
        """Share of requests answered with 5xx, by a task or in its place by the load balancer, in percent.

        The load balancer does not count a request for which it finds no task, so that the share is taken of the errors
        where these are more: 100 % when every task is gone.

        Raises:
            ValueError: there is no load balancer.
        """
        metrics = self._of_load_balancer("server_error_percent")
        errors, requests = "(FILL(target, 0) + FILL(balancer, 0))", "FILL(requests, 0)"
        by_task, by_load_balancer = elbv2.HttpCodeTarget.TARGET_5XX_COUNT, elbv2.HttpCodeElb.ELB_5XX_COUNT
        return cloudwatch.MathExpression(
            expression=f"100 * {errors} / IF({errors} > {requests}, {errors}, IF({requests} > 0, {requests}, 1))",
            using_metrics={
                "requests": metrics.request_count(statistic=cloudwatch.Stats.SUM, period=_MINUTE),
                "target": metrics.http_code_target(by_task, statistic=cloudwatch.Stats.SUM, period=_MINUTE),
                "balancer": metrics.http_code_elb(by_load_balancer, statistic=cloudwatch.Stats.SUM, period=_MINUTE),
            },
            period=_MINUTE,
            label="5xx, %",
        )

    def unhealthy_hosts(self) -> cloudwatch.Metric | cloudwatch.MathExpression:
        """Most tasks at once in the minute that failed their health check.

        Raises:
            ValueError: there is no target group.
        """
        if self._target_group is None:
            raise ValueError("unhealthy_hosts: got no target_group, allowed: an application target group; pass it")
        hosts = self._target_group.metrics.unhealthy_host_count(statistic=cloudwatch.Stats.MAXIMUM, period=_MINUTE)
        if self._alternate_target_group is None:
            return hosts
        others = self._alternate_target_group.metrics
        return cloudwatch.MathExpression(
            expression="FILL(one, 0) + FILL(other, 0)",
            using_metrics={
                "one": hosts,
                "other": others.unhealthy_host_count(statistic=cloudwatch.Stats.MAXIMUM, period=_MINUTE),
            },
            period=_MINUTE,
            label="unhealthy hosts",
        )

    def _of_load_balancer(self, metric: str) -> elbv2.IApplicationLoadBalancerMetrics:
        if self._load_balancer is None:
            raise ValueError(f"{metric}: got no load_balancer, allowed: an application load balancer; pass it")
        return self._load_balancer.metrics

    def _of_service(self, name: str, statistic: str, *, namespace: str = "AWS/ECS") -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
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
