import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker.monitoring import (
    EndpointAlarms,
    EndpointDashboard,
    ModelDrift,
    WorkflowAlarms,
    WorkflowDashboard,
)
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointVariant,
    EvaluationGate,
    InputChannel,
    LabelledData,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    ReviewDecisions,
    ReviewLimits,
    TrafficShifting,
    TrainingJob,
    TransformJob,
)
from cdk_fargate_sagemaker.storage import BucketEmptier
from stacks.access_logs_bucket import AccessLogsBucket
from stacks.removal import removal_policy
from stacks.settings import Settings

_CONTAINERS = Path(__file__).parents[1] / "container"
_POSTS_PREFIX = "posts/"
_UNLABELLED_PREFIX = "unlabelled/"
_LINEAR_PERCENT = 25
# SageMaker supports few of the endpoints' GPU instance types for transform jobs.
_TRANSFORM_WITH_GPU = "ml.g5.xlarge"


class ModelStack(cdk.Stack):
    """The posts, the table of reviews, and the workflow that trains a model on both and serves it on an endpoint."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, alerts: AlertsTopic, env: cdk.Environment
    ) -> None:
        super().__init__(scope, id, env=env, description="Moderation: model")
        removal = removal_policy(settings)
        key = kms.Key(
            self,
            "Key",
            description=f"Posts, models and logs of moderation-{settings.environment}",
            enable_key_rotation=True,
            removal_policy=removal,
        )
        access_logs = AccessLogsBucket(self, "AccessLogs", removal_policy=removal, log_encryption_key=key)
        data = s3.Bucket(
            self,
            "Data",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            # One KMS call serves many objects.
            bucket_key_enabled=True,
            enforce_ssl=True,
            versioned=True,
            # Replaced, deleted and incomplete objects are never read again. The files of a release have their own
            # prefix and are never replaced; the workflow deletes those of failed releases.
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                    noncurrent_version_expiration=cdk.Duration.days(30),
                    expired_object_delete_marker=True,
                )
            ],
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="data/",
            removal_policy=removal,
        )
        if removal is cdk.RemovalPolicy.DESTROY:
            BucketEmptier(data, "Emptier", bucket=data, log_encryption_key=key)
        cdk.Validations.of(data).acknowledge(
            cdk.Acknowledgment(
                id="NIST.800.53.R5-S3BucketReplicationEnabled",
                reason="Posts can contain personal data: their owners decide whether another region gets a copy. "
                "Versions protect against mistakes.",
            )
        )
        self.reviews = ReviewQueue(
            self,
            "Reviews",
            sample_percent=settings.reviewers.sample_percent,
            second_percent=settings.reviewers.second_percent,
            ttl=cdk.Duration.days(settings.reviewers.ttl_days) if settings.reviewers.ttl_days else None,
            daily_quota=settings.reviewers.daily_quota,
            decisions_a_minute=settings.reviewers.decisions_a_minute,
            metric_namespace="Moderation/Reviews",
            removal_policy=removal,
        )
        endpoint_name = f"moderation-{settings.environment}"
        variant = EndpointVariant(
            instance_type=settings.model.endpoint_instance_type, count=settings.model.endpoint_instances
        )
        configuration = EndpointConfiguration(variants=[variant])
        endpoint = EndpointMetrics(endpoint_name=endpoint_name, configuration=configuration)
        endpoint_alarms = EndpointAlarms(self, "EndpointAlarms", endpoint=endpoint, alerts_topic=alerts)
        self.workflow = ModelReleaseWorkflow(
            self,
            "Release",
            endpoint_name=endpoint_name,
            inference_image=ModelImage.from_asset(
                _CONTAINERS / "inference", file="Dockerfile.gpu" if variant.has_gpu else "Dockerfile.cpu"
            ),
            data_bucket=data,
            alerts_topic=alerts,
            encryption_key=key,
            source=LabelledData(
                _POSTS_PREFIX,
                reviews=ReviewDecisions(
                    table=self.reviews.table,
                    limits=ReviewLimits(
                        max_changed_percent=settings.reviewers.max_changed_percent,
                        min_changed=settings.reviewers.min_changed,
                        max_reviewer_percent=settings.reviewers.max_reviewer_percent,
                        min_labels=settings.reviewers.min_labels,
                    ),
                ),
            ),
            train=TrainingJob(
                image=ModelImage.from_asset(_CONTAINERS / "training"),
                instance_type=settings.model.training_instance_type,
                hyperparameters={"recipe": settings.model.recipe, "seed": settings.model.seed},
                channels=_channels(data, settings),
            ),
            evaluate=ModelEvaluation(
                # The GPU image exits on a machine without a GPU.
                score_current=TransformJob(instance_type=_TRANSFORM_WITH_GPU) if variant.has_gpu else TransformJob(),
                gate=EvaluationGate(
                    at_least={"auc": settings.model.minimum_auc},
                    may_worsen={}
                    if settings.model.maximum_auc_drop is None
                    else {"auc": settings.model.maximum_auc_drop},
                ),
            ),
            configuration=configuration,
            traffic_shifting=_traffic_shifting(settings, endpoint_alarms),
            keep_releases=settings.model.keep_releases,
            schedule=(
                events.Schedule.expression(settings.model.release_schedule) if settings.model.release_schedule else None
            ),
            start_on_new_data=settings.model.start_on_new_posts,
            start_on_new_labels=settings.model.start_on_new_labels,
            removal_policy=removal,
        )
        WorkflowAlarms(self, "ReleaseAlarms", workflow=self.workflow, alerts_topic=alerts)
        drift = ModelDrift(
            self,
            "Drift",
            reviews=self.reviews,
            workflow=self.workflow,
            alerts_topic=alerts,
            max_score_drift=settings.model.maximum_score_drift,
            max_length_drift=settings.model.maximum_length_drift,
            max_vocabulary_drift=settings.model.maximum_vocabulary_drift,
            max_first_stage_drift=settings.model.first_stage_drift_of_recipe,
            violation_percent=settings.model.violation_percent,
            starts=self.workflow if settings.model.release_when_drifted else None,
            metric_namespace="Moderation/Drift",
        )
        EndpointDashboard(
            self,
            "EndpointMonitor",
            endpoint=endpoint,
            alarms=endpoint_alarms,
            workflow=self.workflow,
            drift=drift,
            dashboard_name=f"{endpoint_name}-endpoint",
        )
        WorkflowDashboard(self, "ReleaseMonitor", workflow=self.workflow, dashboard_name=f"{endpoint_name}-releases")
        cdk.CfnOutput(self, "DataBucketName", value=data.bucket_name)
        cdk.CfnOutput(self, "PostsPrefix", value=_POSTS_PREFIX)
        cdk.CfnOutput(self, "EndpointName", value=self.workflow.endpoint_name)
        cdk.CfnOutput(self, "ReleaseWorkflowArn", value=self.workflow.state_machine.state_machine_arn)
        cdk.CfnOutput(self, "RollbackWorkflowArn", value=self.workflow.rollback.state_machine.state_machine_arn)
        cdk.CfnOutput(self, "ReviewTableName", value=self.reviews.table.table_name)
        cdk.CfnOutput(self, "ReleasesTableName", value=self.workflow.records.table.table_name)


def _channels(data: s3.IBucket, settings: Settings) -> list[InputChannel]:
    """The training channels in addition to the labelled posts."""
    channels = [] if settings.model.recipe == "linear" else [_pretrained(data)]
    if settings.model.unlabelled_posts:
        channels.append(
            InputChannel(
                name="unlabelled",
                prefix=_UNLABELLED_PREFIX,
                remedy=f"upload posts without labels below s3://{data.bucket_name}/{_UNLABELLED_PREFIX}, or set "
                "model.unlabelled_posts to false",
            )
        )
    return channels


def _pretrained(data: s3.IBucket) -> InputChannel:
    """The pretrained model of `bert`: the files of the pinned commit, whose hashes are in the training image."""
    pin = json.loads((_CONTAINERS / "training" / "pretrained_model.json").read_text(encoding="utf-8"))
    return InputChannel(
        name="pretrained",
        prefix=f"pretrained/{pin['revision']}/",
        remedy=f"run `pretrained-model upload {data.bucket_name}` for the pretrained model that bert starts from",
    )


def _traffic_shifting(settings: Settings, alarms: EndpointAlarms) -> TrafficShifting:
    match settings.model.traffic_shifting:
        case "canary":
            return TrafficShifting.canary(instances=1, rollback_alarms=alarms.guardrail_alarms)
        case "linear":
            return TrafficShifting.linear(percent=_LINEAR_PERCENT, rollback_alarms=alarms.guardrail_alarms)
        case "all_at_once":
            return TrafficShifting.all_at_once(rollback_alarms=alarms.guardrail_alarms)
