"""The metrics of an ECS service behind a load balancer, made in one place for alarms, scaling and dashboards."""

from typing import Unpack

from aws_cdk import Duration, Fn, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from .. import _statistics as statistics
from .._checks import (
    check_duration,
    check_flags,
    check_interface,
    check_number,
    check_percent,
    known_milliseconds,
    plain,
    refusal,
)
from .._metric_options import (
    AnyMetric,
    ExpressionOptions,
    MetricOptions,
    given_options,
    with_expression_options,
    with_options,
)
from .._per_minute import per_minute
from .._readable_help import readable

MINUTE = readable(Duration.minutes(1))
"""The period of each metric, unless an option says otherwise."""
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MonitoringMetricConfiguration.html
_CPU_RESOLUTIONS_SECONDS = (20, 60)


class ServiceMetrics:
    """Makes the metrics of one ECS service, each over one minute unless an option says otherwise.

    Each takes the options of the CDK's metrics: `period`, `label`, `color`, `region`, `account`, and those with a
    statistic of their own `statistic` and `unit`.

    CloudWatch draws a graph at a period that fits the time range, not at that of its metrics, and a sum grows with the
    period. For graphs there are `average_running_tasks`, `requests_per_minute`, `requests_per_task` and
    `cost_per_hour`, which are the same at every period; `running_tasks` and `request_count` are for alarms, which keep
    theirs.

    Args:
        service: any ECS service, made here or imported. One that is imported by its ARN alone needs the long form,
            `arn:…:service/<cluster>/<service>`.
        load_balancer: the ALB in front of it. Default: none, and a load-balancer metric is refused.
        target_group: the target group with its tasks. Default: none, and a target-group metric is refused.
        alternate_target_group: the target group that blue/green deployments use in turn with it. Default: none.
        cpu_resolution: how often ECS publishes the service's CPU: 60 seconds, or 20 where the service's monitoring is
            set to it. Default: 60 seconds.
        container_insights: whether Container Insights is on in the cluster. Default: off, and the running tasks are
            counted from a metric that is free.

    Raises:
        InvalidArgumentError: the service's cluster is not known; a value that is not an ECS service, an application
            load balancer or an application target group; another resolution.
    """

    def __init__(
        self,
        *,
        service: ecs.IService,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        target_group: elbv2.IApplicationTargetGroup | None = None,
        alternate_target_group: elbv2.IApplicationTargetGroup | None = None,
        cpu_resolution: Duration = MINUTE,
        container_insights: bool = False,
    ) -> None:
        check_interface(
            "service",
            service,
            "service_arn",
            "a service of aws_ecs",
            "pass its service" if hasattr(service, "service") else None,
        )
        _check_application("load_balancer", load_balancer, elbv2.NetworkLoadBalancer, "load_balancer_arn")
        for name, group in (("target_group", target_group), ("alternate_target_group", alternate_target_group)):
            _check_application(name, group, elbv2.NetworkTargetGroup, "target_group_arn")
        check_duration("cpu_resolution", cpu_resolution, token=False)
        if known_milliseconds(cpu_resolution) not in [1000 * seconds for seconds in _CPU_RESOLUTIONS_SECONDS]:
            raise refusal("cpu_resolution", cpu_resolution, "20 seconds or 1 minute, which are those of ECS")
        check_flags(container_insights=container_insights)
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

    def cpu_average(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """CPU of all tasks together, percent of what they reserve: what target tracking follows."""
        return with_options(self._of_service("CPUUtilization", statistics.AVERAGE), options)

    def cpu_maximum(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """CPU of the hottest task, percent of its reservation: what spike scaling follows."""
        return with_options(self._of_service("CPUUtilization", statistics.MAXIMUM), options)

    def memory_average(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Memory of all tasks together, percent of what they reserve."""
        return with_options(self._of_service("MemoryUtilization", statistics.AVERAGE), options)

    def running_tasks(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Number of running tasks, for an alarm; for a period other than a minute use `average_running_tasks`.

        Every task reports its CPU once per interval of the resolution, so the number of reports is the number of tasks,
        free of charge. If Container Insights is on, its `RunningTaskCount` is used.
        """
        if self._container_insights:
            return with_options(self._task_count(statistics.MAXIMUM), options)
        period = given_options(options).get("period")
        if period is not None and period.to_milliseconds() != MINUTE.to_milliseconds():
            return self.average_running_tasks(**options)
        return with_options(self._reports(), options)

    def average_running_tasks(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Average number of running tasks, for a graph: the same at every period."""
        if self._container_insights:
            return with_options(self._task_count(statistics.AVERAGE), options)
        tasks: AnyMetric = per_minute(self._reports(), "reports")
        return with_options(tasks, MetricOptions(label="tasks") | options)

    def request_count(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Requests that the load balancer received, per minute or other period, for an alarm.

        Raises:
            InvalidArgumentError: there is no load balancer.
        """
        metrics = self._of_load_balancer("request_count")
        return with_options(metrics.request_count(statistic=statistics.SUM, period=MINUTE), options)

    def requests_per_minute(self, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """Requests per minute that the load balancer received, for a graph: the same at every period.

        Raises:
            InvalidArgumentError: there is no load balancer.
        """
        requests = per_minute(self.request_count(), "requests")
        return with_expression_options(requests, {"label": "requests a minute", **options})

    def requests_per_task(self, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """Requests per minute and task, which show how well the tasks are used: the same at every period.

        Raises:
            InvalidArgumentError: there is no load balancer.
        """
        used = cloudwatch.MathExpression(
            expression="per_minute / tasks",
            using_metrics={"per_minute": self.requests_per_minute(), "tasks": self.average_running_tasks()},
            period=MINUTE,
            label="requests a task",
        )
        return with_expression_options(used, options)

    def cost_per_hour(self, *, task_hour: float, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """The cost of the running tasks per hour: the same at every period.

        Args:
            task_hour: the price of one task for an hour, at least 0.
            options: those of the CDK's expressions.

        Raises:
            InvalidArgumentError: a price that is not a number from 0, or that is known at deployment only.
        """
        check_number("task_hour", task_hour, at_least=0, token=False)
        cost = cloudwatch.MathExpression(
            expression=f"tasks * {task_hour:.6g}",
            using_metrics={"tasks": self.average_running_tasks()},
            period=MINUTE,
            label="cost an hour",
        )
        return with_expression_options(cost, options)

    def response_time(self, percentile: float, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Seconds that tasks took to answer, at a percentile.

        Args:
            percentile: from 1 to 100.
            options: those of the CDK's metrics; `statistic` replaces the percentile.

        Raises:
            InvalidArgumentError: there is no load balancer, or another percentile.
        """
        check_percent("percentile", percentile, at_least=1, token=False)
        time = self._of_load_balancer("response_time").target_response_time(
            statistic=cloudwatch.Stats.percentile(percentile), period=MINUTE
        )
        return with_options(time, options)

    def server_error_percent(self, **options: "Unpack[ExpressionOptions]") -> cloudwatch.MathExpression:
        """Share of requests answered with 5xx, by a task or by the load balancer itself, in percent.

        The load balancer does not count a request for which it finds no task. So if errors outnumber requests, such as
        when every task has stopped, the share is 100 %.

        Raises:
            InvalidArgumentError: there is no load balancer.
        """
        metrics = self._of_load_balancer("server_error_percent")
        errors, requests = "(FILL(target, 0) + FILL(balancer, 0))", "FILL(requests, 0)"
        by_task, by_load_balancer = elbv2.HttpCodeTarget.TARGET_5XX_COUNT, elbv2.HttpCodeElb.ELB_5XX_COUNT
        share = cloudwatch.MathExpression(
            expression=f"100 * {errors} / IF({errors} > {requests}, {errors}, IF({requests} > 0, {requests}, 1))",
            using_metrics={
                "requests": metrics.request_count(statistic=statistics.SUM, period=MINUTE),
                "target": metrics.http_code_target(by_task, statistic=statistics.SUM, period=MINUTE),
                "balancer": metrics.http_code_elb(by_load_balancer, statistic=statistics.SUM, period=MINUTE),
            },
            period=MINUTE,
            label="5xx, %",
        )
        return with_expression_options(share, options)

    def unhealthy_hosts(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """The highest number of tasks that failed their health check at the same time in the minute.

        Raises:
            InvalidArgumentError: there is no target group, or it is imported without its load balancer.
        """
        if self._target_group is None:
            raise refusal("target_group", None, "an application target group, for unhealthy_hosts; pass it")
        try:
            metrics = self._target_group.metrics
        except RuntimeError:
            raise refusal(
                "target_group",
                plain("one imported without its load balancer"),
                "one whose load balancer is known",
                "import it with load_balancer_arns",
            ) from None
        hosts = metrics.unhealthy_host_count(statistic=statistics.MAXIMUM, period=MINUTE)
        if self._alternate_target_group is None:
            return with_options(hosts, options)
        others = self._alternate_target_group.metrics
        both = cloudwatch.MathExpression(
            expression="FILL(one, 0) + FILL(other, 0)",
            using_metrics={
                "one": hosts,
                "other": others.unhealthy_host_count(statistic=statistics.MAXIMUM, period=MINUTE),
            },
            period=MINUTE,
            label="unhealthy hosts",
        )
        return with_options(both, options)

    def _task_count(self, statistic: str) -> cloudwatch.Metric:
        return self._of_service("RunningTaskCount", statistic, namespace="ECS/ContainerInsights")

    def _reports(self) -> AnyMetric:
        """The number of tasks that reported in the minute."""
        reports = self._of_service("CPUUtilization", statistics.SAMPLE_COUNT)
        reports_a_task = 60 / self._cpu_resolution.to_seconds()
        if reports_a_task == 1:
            return reports
        return cloudwatch.MathExpression(
            expression=f"reports / {reports_a_task:g}",
            using_metrics={"reports": reports},
            period=MINUTE,
            label="tasks",
        )

    def _of_load_balancer(self, metric: str) -> elbv2.IApplicationLoadBalancerMetrics:
        if self._load_balancer is None:
            raise refusal("load_balancer", None, f"an application load balancer, for {metric}; pass it")
        return self._load_balancer.metrics

    def _of_service(self, name: str, statistic: str, *, namespace: str = "AWS/ECS") -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map=self._dimensions,
            statistic=statistic,
            period=MINUTE,
        )


def _cluster_name(service: ecs.IService) -> str:
    cluster = getattr(service, "cluster", None)
    if cluster is not None:
        name: str = cluster.cluster_name
        return name
    arn = service.service_arn
    if not Token.is_unresolved(arn) and arn.count("/") != 2:
        raise refusal(
            "service",
            plain(f"{arn}, which names no cluster"),
            "arn:<partition>:ecs:<region>:<account>:service/<cluster>/<service>",
            "import it with FargateService.from_fargate_service_attributes and its cluster",
        )
    return Fn.select(1, Fn.split("/", arn))


def _check_application(name: str, given: object, network: type, attribute: str) -> None:
    """Refuses a load balancer or target group that is not an application one: others have no latency and no 5xx."""
    if given is None:
        return
    kind = name.removeprefix("alternate_").replace("_", " ")
    check_interface(name, given, attribute, f"an application {kind}")
    if isinstance(given, network):
        raise refusal(name, given, f"an application {kind}", "leave it out, no other one has latency and 5xx")
