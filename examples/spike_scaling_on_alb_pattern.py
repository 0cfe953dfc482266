"""Spike scaling and the dashboard, added to a service that `aws_ecs_patterns` created."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker.fargate import CpuStep, ServiceVpc, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceDashboard

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
ADDRESSES = "10.0.0.0/16"


class ShopStack(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        # The existing service …
        vpc = ServiceVpc(self, "Vpc", cidr=ADDRESSES, nat_gateways=1)
        log_key = kms.Key(self, "LogKey", enable_key_rotation=True)
        log_key.grant_encrypt_decrypt(iam.ServicePrincipal("logs.us-east-1.amazonaws.com"))
        log_group = logs.LogGroup(self, "Logs", retention=logs.RetentionDays.ONE_MONTH, encryption_key=log_key)
        shop = ecs_patterns.ApplicationLoadBalancedFargateService(
            self,
            "Shop",
            cluster=ecs.Cluster(self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED),
            task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(
                image=ecs.ContainerImage.from_registry("httpd:2.4"),
                log_driver=ecs.LogDrivers.aws_logs(stream_prefix="shop", log_group=log_group),
            ),
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            public_load_balancer=False,
            open_listener=False,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
        )
        shop.load_balancer.connections.allow_from(ec2.Peer.ipv4(ADDRESSES), ec2.Port.tcp(443))
        shop.load_balancer.log_access_logs(s3.Bucket.from_bucket_name(self, "AccessLogs", "example-access-logs"))
        shop.load_balancer.set_attribute("deletion_protection.enabled", "true")
        shop.load_balancer.set_attribute("routing.http.drop_invalid_header_fields.enabled", "true")
        if hasattr(cdk, "Validations"):  # releases of the CDK that cdk-nag 3 takes
            cdk.Validations.of(shop.task_definition.obtain_execution_role()).acknowledge(
                cdk.Acknowledgment(
                    id="NIST.800.53.R5-IAMNoInlinePolicy",
                    reason="The pattern makes this policy for this one role, and removes it with it.",
                )
            )
        scaling = shop.service.auto_scale_task_count(min_capacity=2, max_capacity=20)
        scaling.scale_on_cpu_utilization("CpuAverage", target_utilization_percent=60)

        # … and the new parts: three tasks in the minute at 80 %, six at 95 %, a dashboard, and a firewall.
        spikes = SpikeScaling(
            self,
            "Spikes",
            service=shop,
            steps=[CpuStep(threshold_percent=80, add_tasks=3), CpuStep(threshold_percent=95, add_tasks=6)],
        )
        ServiceDashboard(self, "Monitor", service=shop, spike_scaling=spikes)
        WebAcl(self, "Firewall", load_balancer=shop.load_balancer)


app = cdk.App()
ShopStack(app, "Shop")
app.synth()
