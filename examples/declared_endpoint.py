"""An endpoint that `cdk deploy` releases: a new model is a new key, and alarms roll a bad one back."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker.monitoring import EndpointAlarms, EndpointDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
    TrafficShifting,
)

MODEL = "reviews/2026-11-23/model.tar.gz"


class ReviewEndpoint(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        endpoint = InferenceEndpoint(
            self,
            "Endpoint",
            endpoint_name="product-reviews",
            image=ModelImage.from_ecr_repository(
                ecr.Repository.from_repository_name(self, "Server", "review-server"), "2.1.0"
            ),
            model_bucket=s3.Bucket.from_bucket_name(self, "Models", "example-review-models"),
            model_key=MODEL,
            configuration=EndpointConfiguration(
                variants=[
                    EndpointVariant(
                        instance_type="ml.c6i.large",
                        scaling=EndpointScaling(min_instances=2, max_instances=8, invocations_per_instance=900),
                    )
                ]
            ),
            traffic_shifting=TrafficShifting.canary(instances=1),
        )
        alarms = EndpointAlarms(
            self,
            "Alarms",
            endpoint=endpoint,
            alerts_topic=AlertsTopic(self, "Alerts"),
            model_latency=cdk.Duration.millis(250),
        )
        # In the ten minutes after a release any of them rolls it back.
        endpoint.roll_back_on(alarms)
        EndpointDashboard(
            self,
            "Monitor",
            endpoint=endpoint,
            alarms=alarms,
            change_log=Path(__file__).with_name("changes.yaml"),
        )


app = cdk.App()
ReviewEndpoint(app, "ReviewEndpoint")
app.synth()
