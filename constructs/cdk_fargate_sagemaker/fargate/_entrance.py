"""The way in: a load balancer, who may reach it, and how it hands requests to the tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from .._checkov_skips import skip_checkov

_ALL_PATHS = elbv2.ListenerCondition.path_patterns(["*"])
_HTTP = elbv2.ApplicationProtocol.HTTP
_Algorithm = elbv2.TargetGroupLoadBalancingAlgorithmType


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """What the props of a service say about its target groups."""

    port: int
    health_check_path: str
    health_check_interval: Duration
    deregistration_delay: Duration
    algorithm: _Algorithm
    slow_start: Duration | None

    def __post_init__(self) -> None:
        if self.slow_start and self.algorithm is not _Algorithm.ROUND_ROBIN:
            raise ValueError(
                f"slow_start: got one with {self.algorithm.name}, allowed: with ROUND_ROBIN only; "
                "the other algorithms know no slow start"
            )
        if self.slow_start and not 30 <= self.slow_start.to_seconds() <= 900:
            raise ValueError(
                f"slow_start: got {self.slow_start.to_seconds():g} s, allowed: 30 to 900 s; None switches it off"
            )


def load_balancer(
    scope: Construct,
    *,
    vpc: ec2.IVpc,
    internet_facing: bool,
    clients: Sequence[ec2.IPeer] | None,
    ports: Sequence[int],
    deletion_protection: bool,
) -> tuple[elbv2.ApplicationLoadBalancer, ec2.SecurityGroup]:
    """Makes `LoadBalancer` and `LoadBalancerSecurityGroup`."""
    group = ec2.SecurityGroup(
        scope,
        "LoadBalancerSecurityGroup",
        vpc=vpc,
        description="Load balancer, reached from its clients, reaches its tasks alone",
        allow_all_outbound=False,
    )
    if clients is None:
        clients = [ec2.Peer.any_ipv4() if internet_facing else ec2.Peer.ipv4(vpc.vpc_cidr_block)]
        acknowledge_open_group(group, is_public=internet_facing)
    for client in clients:
        for port in ports:
            group.add_ingress_rule(client, ec2.Port.tcp(port), "HTTPS" if port == 443 else "HTTP")
    balancer = elbv2.ApplicationLoadBalancer(
        scope,
        "LoadBalancer",
        vpc=vpc,
        internet_facing=internet_facing,
        security_group=group,
        drop_invalid_header_fields=True,
        deletion_protection=deletion_protection,
    )
    return balancer, group


def acknowledge_open_group(group: ec2.SecurityGroup, *, is_public: bool) -> None:
    """Says why a group that this library makes is open to its VPC, or to everyone."""
    reason = (
        "Facing the internet was asked for, behind HTTPS."
        if is_public
        else "Open to the addresses of its own VPC alone, which the check cannot read before deployment."
    )
    rules = ("AwsSolutions-EC23", "NIST.800.53.R5-EC2RestrictedCommonPorts", "NIST.800.53.R5-EC2RestrictedSSH")
    Validations.of(group).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))
    if is_public:
        skip_checkov(group, {"CKV_AWS_260": f"{reason} Port 80 only redirects to it."})


def target_group(scope: Construct, id: str, *, vpc: ec2.IVpc, settings: TargetSettings) -> elbv2.ApplicationTargetGroup:
    """Makes a target group without targets."""
    return elbv2.ApplicationTargetGroup(
        scope,
        id,
        vpc=vpc,
        port=settings.port,
        protocol=_HTTP,
        target_type=elbv2.TargetType.IP,
        deregistration_delay=settings.deregistration_delay,
        load_balancing_algorithm_type=settings.algorithm,
        # The CDK renders it for this algorithm only, and ELB takes it with this one only.
        enable_anomaly_mitigation=True if settings.algorithm is _Algorithm.WEIGHTED_RANDOM else None,
        slow_start=settings.slow_start,
        health_check=elbv2.HealthCheck(path=settings.health_check_path, interval=settings.health_check_interval),
    )


def listen(
    balancer: elbv2.ApplicationLoadBalancer,
    *,
    certificate: certificatemanager.ICertificate | None,
    action: elbv2.ListenerAction,
) -> elbv2.ApplicationListener:
    """Makes `HttpListener`, and `HttpsListener` where there is a certificate; returns the one that takes `action`."""
    redirect = elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True)
    http = balancer.add_listener(
        "HttpListener", protocol=_HTTP, open=False, default_action=redirect if certificate else action
    )
    if certificate is None:
        return http
    Validations.of(http).acknowledge(
        Acknowledgment(id="NIST.800.53.R5-ELBv2ACMCertificateRequired", reason="It only redirects to HTTPS.")
    )
    return balancer.add_listener(
        "HttpsListener",
        protocol=elbv2.ApplicationProtocol.HTTPS,
        open=False,
        certificates=[certificate],
        ssl_policy=elbv2.SslPolicy.TLS13_12_RES_PQ,
        default_action=action,
    )


def blue_green_rule(
    scope: Construct,
    listener: elbv2.ApplicationListener,
    blue: elbv2.ApplicationTargetGroup,
    green: elbv2.ApplicationTargetGroup,
) -> elbv2.ApplicationListenerRule:
    """Makes `ProductionRule`, whose weights ECS shifts between the two at each deployment."""
    return elbv2.ApplicationListenerRule(
        scope,
        "ProductionRule",
        listener=listener,
        priority=1,
        conditions=[_ALL_PATHS],
        action=elbv2.ListenerAction.weighted_forward(
            [
                elbv2.WeightedTargetGroup(target_group=blue, weight=100),
                elbv2.WeightedTargetGroup(target_group=green, weight=0),
            ]
        ),
    )
