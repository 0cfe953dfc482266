"""A VPC for services."""

import math
from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

from aws_cdk import RemovalPolicy, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from .._acknowledgment import Acknowledgment, acknowledge
from .._checks import check_number, check_sequence, check_text, plain, refusal
from .._inline_policy import acknowledge_inline_policy
from .._interfaces import AnyKey
from .._log_checks import check_log_settings
from .._log_key import log_key
from .._readable_help import CallSignature

_LONGEST_PREFIX = 28
# The CDK's number in a stack without account and region.
_SMALLEST_VPC_ZONES = 2


class ServiceVpc(ec2.Vpc):
    """A VPC that logs rejected connections: load balancers in public subnets, tasks in subnets of their own.

    Resources get a public address only on request. In all other respects it is an `ec2.Vpc`.

    Args:
        cidr: its address range. Default: 10.0.0.0/16.
        availability_zones: the zones it spans. Default: as many as the CDK knows of, three at most; in a stack without
            account and region that is two.
        nat_gateways: how many there are; the tasks reach the internet through them. 0 isolates the tasks' subnets; then
            `ServiceVpcEndpoints` are the tasks' way to AWS. Default: one in each zone.
        log_retention: how long the flow logs are kept. Default: one month.
        log_encryption_key: the key that encrypts the flow logs. The owner of an imported key must allow CloudWatch Logs
            to use it; the app warns with the statement to add. Default: a key of its own, rotated every year.
        removal_policy: what happens to logs and key when they leave the stack. Default: they are kept.

    Raises:
        InvalidArgumentError: an address range too small for the subnets, no zone or the same zone twice, or a number of
            gateways that is negative or above the number of zones.

    Example:
        ```python
        network = ServiceVpc(self, "Network", cidr="10.1.0.0/16", nat_gateways=1)
        ScaledFargateService(self, "Shop", vpc=network, image=image)
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cidr: str = "10.0.0.0/16",
        availability_zones: Sequence[str] | None = None,
        nat_gateways: int | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        log_encryption_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        check_addresses(cidr, availability_zones)
        if nat_gateways is not None:
            # No token, because the number of subnets with a route depends on it.
            check_number("nat_gateways", nat_gateways, at_least=0, whole=True, token=False)
        check_log_settings(
            log_retention=log_retention, log_encryption_key=log_encryption_key, removal_policy=removal_policy
        )
        isolated = nat_gateways == 0
        super().__init__(
            scope,
            id,
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            availability_zones=list(availability_zones) if availability_zones else None,
            nat_gateways=nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(
                    name="Isolated" if isolated else "Private",
                    subnet_type=ec2.SubnetType.PRIVATE_ISOLATED if isolated else ec2.SubnetType.PRIVATE_WITH_EGRESS,
                ),
            ],
        )
        if nat_gateways is not None and nat_gateways > len(self.availability_zones):
            zones = len(self.availability_zones)
            raise refusal("nat_gateways", nat_gateways, f"at most one per availability zone ({zones})")
        self._log_group = logs.LogGroup(
            self,
            "FlowLogs",
            retention=log_retention,
            encryption_key=log_key(self, given=log_encryption_key, removal_policy=removal_policy),
            removal_policy=removal_policy,
        )
        flow_log = self.add_flow_log(
            "Rejected",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(self._log_group),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        if flow_log.iam_role:
            acknowledge_inline_policy(flow_log.iam_role)
        acknowledge(
            self,
            Acknowledgment(
                id="NIST.800.53.R5-VPCDefaultSecurityGroupClosed",
                reason="CloudFormation cannot empty a default security group without a function that runs in the "
                "account; nothing is put into it.",
            ),
        )
        for subnet in self.public_subnets:
            acknowledge(
                subnet,
                Acknowledgment(
                    id="NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW",
                    reason="NAT gateways and load balancers that face the internet need it; tasks have subnets of "
                    "their own without such a route.",
                ),
            )

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group of the flow logs, which contain rejected connections."""
        return self._log_group


def check_addresses(cidr: Any, availability_zones: Any, *, name: str = "cidr") -> None:
    """Refuses invalid zones, and an IPv4 range that is invalid or too small for two subnets per zone.

    Args:
        cidr: the address range.
        availability_zones: the zones; None for as many as the CDK takes in a stack without account and region.
        name: the name of the argument or setting for the range.

    Raises:
        InvalidArgumentError: see above.
    """
    zones = _SMALLEST_VPC_ZONES
    if availability_zones is not None:
        listed = check_sequence("availability_zones", availability_zones, "a list of zones' names", empty=False)
        for zone in listed:
            check_text("availability_zones", zone, "a list of zones' names, as 'us-east-1a'")
        if len(set(listed)) < len(listed):
            raise refusal("availability_zones", plain(", ".join(map(str, listed))), "each zone once")
        zones = len(listed)
    # The CDK splits the range evenly; a VPC and each of its subnets is a /16 to a /28.
    # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    longest = _LONGEST_PREFIX - math.ceil(math.log2(2 * zones))
    allowed = f"an IPv4 range of /16 to /{longest}, as '10.0.0.0/16'"
    try:
        prefix = IPv4Network(cidr, strict=False).prefixlen if isinstance(cidr, str) else 0
    except ValueError:
        prefix = 0
    if not 16 <= prefix <= longest:
        is_token = isinstance(cidr, str) and Token.is_unresolved(cidr)
        raise refusal(name, cidr, allowed, "a token cannot be split into subnets" if is_token else None)
