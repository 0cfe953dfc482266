"""Services made with this library: `python library_services.py COUNT`, one stack per service."""

import sys

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling

app = cdk.App()
env = cdk.Environment(region="us-east-1")
vpc = ec2.Vpc(cdk.Stack(app, "Network", env=env), "Vpc", nat_gateways=1)
for number in range(int(sys.argv[1])):
    stack = cdk.Stack(app, f"Service{number}", env=env)
    image = ecs.ContainerImage.from_registry("httpd:2.4")
    service = ScaledFargateService(stack, "Web", vpc=vpc, image=image)
    SpikeScaling(stack, "Spikes", service=service)
app.synth()
