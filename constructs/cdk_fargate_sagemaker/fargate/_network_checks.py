"""Checks of a service's network: VPC, subnets, clients and destinations."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from .._checks import check_interface, check_kind, check_sequence, plain, refusal


def check_vpc(vpc: Any) -> None:
    """Refuses a value that is not a VPC, such as the stack that makes one.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "look it up with ec2.Vpc.from_lookup" if isinstance(vpc, str) else "pass the VPC itself"
    check_interface("vpc", vpc, "vpc_cidr_block", "an ec2.IVpc", remedy)


def check_subnets(name: str, subnets: Any) -> None:
    """Refuses a value that is not a selection of subnets.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = None
    if isinstance(subnets, ec2.SubnetType):
        remedy = f"give ec2.SubnetSelection(subnet_type=ec2.SubnetType.{subnets.name})"
    elif isinstance(subnets, list | tuple):
        remedy = "give ec2.SubnetSelection(subnets=[…])"
    if subnets is not None:
        check_kind(name, subnets, ec2.SubnetSelection, "an ec2.SubnetSelection", remedy)


def check_clients(clients: Any) -> Sequence[ec2.IPeer] | None:
    """Returns the clients as a tuple; None if the argument was left out.

    Raises:
        InvalidArgumentError: no client, or a client that is neither an address range nor a security group.
    """
    return _check_peers("clients", clients, "to_ingress_rule_config")


def check_destinations(destinations: Any) -> Sequence[ec2.IPeer] | None:
    """Returns the destinations as a tuple; None if the argument was left out.

    Raises:
        InvalidArgumentError: no destination, or one that is not an address range, a prefix list or a security group.
    """
    return _check_peers("destinations", destinations, "to_egress_rule_config")


def _check_peers(name: str, peers: Any, method: str) -> Sequence[ec2.IPeer] | None:
    if peers is None:
        return None
    allowed = "a list of ec2.Peer and security groups"
    if hasattr(type(peers), method):
        raise refusal(name, peers, allowed, "put it in a list")
    listed = check_sequence(name, peers, allowed, empty=False)
    for number, peer in enumerate(listed):
        remedy = None
        if isinstance(peer, str):
            remedy = f"give ec2.Peer.{'prefix_list' if peer.startswith('pl-') else 'ipv4'}({peer!r})"
        check_interface(f"{name}[{number}]", peer, method, "an ec2.Peer or a group", remedy)
    return listed


def check_application_load_balancer(load_balancer: Any, remedy: str) -> None:
    """Refuses a value that is not an application load balancer.

    Raises:
        InvalidArgumentError: see above.
    """
    allowed = "an application load balancer"
    if isinstance(load_balancer, elbv2.ApplicationLoadBalancer):
        return
    # Of an imported one only the ARN is known, which contains the type.
    if isinstance(load_balancer, elbv2.NetworkLoadBalancer | elbv2.NetworkListener | elbv2.NetworkTargetGroup):
        raise refusal("load_balancer", load_balancer, allowed, remedy)
    arn = getattr(load_balancer, "load_balancer_arn", None)
    if not isinstance(arn, str):
        raise refusal("load_balancer", load_balancer, allowed, remedy)
    if "loadbalancer/net/" in arn:
        raise refusal("load_balancer", plain("a NetworkLoadBalancer"), allowed, remedy)
