"""A service of `aws_ecs_patterns` as a `ScaledFargateService`: nothing that serves is replaced."""

from functools import reduce
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct, IConstruct

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling, WebAcl

CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"

# By path below the service: the logical id in the deployed stack, and the properties that CloudFormation cannot update.
KEPT: dict[str, tuple[str, dict[str, Any]]] = {
    "LoadBalancer/Resource": ("WebLB720665E7", {}),
    "LoadBalancer/HttpsListener/Resource": ("WebLBPublicListenerB3D72A27", {}),
    "LoadBalancer/HttpListener/Resource": ("WebLBPublicRedirectListenerBFD70B52", {}),
    "LoadBalancerSecurityGroup/Resource": (
        "WebLBSecurityGroupAD942A36",
        {
            "GroupDescription": "Automatically created Security Group for ELB ShopWebLBB82B9142",
            # Word for word: to CloudFormation a rule with another description is another rule.
            "SecurityGroupIngress": [
                {
                    "CidrIp": "0.0.0.0/0",
                    "Description": f"Allow from anyone on port {port}",
                    "FromPort": port,
                    "IpProtocol": "tcp",
                    "ToPort": port,
                }
                for port in (443, 80)
            ],
        },
    ),
    "Targets/Resource": ("WebLBPublicListenerECSGroupB52EA5B2", {"Port": 80}),
    "Service/TaskCount/Target/CpuAverage/Resource": (
        "WebServiceTaskCountTargetCpu44C13166",
        {"PolicyName": "ShopWebServiceTaskCountTargetCpuEB2F6FA0"},
    ),
}


def keep(construct: Construct) -> None:
    """Gives what CloudFormation already has the logical ids and properties that it knows."""
    for path, (logical_id, properties) in KEPT.items():
        start: IConstruct = construct
        resource = reduce(lambda parent, name: parent.node.find_child(name), path.split("/"), start)
        assert isinstance(resource, cdk.CfnResource)
        resource.override_logical_id(logical_id)
        for name, value in properties.items():
            resource.add_property_override(name, value)


class Shop(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(account="111122223333", region="eu-central-1"))
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id="vpc-11111111",
            vpc_cidr_block="10.0.0.0/16",
            availability_zones=["eu-central-1a", "eu-central-1b"],
            public_subnet_ids=["subnet-cccccccc", "subnet-dddddddd"],
            public_subnet_route_table_ids=["rtb-cccccccc", "rtb-cccccccc"],
            private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
            private_subnet_route_table_ids=["rtb-aaaaaaaa", "rtb-aaaaaaaa"],
        )
        # The same id: `Web/Service/Service` and its scalable target keep their logical ids by themselves.
        web = ScaledFargateService(
            self,
            "Web",
            cluster=ecs.Cluster(self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED),
            image=ecs.ContainerImage.from_registry("public.ecr.aws/nginx/nginx-unprivileged:1.29"),
            cpu=256,
            memory_mib=512,
            health_check_path="/health",
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            internet_facing=True,
            deletion_protection=True,
            target_percent=60,
        )
        keep(web)
        # What the old service did not have.
        SpikeScaling(self, "Spikes", service=web)
        WebAcl(self, "Firewall", load_balancer=web.load_balancer)


app = cdk.App()
Shop(app, "Shop")
app.synth()
