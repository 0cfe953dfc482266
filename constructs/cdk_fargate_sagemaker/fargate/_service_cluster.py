"""The cluster and network of a service, and the target group and role of its blue/green deployments."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from .._acknowledgment import Acknowledgment, acknowledge
from .._checkov_skips import skip_checkov
from .._checks import check_interface, check_kind, plain, refusal
from .._interfaces import AnyKey
from ._entrance import blue_green_rule
from ._network_checks import check_vpc
from ._way_to_aws import private_subnets


def service_cluster(
    scope: Construct,
    vpc: ec2.IVpc,
    cluster: ecs.ICluster | None,
    *,
    insights: ecs.ContainerInsights,
    exec_key: AnyKey | None,
    exec_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy,
    has_spot: bool,
) -> ecs.ICluster:
    """Returns the cluster given, or makes one for the service.

    Raises:
        InvalidArgumentError: settings for a new cluster together with a given one.
    """
    check_kind("container_insights", insights, ecs.ContainerInsights, remedy="give ecs.ContainerInsights.ENABLED")
    if cluster is not None:
        if insights is not ecs.ContainerInsights.DISABLED:
            raise refusal(
                "container_insights",
                plain(f"{insights.name} with a cluster"),
                "with vpc only",
                "set it on the cluster that you pass",
            )
        if exec_key and cluster.execute_command_configuration is None:
            raise refusal(
                "enable_execute_command",
                plain("a cluster that does not log commands"),
                "one with execute_command_configuration",
                "set it on the cluster that you pass",
            )
        return cluster
    exec_logs = (
        logs.LogGroup(
            scope, "ExecLogs", retention=exec_retention, encryption_key=exec_key, removal_policy=removal_policy
        )
        if exec_key
        else None
    )
    own = ecs.Cluster(
        scope,
        "Cluster",
        vpc=vpc,
        container_insights_v2=insights,
        enable_fargate_capacity_providers=has_spot,
        execute_command_configuration=ecs.ExecuteCommandConfiguration(
            kms_key=exec_key,
            logging=ecs.ExecuteCommandLogging.OVERRIDE,
            log_configuration=ecs.ExecuteCommandLogConfiguration(
                cloud_watch_log_group=exec_logs, cloud_watch_encryption_enabled=True
            ),
        )
        if exec_logs
        else None,
    )
    if insights is ecs.ContainerInsights.DISABLED:
        free = (
            "CPU, requests and running tasks come from metrics that are free; Container Insights bills each metric "
            "of each task and is an option of this construct."
        )
        acknowledge(own, Acknowledgment(id="AwsSolutions-ECS4", reason=free))
        skip_checkov(own, {"CKV_AWS_65": free})
    return own


def alternate_target(
    scope: Construct,
    *,
    listener: elbv2.ApplicationListener,
    blue: elbv2.ApplicationTargetGroup,
    green: elbv2.ApplicationTargetGroup,
) -> ecs.AlternateTarget:
    """Makes the alternate target of blue/green deployments, and the role with which ECS shifts requests to it."""
    rule = blue_green_rule(scope, listener, blue, green)
    policy = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
    role = iam.Role(
        scope,
        "BlueGreenRole",
        assumed_by=iam.ServicePrincipal("ecs.amazonaws.com"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(policy)],
    )
    acknowledge(
        role,
        Acknowledgment(
            id=f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]",
            reason="ECS decides which calls it makes to the load balancer in a deployment; AWS maintains this "
            "managed policy for them.",
        ),
    )
    return ecs.AlternateTarget(
        "AlternateTarget",
        role=role,
        alternate_target_group=green,
        production_listener=ecs.ListenerRuleConfiguration.application_listener_rule(rule),
    )


def service_network(vpc: ec2.IVpc | None, cluster: ecs.ICluster | None) -> ec2.IVpc:
    """Returns the VPC of a service, which is given either a VPC or a cluster.

    Raises:
        InvalidArgumentError: neither, both, or a value of another type.
    """
    if vpc is not None and cluster is None:
        check_vpc(vpc)
        return vpc
    if cluster is not None and vpc is None:
        check_interface("cluster", cluster, "execute_command_configuration", "an ecs.ICluster")
        return cluster.vpc
    raise refusal(
        "vpc and cluster",
        plain("neither" if vpc is None else "both"),
        "exactly one",
        "pass vpc for a cluster of its own, or the cluster, which brings its VPC",
    )


def task_subnets(vpc: ec2.IVpc) -> ec2.SubnetSelection:
    """Returns the private subnets, or the isolated ones if there are no private ones.

    Raises:
        InvalidArgumentError: a VPC that has neither.
    """
    subnets = private_subnets(vpc)
    if subnets is None:
        raise refusal(
            "vpc",
            plain("one with public subnets only"),
            "one with private or isolated subnets for the tasks",
            "add some",
        )
    return subnets
