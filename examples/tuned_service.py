"""A service whose target rises automatically while its guardrail is OK."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, ServiceVpc, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import Observation, TargetTuner

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


class TunedService(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        repository = ecr.Repository.from_repository_name(self, "Repository", "shop")
        shop = ScaledFargateService(
            self,
            "Shop",
            vpc=ServiceVpc(self, "Vpc"),
            image=ecs.ContainerImage.from_ecr_repository(repository, "1.4.2"),
            # The initial target. A deployment does not change the tuned target.
            target_percent=50,
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            deletion_protection=True,
        )
        SpikeScaling(self, "Spikes", service=shop, steps=CpuStep(threshold_percent=80, add_tasks=3))
        WebAcl(self, "Firewall", load_balancer=shop.load_balancer)

        alerts = AlertsTopic(self, "Alerts")
        alarms = ServiceAlarms(self, "Alarms", service=shop, alerts_topic=alerts)
        tuner = TargetTuner(
            self,
            "Tuner",
            service=shop,
            guardrail_alarms=[alarms.degraded],
            alerts_topic=alerts,
            dashboard=ServiceDashboard(self, "Monitor", service=shop, alarms=alarms),
            ceiling_percent=65,
            # Mondays and Sundays have different traffic.
            observation=Observation.MATCHING_WEEKDAYS,
        )
        cdk.CfnOutput(self, "TunerMachine", value=tuner.state_machine.state_machine_arn)


app = cdk.App()
TunedService(app, "TunedService")
app.synth()
