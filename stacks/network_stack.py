import aws_cdk as cdk
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ServiceVpc
from stacks.removal import removal_policy
from stacks.settings import Settings


class NetworkStack(cdk.Stack):
    """The VPC: tasks in private subnets that reach AWS through NAT, flow logs on."""

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
