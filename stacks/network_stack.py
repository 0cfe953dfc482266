import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ServiceVpc, ServiceVpcEndpoints
from stacks.removal import removal_policy
from stacks.settings import Settings

# The services that the ML API calls, besides DynamoDB and those that every task needs to start. ECS fetches the secret
# that keys the draws.
_CALLED = {
    "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Queues": ec2.InterfaceVpcEndpointAwsService.SQS,
    "Endpoint": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
}


class NetworkStack(cdk.Stack):
    """The VPC: its tasks run in private subnets and reach AWS through endpoints, or through NAT only. Flow logs are on.

    `destinations` is what tasks have to connect to; None where they reach AWS through NAT, at addresses that change.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env, description="Moderation: network")
        self.vpc = ServiceVpc(
            self,
            "Vpc",
            cidr=settings.network.cidr,
            availability_zones=settings.availability_zones,
            nat_gateways=settings.network.nat_gateways,
            removal_policy=removal_policy(settings),
        )
        network = settings.network
        self.destinations: tuple[ec2.IPeer, ...] | None = None
        if network.vpc_endpoints:
            endpoints = ServiceVpcEndpoints(self, "Endpoints", vpc=self.vpc, services=_CALLED)
            ec2.GatewayVpcEndpoint(self, "DynamoDb", vpc=self.vpc, service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
            lists = (network.s3_prefix_list, network.dynamodb_prefix_list)
            self.destinations = (endpoints.security_group, *(ec2.Peer.prefix_list(found) for found in lists if found))
