"""AWS's predictive scaling beside target tracking and spike scaling, for a service that another app created."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import PredictiveScaling, PredictiveScalingMode, SpikeScaling

CLUSTER, SERVICE = "shop", "checkout"


class CheckoutForecast(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        # The existing service and its scaling …
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
        task_count.scale_to_track_metric(
            "CpuAverage",
            predefined_metric=applicationautoscaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
            target_value=60,
        )
        SpikeScaling(self, "Spikes", service=service, scalable_target=task_count)

        # … and AWS's forecast of the tasks, which starts none until the mode is FORECAST_AND_SCALE.
        PredictiveScaling(
            self,
            "Predictive",
            service=service,
            scalable_target=task_count,
            target_value=55,
            mode=PredictiveScalingMode.FORECAST_ONLY,
            scheduling_buffer_time=cdk.Duration.minutes(10),
        )


app = cdk.App()
CheckoutForecast(app, "CheckoutForecast")
app.synth()
