import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.settings import Settings


class NetworkStack(cdk.Stack):
    """The VPC: tasks in private subnets that reach AWS through NAT, flow logs on."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env, description="Moderation: network")
        flow_logs = logs.LogGroup(
            self,
            "FlowLogs",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy(settings.removal_policy.upper()),
        )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(settings.network.cidr),
            availability_zones=settings.availability_zones,
            nat_gateways=settings.network.nat_gateways,
            flow_logs={
                "Rejected": ec2.FlowLogOptions(
                    destination=ec2.FlowLogDestination.to_cloud_watch_logs(flow_logs),
                    traffic_type=ec2.FlowLogTrafficType.REJECT,
                )
            },
        )
