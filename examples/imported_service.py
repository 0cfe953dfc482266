"""Spike scaling for a service that another app, or no app, created: only its name is known."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import SpikeScaling

CLUSTER, SERVICE = "shop", "checkout"


class CheckoutSpikes(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        arn = self.format_arn(service="ecs", resource="service", resource_name=f"{CLUSTER}/{SERVICE}")
        service = ecs.BaseService.from_service_arn_with_cluster(self, "Service", arn)
        task_count = applicationautoscaling.ScalableTarget(
            self,
            "TaskCount",
            service_namespace=applicationautoscaling.ServiceNamespace.ECS,
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{CLUSTER}/{SERVICE}",
            min_capacity=2,
            max_capacity=20,
        )
        SpikeScaling(self, "Spikes", service=service, scalable_target=task_count)


app = cdk.App()
CheckoutSpikes(app, "CheckoutSpikes")
app.synth()
