"""A service as `aws_ecs_patterns` makes it, deployed long ago."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from constructs import Construct

CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


class Shop(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(account="111122223333", region="eu-central-1"))
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id="vpc-11111111",
            vpc_cidr_block="10.0.0.0/16",
            availability_zones=["eu-central-1a", "eu-central-1b"],
            public_subnet_ids=["subnet-cccccccc", "subnet-dddddddd"],
            public_subnet_route_table_ids=["rtb-cccccccc", "rtb-cccccccc"],
            private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
            private_subnet_route_table_ids=["rtb-aaaaaaaa", "rtb-aaaaaaaa"],
        )
        web = ecs_patterns.ApplicationLoadBalancedFargateService(
            self,
            "Web",
            cluster=ecs.Cluster(self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED),
            task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(
                image=ecs.ContainerImage.from_registry("public.ecr.aws/nginx/nginx-unprivileged:1.29"),
                container_port=8080,
            ),
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            redirect_http=True,
            min_healthy_percent=100,
        )
        web.target_group.configure_health_check(path="/health")
        tasks = web.service.auto_scale_task_count(min_capacity=2, max_capacity=10)
        tasks.scale_on_cpu_utilization("Cpu", target_utilization_percent=60)


app = cdk.App()
Shop(app, "Shop")
app.synth()
