"""A floor before the load, as a dry run, for a service that another app, or no app, created."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import SpikeScaling
from cdk_fargate_sagemaker.monitoring import ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import ForecastFloor, LookBack

CLUSTER, SERVICE = "shop", "checkout"


class CheckoutFloor(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="eu-central-1"))
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
        spikes = SpikeScaling(self, "Spikes", service=service, scalable_target=task_count)

        # … and its floor, which is only recorded, reported and drawn until `dry_run=False`.
        ForecastFloor(
            self,
            "Floor",
            service=service,
            scalable_target=task_count,
            alerts_topic=AlertsTopic(self, "Alerts"),
            utilization_percent=55,
            # Mondays and Sundays have different traffic.
            look_back=LookBack.WEEKS,
            time_zone="Europe/Berlin",
            holidays=["2026-12-25", "2026-12-26", "2027-01-01"],
            dashboard=ServiceDashboard(self, "Monitor", service=service, spike_scaling=spikes),
            dry_run=True,
        )


app = cdk.App()
CheckoutFloor(app, "CheckoutFloor")
app.synth()
