"""A team's own model, trained and served by its own images, released to a checked endpoint every Monday."""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointVariant,
    EvaluationGate,
    LabelledData,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    TrafficShifting,
    TrainingJob,
)

KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"


class ReviewModel(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        # The team has two images, a bucket of labelled reviews, and the key that encrypts it.
        trainer = ecr.Repository.from_repository_name(self, "Trainer", "review-trainer")
        server = ecr.Repository.from_repository_name(self, "Server", "review-server")
        reviews = s3.Bucket.from_bucket_attributes(
            self,
            "Reviews",
            bucket_name="example-reviews",
            encryption_key=kms.Key.from_key_arn(self, "ReviewsKey", KEY),
        )

        ModelReleaseWorkflow(
            self,
            "Release",
            endpoint_name="reviews",
            inference_image=ModelImage.from_ecr_repository(server, "2.1.0"),
            data_bucket=reviews,
            source=LabelledData("labelled/"),
            alerts_topic=AlertsTopic(self, "Alerts"),
            schedule=events.Schedule.cron(week_day="MON", hour="6", minute="0"),
            # Spot instances cost less and can be interrupted: training then continues from its checkpoint.
            train=TrainingJob(
                image=ModelImage.from_ecr_repository(trainer, "2.1.0"),
                instance_type="ml.g5.xlarge",
                hyperparameters={"epochs": 3, "learning_rate": 3e-5},
                spot_max_wait=cdk.Duration.hours(8),
            ),
            # Good enough, and not worse than the current model.
            evaluate=ModelEvaluation(
                gate=EvaluationGate(at_least={"auc": 0.85, "recall": 0.7}, may_worsen={"auc": 0.005})
            ),
            configuration=EndpointConfiguration(variants=[EndpointVariant(instance_type="ml.c6i.large", count=3)]),
            # First one of three instances; five minutes later the others.
            traffic_shifting=TrafficShifting.canary(instances=1),
            keep_releases=8,
        )


app = cdk.App()
ReviewModel(app, "ReviewModel")
app.synth()
