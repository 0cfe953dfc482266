"""Everything that a team needs around a service on the internet, on one screen."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk.aws_elasticloadbalancingv2 import TargetGroupLoadBalancingAlgorithmType
from constructs import Construct

from cdk_fargate_sagemaker.fargate import (
    CpuStep,
    ScaledFargateService,
    ServiceVpc,
    ServiceVpcEndpoints,
    SpikeScaling,
    SpotCapacity,
    WebAcl,
)
from cdk_fargate_sagemaker.monitoring import FargatePrice, ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic

CERTIFICATE = "arn:aws:acm:ap-northeast-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


class CompleteService(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="ap-northeast-1"))
        # Tasks reach only AWS, without a NAT gateway.
        vpc = ServiceVpc(self, "Vpc", nat_gateways=0)
        ServiceVpcEndpoints(self, "Endpoints", vpc=vpc)
        repository = ecr.Repository.from_repository_name(self, "Repository", "shop")

        shop = ScaledFargateService(
            self,
            "Shop",
            vpc=vpc,
            image=ecs.ContainerImage.from_ecr_repository(repository, "1.4.2"),
            cpu=512,
            memory_mib=1024,
            cpu_architecture=ecs.CpuArchitecture.ARM64,
            spot=SpotCapacity(on_demand_base=3, on_demand_weight=1, spot_weight=3),
            health_check_path="/health",
            min_tasks=3,
            max_tasks=40,
            target_percent=55,
            load_balancing_algorithm=TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            internet_facing=True,
            deletion_protection=True,
        )
        WebAcl(self, "Firewall", load_balancer=shop.load_balancer, requests_per_address=1000)

        # With several targets, the one that requires the most tasks wins. (Tracking requests excludes blue/green
        # deployments, with deployment_strategy and bake_time.)
        shop.track_memory(target_percent=75)
        shop.track_requests(requests_per_task=1200)
        spikes = SpikeScaling(
            self,
            "Spikes",
            service=shop,
            steps=[CpuStep(threshold_percent=80, add_tasks=3), CpuStep(threshold_percent=95, add_tasks=6)],
        )
        for name, hour, min_tasks in (("Evening", "19", 8), ("Night", "1", 3)):
            shop.schedule_tasks(
                name,
                schedule=applicationautoscaling.Schedule.cron(hour=hour, minute="0"),
                time_zone=cdk.TimeZone.ASIA_TOKYO,
                min_tasks=min_tasks,
            )

        # The alarms notify the topic, and stop a deployment during which they fire.
        alerts = AlertsTopic(self, "Alerts")
        alarms = ServiceAlarms(self, "Alarms", service=shop, alerts_topic=alerts)
        ServiceDashboard(
            self,
            "Monitor",
            service=shop,
            spike_scaling=spikes,
            alarms=alarms,
            change_log=Path(__file__).with_name("changes.yaml"),
            price=FargatePrice(vcpu_hour=0.04045, gib_hour=0.00442),
        )


app = cdk.App()
CompleteService(app, "CompleteService")
app.synth()
