"""Dashboards with all that they can show, beyond what the reference system and the examples use."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.fargate import AnyService, ScaledFargateService
from cdk_fargate_sagemaker.monitoring import (
    EndpointAlarms,
    EndpointDashboard,
    FargatePrice,
    ReviewDashboard,
    ServiceAlarms,
    ServiceDashboard,
    WorkflowDashboard,
)
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointVariant,
    ModelImage,
    ModelReleaseWorkflow,
    ServerlessInference,
    TrainingJob,
)

_PRICE = FargatePrice(vcpu_hour=0.04, gib_hour=0.005)


def every_dashboard(folder: Path) -> None:
    """Writes the cloud assembly."""
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="111122223333", region="us-east-1"))
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    image = ecs.ContainerImage.from_registry("image")
    _services(stack, vpc, image)
    _models(stack)
    app.synth()


def _services(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    share = cloudwatch.Metric(namespace="Shop", metric_name="Answered", statistic="Average", label="Answered, %")
    number = cloudwatch.Metric(
        namespace="Shop", metric_name="Answered", statistic="Sum", period=cdk.Duration.minutes(10), label="Answered"
    )
    trimmed = [
        cloudwatch.Metric(namespace="Shop", metric_name="Seconds", statistic=statistic, label=statistic)
        for statistic in (cloudwatch.Stats.tc(10, 90), "TS(:0.5)", "tc90", "ts99", "sum", "n")
    ]
    alarm = cloudwatch.Alarm(stack, "Answered", metric=share, threshold=90, evaluation_periods=3)
    services: dict[str, AnyService] = {
        "Plain": ScaledFargateService(stack, "Plain", vpc=vpc, image=image),
        "Often": ScaledFargateService(stack, "Often", vpc=vpc, image=image, high_resolution=True),
        "Insights": ScaledFargateService(
            stack, "Insights", vpc=vpc, image=image, container_insights=ecs.ContainerInsights.ENABLED
        ),
        "Pattern": ecs_patterns.ApplicationLoadBalancedFargateService(
            stack,
            "Pattern",
            vpc=vpc,
            task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
        ),
    }
    together = cloudwatch.Dashboard(stack, "Together")
    for name, service in services.items():
        alarms = ServiceAlarms(stack, f"{name}Alarms", service=service, stop_deployments=False)
        ServiceDashboard(
            stack,
            f"{name}Monitor",
            service=service,
            alarms=alarms,
            team_metrics=[share, number, alarm, *trimmed],
            price=_PRICE,
            requests_per_task_goal=900,
            dashboard=together if name in ("Often", "Insights") else None,
        )


def _models(stack: cdk.Stack) -> None:
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    variants = [EndpointVariant(name="a", instance_type="ml.g5.xlarge"), EndpointVariant(name="b")]
    workflow = ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="reviews",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(stack, "Data", "posts-and-models"),
        alerts_topic=sns.Topic(stack, "Topic"),
        configuration=EndpointConfiguration(variants=variants),
    )
    EndpointDashboard(
        stack,
        "Endpoint",
        endpoint=workflow,
        workflow=workflow,
        alarms=EndpointAlarms(stack, "EndpointAlarms", endpoint=workflow),
    )
    serverless = EndpointVariant(serverless=ServerlessInference())
    metrics = EndpointMetrics(endpoint_name="small", configuration=EndpointConfiguration(variants=[serverless]))
    EndpointDashboard(stack, "Serverless", endpoint=metrics)
    WorkflowDashboard(stack, "Releases", workflow=workflow)
    ReviewDashboard(stack, "ReviewMonitor", reviews=ReviewQueue(stack, "Reviews"))
