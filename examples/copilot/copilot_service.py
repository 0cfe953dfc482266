"""The Copilot service `orders` of manifest.yml as an app of the CDK, in the VPC that Copilot made."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling, SpotCapacity, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from cdk_fargate_sagemaker.notifications import AlertsTopic

CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


class Orders(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(account="111122223333", region="eu-central-1"))
        # Ids, not the exports of Copilot's stack shop-prod: what imports an export holds its stack fast.
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "CopilotVpc",
            vpc_id="vpc-11111111",
            vpc_cidr_block="10.0.0.0/16",
            availability_zones=["eu-central-1a", "eu-central-1b"],
            public_subnet_ids=["subnet-cccccccc", "subnet-dddddddd"],
            public_subnet_route_table_ids=["rtb-cccccccc", "rtb-cccccccc"],
            private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
            private_subnet_route_table_ids=["rtb-aaaaaaaa", "rtb-bbbbbbbb"],
        )
        token = ssm.StringParameter.from_secure_string_parameter_attributes(
            self, "ApiToken", parameter_name="/copilot/shop/prod/secrets/API_TOKEN"
        )
        database = secretsmanager.Secret.from_secret_name_v2(self, "Database", "shop/prod/orders-database")
        # AWS's own key, as Copilot has it.
        key = kms.Alias.from_alias_name(self, "SnsKey", "alias/aws/sns")
        events = sns.Topic(self, "Events", master_key=key, enforce_ssl=True)

        orders = ScaledFargateService(
            self,
            "Orders",
            vpc=vpc,
            image=ecs.ContainerImage.from_registry("public.ecr.aws/nginx/nginx-unprivileged:1.29"),
            container_port=8080,
            cpu=512,
            memory_mib=1024,
            # spot_from: 4 leaves the first three on Fargate.
            spot=SpotCapacity(on_demand_base=3),
            environment={
                "LOG_LEVEL": "info",
                "COPILOT_SNS_TOPIC_ARNS": self.to_json_string({"events": events.topic_arn}),
            },
            secrets={
                "API_TOKEN": ecs.Secret.from_ssm_parameter(token),
                "DATABASE_URL": ecs.Secret.from_secrets_manager(database),
            },
            min_tasks=2,
            max_tasks=12,
            target_percent=60,
            scale_in_cooldown=cdk.Duration.seconds(120),
            scale_out_cooldown=cdk.Duration.seconds(60),
            health_check_path="/health",
            healthy_threshold_count=3,
            unhealthy_threshold_count=2,
            health_check_interval=cdk.Duration.seconds(15),
            health_check_timeout=cdk.Duration.seconds(5),
            health_check_grace_period=cdk.Duration.seconds(90),
            deregistration_delay=cdk.Duration.seconds(60),
            stop_timeout=cdk.Duration.seconds(90),
            enable_execute_command=True,
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            internet_facing=True,
            log_retention=logs.RetentionDays.ONE_MONTH,
            deletion_protection=True,
        )
        orders.track_memory(
            target_percent=75,
            scale_in_cooldown=cdk.Duration.seconds(120),
            scale_out_cooldown=cdk.Duration.seconds(60),
        )
        orders.track_requests(
            requests_per_task=1200,
            scale_in_cooldown=cdk.Duration.seconds(120),
            scale_out_cooldown=cdk.Duration.seconds(60),
        )
        events.grant_publish(orders)

        # In place of rollback_alarms: errors, latency and CPU, which stop a deployment and notify people.
        ServiceAlarms(self, "Alarms", service=orders, alerts_topic=AlertsTopic(self, "Alerts"))
        # What Copilot does not have: more tasks in the minute of a peak, and a firewall.
        SpikeScaling(self, "Spikes", service=orders)
        WebAcl(self, "Firewall", load_balancer=orders.load_balancer)


app = cdk.App()
Orders(app, "Orders")
app.synth()
