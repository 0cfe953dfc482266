from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.monitoring import EndpointAlarms
from cdk_fargate_sagemaker.sagemaker import (
    AthenaUnload,
    DataCapture,
    DataChannel,
    DynamoDbExport,
    EndpointCheck,
    EndpointConfiguration,
    EndpointMetrics,
    EndpointScaling,
    EndpointVariant,
    EvaluationGate,
    FunctionStep,
    InferenceEndpoint,
    InputChannel,
    LabelledData,
    ModelEvaluation,
    ProcessingJob,
    ReleaseRecords,
    ReviewDecisions,
    ReviewLimits,
    ServerlessInference,
    ShadowVariant,
    TrafficShifting,
    TrainingJob,
    VpcPlacement,
)
from tests.constructs.construct_tree import sibling
from tests.constructs.minimal.fargate import vpc
from tests.constructs.minimal.sagemaker import (
    bucket,
    image,
    inference_endpoint,
    release_records,
    release_workflow,
    rollback_workflow,
    table,
)
from tests.constructs.wrong_inputs import WrongInput


@jsii.implements(cdk.IStableNumberProducer)
class Late:
    def produce(self) -> float:
        return 4177


def _scheduled(expression: str) -> Callable[[cdk.Stack], object]:
    return lambda stack: release_workflow(stack, schedule=events.Schedule.expression(expression))


def _alarm(stack: cdk.Stack) -> cloudwatch.IAlarm:
    return cloudwatch.Alarm.from_alarm_name(stack, "Slow", "slow")


def _function(stack: cdk.Stack) -> lambda_.IFunction:
    return lambda_.Function.from_function_name(stack, "Own", "own")


def _unload(stack: cdk.Stack, **given: Any) -> AthenaUnload:
    least: dict[str, Any] = {"query": "SELECT 1", "database": "d", "tables": ["posts"], "bucket": bucket(stack)}
    return AthenaUnload(**(least | given))


def _later(stack: cdk.Stack) -> cdk.Duration:
    return cdk.Duration.seconds(cdk.CfnParameter(stack, "Seconds", type="Number").value_as_number)


def _export(stack: cdk.Stack, **given: Any) -> DynamoDbExport:
    return DynamoDbExport(table=table(stack), **given)


def _processing(stack: cdk.Stack, **given: Any) -> ProcessingJob:
    return ProcessingJob(image=image(stack), **given)


def _channel(stack: cdk.Stack, **given: Any) -> InputChannel:
    least = {"name": "pretrained", "prefix": "pretrained/1/", "remedy": "upload it"}
    return InputChannel(**(least | given))


def _training(stack: cdk.Stack, **given: Any) -> TrainingJob:
    return TrainingJob(**({"image": image(stack)} | given))


def _group(stack: cdk.Stack) -> ec2.ISecurityGroup:
    return ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-22222222")


def _two_workflows(stack: cdk.Stack) -> None:
    release_workflow(stack)
    release_workflow(sibling(stack, "Second"))


WRONG = [
    *(
        WrongInput(
            f"schedule-{expression}",
            _scheduled(expression),
            f"schedule: got '{expression}', allowed: rate(1 day), rate(7 days), or cron(…) of minute, hour, ",
        )
        for expression in (
            "cron(0 3 * * MON *)",
            "cron(0 3 ? * ? *)",
            "cron(0 3 * * ?)",
            "rate(1 days)",
            "rate(0 days)",
        )
    ),
    WrongInput(
        "a-caller-by-name",
        lambda stack: inference_endpoint(stack).grant_invoke("api"),
        "grantee: got 'api', allowed: an iam.IGrantable",
    ),
    WrongInput(
        "a-share-for-a-percentile",
        lambda stack: EndpointMetrics(endpoint_name="reviews").model_latency(0.99),
        "percentile: got 0.99, allowed: a number, 1 to 100; give 99 for 99 %",
    ),
    WrongInput(
        "metrics-of-no-endpoint",
        lambda stack: EndpointMetrics(endpoint_name=""),
        "endpoint_name: got '', allowed: text, not empty",
    ),
    WrongInput(
        "a-database-without-a-name",
        lambda stack: _unload(stack, database=""),
        "database: got '', allowed: text, not empty",
    ),
    WrongInput(
        "a-class-for-a-table",
        lambda stack: DynamoDbExport(table=dynamodb.Table),
        "table: got the class Table, allowed: an ITable; import a table",
    ),
    WrongInput(
        "records-that-notify-a-name",
        lambda stack: release_records(stack, alerts_topic="alerts"),
        "alerts_topic: got 'alerts', allowed: an sns.ITopic; import it with sns.Topic.from_topic_arn",
    ),
    # ModelReleaseWorkflow
    WrongInput(
        "a-buckets-name-for-a-bucket",
        lambda stack: release_workflow(stack, data_bucket="posts"),
        "data_bucket: got 'posts', allowed: an s3.IBucket; import it with s3.Bucket",
    ),
    WrongInput(
        "a-topics-arn-for-a-topic",
        lambda stack: release_workflow(stack, alerts_topic="arn:aws:sns:us-east-1:123456789012:alerts"),
        "alerts_topic: got 'arn:aws:sns:us-east-1:123456789012:alerts', allowed: an sns.ITopic; import it with sns.",
    ),
    WrongInput(
        "an-image-of-ecs-for-a-model-image",
        lambda stack: release_workflow(stack, inference_image=ecs.ContainerImage.from_registry("nginx")),
        "inference_image: got a RepositoryImage, allowed: ModelImage; make one with ModelImage.from_asset",
    ),
    WrongInput(
        "a-repository-for-a-model-image",
        lambda stack: TrainingJob(image=ecr.Repository.from_repository_name(stack, "Training", "training")),
        "image: got a RepositoryBase, allowed: ModelImage; make one",
    ),
    WrongInput(
        "text-for-a-schedule",
        lambda stack: release_workflow(stack, schedule="rate(7 days)"),
        "schedule: got 'rate(7 days)', allowed: an events.Schedule; give events.Schedule.expression",
    ),
    WrongInput(
        "a-function-for-a-function-step",
        lambda stack: release_workflow(stack, check=_function(stack)),
        "check: got a FunctionBase, allowed: EndpointCheck, FunctionStep, a ReleaseStage of your own for this place, "
        "or None; give check=FunctionStep(function=…)",
    ),
    WrongInput(
        "a-table-for-an-export",
        lambda stack: release_workflow(stack, source=table(stack)),
        "source: got a TableBase, allowed: LabelledData, AthenaUnload, DynamoDbExport, FunctionStep, a ReleaseStage of "
        "your own for this place, or None; give source=DynamoDbExport(table=…)",
    ),
    WrongInput(
        "a-word-for-a-step",
        lambda stack: release_workflow(stack, train="yes"),
        "train: got 'yes', allowed: TrainingJob, a ReleaseStage of your own for this place, or None",
    ),
    WrongInput(
        "an-image-for-a-processing-job",
        lambda stack: release_workflow(stack, preprocess=image(sibling(stack, "Other"))),
        "preprocess: got a RepositoryImage, allowed: ProcessingJob, FunctionStep, a ReleaseStage of your own for this",
    ),
    WrongInput(
        "a-variant-for-a-configuration",
        lambda stack: release_workflow(stack, configuration=EndpointVariant()),
        "configuration: got an EndpointVariant, allowed: EndpointConfiguration",
    ),
    WrongInput(
        "a-number-for-a-gate",
        lambda stack: ModelEvaluation(gate=0.85),
        "gate: got 0.85, allowed: an EvaluationGate or None",
    ),
    WrongInput(
        "a-table-for-reviews",
        lambda stack: LabelledData(reviews=table(stack)),
        "reviews: got a TableBase, allowed: ReviewDecisions or None; give reviews=ReviewDecisions(table=…)",
    ),
    WrongInput(
        "a-share-for-limits",
        lambda stack: ReviewDecisions(table=table(stack), limits=10),
        "limits: got 10, allowed: ReviewLimits",
    ),
    WrongInput(
        "more-than-all-labels",
        lambda stack: ReviewLimits(max_changed_percent=101),
        "max_changed_percent: got 101, allowed: a number, 0 to 100",
    ),
    WrongInput(
        "text-for-a-reviewers-share",
        lambda stack: ReviewLimits(max_reviewer_percent="60"),
        "max_reviewer_percent: got '60', allowed: a number, 0 to 100; leave the quotes out",
    ),
    WrongInput(
        "half-a-change",
        lambda stack: ReviewLimits(min_changed=0.5),
        "min_changed: got 0.5, allowed: a whole number, at least 0",
    ),
    WrongInput(
        "fewer-than-no-labels",
        lambda stack: ReviewLimits(min_labels=-1),
        "min_labels: got -1, allowed: a whole number, at least 0",
    ),
    WrongInput(
        "posts-beside-the-sides",
        lambda stack: LabelledData("sides/"),
        "prefix: got 'sides/', allowed: a prefix that ends with a slash and begins with none, not below runs/, ",
    ),
    WrongInput(
        "a-key-s-arn-for-a-key",
        lambda stack: release_workflow(stack, encryption_key="alias/models"),
        "encryption_key: got 'alias/models', allowed: a kms.IKey",
    ),
    WrongInput(
        "one-release-kept",
        lambda stack: release_workflow(stack, keep_releases=1),
        "keep_releases: got 1, allowed: a whole number, at least 2",
    ),
    WrongInput(
        "text-for-keep-releases",
        lambda stack: release_workflow(stack, keep_releases="5"),
        "keep_releases: got '5', allowed: a whole number, at least 2",
    ),
    WrongInput(
        "labels-without-reviews",
        lambda stack: release_workflow(stack, start_on_new_labels=100, source=LabelledData()),
        "start_on_new_labels: got 100, allowed: none without reviews of the source; there are no labels to count; give",
    ),
    WrongInput(
        "seconds-for-a-poll-interval",
        lambda stack: release_workflow(stack, poll_interval=30),
        "poll_interval: got 30, allowed: a Duration of whole seconds, 1 second to 4 minutes",
    ),
    WrongInput(
        "a-number-for-in-service-within",
        lambda stack: release_workflow(stack, in_service_within=45),
        "in_service_within: got 45, allowed: a Duration of whole seconds, above 0",
    ),
    WrongInput(
        "a-number-as-a-variable",
        lambda stack: release_workflow(stack, inference_environment={"WORKERS": 2}),
        "inference_environment['WORKERS']: got 2, allowed: text; give '2'",
    ),
    WrongInput(
        "a-prefix-without-a-slash",
        lambda stack: LabelledData("posts"),
        "prefix: got 'posts', allowed: a prefix that ends with a slash",
    ),
    WrongInput(
        "days-for-log-retention",
        lambda stack: release_workflow(stack, log_retention=365),
        "log_retention: got 365, allowed: a logs.RetentionDays",
    ),
    WrongInput(
        "text-for-a-removal-policy",
        lambda stack: release_workflow(stack, removal_policy="retain"),
        "removal_policy: got 'retain', allowed: a cdk.RemovalPolicy; give cdk.RemovalPolicy.DESTROY or RETAIN",
    ),
    WrongInput(
        "a-name-for-the-key-of-records",
        lambda stack: ReleaseRecords(
            stack,
            "Records",
            endpoint_name="reviews",
            workflow_names=["reviews-release"],
            data_bucket=bucket(stack),
            alerts_topic=sns.Topic(stack, "Alerts"),
            encryption_key="alias/models",
        ),
        "encryption_key: got 'alias/models', allowed: a kms.IKey",
    ),
    WrongInput(
        "two-workflows-for-one-endpoint",
        _two_workflows,
        "endpoint_name: got 'reviews', allowed: a name that nothing else releases to, as Stack/Release does",
    ),
    WrongInput(
        "an-endpoint-name-in-capitals",
        lambda stack: release_workflow(stack, endpoint_name="Reviews"),
        "endpoint_name: got 'Reviews', allowed: lower-case letters",
    ),
    # RollbackWorkflow
    WrongInput(
        "minutes-as-a-number",
        lambda stack: rollback_workflow(stack, settled_within=120),
        "settled_within: got 120, allowed: a Duration of whole seconds, above 0",
    ),
    # InferenceEndpoint
    WrongInput(
        "an-s3-uri-for-a-model-key",
        lambda stack: inference_endpoint(stack, model_key="/models/model.tar.gz"),
        "model_key: got '/models/model.tar.gz', allowed: the key of the model's archive",
    ),
    WrongInput(
        "a-name-for-a-model-bucket",
        lambda stack: inference_endpoint(stack, model_bucket="models"),
        "model_bucket: got 'models', allowed: an s3.IBucket",
    ),
    WrongInput(
        "alarms-for-a-shifting",
        lambda stack: inference_endpoint(stack, traffic_shifting=[_alarm(stack)]),
        "traffic_shifting: got a list, allowed: TrafficShifting",
    ),
    WrongInput(
        "one-alarm-to-roll-back-on",
        lambda stack: inference_endpoint(stack).roll_back_on(_alarm(stack)),
        "alarms: got an AlarmBase, allowed: EndpointAlarms, or a list of alarms; put one in a list",
    ),
    WrongInput(
        "an-alarms-name-to-start-on",
        lambda stack: release_workflow(stack).start_on("slow"),
        "alarm: got 'slow', allowed: an alarm; import one with Alarm.from_alarm_arn(…)",
    ),
    WrongInput(
        "an-alarm-to-start-on-without-reviews",
        lambda stack: release_workflow(stack).start_on(_alarm(stack)),
        "reviews: got none, allowed: ReviewDecisions of the source with start_on; a release would train on the",
    ),
    WrongInput(
        "a-name-for-an-endpoints-arn",
        lambda stack: InferenceEndpoint.from_endpoint_arn(stack, "Endpoint", "reviews"),
        "endpoint_arn: got 'reviews', allowed: an endpoint's ARN",
    ),
    # TrafficShifting
    WrongInput(
        "one-alarm-for-a-list",
        lambda stack: TrafficShifting.all_at_once(rollback_alarms=_alarm(stack)),
        "rollback_alarms: got an AlarmBase, allowed: a list of alarms; put it in a list",
    ),
    WrongInput(
        "endpoint-alarms-for-a-list",
        lambda stack: TrafficShifting.all_at_once(
            rollback_alarms=EndpointAlarms(stack, "Alarms", endpoint=EndpointMetrics(endpoint_name="reviews"))
        ),
        "rollback_alarms: got an EndpointAlarms, allowed: a list of alarms; call roll_back_on(…) of the endpoint",
    ),
    WrongInput(
        "alarms-names",
        lambda stack: TrafficShifting.all_at_once(rollback_alarms=["slow"]),
        "rollback_alarms: got 'slow', allowed: alarms; import one",
    ),
    WrongInput(
        "a-share-for-a-step",
        lambda stack: TrafficShifting.canary(percent=0.1),
        "percent: got 0.1, allowed: a whole number, 1 to 50",
    ),
    WrongInput(
        "half-an-instance",
        lambda stack: TrafficShifting.linear(instances=0.5),
        "instances: got 0.5, allowed: a whole number, at least 1",
    ),
    WrongInput(
        "seconds-for-bake",
        lambda stack: TrafficShifting.all_at_once(bake=600),
        "bake: got 600, allowed: a Duration of whole seconds, 0 seconds to 1 hour; give Duration.seconds(600)",
    ),
    WrongInput(
        "a-kind-in-lower-case",
        lambda stack: TrafficShifting(kind="canary", percent=10),
        "kind: got 'canary', allowed: ALL_AT_ONCE, CANARY, LINEAR",
    ),
    # EndpointConfiguration and its parts
    WrongInput(
        "one-variant-for-a-list",
        lambda stack: EndpointConfiguration(variants=EndpointVariant()),
        "variants: got an EndpointVariant, allowed: a list of EndpointVariants; put it in a list",
    ),
    WrongInput(
        "instance-types-for-variants",
        lambda stack: EndpointConfiguration(variants=["ml.m5.large"]),
        "variants: got 'ml.m5.large', allowed: EndpointVariants",
    ),
    WrongInput(
        "a-bucket-for-data-capture",
        lambda stack: EndpointConfiguration(data_capture=bucket(stack)),
        "data_capture: got a BucketBase, allowed: DataCapture",
    ),
    WrongInput(
        "a-vpc-for-a-placement",
        lambda stack: _training(stack, vpc=vpc(stack)),
        "vpc: got an IVpc, allowed: VpcPlacement; give VpcPlacement(vpc=…, security_groups=[…])",
    ),
    WrongInput(
        "one-group-for-a-list",
        lambda stack: VpcPlacement(vpc=vpc(stack), security_groups=_group(stack)),
        "security_groups: got an ISecurityGroup, allowed: a list of security groups; put it in a list",
    ),
    WrongInput(
        "a-vpcs-id-for-a-vpc",
        lambda stack: VpcPlacement(vpc="vpc-11111111", security_groups=[_group(stack)]),
        "vpc: got 'vpc-11111111', allowed: an IVpc",
    ),
    WrongInput(
        "a-share-of-captured-requests",
        lambda stack: DataCapture(bucket=bucket(stack), percent=0.1),
        "percent: got 0.1, allowed: a whole number, 1 to 100",
    ),
    WrongInput(
        "text-for-a-shadows-percent",
        lambda stack: ShadowVariant(percent="10"),
        "percent: got '10', allowed: a number, above 0, at most 100; leave the quotes out",
    ),
    WrongInput(
        "half-an-instance-at-least",
        lambda stack: EndpointScaling(min_instances=0.5, max_instances=4, invocations_per_instance=600),
        "min_instances: got 0.5, allowed: a whole number, at least 1",
    ),
    WrongInput(
        "seconds-for-a-cooldown",
        lambda stack: EndpointScaling(max_instances=4, invocations_per_instance=600, scale_in_cooldown=300),
        "scale_in_cooldown: got 300, allowed: a Duration of whole seconds, at least 0 seconds",
    ),
    WrongInput(
        "a-memory-that-serverless-has-not",
        lambda stack: ServerlessInference(memory_mib=512),
        "memory_mib: got 512, allowed: 1024, 2048",
    ),
    WrongInput(
        "percent-for-auc",
        lambda stack: EvaluationGate(at_least={"auc": 85}),
        "at_least['auc']: got 85, allowed: a number, 0 to 1; give 0.85 for 85 %",
    ),
    # Jobs and sources
    WrongInput(
        "a-set-as-a-hyperparameter",
        lambda stack: _training(stack, hyperparameters={"metrics": {"auc"}}),
        "hyperparameters['metrics']: got a set, allowed: text, or what JSON has a form of: no NaN, no other object",
    ),
    WrongInput(
        "no-number-as-a-hyperparameter",
        lambda stack: _training(stack, hyperparameters={"eta": float("nan")}),
        "hyperparameters['eta']: got nan, allowed: text, or what JSON has a form of",
    ),
    WrongInput(
        "a-late-number-in-a-list-of-hyperparameters",
        lambda stack: _training(stack, hyperparameters={"layers": [cdk.Lazy.number(Late())]}),
        "hyperparameters['layers']: got a list, allowed: numbers that are known at synthesis; put it beside",
    ),
    WrongInput(
        "a-prefix-for-a-side",
        lambda stack: _training(stack, data_channels={"train": "posts/train/"}),
        "data_channels['train']: got 'posts/train/', allowed: DataChannel; give DataChannel(side=…)",
    ),
    WrongInput(
        "a-side-that-is-not-there",
        lambda stack: DataChannel(side="validation"),
        "side: got 'validation', allowed: train, test",
    ),
    WrongInput(
        "an-empty-content-type",
        lambda stack: DataChannel(side="test", content_type=""),
        "content_type: got 0 characters, allowed: 1 to 256, as text/csv",
    ),
    WrongInput(
        "no-data-channel",
        lambda stack: _training(stack, data_channels={}),
        "data_channels: got no channel, allowed: at least one; leave it out for train and test",
    ),
    WrongInput(
        "a-gate-for-an-evaluation",
        lambda stack: release_workflow(stack, evaluate=EvaluationGate(at_least={"auc": 0.8})),
        "evaluate: got an EvaluationGate, allowed: ModelEvaluation, a ReleaseStage of your own for this place, or "
        "None; give evaluate=ModelEvaluation(gate=…)",
    ),
    WrongInput(
        "a-function-step-for-an-evaluation",
        lambda stack: release_workflow(stack, evaluate=FunctionStep(function=_function(stack))),
        "evaluate: got a FunctionStep, allowed: ModelEvaluation, a ReleaseStage of your own for this place, or None; "
        "give evaluate=ModelEvaluation(measure=…)",
    ),
    WrongInput(
        "a-source-in-the-wrong-place",
        lambda stack: release_workflow(stack, train=LabelledData()),
        "train: got a LabelledData, allowed: TrainingJob, a ReleaseStage of your own for this place, or None",
    ),
    WrongInput(
        "an-image-for-training",
        lambda stack: release_workflow(stack, train=image(sibling(stack, "Other"))),
        "train: got a RepositoryImage, allowed: TrainingJob, a ReleaseStage of your own for this place, or None; give "
        "train=TrainingJob(image=…)",
    ),
    WrongInput(
        "two-states-of-one-name",
        lambda stack: release_workflow(stack, check=[EndpointCheck(), FunctionStep(function=_function(stack))]),
        "name: got 'Check', allowed: a name that no other state of the workflow has; give one stage a name=…",
    ),
    WrongInput(
        "two-processing-jobs",
        lambda stack: release_workflow(stack, preprocess=[_processing(sibling(stack, "Own"))] * 2),
        "preprocess: got 2 ProcessingJobs, allowed: one, and other stages; its job has the release's name",
    ),
    WrongInput(
        "none-among-stages",
        lambda stack: release_workflow(stack, check=[None]),
        "check: got none within a list, allowed: a list of stages; leave it out of the list",
    ),
    WrongInput(
        "a-name-with-a-space",
        lambda stack: FunctionStep(function=_function(stack), name="Smoke test"),
        "name: got 'Smoke test', allowed: 1 to 80 letters, digits, hyphens and underscores",
    ),
    WrongInput(
        "a-gate-that-asks-nothing",
        lambda stack: EvaluationGate(),
        "at_least: got no metric, allowed: a metric in at_least, at_most or may_worsen; give gate=None for no",
    ),
    WrongInput(
        "a-number-for-metrics",
        lambda stack: EvaluationGate(at_least=0.8),
        'at_least: got 0.8, allowed: a mapping of metrics to numbers; give at_least={"auc": …}',
    ),
    WrongInput(
        "a-metric-without-a-direction",
        lambda stack: EvaluationGate(may_worsen={"rmse": 0.1}),
        "may_worsen['rmse']: got a metric in no bound, allowed: a metric in one of at_least and at_most; the bound",
    ),
    WrongInput(
        "a-metric-in-both-directions",
        lambda stack: EvaluationGate(at_least={"bias": -1}, at_most={"bias": 1}, may_worsen={"bias": 0.1}),
        "may_worsen['bias']: got a metric in both bounds, allowed: a metric in one of at_least and at_most",
    ),
    WrongInput(
        "a-metric-that-is-no-name",
        lambda stack: EvaluationGate(at_most={"rmse'": 3}),
        'at_most: got "rmse\'", allowed: names of metrics: 1 to 64 letters, digits, spaces',
    ),
    WrongInput(
        "a-comparison-with-nobody",
        lambda stack: ModelEvaluation(score_current=None),
        "score_current: got none, allowed: a TransformJob where the gate compares; leave may_worsen out of the gate",
    ),
    WrongInput(
        "a-training-that-scores",
        lambda stack: ModelEvaluation(score_current=_training(stack)),
        "score_current: got a TrainingJob, allowed: TransformJob, a ReleaseStage of your own for this place, or None",
    ),
    WrongInput(
        "an-instance-type-of-ec2",
        lambda stack: _training(stack, instance_type=ec2.InstanceType("m5.large")),
        "instance_type: got an InstanceType, allowed: a SageMaker instance type such as 'ml.m5.large'",
    ),
    WrongInput(
        "a-family-for-an-instance-type",
        lambda stack: _training(stack, instance_type="ml.m5"),
        "instance_type: got 'ml.m5', allowed: a SageMaker instance type",
    ),
    WrongInput(
        "hours-for-a-runtime",
        lambda stack: _training(stack, max_runtime=4),
        "max_runtime: got 4, allowed: a Duration of whole seconds, 1 minute to 28 days",
    ),
    WrongInput(
        "text-for-isolation",
        lambda stack: _training(stack, network_isolation="false"),
        "network_isolation: got 'false', allowed: True or False",
    ),
    WrongInput(
        "one-channel-for-a-list",
        lambda stack: _training(stack, channels=_channel(stack)),
        "channels: got an InputChannel, allowed: a list of InputChannel; put it in a list",
    ),
    WrongInput(
        "a-uri-for-a-channel",
        lambda stack: _training(stack, channels=["s3://models/bert/"]),
        "channels: got 's3://models/bert/', allowed: a list of InputChannel",
    ),
    WrongInput(
        "two-channels-of-one-name",
        lambda stack: _training(stack, channels=[_channel(stack), _channel(stack, prefix="other/")]),
        "channels: got 'pretrained', allowed: channels of different names; give one of them another name",
    ),
    WrongInput(
        "more-channels-than-sagemaker-takes",
        lambda stack: _training(stack, channels=[_channel(stack, name=f"c{number}") for number in range(19)]),
        "channels: got 19 channels, allowed: at most 18",
    ),
    WrongInput(
        "a-channel-of-the-posts",
        lambda stack: _training(stack, channels=[_channel(stack, name="train")]),
        "channels: got 'train', allowed: channels of different names; give one of them another name",
    ),
    WrongInput(
        "a-channels-prefix-without-a-slash",
        lambda stack: _channel(stack, prefix="pretrained"),
        "prefix: got 'pretrained', allowed: a prefix that ends with a slash and begins with none, not below runs/, ",
    ),
    WrongInput(
        "a-channel-where-the-workflow-writes",
        lambda stack: _channel(stack, prefix="models/bert/"),
        "prefix: got 'models/bert/', allowed: a prefix that ends with a slash",
    ),
    WrongInput(
        "a-channel-beside-the-sides",
        lambda stack: _channel(stack, prefix="sides/"),
        "prefix: got 'sides/', allowed: a prefix that ends with a slash",
    ),
    WrongInput(
        "a-channel-without-a-remedy",
        lambda stack: _channel(stack, remedy=" "),
        "remedy: got ' ', allowed: one line of 1 to 1000 characters; say what to do where nothing is there",
    ),
    WrongInput(
        "a-remedy-of-two-lines",
        lambda stack: _channel(stack, remedy="do\nthis"),
        "remedy: got 7 characters, allowed: one line of 1 to 1000 characters",
    ),
    WrongInput(
        "a-line-for-arguments",
        lambda stack: ProcessingJob(image=image(stack), arguments="--strip --lower"),
        "arguments: got '--strip --lower', allowed: a list of words; put it in a list",
    ),
    WrongInput(
        "a-uri-for-a-processing-image",
        lambda stack: ProcessingJob(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/posts:1"),
        "image: got '123456789012.dkr.ecr.us-east-1.amazonaws.com/posts:1', allowed: ModelImage",
    ),
    WrongInput(
        "one-table-for-a-list",
        lambda stack: _unload(stack, tables="posts"),
        "tables: got 'posts', allowed: a list of the tables that the query reads; put it in a list",
    ),
    WrongInput(
        "a-query-with-a-semicolon",
        lambda stack: _unload(stack, query="SELECT 1;"),
        "query: got 'SELECT 1;', allowed: one SELECT, without a semicolon",
    ),
    WrongInput(
        "a-tables-name-for-a-table",
        lambda stack: DynamoDbExport(table="posts"),
        "table: got 'posts', allowed: an ITable; import a table",
    ),
    WrongInput(
        "a-functions-name-for-a-function",
        lambda stack: FunctionStep(function="smoke-test"),
        "function: got 'smoke-test', allowed: an IFunction; import one",
    ),
    # Known at deployment only, where something is computed from it at synthesis
    *(
        WrongInput(
            f"a-token-for-{name}-of-{make.__name__.strip('_').replace('_', '-')}",
            lambda stack, make=make, name=name: make(stack, **{name: _later(stack)}),  # type: ignore[misc]
            f"{name}: got a token, known at deployment only, allowed: a Duration of whole seconds",
        )
        for make, name in (
            (release_workflow, "poll_interval"),
            (release_workflow, "in_service_within"),
            (rollback_workflow, "poll_interval"),
            (rollback_workflow, "settled_within"),
            (_unload, "max_runtime"),
            (_export, "max_runtime"),
            (_processing, "max_runtime"),
            (_training, "max_runtime"),
            (_training, "spot_max_wait"),
        )
    ),
    WrongInput(
        "a-token-for-a-shadows-percent",
        lambda stack: ShadowVariant(percent=cdk.Token.as_number({"Ref": "Percent"})),
        "percent: got a token, known at deployment only, allowed: a number, above 0, at most 100",
    ),
    WrongInput(
        "minutes-that-are-a-token-for-bake",
        lambda stack: TrafficShifting.all_at_once(bake=cdk.Duration.minutes(cdk.Token.as_number({"Ref": "Minutes"}))),
        "bake: got a token, known at deployment only, allowed: a Duration of whole seconds, 0 seconds to 1 hour",
    ),
    WrongInput(
        "waits-that-are-a-token-without-a-limit",
        lambda stack: release_workflow(stack, traffic_shifting=TrafficShifting.all_at_once(bake=_later(stack))),
        "in_service_within: got none, allowed: a Duration beside a traffic_shifting whose waits are known at",
    ),
]
