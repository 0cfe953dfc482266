"""The tuner deployed: weeks pass as fast as executions can be started, and the template is deployed again."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import TargetTuner
from cdk_rehearsal.embedded_aws import EmbeddedAws

DAY = timedelta(days=1)
BEGAN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 21 * DAY


@dataclass
class Deployed:
    aws: EmbeddedAws
    folder: Path
    outputs: dict[str, str]

    def deploy(self, **changes: Any) -> None:
        """As the CDK's command line does: publishes the files, then makes or updates the stack."""
        assembly = synthesised(self.folder / str(time.monotonic_ns()), **changes)
        store, formation = self.aws.client("s3"), self.aws.client("cloudformation")
        for asset in json.loads((assembly / "Web.assets.json").read_text())["files"].values():
            (destination,) = asset["destinations"].values()
            bucket = destination["bucketName"].replace("${AWS::AccountId}", self.aws.account)
            bucket = bucket.replace("${AWS::Region}", self.aws.region)
            if bucket not in {each["Name"] for each in store.list_buckets()["Buckets"]}:
                store.create_bucket(Bucket=bucket)
            source = assembly / asset["source"]["path"]
            body = zipped(source) if source.is_dir() else source.read_bytes()
            store.put_object(Bucket=bucket, Key=destination["objectKey"], Body=body)
            if source.name == "Web.template.json":
                template = f"https://s3.{self.aws.region}.amazonaws.com/{bucket}/{destination['objectKey']}"
        verb = "update" if self.outputs else "create"
        getattr(formation, f"{verb}_stack")(
            StackName="Web", TemplateURL=template, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )
        formation.get_waiter(f"stack_{verb}_complete").wait(StackName="Web", WaiterConfig={"Delay": 1})
        (stack,) = formation.describe_stacks(StackName="Web")["Stacks"]
        self.outputs = {
            output["OutputKey"].removeprefix("Output"): output["OutputValue"] for output in stack["Outputs"]
        }


def synthesised(folder: Path, *, target_percent: float = 60, cooldown: int = 60, title: str = "Web") -> Path:
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Web", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    vpc = ec2.Vpc(stack, "Vpc", availability_zones=["us-east-1a", "us-east-1b"], nat_gateways=0, subnet_configuration=[
        ec2.SubnetConfiguration(name="Tasks", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
    ])  # fmt: skip
    service = ScaledFargateService(
        stack,
        "Service",
        vpc=vpc,
        image=ecs.ContainerImage.from_registry("nginx:1.29"),
        target_percent=target_percent,
        scale_out_cooldown=cdk.Duration.seconds(cooldown),
    )
    alerts = AlertsTopic(stack, "Alerts")
    told = sqs.Queue(stack, "Told")
    alerts.topic.add_subscription(subscriptions.SqsSubscription(told, raw_message_delivery=True))
    # Put by hand in these tests.
    alarm = cloudwatch.Metric(namespace="Test", metric_name="Slow").create_alarm(
        stack, "Slow", threshold=1, evaluation_periods=1, alarm_name="slow"
    )
    monitor = ServiceDashboard(stack, "Monitor", service=service, dashboard_name="web")
    monitor.dashboard.add_widgets(cloudwatch.TextWidget(markdown=title))
    tuner = TargetTuner(
        stack,
        "Tuner",
        service=service,
        guardrails=[alarm],
        alerts_topic=alerts.topic,
        dashboard=monitor,
        ceiling_percent=70,
    )
    for name, value in {
        "Machine": tuner.state_machine.state_machine_arn,
        "Parameter": tuner.parameter_name,
        "Table": tuner.table.table_name,
        "Told": told.queue_url,
        "Cluster": service.cluster.cluster_name,
        "Service": service.service.service_name,
        "LoadBalancer": service.load_balancer.load_balancer_full_name,
    }.items():
        cdk.CfnOutput(stack, f"Output{name}", value=value)
    app.synth()
    return folder


def zipped(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return out.getvalue()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with EmbeddedAws(wait_scale=0.05) as aws:
        deployed = Deployed(aws=aws, folder=tmp_path_factory.mktemp("assemblies"), outputs={})
        deployed.deploy()
        yield deployed


def test_it(deployed: Deployed) -> None:
    print(deployed.outputs)
    print(deployed.aws.client("ssm").get_parameter(Name=deployed.outputs["Parameter"]))
    print(deployed.aws.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs"))
