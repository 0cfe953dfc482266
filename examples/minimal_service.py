"""A web service on Fargate that keeps its average CPU near 50 % and jumps when its hottest task passes 80 %."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceVpc, SpikeScaling, WebAcl

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


class MinimalService(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        web = ScaledFargateService(
            self,
            "Web",
            vpc=ServiceVpc(self, "Vpc", nat_gateways=1),
            image=ecs.ContainerImage.from_registry("public.ecr.aws/nginx/nginx-unprivileged:1.29"),
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            deletion_protection=True,
        )
        SpikeScaling(self, "Spikes", service=web)
        WebAcl(self, "Firewall", load_balancer=web.load_balancer)


app = cdk.App()
MinimalService(app, "MinimalService")
app.synth()
