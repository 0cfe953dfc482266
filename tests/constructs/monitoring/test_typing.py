import subprocess
import sys
from pathlib import Path
from typing import Any

CONSUMER = """
import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_sns as sns
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from cdk_fargate_sagemaker.fargate import CpuStep, MetricStep, ScaledFargateService, SpikeScaling
from cdk_fargate_sagemaker.fargate import ServiceVpcEndpoints, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard


class Shop(cdk.Stack):
    def __init__(self, app: cdk.App) -> None:
        super().__init__(app, "Shop")
        vpc = ec2.Vpc(self, "Vpc")
        image = ecs.ContainerImage.from_registry("image")
        bucket = s3.Bucket(self, "Logs")
        group = ec2.SecurityGroup(self, "Clients", vpc=vpc)
        service = ScaledFargateService(
            self,
            "Api",
            cluster=ecs.Cluster(self, "Cluster", vpc=vpc),
            image=image,
            certificate=certificatemanager.Certificate(self, "Certificate", domain_name="example.com"),
            clients=[group, ec2.Peer.any_ipv4()],
            access_logs_bucket=bucket,
            log_encryption_key=kms.Key(self, "Key"),
        )
        bucket.grant_read(service)
        spikes = SpikeScaling(self, "Spikes", service=service, steps=CpuStep(threshold_percent=85))
        ServiceDashboard(self, "Monitor", service=service, spike_scaling=spikes, change_log="changes.yaml")

        pattern = ecs_patterns.ApplicationLoadBalancedFargateService(self, "Pattern", vpc=vpc)
        tasks = pattern.service.auto_scale_task_count(max_capacity=9)
        SpikeScaling(self, "PatternSpikes", service=pattern.service, scalable_target=tasks)
        ServiceDashboard(
            self, "PatternMonitor", service=pattern.service, load_balancer=pattern.load_balancer, scalable_target=tasks
        )

        SpikeScaling(self, "WholeSpikes", service=pattern)
        ServiceAlarms(self, "WholeAlarms", service=pattern, stop_deployments=False)
        network = ecs_patterns.NetworkLoadBalancedFargateService(self, "Network", vpc=vpc)
        ServiceDashboard(self, "NetworkMonitor", service=network)
        queue_service = ecs_patterns.QueueProcessingFargateService(self, "Queue", vpc=vpc, image=image)
        ServiceAlarms(self, "QueueAlarms", service=queue_service)

        by_arn = ecs.FargateService.from_fargate_service_arn(self, "ByArn", "arn:aws:ecs:eu-west-1:1:service/shop/web")
        target = applicationautoscaling.ScalableTarget(
            self,
            "Target",
            min_capacity=1,
            max_capacity=9,
            resource_id="service/shop/web",
            scalable_dimension="ecs:service:DesiredCount",
            service_namespace=applicationautoscaling.ServiceNamespace.ECS,
        )
        queue = cloudwatch.Metric(namespace="Shop", metric_name="Waiting")
        steps = [MetricStep(threshold=10), MetricStep(threshold=90, add_tasks=6)]
        SpikeScaling(self, "ImportedSpikes", service=by_arn, scalable_target=target, metric=queue, steps=steps)
        service.track_metric("Waiting", metric=queue, target_value=10)
        ServiceAlarms(self, "Alarms", service=service, alerts_topic=sns.Topic(self, "Alerts"))
        ServiceAlarms(
            self,
            "PatternAlarms",
            service=pattern.service,
            load_balancer=pattern.load_balancer,
            target_group=pattern.target_group,
            scalable_target=tasks,
        )
        WebAcl(self, "WebAcl", load_balancer=pattern.load_balancer)
        ServiceVpcEndpoints(self, "Endpoints", vpc=vpc, clients=[group])
"""


def check(tmp_path: Path, source: Any) -> Any:
    (tmp_path / "consumer.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ".mypy_cache", str(tmp_path / "consumer.py")],
        env={"MYPYPATH": "constructs"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_strictly_typed_app_passes_ordinary_l2s(tmp_path: Path) -> None:
    result = check(tmp_path, CONSUMER)

    assert result.returncode == 0, result.stdout


def test_a_construct_that_makes_no_service_is_told(tmp_path: Path) -> None:
    result = check(tmp_path, CONSUMER.replace("service=network)", "service=vpc)"))

    assert 'Argument "service" to "ServiceDashboard" has incompatible type "Vpc"' in result.stdout


def test_a_wrong_type_is_told(tmp_path: Path) -> None:
    result = check(tmp_path, CONSUMER.replace("image=image,", "image='image',"))

    assert 'Argument "image" to "ScaledFargateService" has incompatible type "str"' in result.stdout
