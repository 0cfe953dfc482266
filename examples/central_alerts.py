"""A service whose alerts go to the topic of a central account, and whose logs are encrypted with its key."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from cdk_fargate_sagemaker.notifications import AlertsTopic

REGION = "eu-central-1"
CENTRAL, SHOP = "444455556666", "111122223333"
TOPIC = f"arn:aws:sns:{REGION}:{CENTRAL}:alerts"
# The output AlertsKeyArn of the central stack.
KEY = f"arn:aws:kms:{REGION}:{CENTRAL}:key/00000000-0000-0000-0000-000000000000"
CERTIFICATE = f"arn:aws:acm:{REGION}:{SHOP}:certificate/00000000-0000-0000-0000-000000000000"

# What the app of the shop asked for: pasted from its warnings.
TOPIC_STATEMENTS = [
    {
        "Action": ["sns:Publish"],
        "Condition": {"StringEquals": {"aws:SourceAccount": SHOP}},
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Resource": TOPIC,
    },
    {
        "Action": ["sns:Publish"],
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{SHOP}:root"},
        "Resource": TOPIC,
    },
]
KEY_STATEMENTS = [
    {
        "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{SHOP}:log-group:*"}},
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
        "Resource": "*",
    },
    {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Condition": {"StringEquals": {"aws:SourceAccount": SHOP}},
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Resource": "*",
    },
    {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{SHOP}:root"},
        "Resource": "*",
    },
]


class CentralAlerts(cdk.Stack):
    """Deployed first, to the central account."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(account=CENTRAL, region=REGION))
        alerts = AlertsTopic(self, "Alerts", topic_name="alerts")
        for statement in TOPIC_STATEMENTS:
            alerts.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        for statement in KEY_STATEMENTS:
            alerts.encryption_key.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        cdk.CfnOutput(self, "AlertsKeyArn", value=alerts.encryption_key.key_arn)


class Shop(cdk.Stack):
    """Deployed to the shop's account. Its account and region are named: the app sees that the topic is of another."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(account=SHOP, region=REGION))
        topic = sns.Topic.from_topic_attributes(self, "CentralTopic", topic_arn=TOPIC, key_arn=KEY)
        key = kms.Key.from_key_arn(self, "CentralKey", KEY)
        shop = ScaledFargateService(
            self,
            "Shop",
            vpc=ec2.Vpc.from_vpc_attributes(
                self,
                "Vpc",
                vpc_id="vpc-11111111",
                vpc_cidr_block="10.0.0.0/16",
                availability_zones=[f"{REGION}a", f"{REGION}b"],
                public_subnet_ids=["subnet-cccccccc", "subnet-dddddddd"],
                public_subnet_route_table_ids=["rtb-cccccccc", "rtb-cccccccc"],
                private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
                private_subnet_route_table_ids=["rtb-aaaaaaaa", "rtb-aaaaaaaa"],
            ),
            image=ecs.ContainerImage.from_registry("public.ecr.aws/nginx/nginx-unprivileged:1.29"),
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            log_encryption_key=key,
            deletion_protection=True,
        )
        WebAcl(self, "Firewall", load_balancer=shop.load_balancer, log_encryption_key=key)
        SpikeScaling(self, "Spikes", service=shop)
        ServiceAlarms(self, "Alarms", service=shop, alerts_topic=topic)

        for principal in ("account", "cloudwatch", "logs"):
            # The central account has added the statement.
            cdk.Annotations.of(self).acknowledge_warning(f"cdk-fargate-sagemaker:missing-statement:{principal}")


app = cdk.App()
CentralAlerts(app, "CentralAlerts")
Shop(app, "CentralAlertsShop")
app.synth()
