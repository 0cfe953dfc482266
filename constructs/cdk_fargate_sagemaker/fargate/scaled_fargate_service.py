"""A web service on Fargate behind an application load balancer, whose task count follows its CPU."""

from collections.abc import Mapping, Sequence
from typing import Unpack

import jsii
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_elasticloadbalancingv2 import TargetGroupLoadBalancingAlgorithmType
from constructs import Construct

from .._checks import check_duration, check_flags, check_kind
from .._construct_tree import path_of, stack_of
from .._interfaces import AnyKey
from .._log_checks import check_log_settings
from .._log_key import log_key
from .._metric_options import MetricOptions
from .._readable_help import CallSignature, readable
from .._resource_policy import open_to_account
from . import cpu_metric
from ._access_logs import check_access_logs_bucket, log_access
from ._deployment_strategy import check_deployment_strategy
from ._entrance import TargetSettings, check_certificate, listen, load_balancer, target_group
from ._network_checks import check_clients, check_destinations, check_subnets
from ._service_cluster import alternate_target, service_cluster, service_network, task_subnets
from ._service_policies import SCALE_IN_COOLDOWN, SCALE_OUT_COOLDOWN, ServicePolicies, check_tracking
from ._task import CONTAINER_NAME, acknowledge_exec, check_container, task_definition
from ._way_to_aws import wait_for_way_to_aws
from .service_metrics import ServiceMetrics
from .service_scaling import ServiceScaling, publish_scaling
from .spot_capacity import SpotCapacity
from .task_count import check_target_percent, check_task_count
from .task_size import check_task_size

_DEFAULT_TMPFS_MIB: Mapping[str, int] = {"/tmp": 64}
_HEALTH_CHECK_INTERVAL = readable(Duration.seconds(10))
_HEALTH_CHECK_GRACE_PERIOD = readable(Duration.minutes(1))
_DEREGISTRATION_DELAY = readable(Duration.seconds(30))
_STOP_TIMEOUT = readable(Duration.seconds(60))
_BAKE_TIME = Duration.minutes(10)
_HIGH_RESOLUTION = Duration.seconds(20)
_LOW_RESOLUTION = Duration.minutes(1)


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class ScaledFargateService(ServicePolicies):
    """A web service on Fargate behind an ALB. Target tracking keeps its average CPU near `target_percent`.

    Tasks run in private subnets, as a user other than root, on a read-only root file system. The number of tasks is
    never part of the template: a deployment leaves a service that has scaled at the size it has. A deployment keeps
    every old task until its replacement is healthy, and is rolled back when replacements keep failing. CloudFormation
    creates the service after this app's routes and VPC endpoints, which its tasks need to reach AWS.

    As an `IGrantable` and `IConnectable` it represents its tasks: `bucket.grant_read(service)` lets the tasks read the
    bucket, `db.connections.allow_default_port_from(service)` lets them connect to the database.

    Args:
        image: the image of the one container, which serves HTTP on `container_port`.
        vpc: where the service gets a cluster of its own. Exactly one of `vpc` and `cluster`. Default: that of
            `cluster`.
        cluster: the cluster to run in; the service takes its VPC. Default: one of its own, in `vpc`.
        vpc_subnets: where the tasks run. Default: the VPC's private subnets, or its isolated ones where it has no
            private ones.
        container_insights: metrics per task from Container Insights, billed as custom metrics, for a cluster of its
            own. Default: off; the service's default metrics are free of charge.
        container_port: TCP port on which the container listens. Default: 8080.
        cpu: CPU units of a task, 1024 per vCPU. Default: 1024.
        memory_mib: memory of a task in MiB, of a size that Fargate offers with `cpu`. Default: 2048.
        spot: runs tasks above a base on Fargate Spot; a cluster that is passed needs Fargate's capacity providers.
            Default: none, every task runs on Fargate.
        cpu_architecture: what the image is built for. Default: x86-64.
        environment: settings that are not secret. Default: none.
        secrets: variables whose values the tasks get from Secrets Manager or the parameter store when they start; the
            template contains only their ARNs. Default: none.
        user: user, or user:group, that the process runs as, instead of the image's user; never root. Default:
            1000:1000.
        tmpfs_mib: folders in memory that the process may write to, with their sizes in MiB; their contents count as the
            task's memory. Default: /tmp of 64 MiB. `{}` leaves nothing writable.
        min_tasks: scaling never goes below it. Default: 2, so that one task, or one zone, can fail.
        max_tasks: scaling never goes above it. Default: 10.
        target_percent: average CPU of all tasks, in percent, that target tracking keeps. Default: 50.
        high_resolution: ECS publishes the service's CPU every 20 seconds, and target tracking follows that: it acts
            after about one minute and a half instead of six; billed as a custom metric. Default: every minute.
        scale_in: whether tracking the CPU removes tasks. Default: it does.
        scale_in_cooldown: no further tasks are removed for this long after a scale-in. Default: 5 minutes.
        scale_out_cooldown: during it, tasks just added count toward the next scale-out. Default: 1 minute.
        health_check_path: path that answers 200 when a task can serve. Default: `/`.
        health_check_interval: time between two checks of a task, 5 to 300 seconds. Default: 10 seconds; a new task
            serves after one check.
        health_check_timeout: how long a check waits for its answer, 2 to 120 seconds, less than the interval. Default:
            ELB's own, 5 or 6 seconds; one second less than the interval if that is not longer.
        healthy_threshold_count: passed checks in a row after which an unhealthy task is healthy again, 2 to 10.
            Default: ELB's own, 5.
        unhealthy_threshold_count: failed checks in a row after which a task is unhealthy, 2 to 10. Default: ELB's own,
            2.
        health_check_grace_period: how long a starting task may fail its checks. Default: 1 minute.
        deregistration_delay: how long a stopping task may take to finish its requests, up to an hour. Default: 30
            seconds.
        stop_timeout: how long a container may take to end after SIGTERM, at most 120 seconds. Default: 60 seconds, so
            that it outlives the default `deregistration_delay`.
        deployment_strategy: ROLLING replaces tasks one after the other; BLUE_GREEN starts a second set of tasks, gives
            it all requests at once, and can shift them back at once during `bake_time`. Default: ROLLING.
        bake_time: with BLUE_GREEN only, how long the old tasks are kept after the shift, in whole minutes up to a day.
            Default: 10 minutes.
        enable_execute_command: lets people with the permission `ecs:ExecuteCommand` run commands in the container;
            commands and output are logged, encrypted. A cluster that you pass must log them itself. Default: off.
        load_balancing_algorithm: how the load balancer picks a task, which decides how busy the busiest task gets:
            ROUND_ROBIN; LEAST_OUTSTANDING_REQUESTS, for requests that differ in cost; WEIGHTED_RANDOM, which sends less
            to a task that answers with errors. Default: ROUND_ROBIN.
        slow_start: how long a new task's share of requests grows, 30 to 900 seconds; with ROUND_ROBIN only. Default: a
            new task gets its full share at once.
        certificate: the load balancer then speaks HTTPS (TLS 1.2 and 1.3, forward secrecy) and redirects HTTP to it.
            Default: none, HTTP; refused when it faces the internet.
        internet_facing: puts the load balancer into the public subnets. Default: off, it is reached from the VPC alone.
        clients: who may connect to the load balancer: address ranges or security groups. Default: the VPC's addresses;
            everyone when it faces the internet.
        destinations: where the tasks may connect to, over HTTPS: security groups as that of `ServiceVpcEndpoints`,
            prefix lists of S3 and DynamoDB, address ranges. They need ECR, S3 and CloudWatch Logs to start, and what
            the image calls; `db.connections.allow_default_port_from(service)` adds another. Amazon's DNS and the task's
            credentials need no rule. Default: everywhere, over any port.
        access_logs_bucket: where the load balancer writes its access logs; encrypted with S3's own keys, as ELB
            demands. The owner of an imported bucket must allow it; the app warns with the statement to add. Default:
            one of its own, which keeps them 90 days.
        log_retention: how long the containers' logs are kept. Default: three months.
        log_encryption_key: the key that encrypts the containers' logs; CloudWatch Logs is allowed to use it for log
            groups of this account. The owner of an imported key must allow it; the app warns with the statement to add.
            Default: a key of its own, rotated every year.
        deletion_protection: refuses to delete the load balancer. Default: off.
        removal_policy: what happens to logs, access logs and key when they leave the stack. Default: they are kept.

    Raises:
        InvalidArgumentError: an argument that cannot work: a task size that Fargate lacks, `min_tasks` above
            `max_tasks`, root as the user, an internet-facing load balancer without a certificate, a bucket for access
            logs with a KMS key, a health check that ELB refuses, or ECS Exec in a cluster that does not log it.

    Example:
        ```python
        shop = ScaledFargateService(
            self, "Shop", vpc=vpc, image=image, health_check_path="/health", max_tasks=20, target_percent=60
        )
        SpikeScaling(self, "ShopSpikes", service=shop)
        bucket.grant_read(shop)
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image: ecs.ContainerImage,
        vpc: ec2.IVpc | None = None,
        cluster: ecs.ICluster | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        container_insights: ecs.ContainerInsights = ecs.ContainerInsights.DISABLED,
        container_port: int = 8080,
        cpu: int = 1024,
        memory_mib: int = 2048,
        spot: SpotCapacity | None = None,
        cpu_architecture: ecs.CpuArchitecture | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        user: str = "1000:1000",
        tmpfs_mib: Mapping[str, int] = _DEFAULT_TMPFS_MIB,
        min_tasks: int = 2,
        max_tasks: int = 10,
        target_percent: float = 50,
        high_resolution: bool = False,
        scale_in: bool = True,
        scale_in_cooldown: Duration = SCALE_IN_COOLDOWN,
        scale_out_cooldown: Duration = SCALE_OUT_COOLDOWN,
        health_check_path: str = "/",
        health_check_interval: Duration = _HEALTH_CHECK_INTERVAL,
        health_check_timeout: Duration | None = None,
        healthy_threshold_count: int | None = None,
        unhealthy_threshold_count: int | None = None,
        health_check_grace_period: Duration = _HEALTH_CHECK_GRACE_PERIOD,
        deregistration_delay: Duration = _DEREGISTRATION_DELAY,
        stop_timeout: Duration = _STOP_TIMEOUT,
        deployment_strategy: ecs.DeploymentStrategy = ecs.DeploymentStrategy.ROLLING,
        bake_time: Duration | None = None,
        enable_execute_command: bool = False,
        load_balancing_algorithm: TargetGroupLoadBalancingAlgorithmType = (
            TargetGroupLoadBalancingAlgorithmType.ROUND_ROBIN
        ),
        slow_start: Duration | None = None,
        certificate: certificatemanager.ICertificate | None = None,
        internet_facing: bool = False,
        clients: Sequence[ec2.IPeer] | None = None,
        destinations: Sequence[ec2.IPeer] | None = None,
        access_logs_bucket: s3.IBucket | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
        log_encryption_key: AnyKey | None = None,
        deletion_protection: bool = False,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        check_task_size(cpu=cpu, memory_mib=memory_mib)
        check_task_count(min_tasks, max_tasks, required=True)
        check_target_percent(target_percent)
        check_tracking(scale_in=scale_in, scale_in_cooldown=scale_in_cooldown, scale_out_cooldown=scale_out_cooldown)
        check_flags(high_resolution=high_resolution, enable_execute_command=enable_execute_command)
        check_flags(internet_facing=internet_facing, deletion_protection=deletion_protection)
        check_container(
            image=image,
            port=container_port,
            environment=environment,
            secrets=secrets,
            user=user,
            tmpfs_mib=tmpfs_mib,
            stop_timeout=stop_timeout,
            cpu_architecture=cpu_architecture,
        )
        check_duration("health_check_grace_period", health_check_grace_period, whole="seconds")
        is_blue_green = check_deployment_strategy(deployment_strategy, bake_time)
        if spot is not None:
            check_kind("spot", spot, SpotCapacity, remedy="give SpotCapacity()")
        targets = TargetSettings(
            port=container_port,
            health_check_path=health_check_path,
            health_check_interval=health_check_interval,
            health_check_timeout=health_check_timeout,
            healthy_threshold_count=healthy_threshold_count,
            unhealthy_threshold_count=unhealthy_threshold_count,
            deregistration_delay=deregistration_delay,
            algorithm=load_balancing_algorithm,
            slow_start=slow_start,
        )
        check_certificate(certificate, internet_facing)
        check_subnets("vpc_subnets", vpc_subnets)
        clients = check_clients(clients)
        destinations = check_destinations(destinations)
        check_access_logs_bucket(access_logs_bucket)
        check_log_settings(
            log_retention=log_retention, log_encryption_key=log_encryption_key, removal_policy=removal_policy
        )
        network = service_network(vpc, cluster)

        key = log_key(self, given=log_encryption_key, removal_policy=removal_policy)
        self._cluster = service_cluster(
            self,
            network,
            cluster,
            insights=container_insights,
            exec_key=key if enable_execute_command else None,
            exec_retention=log_retention,
            removal_policy=removal_policy,
            has_spot=spot is not None,
        )
        self._log_group = logs.LogGroup(
            self, "Logs", retention=log_retention, encryption_key=key, removal_policy=removal_policy
        )
        self._task_definition, self._task_role, execution_role = task_definition(
            self,
            image=image,
            cpu=cpu,
            memory_mib=memory_mib,
            cpu_architecture=cpu_architecture,
            port=container_port,
            environment=environment,
            secrets=secrets,
            user=user,
            tmpfs_mib=tmpfs_mib,
            stop_timeout=stop_timeout,
            execute_command=enable_execute_command,
            log_group=self._log_group,
        )
        self._load_balancer, self._load_balancer_security_group = load_balancer(
            self,
            vpc=network,
            internet_facing=internet_facing,
            clients=clients,
            ports=(80, 443) if certificate else (80,),
            deletion_protection=deletion_protection,
        )
        self._access_logs_bucket = log_access(
            self,
            self._load_balancer,
            given=access_logs_bucket,
            removal_policy=removal_policy,
            log_encryption_key=key,
        )
        self._service_security_group = ec2.SecurityGroup(
            self,
            "ServiceSecurityGroup",
            vpc=network,
            description="Tasks, reached from their load balancer alone",
            allow_all_outbound=destinations is None,
        )
        for destination in destinations or ():
            self._service_security_group.add_egress_rule(destination, ec2.Port.tcp(443), "HTTPS")
        subnets = vpc_subnets or task_subnets(network)
        self._service = ecs.FargateService(
            self,
            "Service",
            cluster=self._cluster,
            task_definition=self._task_definition,
            security_groups=[self._service_security_group],
            vpc_subnets=subnets,
            capacity_provider_strategies=spot.strategies() if spot else None,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            deployment_strategy=deployment_strategy if is_blue_green else None,
            bake_time=(bake_time or _BAKE_TIME) if is_blue_green else None,
            enable_execute_command=enable_execute_command,
            health_check_grace_period=health_check_grace_period,
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        stack_of.note(self._service, stack_of(self))
        if enable_execute_command:
            acknowledge_exec(self._task_definition, self._cluster)
            open_to_account(key, key.key_arn, self._task_role, ["kms:Decrypt"], "*")
        self._target_group = target_group(self, "Targets", vpc=network, settings=targets)
        self._alternate_target_group = (
            target_group(self, "AlternateTargets", vpc=network, settings=targets) if is_blue_green else None
        )
        self._listener = listen(
            self._load_balancer,
            certificate=certificate,
            action=elbv2.ListenerAction.forward([self._target_group]),
        )
        self._target_group.add_target(
            self._service.load_balancer_target(
                container_name=CONTAINER_NAME,
                container_port=container_port,
                alternate_target=alternate_target(
                    self, listener=self._listener, blue=self._target_group, green=self._alternate_target_group
                )
                if self._alternate_target_group
                else None,
            )
        )
        wait_for_way_to_aws(
            self._service,
            vpc=network,
            vpc_subnets=subnets,
            security_groups=[self._service_security_group, self._load_balancer_security_group],
            execution_role=execution_role,
        )
        if high_resolution:
            self._publish_cpu_every_20_seconds()
        self._metrics = ServiceMetrics(
            service=self._service,
            load_balancer=self._load_balancer,
            target_group=self._target_group,
            alternate_target_group=self._alternate_target_group,
            cpu_resolution=_HIGH_RESOLUTION if high_resolution else _LOW_RESOLUTION,
            container_insights=cluster is None and container_insights is not ecs.ContainerInsights.DISABLED,
        )
        self._scalable_target = self._service.auto_scale_task_count(min_capacity=min_tasks, max_capacity=max_tasks)
        stack_of.note(self._scalable_target, stack_of(self))
        path_of.note(self._scalable_target, f"{path_of(self)}/Service/TaskCount")
        self._track_cpu(target_percent, high_resolution, scale_in, scale_in_cooldown, scale_out_cooldown)
        publish_scaling(self, self._scalable_target)

    @property
    def service(self) -> ecs.FargateService:
        """The ECS service."""
        return self._service

    @property
    def cluster(self) -> ecs.ICluster:
        """The cluster that it runs in: the one given, or its own."""
        return self._cluster

    @property
    def task_definition(self) -> ecs.FargateTaskDefinition:
        """What a task runs."""
        return self._task_definition

    @property
    def load_balancer(self) -> elbv2.ApplicationLoadBalancer:
        """The load balancer in front of the tasks."""
        return self._load_balancer

    @property
    def listener(self) -> elbv2.ApplicationListener:
        """The listener that forwards to the tasks: HTTPS where there is a certificate, else HTTP."""
        return self._listener

    @property
    def target_group(self) -> elbv2.ApplicationTargetGroup:
        """The target group with the tasks."""
        return self._target_group

    @property
    def alternate_target_group(self) -> elbv2.ApplicationTargetGroup | None:
        """The target group that blue/green deployments use in turn with `target_group`; None without them."""
        return self._alternate_target_group

    @property
    def scalable_target(self) -> ecs.ScalableTaskCount:
        """The service's task count, to which scaling policies attach."""
        return self._scalable_target

    @property
    def load_balancer_security_group(self) -> ec2.SecurityGroup:
        """The load balancer's security group: in from the clients, out to the tasks."""
        return self._load_balancer_security_group

    @property
    def service_security_group(self) -> ec2.SecurityGroup:
        """The tasks' security group: in from the load balancer, out to anywhere."""
        return self._service_security_group

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group of the containers."""
        return self._log_group

    @property
    def access_logs_bucket(self) -> s3.IBucket:
        """Where the load balancer writes its access logs: the bucket given, or its own."""
        return self._access_logs_bucket

    @property
    def scaling(self) -> ServiceScaling:
        """Everything declared so far by this construct, on its `scalable_target`, or by `SpikeScaling`."""
        return ServiceScaling.of(self._scalable_target)

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The tasks' role."""
        return self._task_role

    @property
    def connections(self) -> ec2.Connections:
        """The tasks' connections: `db.connections.allow_default_port_from(service)` lets them reach a database."""
        return self._service.connections

    @property
    def metrics(self) -> ServiceMetrics:
        """All of the service's metrics, for dashboards and alarms."""
        return self._metrics

    def metric_cpu_average(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """CPU of all tasks together over one minute, percent of what they reserve.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.cpu_average(**options)

    def metric_cpu_maximum(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """CPU of the hottest task over one minute, percent of what it reserves.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.cpu_maximum(**options)

    def metric_running_tasks(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric | cloudwatch.MathExpression:
        """Number of running tasks, per minute.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.running_tasks(**options)

    def metric_request_count(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Requests that the load balancer received, per minute.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.request_count(**options)

    def _publish_cpu_every_20_seconds(self) -> None:
        # The L2 has no property for it yet.
        service = self._service.node.find_child("Service")
        assert isinstance(service, ecs.CfnService)
        service.monitoring = ecs.CfnService.MonitoringConfigurationProperty(
            metric_configurations=[
                ecs.CfnService.MetricConfigurationProperty(
                    metric_names=[cpu_metric.NAME], resolution_seconds=_HIGH_RESOLUTION.to_seconds()
                )
            ]
        )
