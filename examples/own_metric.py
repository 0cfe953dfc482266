"""A team's own metric, the percentage of answered questions: on the dashboard and as a guardrail."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceVpc, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    EvaluationGate,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    TrainingJob,
)
from cdk_fargate_sagemaker.tuning import TargetTuner

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"


class AnsweredQuestions(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        repository = ecr.Repository.from_repository_name(self, "Repository", "shop")
        shop = ScaledFargateService(
            self,
            "Shop",
            vpc=ServiceVpc(self, "Vpc"),
            image=ecs.ContainerImage.from_ecr_repository(repository, "1.4.2"),
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            deletion_protection=True,
        )
        SpikeScaling(self, "Spikes", service=shop)
        WebAcl(self, "Firewall", load_balancer=shop.load_balancer)

        trainer = ecr.Repository.from_repository_name(self, "Trainer", "review-trainer")
        server = ecr.Repository.from_repository_name(self, "Server", "review-server")
        alerts = AlertsTopic(self, "Alerts")
        workflow = ModelReleaseWorkflow(
            self,
            "Release",
            endpoint_name="questions",
            inference_image=ModelImage.from_ecr_repository(server, "2.1.0"),
            data_bucket=s3.Bucket.from_bucket_attributes(
                self,
                "Questions",
                bucket_name="example-questions",
                encryption_key=kms.Key.from_key_arn(self, "QuestionsKey", KEY),
            ),
            alerts_topic=alerts,
            train=TrainingJob(image=ModelImage.from_ecr_repository(trainer, "2.1.0")),
            evaluate=ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0.85}, may_worsen={"auc": 0.01})),
        )

        # The service publishes 100 for an answered question and 0 for another one: their mean is the percentage. One
        # metric without metric math, as SageMaker documents it for alarms that roll an update back.
        answered = cloudwatch.Metric(
            namespace="Shop",
            metric_name="Answered",
            statistic=cloudwatch.Stats.AVERAGE,
            period=cdk.Duration.minutes(1),
            label="Questions that are answered, %",
        )
        too_few = cloudwatch.Alarm(
            self,
            "TooFewAnswered",
            metric=answered,
            threshold=90,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=5,
            datapoints_to_alarm=3,
            # Without questions there is no data, and no fault.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        # pyright sees no CDK action as an IAlarmAction, because their parameters have other names.
        too_few.add_alarm_action(cloudwatch_actions.SnsAction(alerts))  # pyright: ignore[reportArgumentType]

        # It guards a release of the model: if it fires during an update, the update is rolled back.
        workflow.roll_back_on([too_few])
        # It is on the dashboard, with its threshold.
        alarms = ServiceAlarms(self, "Alarms", service=shop, alerts_topic=alerts)
        monitor = ServiceDashboard(
            self, "Monitor", service=shop, alarms=alarms, team_metrics=[too_few], requests_per_task_goal=900
        )
        # It guards the tuner: if it fires after a step of the target, the step is reverted.
        TargetTuner(
            self,
            "Tuner",
            service=shop,
            guardrail_alarms=[alarms.degraded, too_few],
            alerts_topic=alerts,
            dashboard=monitor,
        )


app = cdk.App()
AnsweredQuestions(app, "AnsweredQuestions")
app.synth()
