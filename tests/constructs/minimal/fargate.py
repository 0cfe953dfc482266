from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, SpikeScaling


def vpc(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-11111111",
        vpc_cidr_block="10.0.0.0/16",
        availability_zones=["us-east-1a", "us-east-1b"],
        private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
    )


def scaled_fargate_service(stack: cdk.Stack, **given: Any) -> ScaledFargateService:
    return ScaledFargateService(
        stack, "Web", vpc=vpc(stack), image=ecs.ContainerImage.from_registry("nginx:1.29"), **given
    )


def spike_scaling(stack: cdk.Stack, **given: Any) -> SpikeScaling:
    return SpikeScaling(stack, "Spikes", service=scaled_fargate_service(stack), **given)


def cpu_step(stack: cdk.Stack, **given: Any) -> None:
    spike_scaling(stack, steps=CpuStep(**given))


_READ_ONLY = "is read from a declared service and given by nobody"

MINIMAL = {
    "CpuStep": cpu_step,
    "ScheduledBounds": _READ_ONLY,
    "ServiceScaling": _READ_ONLY,
    "SpikeBand": _READ_ONLY,
    "SpikePolicy": _READ_ONLY,
    "TrackingPolicy": _READ_ONLY,
}
