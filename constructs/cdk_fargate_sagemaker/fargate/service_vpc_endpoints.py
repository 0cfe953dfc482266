"""VPC endpoints with which tasks reach AWS without a NAT gateway."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from .._checks import check_interface, plain, refusal
from .._readable_help import CallSignature
from ._entrance import acknowledge_open_group, addresses_of
from ._network_checks import check_clients, check_subnets, check_vpc

_AWS = ec2.InterfaceVpcEndpointAwsService
_ALWAYS: Mapping[str, ec2.InterfaceVpcEndpointAwsService] = {
    "EcrApi": _AWS.ECR,
    "EcrDocker": _AWS.ECR_DOCKER,
    "Logs": _AWS.CLOUDWATCH_LOGS,
}


class ServiceVpcEndpoints(Construct):
    """The endpoints that a Fargate task in a subnet without NAT needs to start and to log. One set serves a whole VPC.

    They are ECR's API, ECR's registry, CloudWatch Logs, and S3 (a gateway, free of charge), from which ECR serves image
    layers. An interface endpoint is billed per hour and zone; a NAT gateway costs as much as several of them.

    Args:
        vpc: where the tasks run.
        services: further services that tasks call, by the id of their endpoint, as
            `{"Secrets": InterfaceVpcEndpointAwsService.SECRETS_MANAGER}`: Secrets Manager for `secrets` from there, SSM
            for those from the parameter store, SSM_MESSAGES for ECS Exec. Default: none.
        subnets: where the endpoints are. Default: the VPC's private subnets, or its isolated ones where it has no
            private ones.
        clients: who may use them: address ranges or security groups. Default: the VPC's addresses.

    Raises:
        InvalidArgumentError: the same id twice, a service's name instead of the service, or no clients.

    Example:
        ```python
        isolated = ServiceVpc(self, "Isolated", nat_gateways=0)
        endpoints = ServiceVpcEndpoints(
            self,
            "Endpoints",
            vpc=isolated,
            services={"Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER},
        )
        # Tasks connect to the endpoints and to the region's prefix list of S3, and nowhere else.
        ScaledFargateService(
            self,
            "Shop",
            vpc=isolated,
            image=image,
            destinations=[endpoints.security_group, ec2.Peer.prefix_list("pl-63a5400a")],
        )
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        vpc: ec2.IVpc,
        services: Mapping[str, ec2.InterfaceVpcEndpointAwsService] | None = None,
        subnets: ec2.SubnetSelection | None = None,
        clients: Sequence[ec2.IPeer] | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_vpc(vpc)
        _check_services(services)
        check_subnets("subnets", subnets)
        clients = check_clients(clients)
        self._security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description="Endpoints of AWS services, reached over HTTPS",
            allow_all_outbound=False,
        )
        if clients is None:
            clients = [addresses_of(vpc)]
            acknowledge_open_group(self._security_group, is_public=False)
        for client in clients:
            self._security_group.add_ingress_rule(client, ec2.Port.tcp(443), "HTTPS")
        self._gateway = ec2.GatewayVpcEndpoint(self, "S3", vpc=vpc, service=ec2.GatewayVpcEndpointAwsService.S3)
        self._interfaces = {
            name: ec2.InterfaceVpcEndpoint(
                self,
                name,
                vpc=vpc,
                service=service,
                subnets=subnets,
                security_groups=[self._security_group],
                open=False,
            )
            for name, service in {**_ALWAYS, **(services or {})}.items()
        }

    @property
    def security_group(self) -> ec2.SecurityGroup:
        """The security group of the interface endpoints."""
        return self._security_group

    @property
    def gateway(self) -> ec2.GatewayVpcEndpoint:
        """The gateway endpoint of S3; you can add statements to its policy."""
        return self._gateway

    @property
    def interfaces(self) -> Mapping[str, ec2.InterfaceVpcEndpoint]:
        """The interface endpoints, by id."""
        return dict(self._interfaces)


def _check_services(services: Any) -> None:
    if services is None:
        return
    if not isinstance(services, Mapping):
        raise refusal("services", services, "a dict of services by the id of their endpoint", 'give {"Secrets": …}')
    taken = sorted((set(_ALWAYS) | {"S3", "SecurityGroup"}) & set(services))
    if taken:
        raise refusal("services", plain(", ".join(taken)), "ids that are not there already", "rename it")
    for name, service in services.items():
        remedy = "give one of its attributes, as SECRETS_MANAGER"
        check_interface(f"services[{name!r}]", service, "port", "an ec2.InterfaceVpcEndpointAwsService", remedy)
