"""A web service on Fargate behind an application load balancer, whose task count follows its CPU."""

from collections.abc import Mapping

import jsii
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from constructs import Construct

from .service_metrics import ServiceMetrics


@jsii.implements(iam.IGrantable)
class ScaledFargateService(Construct):
    """A web service on Fargate behind an ALB. Target tracking keeps its average CPU near `target_percent`.

    Tasks run in private subnets, as a user other than root, on a read-only root file system. The number of tasks is
    never part of the template: a deployment leaves a service that has scaled at the size it has.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image: ecs.ContainerImage,
        vpc: ec2.IVpc | None = None,
        cluster: ecs.ICluster | None = None,
        container_port: int = 8080,
        cpu: int = 1024,
        memory_mib: int = 2048,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        min_tasks: int = 2,
        max_tasks: int = 10,
        target_percent: float = 50,
        scale_in_cooldown: Duration | None = None,
        scale_out_cooldown: Duration | None = None,
        health_check_path: str = "/",
        certificate: acm.ICertificate | None = None,
        internet_facing: bool = False,
        access_logs_bucket: s3.IBucket | None = None,
        user: str = "1000:1000",
        tmpfs_mib: Mapping[str, int] | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
        log_encryption_key: kms.IKey | None = None,
        deletion_protection: bool = False,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        if cluster is None:
            if vpc is None:
                raise ValueError("vpc: got none, and no cluster either, allowed: one of the two; pass vpc=")
            cluster = ecs.Cluster(self, "Cluster", vpc=vpc)
        self._cluster = cluster
        key = log_encryption_key or kms.Key(self, "LogKey", enable_key_rotation=True, removal_policy=removal_policy)
        log_group = logs.LogGroup(
            self, "Logs", retention=log_retention, encryption_key=key, removal_policy=removal_policy
        )
        self._task_definition = ecs.FargateTaskDefinition(self, "TaskDefinition", cpu=cpu, memory_limit_mib=memory_mib)
        self._task_definition.add_container(
            "app",
            image=image,
            environment=environment,
            secrets=secrets,
            user=user,
            readonly_root_filesystem=True,
            port_mappings=[ecs.PortMapping(container_port=container_port)],
            logging=ecs.LogDrivers.aws_logs(stream_prefix="app", log_group=log_group),
        )
        self._load_balancer = elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=cluster.vpc,
            internet_facing=internet_facing,
            drop_invalid_header_fields=True,
            deletion_protection=deletion_protection,
        )
        self._service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=self._task_definition,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
        )
        self._target_group = elbv2.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=cluster.vpc,
            port=container_port,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[self._service],
            health_check=elbv2.HealthCheck(path=health_check_path),
        )
        self._load_balancer.add_listener(
            "HttpListener", protocol=elbv2.ApplicationProtocol.HTTP, default_target_groups=[self._target_group]
        )
        self._target_percent = target_percent
        self._scalable_target = self._service.auto_scale_task_count(min_capacity=min_tasks, max_capacity=max_tasks)
        self._scalable_target.scale_on_cpu_utilization("CpuAverage", target_utilization_percent=target_percent)
        self._metrics = ServiceMetrics(service=self._service, load_balancer=self._load_balancer)

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
    def target_group(self) -> elbv2.ApplicationTargetGroup:
        """The tasks as the load balancer sees them."""
        return self._target_group

    @property
    def scalable_target(self) -> ecs.ScalableTaskCount:
        """The service's task count, to which scaling policies attach."""
        return self._scalable_target

    @property
    def metrics(self) -> ServiceMetrics:
        """The service's metrics, one minute each."""
        return self._metrics

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The tasks' role: `bucket.grant_read(service)` lets the tasks read the bucket."""
        return self._task_definition.task_role
