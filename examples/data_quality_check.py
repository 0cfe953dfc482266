"""A team's own stage: it stops a release before training if there are too few posts, or if nearly all are the same."""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    ModelImage,
    ModelReleaseWorkflow,
    ReleaseBinding,
    ReleaseStage,
    TrainingJob,
)

KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"


class DataQuality(ReleaseStage):
    """Refuses training data of too few rows, or with too few of either label."""

    # Between the source and the stages that prepare the data.
    slots = ("preprocess",)

    def __init__(self, *, function: lambda_.IFunction, least_rows: int, least_percent_of_a_label: float) -> None:
        self._function = function
        self._least_rows = least_rows
        self._least_percent = least_percent_of_a_label

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        measuring = release.function(
            "Data-Quality",
            self._function,
            {"train": "{% $posts.train.uri %}"},
            assign={"quality": "{% $states.result.Payload %}"},
            # It only reads, so it can be invoked again if no answer comes.
            repeatable=True,
        )
        judging = release.choice("Data-Quality-Gate")
        release.refuse_when(
            judging,
            f"$quality.rows < {self._least_rows}",
            error="TooFewRows",
            cause=f"$string($quality.rows) & ' rows to train with, needed {self._least_rows}'",
        )
        least, percent = self._least_percent, "$quality.positive_percent"
        release.refuse_when(
            judging,
            f"{percent} < {least} or {percent} > {100 - least}",
            error="OneSidedLabels",
            cause=f"$string($round({percent}, 1)) & ' % have the label 1, needed {least} to {100 - least} %'",
        )
        judging.otherwise(then)
        measuring.next(judging)
        return measuring


class CheckedReviews(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        trainer = ecr.Repository.from_repository_name(self, "Trainer", "review-trainer")
        server = ecr.Repository.from_repository_name(self, "Server", "review-server")
        ModelReleaseWorkflow(
            self,
            "Release",
            endpoint_name="checked-reviews",
            inference_image=ModelImage.from_ecr_repository(server, "2.1.0"),
            data_bucket=s3.Bucket.from_bucket_attributes(
                self,
                "Reviews",
                bucket_name="example-reviews",
                encryption_key=kms.Key.from_key_arn(self, "ReviewsKey", KEY),
            ),
            alerts_topic=AlertsTopic(self, "Alerts"),
            preprocess=DataQuality(
                function=lambda_.Function.from_function_name(self, "DataQuality", "data-quality"),
                least_rows=500,
                least_percent_of_a_label=5,
            ),
            train=TrainingJob(image=ModelImage.from_ecr_repository(trainer, "2.1.0")),
        )


if __name__ == "__main__":
    app = cdk.App()
    CheckedReviews(app, "CheckedReviews")
    app.synth()
