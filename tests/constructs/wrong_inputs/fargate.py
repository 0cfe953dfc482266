from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm

from cdk_fargate_sagemaker.fargate import (
    CpuStep,
    MetricStep,
    PredictiveScalingMetric,
    ServiceScaling,
    ServiceVpcEndpoints,
    SpikeScalingMixin,
    SpotCapacity,
)
from tests.constructs.minimal import fargate as minimal
from tests.constructs.wrong_inputs import WrongInput


def service(id: str, refused: str, **given: Any) -> WrongInput:
    return WrongInput(id, lambda stack: minimal.scaled_fargate_service(stack, **given), refused)


def refused(id: str, make: Callable[..., object], line: str, **given: Any) -> WrongInput:
    return WrongInput(id, lambda stack: make(stack, **given), line)


def expression() -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(expression="a * 2", using_metrics={"a": minimal.metric()})


def network_load_balancer(stack: cdk.Stack) -> elbv2.NetworkLoadBalancer:
    return elbv2.NetworkLoadBalancer(stack, "Network", vpc=ec2.Vpc(stack, "Own"))


def imported_network_load_balancer(stack: cdk.Stack) -> Any:
    return elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack,
        "Imported",
        load_balancer_arn="arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/1",
        security_group_id="sg-11111111",
    )


def endpoints(stack: cdk.Stack, **given: Any) -> ServiceVpcEndpoints:
    return ServiceVpcEndpoints(stack, "Endpoints", **{"vpc": minimal.vpc(stack), **given})


def response_time(stack: cdk.Stack) -> None:
    minimal.scaled_fargate_service(stack).metrics.response_time(0.99)


def schedule_twice(stack: cdk.Stack) -> None:
    web = minimal.scaled_fargate_service(stack)
    for _ in range(2):
        web.schedule_tasks(
            "Morning",
            schedule=applicationautoscaling.Schedule.cron(hour="8"),
            time_zone=cdk.TimeZone.ASIA_TOKYO,
            min_tasks=4,
        )


def track_twice(stack: cdk.Stack) -> None:
    web = minimal.scaled_fargate_service(stack)
    for target in (10, 20):
        web.track_metric("Waiting", metric=minimal.metric(), target_value=target)


def track_memory_twice(stack: cdk.Stack) -> None:
    web = minimal.scaled_fargate_service(stack)
    for target in (60, 70):
        web.track_memory(target_percent=target)


def same_name_for_secret(stack: cdk.Stack) -> None:
    secret = ssm.StringParameter.from_secure_string_parameter_attributes(stack, "Secret", parameter_name="/key")
    minimal.scaled_fargate_service(
        stack, environment={"KEY": "x"}, secrets={"KEY": ecs.Secret.from_ssm_parameter(secret)}
    )


FIVE_MINUTES = cdk.Duration.minutes(5)

WRONG = [
    # Numbers
    service("text-for-cpu", "cpu: got '1024', allowed: ", cpu="1024"),
    service("a-size-fargate-lacks", "memory_mib: got 1536, allowed: 512, 1024, 2048 ", cpu=256, memory_mib=1536),
    service("text-for-memory", "memory_mib: got '2048', allowed: a number; leave", memory_mib="2048"),
    service("a-share-for-target", "target_percent: got 0.5, allowed: a number, 1 to 100; give 50", target_percent=0.5),
    service("text-for-target", "target_percent: got '50', allowed: ", target_percent="50"),
    service("part-of-a-task", "min_tasks: got 2.5, allowed: a whole number", min_tasks=2.5),
    service("min-tasks-none", "min_tasks: got none, allowed: a whole number", min_tasks=None),
    service("max-tasks-none", "max_tasks: got none, allowed: a whole number", max_tasks=None),
    service("no-task", "min_tasks: got 0, allowed: a whole number, at least 1", min_tasks=0),
    service("more-at-least-than-at-most", "min_tasks: got 12, allowed: at most max_tasks (10)", min_tasks=12),
    service("port-0", "container_port: got 0, allowed: a whole number, 1 to 65535", container_port=0),
    service("port-beyond-65535", "container_port: got 80800, allowed: ", container_port=80800),
    service("a-boolean-for-tasks", "max_tasks: got True, allowed: a whole number", max_tasks=True),
    service("one-check", "healthy_threshold_count: got 1, allowed: ", healthy_threshold_count=1),
    refused("a-share-for-memory", minimal.track_memory, "target_percent: got 0.8, allowed: ", target_percent=0.8),
    refused("no-requests", minimal.track_requests, "requests_per_task: got 0, allowed: ", requests_per_task=0),
    refused("negative-target", minimal.track_metric, "target_value: got -1, allowed: ", target_value=-1),
    WrongInput("a-share-for-percent", lambda _: CpuStep(threshold_percent=0.8), "threshold_percent: got 0.8, allowed:"),
    WrongInput("half-a-task", lambda _: CpuStep(add_tasks=1.5), "add_tasks: got 1.5, allowed: "),
    WrongInput("text-for-threshold", lambda _: MetricStep(threshold="80"), "threshold: got '80', allowed: a number"),
    WrongInput("negative-base", lambda _: SpotCapacity(on_demand_base=-1), "on_demand_base: got -1, allowed: "),
    WrongInput("half-a-weight", lambda _: SpotCapacity(spot_weight=0.5), "spot_weight: got 0.5, allowed: a whole"),
    refused("no-periods", minimal.spike_scaling, "evaluation_periods: got 0, allowed: ", evaluation_periods=0),
    refused(
        "periods-of-more-than-a-day",
        minimal.spike_scaling,
        "evaluation_periods: got 1441, allowed: at most 1440 with periods of 60 s; ",
        evaluation_periods=1441,
    ),
    refused("half-a-receive", minimal.retry_queue, "max_receives: got 1.5, allowed: a whole", max_receives=1.5),
    refused("few-requests", minimal.web_acl, "requests_per_address: got 9, allowed: ", requests_per_address=9),
    refused(
        "three-minutes",
        minimal.web_acl,
        "evaluation_window: got 3 minutes, allowed: 1, 2, 5 or 10 minutes; WAF counts over no other time",
        evaluation_window=cdk.Duration.minutes(3),
    ),
    refused("minutes-as-a-number", minimal.web_acl, "evaluation_window: got 5, allowed: a Dur", evaluation_window=5),
    refused("negative-gateways", minimal.service_vpc, "nat_gateways: got -1, allowed: a whole", nat_gateways=-1),
    # Durations
    service("seconds-for-cooldown", "scale_in_cooldown: got 300, allowed: a Duration", scale_in_cooldown=300),
    service(
        "part-of-a-second", "scale_out_cooldown: got 500 millis, allowed: ", scale_out_cooldown=cdk.Duration.millis(500)
    ),
    service(
        "long-deregistration",
        "deregistration_delay: got 1 hour 1 second, allowed: ",
        deregistration_delay=cdk.Duration.seconds(3601),
    ),
    service("long-stop", "stop_timeout: got 5 minutes, allowed: ", stop_timeout=FIVE_MINUTES),
    service(
        "bake-time-of-rolling",
        "bake_time: got 5 minutes, allowed: with BLUE_GREEN only",
        bake_time=FIVE_MINUTES,
        deployment_strategy=ecs.DeploymentStrategy.ROLLING,
    ),
    service("often-checked", "health_check_interval: got 1 second, ", health_check_interval=cdk.Duration.seconds(1)),
    service("minutes-for-grace", "health_check_grace_period: got '1m', allowed: ", health_check_grace_period="1m"),
    refused("seconds-for-period", minimal.spike_scaling, "period: got 60, allowed: a Duration", period=60),
    refused("no-cooldown", minimal.spike_scaling, "cooldown: got none, allowed: a Duration of", cooldown=None),
    # Text
    service("path-without-slash", "health_check_path: got 'health', allowed: ", health_check_path="health"),
    service("root-as-00", "user: got '00:0', allowed: any user but root", user="00:0"),
    service("root-with-a-sign", "user: got '+0', allowed: any user but root", user="+0"),
    service("root-by-name", "user: got 'root:www', allowed: any user but root", user="root:www"),
    service("number-for-user", "user: got 1000, allowed: any user but root, as '1000:1000'; write '1000'", user=1000),
    service("tmpfs-of-0", "tmpfs_mib['/tmp']: got 0, allowed: a whole number, at least 1", tmpfs_mib={"/tmp": 0}),
    service("relative-tmpfs", "tmpfs_mib: got 'tmp', allowed: absolute paths", tmpfs_mib={"tmp": 64}),
    service("tmpfs-for-root", "tmpfs_mib: got '/', allowed: absolute paths", tmpfs_mib={"/": 64}),
    service("list-for-tmpfs", "tmpfs_mib: got a list, allowed: a dict", tmpfs_mib=["/tmp"]),
    service("number-in-environment", "environment['PORT']: got 80, allowed: text; wr", environment={"PORT": 80}),
    service("list-for-environment", "environment: got a list, allowed: a dict", environment=["PORT=80"]),
    service("text-for-secret", "secrets['KEY']: got 'arn:…', allowed: an ecs.Secret", secrets={"KEY": "arn:…"}),
    WrongInput("a-secret-that-is-a-setting", same_name_for_secret, "secrets: got KEY, allowed: names that environment"),
    refused("one-rule-as-text", minimal.web_acl, "excluded_rules: got 'Size", excluded_rules="SizeRestrictions_BODY"),
    refused(
        "unknown-rule",
        minimal.web_acl,
        "excluded_rules: got 'SizeRestrictions_Body', allowed: a rule of ",
        excluded_rules=["SizeRestrictions_Body"],
    ),
    refused("cidr-too-small", minimal.service_vpc, "cidr: got '10.0.0.0/28', allowed: an IPv4", cidr="10.0.0.0/28"),
    refused(
        "more-gateways-than-zones",
        minimal.service_vpc,
        "nat_gateways: got 4, allowed: at most one per availability zone (2)",
        nat_gateways=4,
    ),
    refused("address-for-cidr", minimal.service_vpc, "cidr: got '10.0.0.0', allowed: an IPv4 range", cidr="10.0.0.0"),
    refused("one-zone-as-text", minimal.service_vpc, "availability_zones: got 'us-e", availability_zones="us-east-1a"),
    refused("a-zone-twice", minimal.service_vpc, "availability_zones: got a, a, allow", availability_zones=["a", "a"]),
    # Things of another kind
    WrongInput(
        "a-stack-for-a-vpc",
        lambda stack: minimal.scaled_fargate_service(stack, vpc=stack),
        "vpc: got a Stack, allowed: an ec2.IVpc",
    ),
    service("id-for-a-vpc", "vpc: got 'vpc-1', allowed: an ec2.IVpc; look it up", vpc="vpc-1"),
    service("name-for-a-cluster", "cluster: got 'web', allowed: an ecs.ICluster", cluster="web"),
    service("text-for-image", "image: got 'nginx', allowed: an ecs.ContainerImage; give ecs.Con", image="nginx"),
    service(
        "type-for-subnets",
        "vpc_subnets: got a SubnetType, allowed: an ec2.SubnetSelection; give ec2.SubnetSelection(subnet_type=",
        vpc_subnets=ec2.SubnetType.PRIVATE_ISOLATED,
    ),
    service("nobody-as-clients", "clients: got an empty list, allowed: a list of ec2.Peer", clients=[]),
    service("range-as-clients", "clients: got '10.0.0.0/8', allowed: a list", clients="10.0.0.0/8"),
    service("text-in-clients", "clients[0]: got '10.0.0.0/8', allowed: an ec2.Peer", clients=["10.0.0.0/8"]),
    service("nowhere-as-destinations", "destinations: got an empty list, allowed: a list", destinations=[]),
    service(
        "a-prefix-list-as-text",
        "destinations[0]: got 'pl-1a2b3c', allowed: an ec2.Peer or a group; give ec2.Peer.prefix_list('pl-1a2b3c')",
        destinations=["pl-1a2b3c"],
    ),
    service("arn-for-certificate", "certificate: got 'arn:…', allowed: an ICertificate", certificate="arn:…"),
    service("internet-without-tls", "certificate: got none with internet_facing=True, ", internet_facing=True),
    service("name-of-a-bucket", "access_logs_bucket: got 'logs', allowed: an s3.IBucket", access_logs_bucket="logs"),
    service("arn-for-key", "log_encryption_key: got 'arn:…', allowed: a kms.IKey; import", log_encryption_key="arn:…"),
    service("days-for-retention", "log_retention: got 90, allowed: a logs.RetentionDays", log_retention=90),
    service("text-for-removal", "removal_policy: got 'destroy', allowed: a cdk.Remov", removal_policy="destroy"),
    service("true-for-spot", "spot: got True, allowed: SpotCapacity; give SpotCapacity()", spot=True),
    service("true-for-insights", "container_insights: got True, allowed: ContainerInsights", container_insights=True),
    service("text-for-strategy", "deployment_strategy: got 'ROLLING', allowed: ecs.", deployment_strategy="ROLLING"),
    service("text-for-architecture", "cpu_architecture: got 'arm64', allowed: an ecs.Cpu", cpu_architecture="arm64"),
    service("text-for-algorithm", "load_balancing_algorithm: got 'x', allowed: Target", load_balancing_algorithm="x"),
    WrongInput(
        "nlb-for-web-acl",
        lambda stack: minimal.web_acl(stack, load_balancer=network_load_balancer(stack)),
        "load_balancer: got a NetworkLoadBalancer, allowed: an application load balancer",
    ),
    WrongInput(
        "imported-nlb-for-web-acl",
        lambda stack: minimal.web_acl(stack, load_balancer=imported_network_load_balancer(stack)),
        "load_balancer: got a NetworkLoadBalancer, allowed: an application load balancer",
    ),
    WrongInput(
        "service-for-web-acl",
        lambda stack: minimal.web_acl(stack, load_balancer=minimal.scaled_fargate_service(stack)),
        "load_balancer: got a ScaledFargateService, allowed: an application load balancer",
    ),
    WrongInput(
        "expression-for-spikes",
        lambda stack: minimal.spike_scaling(stack, metric=expression(), steps=MetricStep(threshold=5)),
        "metric: got a MathExpression, allowed: a cloudwatch.Metric",
    ),
    WrongInput(
        "expression-to-track",
        lambda stack: minimal.track_metric(stack, metric=expression()),
        "metric: got a MathExpression, allowed: a cloudwatch.Metric",
    ),
    WrongInput(
        "percentile-to-track",
        lambda stack: minimal.track_metric(stack, metric=minimal.metric().with_(statistic="p99")),
        "metric.statistic: got 'p99', allowed: Average, ",
    ),
    WrongInput(
        "number-for-steps",
        lambda stack: minimal.spike_scaling(stack, steps=80),
        "steps: got 80, allowed: one CpuStep, or several by rising threshold",
    ),
    WrongInput(
        "numbers-in-steps",
        lambda stack: minimal.spike_scaling(stack, steps=[80, 95]),
        "steps: got 80, allowed: CpuStep only on the CPU maximum",
    ),
    refused("share-for-forecast", minimal.predictive_scaling, "target_value: got 0.5, allowed: ", target_value=0.5),
    refused(
        "no-requests-for-forecast",
        minimal.predictive_scaling,
        "target_value: got 0, allowed: a number, above 0",
        metric=PredictiveScalingMetric.ALB_REQUEST_COUNT,
        target_value=0,
    ),
    refused(
        "tracked-metric-for-forecast",
        minimal.predictive_scaling,
        "metric: got 'ECSServiceAverageCPUUtilization', allowed: ECSServiceCPUUtilization, ",
        metric="ECSServiceAverageCPUUtilization",
    ),
    refused("mode-of-forecast", minimal.predictive_scaling, "mode: got 'scale', allowed: ForecastOnly, ", mode="scale"),
    refused(
        "an-hour-of-buffer-time",
        minimal.predictive_scaling,
        "scheduling_buffer_time: got 1 hour, allowed: a Duration of whole seconds, 0 seconds to 59 minutes 59 seconds",
        scheduling_buffer_time=cdk.Duration.hours(1),
    ),
    refused(
        "seconds-for-buffer-time",
        minimal.predictive_scaling,
        "scheduling_buffer_time: got 300, allowed: a Duration",
        scheduling_buffer_time=300,
    ),
    refused(
        "no-buffer-above-forecast",
        minimal.predictive_scaling,
        "max_capacity_buffer: got none, allowed: 0 to 100 percent, with IncreaseMaxCapacity",
        max_capacity_breach_behavior="IncreaseMaxCapacity",
    ),
    refused(
        "buffer-with-kept-maximum",
        minimal.predictive_scaling,
        "max_capacity_buffer: got 10, allowed: none with HonorMaxCapacity; leave it out, or ",
        max_capacity_breach_behavior="HonorMaxCapacity",
        max_capacity_buffer=10,
    ),
    refused(
        "buffer-above-forecast",
        minimal.predictive_scaling,
        "max_capacity_buffer: got 101, allowed: a whole number, 0 to 100",
        max_capacity_buffer=101,
    ),
    refused(
        "unlimited-forecast",
        minimal.predictive_scaling,
        "max_capacity_breach_behavior: got none, allowed: HonorMaxCapacity, IncreaseMaxCapacity",
        max_capacity_breach_behavior=None,
    ),
    service("number-for-a-variable", "environment[1]: got 1, allowed: text as a variable's name", environment={1: "a"}),
    service("blank-in-path", "health_check_path: got '/a b', allowed: a path that", health_check_path="/a b"),
    service("class-for-certificate", "certificate: got the class Bucket, allowed: an ICert", certificate=s3.Bucket),
    refused("a-number-for-a-zone", minimal.service_vpc, "availability_zones: got 1, all", availability_zones=["a", 1]),
    refused("share-of-requests", response_time, "percentile: got 0.99, allowed: a number, 1 to 100; give 99 for 99 %"),
    refused(
        "class-for-a-task-count",
        minimal.predictive_scaling,
        "scalable_target: got the class ScalableTaskCount, allowed: the task count of the service",
        scalable_target=ecs.ScalableTaskCount,
    ),
    WrongInput(
        "name-of-a-task-count",
        lambda _: ServiceScaling.of("service/shop/web"),
        "scalable_target: got 'service/shop/web', allowed: what auto_scale_task_count(…) returned",
    ),
    WrongInput(
        "45-seconds-for-a-graph",
        lambda stack: minimal.scaled_fargate_service(stack).metric_cpu_maximum(period=cdk.Duration.seconds(45)),
        "period: got 45 seconds, allowed: 1, 5, 10 or 30 seconds, or whole minutes",
    ),
    WrongInput(
        "number-for-a-statistic",
        lambda stack: minimal.scaled_fargate_service(stack).metric_cpu_maximum(statistic=99),
        "statistic: got 99, allowed: text",
    ),
    WrongInput(
        "role-by-name",
        lambda stack: minimal.retry_queue(stack).grant_use("worker"),
        "grantee: got 'worker', allowed: an iam.IGrantable: a role, a function, a service; import a role with iam.Role",
    ),
    WrongInput("number-for-mixed-steps", lambda _: SpikeScalingMixin(steps=80), "steps: got 80, allowed: one CpuStep"),
    WrongInput(
        "mixin-of-a-stack",
        lambda stack: SpikeScalingMixin().apply_to(stack),
        "construct: got a Stack, allowed: a service of aws_ecs; apply it with construct.with_(…)",
    ),
    refused("no-steps", minimal.spike_scaling, "steps: got an empty list, allowed: one CpuStep", steps=[]),
    WrongInput("one-schedule-twice", schedule_twice, "id: got 'Morning', allowed: one that no other schedule"),
    WrongInput("one-policy-twice", track_twice, "id: got 'Waiting', allowed: one that no other policy"),
    WrongInput("memory-twice", track_memory_twice, "track_memory: got a second call, allowed: one call"),
    refused("bounds-that-contradict", minimal.schedule_tasks, "min_tasks: got 9, allow", min_tasks=9, max_tasks=3),
    refused("no-bounds", minimal.schedule_tasks, "min_tasks and max_tasks: got neither, allowed: one or both"),
    refused("text-for-zone", minimal.schedule_tasks, "time_zone: got 'UTC', allowed: ", time_zone="UTC", min_tasks=4),
    WrongInput(
        "schedule-of-eventbridge",
        lambda stack: minimal.schedule_tasks(stack, schedule=events.Schedule.cron(hour="8"), min_tasks=4),
        "schedule: got a Schedule, allowed: an aws_applicationautoscaling.Schedule",
    ),
    refused("nobody-at-endpoints", endpoints, "clients: got an empty list, allowed: a list of ec2.Peer", clients=[]),
    refused("text-for-endpoint", endpoints, "services['Sm']: got 'sm', allowed: an ec2.Inter", services={"Sm": "sm"}),
    refused("an-endpoint-twice", endpoints, "services: got Logs, allowed: ids", services={"Logs": None}),
    refused("days-for-vpc-logs", minimal.service_vpc, "log_retention: got 30, allowed: a logs.Ret", log_retention=30),
    refused("five-for-stuck", minimal.retry_queue, "stuck_after: got 5, allowed: a Duration of whole", stuck_after=5),
    refused("arn-for-topic", minimal.retry_queue, "alerts_topic: got 'arn:…', allowed: an sns.", alerts_topic="arn:…"),
    refused("arn-for-queue-key", minimal.retry_queue, "encryption_key: got 'arn:…', allow", encryption_key="arn:…"),
    refused(
        "infinite-for-days",
        minimal.web_acl,
        "log_retention: got none, allowed: a logs.RetentionDays",
        log_retention=None,
    ),
]
