"""A web service on Fargate behind an application load balancer, whose task count follows its CPU."""

from collections.abc import Mapping, Sequence

import jsii
from aws_cdk import Acknowledgment, ArnFormat, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .number_token import is_token
from .service_metrics import ServiceMetrics
from .service_scaling import ServiceScaling
from .task_size import check_task_size

_DEFAULT_TMPFS_MIB: Mapping[str, int] = {"/tmp": 64}
_TMPFS_MOUNT_OPTIONS = [ecs.TmpfsMountOption.NOEXEC, ecs.TmpfsMountOption.NOSUID, ecs.TmpfsMountOption.NODEV]
_SCALE_IN_COOLDOWN = Duration.minutes(5)
_SCALE_OUT_COOLDOWN = Duration.minutes(1)
_HEALTH_CHECK_INTERVAL = Duration.seconds(10)
_HEALTH_CHECK_GRACE_PERIOD = Duration.minutes(1)
_DEREGISTRATION_DELAY = Duration.seconds(30)
_ACCESS_LOGS_KEPT = Duration.days(90)


@jsii.implements(iam.IGrantable)
class ScaledFargateService(Construct):
    """A web service on Fargate behind an ALB. Target tracking keeps its average CPU near `target_percent`.

    Tasks run in private subnets, as a user other than root, on a read-only root file system. The number of tasks is
    never part of the template: a deployment leaves a service that has scaled at the size it has. A deployment keeps
    every task until its successor is healthy, and is rolled back when successors keep failing.

    As an `IGrantable` it stands for its tasks: `bucket.grant_read(service)` lets the tasks read the bucket.

    Args:
        image: the image of the one container, which serves HTTP on `container_port`.
        vpc: where the service gets a cluster of its own. Exactly one of `vpc` and `cluster`.
        cluster: the cluster to run in; the service takes its VPC.
        vpc_subnets: where the tasks run. Default: the VPC's private subnets, of those that have none its isolated ones.
        container_insights: metrics by task from Container Insights, billed as custom metrics, for a cluster of its own.
            Default: off; every metric used here is one that AWS gives free of charge.
        container_port: TCP port on which the container listens. Default: 8080.
        cpu: CPU units of a task, 1024 a vCPU. Default: 1024.
        memory_mib: memory of a task in MiB, of a size that Fargate offers with `cpu`. Default: 2048.
        cpu_architecture: what the image is built for. Default: x86-64.
        environment: settings that anybody may read. Default: none.
        secrets: variables whose values the tasks get from Secrets Manager or the parameter store as they start; the
            template holds their ARNs only. Default: none.
        user: user, or user:group, that the process runs as, whatever the image says; never root. Default: 1000:1000.
        tmpfs_mib: folders in memory that the process may write to, with their sizes in MiB; what they hold counts as
            the task's memory. Default: /tmp of 64 MiB. `{}` leaves nothing writable.
        min_tasks: scaling never goes below it. Default: 2, so that one task, or one zone, can fail.
        max_tasks: scaling never goes above it. Default: 10.
        target_percent: average CPU of all tasks, in percent, that target tracking keeps. Default: 50.
        scale_in_cooldown: after tasks are removed none are removed again for this long. Default: 5 minutes.
        scale_out_cooldown: while it lasts a further scale-out counts only the tasks beyond those just added.
            Default: 1 minute.
        health_check_path: path that answers 200 when a task can serve. Default: `/`.
        health_check_interval: time between two checks of a task. Default: 10 seconds; a new task
            serves after one check.
        health_check_grace_period: how long a starting task may fail its checks. Default: 1 minute.
        deregistration_delay: how long a task that is to stop may finish its requests. Default: 30 seconds.
        certificate: the load balancer then speaks HTTPS (TLS 1.2 and 1.3, forward secrecy) and redirects HTTP to it.
            Default: none, HTTP; refused when it faces the internet.
        internet_facing: puts the load balancer into the public subnets. Default: off, it is reached from the VPC alone.
        clients: who may connect to the load balancer: address ranges or security groups. Default: the VPC's addresses;
            everyone when it faces the internet.
        access_logs_bucket: where the load balancer writes its access logs; encrypted with S3's own keys, as ELB
            demands. A bucket of another app needs its policy set there. Default: a bucket of its own, which keeps them
            90 days.
        log_retention: how long the containers' logs are kept. Default: three months.
        log_encryption_key: the key that encrypts the containers' logs; CloudWatch Logs is allowed to use it for log
            groups of this account. Default: a key of its own, rotated every year.
        deletion_protection: refuses to delete the load balancer. Default: off.
        removal_policy: what becomes of logs, access logs and key when they leave the stack. Default: they are kept.

    Raises:
        ValueError: neither or both of `vpc` and `cluster`, a task size that Fargate lacks, more tasks at least than at
            most, a target outside 0 to 100, root as the user, an internet-facing load balancer without a certificate,
            or a bucket for access logs with a KMS key.
    """

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
        cpu_architecture: ecs.CpuArchitecture | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        user: str = "1000:1000",
        tmpfs_mib: Mapping[str, int] = _DEFAULT_TMPFS_MIB,
        min_tasks: int = 2,
        max_tasks: int = 10,
        target_percent: float = 50,
        scale_in_cooldown: Duration = _SCALE_IN_COOLDOWN,
        scale_out_cooldown: Duration = _SCALE_OUT_COOLDOWN,
        health_check_path: str = "/",
        health_check_interval: Duration = _HEALTH_CHECK_INTERVAL,
        health_check_grace_period: Duration = _HEALTH_CHECK_GRACE_PERIOD,
        deregistration_delay: Duration = _DEREGISTRATION_DELAY,
        certificate: certificatemanager.ICertificate | None = None,
        internet_facing: bool = False,
        clients: Sequence[ec2.IPeer] | None = None,
        access_logs_bucket: s3.IBucket | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
        log_encryption_key: kms.IKey | None = None,
        deletion_protection: bool = False,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        check_task_size(cpu=cpu, memory_mib=memory_mib)
        _check_task_count(min_tasks, max_tasks)
        _check_target(target_percent)
        _check_user(user)
        if internet_facing and certificate is None:
            raise ValueError(
                "certificate: got none with internet_facing=True, allowed: an ACM certificate; "
                "pass one, or leave the load balancer internal"
            )

        self._cluster = self._the_cluster(vpc, cluster, container_insights)
        self._task_definition = ecs.FargateTaskDefinition(
            self,
            "TaskDefinition",
            cpu=cpu,
            memory_limit_mib=memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
                cpu_architecture=cpu_architecture or ecs.CpuArchitecture.X86_64,
            ),
        )
        self._add_container(
            image=image,
            environment=environment,
            secrets=secrets,
            user=user,
            tmpfs_mib=tmpfs_mib,
            port=container_port,
            log_group=self._log_group_with_key(log_retention, log_encryption_key, removal_policy),
        )
        self._load_balancer = self._internal_or_public_load_balancer(
            internet_facing, clients, certificate is not None, deletion_protection
        )
        self._log_access(access_logs_bucket, removal_policy)
        self._service_security_group = ec2.SecurityGroup(
            self,
            "ServiceSecurityGroup",
            vpc=self._cluster.vpc,
            description="Tasks, reached from their load balancer alone",
        )
        self._service = ecs.FargateService(
            self,
            "Service",
            cluster=self._cluster,
            task_definition=self._task_definition,
            security_groups=[self._service_security_group],
            vpc_subnets=vpc_subnets or _private_subnets(self._cluster.vpc),
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            health_check_grace_period=health_check_grace_period,
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        self._target_group = elbv2.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=self._cluster.vpc,
            port=container_port,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[self._service],
            deregistration_delay=deregistration_delay,
            health_check=elbv2.HealthCheck(path=health_check_path, interval=health_check_interval),
        )
        self._listen(certificate)
        self._scalable_target = self._service.auto_scale_task_count(min_capacity=min_tasks, max_capacity=max_tasks)
        self._scalable_target.scale_on_cpu_utilization(
            "CpuAverage",
            target_utilization_percent=target_percent,
            scale_in_cooldown=scale_in_cooldown,
            scale_out_cooldown=scale_out_cooldown,
        )
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
    def listener(self) -> elbv2.ApplicationListener:
        """The listener that forwards to the tasks: HTTPS where there is a certificate, else HTTP."""
        return self._listener

    @property
    def target_group(self) -> elbv2.ApplicationTargetGroup:
        """The tasks as the load balancer sees them."""
        return self._target_group

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
        """What the containers write."""
        return self._log_group

    @property
    def access_logs_bucket(self) -> s3.IBucket:
        """Where the load balancer writes its access logs: the bucket given, or its own."""
        return self._access_logs_bucket

    @property
    def scaling(self) -> ServiceScaling:
        """The bounds and the target declared until now, by this construct or on its `scalable_target`."""
        return ServiceScaling.of(self._scalable_target)

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The tasks' role."""
        return self._task_definition.task_role

    @property
    def metrics(self) -> ServiceMetrics:
        """All of the service's metrics, for dashboards and alarms."""
        return self._metrics

    def metric_cpu_average(self) -> cloudwatch.Metric:
        """CPU of all tasks together over one minute, percent of what they reserve."""
        return self._metrics.cpu_average()

    def metric_cpu_maximum(self) -> cloudwatch.Metric:
        """CPU of the hottest task over one minute, percent of what it reserves."""
        return self._metrics.cpu_maximum()

    def metric_running_tasks(self) -> cloudwatch.Metric:
        """Number of running tasks, each minute."""
        return self._metrics.running_tasks()

    def metric_request_count(self) -> cloudwatch.Metric:
        """Requests that the load balancer took in, each minute."""
        return self._metrics.request_count()

    def _the_cluster(
        self, vpc: ec2.IVpc | None, cluster: ecs.ICluster | None, container_insights: ecs.ContainerInsights
    ) -> ecs.ICluster:
        if (vpc is None) == (cluster is None):
            raise ValueError(
                f"vpc and cluster: got {'neither' if vpc is None else 'both'}, allowed: exactly one; "
                "pass vpc for a cluster of its own, or the cluster, which brings its VPC"
            )
        if cluster is not None:
            if container_insights is not ecs.ContainerInsights.DISABLED:
                raise ValueError(
                    f"container_insights: got {container_insights.name} with a cluster, allowed: with vpc only; "
                    "set it on the cluster that you pass"
                )
            return cluster
        own = ecs.Cluster(self, "Cluster", vpc=vpc, container_insights_v2=container_insights)
        if container_insights is ecs.ContainerInsights.DISABLED:
            Validations.of(own).acknowledge(
                Acknowledgment(
                    id="AwsSolutions-ECS4",
                    reason="CPU, requests and running tasks come from metrics that are free; Container Insights "
                    "bills each metric of each task and is an option of this construct.",
                )
            )
        return own

    def _log_group_with_key(
        self, retention: logs.RetentionDays, key: kms.IKey | None, removal_policy: RemovalPolicy
    ) -> logs.LogGroup:
        key = key or kms.Key(
            self,
            "LogKey",
            description=f"Logs of {self.node.path}",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        stack = Stack.of(self)
        log_groups = stack.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
            )
        )
        self._log_group = logs.LogGroup(
            self, "Logs", retention=retention, encryption_key=key, removal_policy=removal_policy
        )
        return self._log_group

    def _add_container(
        self,
        *,
        image: ecs.ContainerImage,
        environment: Mapping[str, str] | None,
        secrets: Mapping[str, ecs.Secret] | None,
        user: str,
        tmpfs_mib: Mapping[str, int],
        port: int,
        log_group: logs.LogGroup,
    ) -> None:
        linux = ecs.LinuxParameters(self, "LinuxParameters", init_process_enabled=True)
        for path, size_mib in tmpfs_mib.items():
            linux.add_tmpfs(
                ecs.Tmpfs(
                    container_path=path,
                    size=size_mib,
                    mount_options=_TMPFS_MOUNT_OPTIONS,
                )
            )
        self._task_definition.add_container(
            "app",
            image=image,
            environment=environment,
            secrets=secrets,
            user=user,
            readonly_root_filesystem=True,
            linux_parameters=linux,
            port_mappings=[ecs.PortMapping(container_port=port)],
            logging=ecs.LogDrivers.aws_logs(stream_prefix="app", log_group=log_group),
        )
        if environment:
            Validations.of(self._task_definition).acknowledge(
                Acknowledgment(
                    id="AwsSolutions-ECS2",
                    reason="The environment holds settings that anybody may read; secrets have a property of "
                    "their own, and come from Secrets Manager or the parameter store.",
                )
            )
        Validations.of(self._task_definition.obtain_execution_role()).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="ecr:GetAuthorizationToken, which pulling an image takes, knows no resources.",
            )
        )

    def _internal_or_public_load_balancer(
        self, internet_facing: bool, clients: Sequence[ec2.IPeer] | None, encrypted: bool, deletion_protection: bool
    ) -> elbv2.ApplicationLoadBalancer:
        vpc = self._cluster.vpc
        group = self._load_balancer_security_group = ec2.SecurityGroup(
            self,
            "LoadBalancerSecurityGroup",
            vpc=vpc,
            description="Load balancer, reached from its clients, reaches its tasks alone",
            allow_all_outbound=False,
        )
        if clients is None:
            clients = [ec2.Peer.any_ipv4() if internet_facing else ec2.Peer.ipv4(vpc.vpc_cidr_block)]
            Validations.of(group).acknowledge(
                Acknowledgment(
                    id="AwsSolutions-EC23",
                    reason="Facing the internet was asked for, behind HTTPS."
                    if internet_facing
                    else "Open to the addresses of its own VPC, which are not known before deployment.",
                )
            )
        for client in clients:
            for port in (80, 443) if encrypted else (80,):
                group.add_ingress_rule(client, ec2.Port.tcp(port), "HTTPS" if port == 443 else "HTTP")
        return elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=vpc,
            internet_facing=internet_facing,
            security_group=group,
            drop_invalid_header_fields=True,
            deletion_protection=deletion_protection,
        )

    def _log_access(self, bucket: s3.IBucket | None, removal_policy: RemovalPolicy) -> None:
        if bucket is not None and bucket.encryption_key is not None:
            raise ValueError(
                "access_logs_bucket: got one with a KMS key, allowed: one encrypted by S3 itself; "
                "load balancers cannot write to the other"
            )
        if bucket is None:
            bucket = s3.Bucket(
                self,
                "AccessLogs",
                encryption=s3.BucketEncryption.S3_MANAGED,
                block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
                enforce_ssl=True,
                lifecycle_rules=[s3.LifecycleRule(expiration=_ACCESS_LOGS_KEPT)],
                removal_policy=removal_policy,
            )
            Validations.of(bucket).acknowledge(
                Acknowledgment(
                    id="AwsSolutions-S1", reason="It holds access logs; logging their delivery would never end."
                )
            )
        self._access_logs_bucket = bucket
        # log_access_logs of the CDK needs to know the region at synthesis; this principal serves all of them.
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"AWSLogs/{Stack.of(self).account}/*")],
            )
        )
        self._load_balancer.set_attribute("access_logs.s3.enabled", "true")
        self._load_balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
        if bucket.policy is not None:
            # ELB tries the bucket as it switches the logs on.
            self._load_balancer.node.add_dependency(bucket.policy)

    def _listen(self, certificate: certificatemanager.ICertificate | None) -> None:
        forward = elbv2.ListenerAction.forward([self._target_group])
        http = self._load_balancer.add_listener(
            "HttpListener",
            protocol=elbv2.ApplicationProtocol.HTTP,
            open=False,
            default_action=elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True)
            if certificate
            else forward,
        )
        self._listener = http
        if certificate:
            self._listener = self._load_balancer.add_listener(
                "HttpsListener",
                protocol=elbv2.ApplicationProtocol.HTTPS,
                open=False,
                certificates=[certificate],
                ssl_policy=elbv2.SslPolicy.TLS13_12_RES_PQ,
                default_action=forward,
            )


def _private_subnets(vpc: ec2.IVpc) -> ec2.SubnetSelection:
    if not vpc.private_subnets and not vpc.isolated_subnets:
        raise ValueError(
            "vpc: got one with public subnets only, allowed: one with private or isolated subnets for the tasks; "
            "add some"
        )
    return ec2.SubnetSelection(
        subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS if vpc.private_subnets else ec2.SubnetType.PRIVATE_ISOLATED
    )


def _check_task_count(min_tasks: int, max_tasks: int) -> None:
    if min_tasks < 1 and not is_token(min_tasks):
        raise ValueError(f"min_tasks: got {min_tasks}, allowed: at least 1; target tracking cannot start from none")
    if max_tasks < min_tasks and not is_token(min_tasks) and not is_token(max_tasks):
        raise ValueError(f"max_tasks: got {max_tasks}, allowed: at least min_tasks ({min_tasks}); raise it")


def _check_target(target_percent: float) -> None:
    if not 0 < target_percent <= 100 and not is_token(target_percent):
        raise ValueError(
            f"target_percent: got {target_percent}, allowed: above 0, at most 100; it is a share of the CPU"
        )


def _check_user(user: str) -> None:
    if user.partition(":")[0] in ("", "0", "root"):
        raise ValueError(f"user: got {user!r}, allowed: any user but root, as '1000:1000'; choose another")
