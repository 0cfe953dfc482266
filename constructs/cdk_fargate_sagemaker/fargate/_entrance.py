"""A service's load balancer, its clients, and how it forwards requests to the tasks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from aws_cdk import Duration, Token
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from .._acknowledgment import Acknowledgment, acknowledge
from .._checkov_skips import skip_checkov
from .._checks import check_duration, check_interface, check_kind, check_number, known_milliseconds, plain, refusal
from .._construct_tree import once
from ._tls_policy import use_tls_policy

_HTTP = elbv2.ApplicationProtocol.HTTP
_Algorithm: TypeAlias = elbv2.TargetGroupLoadBalancingAlgorithmType

# The limits of ELB.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
_INTERVAL = (Duration.seconds(5), Duration.seconds(300))
_TIMEOUT = (Duration.seconds(2), Duration.seconds(120))
_THRESHOLD = (2, 10)
_LONGEST_DEREGISTRATION = Duration.seconds(3600)
_SLOW_START = (Duration.seconds(30), Duration.seconds(900))
_LONGEST_PATH = 1024
# ELB's default time-out is 5 seconds by its guide and 6 by its API; the interval must be longer.
_LONGEST_DEFAULT_TIMEOUT_MS = 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """The arguments of a service that configure its target groups."""

    port: int
    health_check_path: str
    health_check_interval: Duration
    health_check_timeout: Duration | None
    healthy_threshold_count: int | None
    unhealthy_threshold_count: int | None
    deregistration_delay: Duration
    algorithm: _Algorithm
    slow_start: Duration | None

    def __post_init__(self) -> None:
        self._check_health_check()
        # The CDK converts it to text, which does not resolve the number of a Lazy.
        check_duration(
            "deregistration_delay",
            self.deregistration_delay,
            at_most=_LONGEST_DEREGISTRATION,
            whole="seconds",
            token=False,
        )
        check_kind("load_balancing_algorithm", self.algorithm, _Algorithm)
        if self.slow_start is not None and self.algorithm is not _Algorithm.ROUND_ROBIN:
            raise refusal(
                "slow_start",
                plain(f"one with {self.algorithm.name}"),
                "with ROUND_ROBIN only",
                "the other algorithms know no slow start",
            )
        if self.slow_start is not None:
            least, most = _SLOW_START
            remedy = "None switches it off"
            # No token, because the CDK compares it with the bounds.
            check_duration(
                "slow_start",
                self.slow_start,
                at_least=least,
                at_most=most,
                whole="seconds",
                token=False,
                remedy=remedy,
            )

    @property
    def timeout(self) -> Duration | None:
        """The time-out of a health check: the one given, or with a short interval one below ELB's default."""
        if self.health_check_timeout is not None:
            return self.health_check_timeout
        interval = known_milliseconds(self.health_check_interval)
        if interval is None or interval > _LONGEST_DEFAULT_TIMEOUT_MS:
            return None
        return Duration.seconds(interval / 1_000 - 1)

    def _check_health_check(self) -> None:
        path, allowed = (
            self.health_check_path,
            f"a path that begins with /, without blanks, of at most {_LONGEST_PATH} characters",
        )
        if not isinstance(path, str):
            raise refusal("health_check_path", path, allowed)
        fits = path.startswith("/") and not re.search(r"\s", path) and len(path) <= _LONGEST_PATH
        if not fits and not Token.is_unresolved(path):
            raise refusal("health_check_path", path, allowed)
        least, most = _INTERVAL
        check_duration(
            "health_check_interval", self.health_check_interval, at_least=least, at_most=most, whole="seconds"
        )
        if self.health_check_timeout is not None:
            self._check_timeout(self.health_check_timeout)
        for name in ("healthy_threshold_count", "unhealthy_threshold_count"):
            count: int | None = getattr(self, name)
            if count is not None:
                least_checks, most_checks = _THRESHOLD
                remedy = "it counts checks in a row"
                check_number(name, count, at_least=least_checks, at_most=most_checks, whole=True, remedy=remedy)

    def _check_timeout(self, timeout: Duration) -> None:
        least, most = _TIMEOUT
        # No token, because the CDK compares it with the interval.
        check_duration("health_check_timeout", timeout, at_least=least, at_most=most, whole="seconds", token=False)
        taken, interval = known_milliseconds(timeout), known_milliseconds(self.health_check_interval)
        if taken is not None and interval is not None and taken >= interval:
            raise refusal(
                "health_check_timeout",
                timeout,
                f"less than health_check_interval ({interval / 1_000:g} seconds)",
                "shorten it, or check less often",
            )


@once
def addresses_of(vpc: ec2.IVpc) -> ec2.IPeer:
    """The address range of the VPC."""
    return ec2.Peer.ipv4(vpc.vpc_cidr_block)


@cache
def _tcp(port: int) -> ec2.Port:
    return ec2.Port.tcp(port)


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
        clients = [ec2.Peer.any_ipv4() if internet_facing else addresses_of(vpc)]
        acknowledge_open_group(group, is_public=internet_facing)
    for client in clients:
        for port in ports:
            group.add_ingress_rule(client, _tcp(port), "HTTPS" if port == 443 else "HTTP")
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
    """Acknowledges why a security group of this library is open to its VPC, or to everyone."""
    reason = (
        "The load balancer faces the internet on request, over HTTPS."
        if is_public
        else "Open to the addresses of its own VPC alone, which the check cannot read before deployment."
    )
    rules = ("AwsSolutions-EC23", "NIST.800.53.R5-EC2RestrictedCommonPorts", "NIST.800.53.R5-EC2RestrictedSSH")
    acknowledge(group, *(Acknowledgment(id=rule, reason=reason) for rule in rules))
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
        # The CDK renders it for this algorithm only, and ELB accepts it with this one only.
        enable_anomaly_mitigation=True if settings.algorithm is _Algorithm.WEIGHTED_RANDOM else None,
        slow_start=settings.slow_start,
        health_check=elbv2.HealthCheck(
            path=settings.health_check_path,
            interval=settings.health_check_interval,
            timeout=settings.timeout,
            healthy_threshold_count=settings.healthy_threshold_count,
            unhealthy_threshold_count=settings.unhealthy_threshold_count,
        ),
    )


def listen(
    balancer: elbv2.ApplicationLoadBalancer,
    *,
    certificate: certificatemanager.ICertificate | None,
    action: elbv2.ListenerAction,
) -> elbv2.ApplicationListener:
    """Makes `HttpListener`, and with a certificate `HttpsListener`; returns the one that performs `action`."""
    if certificate is None:
        return balancer.add_listener("HttpListener", protocol=_HTTP, open=False, default_action=action)
    redirect = elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True)
    http = balancer.add_listener("HttpListener", protocol=_HTTP, open=False, default_action=redirect)
    acknowledge(
        http, Acknowledgment(id="NIST.800.53.R5-ELBv2ACMCertificateRequired", reason="It only redirects to HTTPS.")
    )
    https = balancer.add_listener(
        "HttpsListener",
        protocol=elbv2.ApplicationProtocol.HTTPS,
        open=False,
        certificates=[certificate],
        default_action=action,
    )
    use_tls_policy(https)
    return https


def blue_green_rule(
    scope: Construct,
    listener: elbv2.ApplicationListener,
    blue: elbv2.ApplicationTargetGroup,
    green: elbv2.ApplicationTargetGroup,
) -> elbv2.ApplicationListenerRule:
    """Makes `ProductionRule`; each deployment of ECS shifts its weights between the two target groups."""
    return elbv2.ApplicationListenerRule(
        scope,
        "ProductionRule",
        listener=listener,
        priority=1,
        conditions=[elbv2.ListenerCondition.path_patterns(["*"])],
        action=elbv2.ListenerAction.weighted_forward(
            [
                elbv2.WeightedTargetGroup(target_group=blue, weight=100),
                elbv2.WeightedTargetGroup(target_group=green, weight=0),
            ]
        ),
    )


def check_certificate(certificate: certificatemanager.ICertificate | None, internet_facing: bool) -> None:
    """Refuses a value that is not a certificate, and an internet-facing load balancer without one.

    Raises:
        InvalidArgumentError: see above.
    """
    if certificate is not None:
        remedy = "import it with Certificate.from_certificate_arn" if isinstance(certificate, str) else None
        check_interface("certificate", certificate, "certificate_arn", "an ICertificate of ACM", remedy)
    elif internet_facing:
        raise refusal(
            "certificate",
            plain("none with internet_facing=True"),
            "an ACM certificate",
            "pass one, or leave the load balancer internal",
        )
