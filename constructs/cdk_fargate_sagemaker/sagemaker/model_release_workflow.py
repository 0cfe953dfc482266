"""The workflow that releases a model to an endpoint."""

import re
from collections.abc import Mapping

from aws_cdk import Acknowledgment, ArnFormat, Duration, RemovalPolicy, Stack, Token, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from .._allow import allow
from .._inline_policy import acknowledge_inline_policy
from .._log_key import log_key
from .._packaged_function import PackagedFunction
from ._release_definition import RELEASE_FAILED, ReleasePlan, release_definition
from .endpoint_configuration import EndpointConfiguration
from .evaluation_gate import EvaluationGate
from .model_image import ModelImage
from .traffic_shifting import TrafficShifting
from .training_job import TrainingJob

# SageMaker's ARNs are in lower case, so a policy that names one matches a name in lower case alone. 40 characters leave
# 23 of SageMaker's 63 for the execution's name.
_ENDPOINT_NAME = re.compile(r"[a-z0-9](-*[a-z0-9]){0,39}")
_LONGEST_ENDPOINT_NAME = 40

_OBJECTS_OF_LATER = "The objects below this prefix are made by the workflow's later executions."
_NAMED_BY_EXECUTION = "Named after the execution that makes it, with the endpoint's name in front."


class ModelReleaseWorkflow(Construct):
    """Takes labelled posts to a model that serves behind one stable endpoint, or says why not.

    A Step Functions state machine extracts the posts, trains, evaluates, creates the model and the endpoint
    configuration (both named after the execution), creates the endpoint the first time and updates it afterwards, waits
    until it serves the new configuration, and checks it with real invocations. Whatever fails reaches `alerts_topic`
    once: out of the state machine itself, or from EventBridge where the state machine was stopped or ran out of time.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        training_image: ModelImage,
        inference_image: ModelImage,
        data_bucket: s3.IBucket,
        alerts_topic: sns.ITopic,
        posts_prefix: str = "posts/",
        training: TrainingJob | None = None,
        gate: EvaluationGate | None = None,
        configuration: EndpointConfiguration | None = None,
        traffic_shifting: TrafficShifting | None = None,
        inference_environment: Mapping[str, str] | None = None,
        encryption_key: kms.IKey | None = None,
        poll_interval: Duration | None = None,
        in_service_within: Duration | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
    ) -> None:
        """The posts are objects below `posts_prefix` in `data_bucket`: `*.csv` with a header or `*.jsonl`, with `text`
        and `label` (0 or 1). What the workflow writes goes below `runs/` and `models/` in the same bucket.

        `configuration` is what the endpoint runs; without one a single `ml.m5.large`. `traffic_shifting` is how
        requests go over from the model that serves; without one all at once, and the old instances stay for 10 minutes.

        `inference_environment` reaches the serving container, with `MODEL_NAME` added. The volumes of training and
        endpoint, and the logs, are encrypted with `encryption_key`; without one a key is made. What training writes is
        encrypted with the bucket's key where it has one. The endpoint is asked every `poll_interval` (30 s) whether it
        serves the new model; after `in_service_within` (45 minutes) the release has failed.
        """
        super().__init__(scope, id)
        _validate_endpoint_name(endpoint_name)
        _validate_posts_prefix(posts_prefix)
        training = training or TrainingJob()
        gate = gate or EvaluationGate()
        configuration = configuration or EndpointConfiguration()
        traffic_shifting = traffic_shifting or TrafficShifting.all_at_once()
        poll_interval = poll_interval or Duration.seconds(30)
        in_service_within = in_service_within or Duration.minutes(45)

        self.endpoint_name = endpoint_name
        self.endpoint_arn = self._sagemaker_arn("endpoint", endpoint_name)
        self.encryption_key: kms.IKey = encryption_key or kms.Key(
            self, "Key", description=f"Encrypts volumes and logs of {endpoint_name}", enable_key_rotation=True
        )
        self.sagemaker_role = self._make_sagemaker_role(data_bucket)
        self.extractor = PackagedFunction(
            self,
            "Extractor",
            name="training_data_extractor",
            description=f"Makes the training data of {endpoint_name} out of labelled posts",
            timeout=Duration.minutes(15),
            log_encryption_key=self.encryption_key,
            memory_mib=1024,
            ephemeral_storage_mib=4096,
        )
        self.evaluator = PackagedFunction(
            self,
            "Evaluator",
            name="model_evaluator",
            description=f"Reads the metrics of a new model of {endpoint_name}",
            timeout=Duration.minutes(5),
            log_encryption_key=self.encryption_key,
        )
        self.checker = PackagedFunction(
            self,
            "Checker",
            name="endpoint_checker",
            description=f"Checks the answers of {endpoint_name} to held-out posts",
            timeout=Duration.minutes(5),
            log_encryption_key=self.encryption_key,
        )
        self._grant_functions(data_bucket, posts_prefix)

        self.role = iam.Role(
            self,
            "Role",
            description=f"The release workflow of {endpoint_name}",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        )
        self._grant_workflow(alerts_topic)
        acknowledge_inline_policy(self.sagemaker_role, self.role)
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            retention=log_retention,
            encryption_key=log_key(self, given=self.encryption_key, removal_policy=RemovalPolicy.DESTROY),
            removal_policy=RemovalPolicy.DESTROY,
        )
        definition = release_definition(
            self,
            ReleasePlan(
                endpoint_name=endpoint_name,
                data_bucket_name=data_bucket.bucket_name,
                posts_prefix=posts_prefix,
                alerts_topic_arn=alerts_topic.topic_arn,
                extractor_arn=self.extractor.function.function_arn,
                evaluator_arn=self.evaluator.function.function_arn,
                checker_arn=self.checker.function.function_arn,
                training_image_uri=training_image.bind(self, "TrainingImage", puller=self.sagemaker_role),
                inference_image_uri=inference_image.bind(self, "InferenceImage", puller=self.sagemaker_role),
                inference_environment=dict(inference_environment or {}),
                sagemaker_role_arn=self.sagemaker_role.role_arn,
                volume_key_id=self.encryption_key.key_arn,
                output_key_id=data_bucket.encryption_key.key_arn if data_bucket.encryption_key else None,
                training=training,
                gate=gate,
                configuration=configuration,
                traffic_shifting=traffic_shifting,
                poll_interval=poll_interval,
                in_service_within=in_service_within,
            ),
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            # An alert names it, so it has a name that a person knows; the endpoint's is as unique.
            state_machine_name=f"{endpoint_name}-release",
            comment=f"Releases a model to {endpoint_name}",
            definition_body=sfn.DefinitionBody.from_chainable(definition),
            query_language=sfn.QueryLanguage.JSONATA,
            role=self.role,
            # The jobs' own limits end first; the hour is for the functions, the queues and the retries.
            timeout=training.max_runtime.plus(in_service_within).plus(Duration.hours(1)),
            tracing_enabled=True,
            # Without the execution's data: it would not show a post, but costs as much as the rest.
            logs=sfn.LogOptions(destination=self.log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
        # A release that ended without a word is told by its rule alone, so what that cannot deliver is kept.
        self.undelivered_alerts = sqs.Queue(
            self,
            "UndeliveredAlerts",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        last_queue = "It is the last queue, behind a rule; a person reads what it holds."
        Validations.of(self.undelivered_alerts).acknowledge(
            Acknowledgment(id="AwsSolutions-SQS3", reason=last_queue),
            Acknowledgment(id="Serverless-SQSRedrivePolicy", reason=last_queue),
        )
        self.stopped_rule = self._tell_stopped_executions(alerts_topic)

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` start a release."""
        return self.state_machine.grant_start_execution(grantee)

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` invoke this endpoint, and no other."""
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["sagemaker:InvokeEndpoint"], resource_arns=[self.endpoint_arn]
        )

    def metric_failed(self) -> cloudwatch.Metric:
        """Releases that failed (sum over 5 minutes)."""
        return self.state_machine.metric_failed()

    def metric_succeeded(self) -> cloudwatch.Metric:
        """Releases that ended in service (sum over 5 minutes)."""
        return self.state_machine.metric_succeeded()

    def _sagemaker_arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=resource, resource_name=name)

    def _make_sagemaker_role(self, data_bucket: s3.IBucket) -> iam.Role:
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "SageMakerRole",
            description=f"What the training jobs and the endpoint {self.endpoint_name} may do",
            assumed_by=iam.ServicePrincipal(
                "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
            ),
        )
        runs, models = data_bucket.arn_for_objects("runs/*"), data_bucket.arn_for_objects("models/*")
        allow(role, ["s3:GetObject"], runs, models, wildcard_reason=_OBJECTS_OF_LATER)
        allow(role, ["s3:PutObject"], models, wildcard_reason=_OBJECTS_OF_LATER)
        _allow_listing(role, data_bucket, "runs/*", "models/*")
        # Encrypt, beyond what S3 takes, is what SageMaker asks of a role whose output has a key.
        _allow_bucket_key(role, data_bucket, "kms:Encrypt")
        _allow_volumes(role, self.encryption_key)
        for group, streams in {
            "/aws/sagemaker/TrainingJobs": f"{self.endpoint_name}-*",
            f"/aws/sagemaker/Endpoints/{self.endpoint_name}": "*",
        }.items():
            arn = stack.format_arn(
                service="logs", resource="log-group", resource_name=group, arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            allow(role, ["logs:CreateLogGroup", "logs:DescribeLogStreams"], arn)
            allow(
                role,
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                f"{arn}:log-stream:{streams}",
                wildcard_reason="SageMaker names a log stream after the instance, which is not known before it runs.",
            )
        allow(
            role,
            ["cloudwatch:PutMetricData"],
            "*",
            conditions={
                "StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*", "AWS/SageMaker"]}
            },
            wildcard_reason="cloudwatch:PutMetricData and ecr:GetAuthorizationToken take no resource; metrics are "
            "limited to SageMaker's namespaces by a condition.",
        )
        return role

    def _grant_functions(self, data_bucket: s3.IBucket, posts_prefix: str) -> None:
        extractor, evaluator, checker = self.extractor.role, self.evaluator.role, self.checker.role
        posts, runs, models = (
            data_bucket.arn_for_objects(f"{prefix}*") for prefix in (posts_prefix, "runs/", "models/")
        )
        allow(extractor, ["s3:GetObject"], posts, wildcard_reason="Which objects hold posts is for the user to say.")
        _allow_listing(extractor, data_bucket, f"{posts_prefix}*")
        allow(extractor, ["s3:PutObject", "s3:AbortMultipartUpload"], runs, wildcard_reason=_OBJECTS_OF_LATER)
        allow(evaluator, ["s3:GetObject"], models, wildcard_reason=_OBJECTS_OF_LATER)
        # Without it S3 says that access is denied where an object is not there.
        _allow_listing(evaluator, data_bucket, "models/*")
        allow(checker, ["s3:GetObject"], runs, wildcard_reason=_OBJECTS_OF_LATER)
        for role in (extractor, evaluator, checker):
            _allow_bucket_key(role, data_bucket)
        self.grant_invoke(checker)

    def _grant_workflow(self, alerts_topic: sns.ITopic) -> None:
        role, releases = self.role, f"{self.endpoint_name}-*"
        for packaged in (self.extractor, self.evaluator, self.checker):
            allow(role, ["lambda:InvokeFunction"], packaged.function.function_arn)
        allow(
            role,
            [
                "sagemaker:AddTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:ListTags",
                "sagemaker:StopTrainingJob",
            ],
            self._sagemaker_arn("training-job", releases),
            wildcard_reason=_NAMED_BY_EXECUTION,
        )
        allow(
            role, ["sagemaker:CreateModel"], self._sagemaker_arn("model", releases), wildcard_reason=_NAMED_BY_EXECUTION
        )
        configurations = self._sagemaker_arn("endpoint-config", releases)
        allow(role, ["sagemaker:CreateEndpointConfig"], configurations, wildcard_reason=_NAMED_BY_EXECUTION)
        allow(
            role,
            ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"],
            self.endpoint_arn,
            configurations,
            wildcard_reason=_NAMED_BY_EXECUTION,
        )
        allow(role, ["sagemaker:DescribeEndpoint"], self.endpoint_arn)
        allow(
            role,
            ["iam:PassRole"],
            self.sagemaker_role.role_arn,
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
        # `.sync` waits by a rule that Step Functions keeps under this name in every account.
        allow(
            role,
            ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            Stack.of(self).format_arn(
                service="events", resource="rule", resource_name="StepFunctionsGetEventsForSageMakerTrainingJobsRule"
            ),
        )
        _allow_volumes(role, self.encryption_key)
        # Not by grant_publish, which allows kms:GenerateDataKey* where one of them is enough.
        allow(role, ["sns:Publish"], alerts_topic.topic_arn)
        if alerts_topic.master_key is not None:
            allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], alerts_topic.master_key.key_arn)
        Validations.of(role).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="What the CDK adds for X-Ray and for the delivery of logs takes no resource.",
            )
        )

    def _tell_stopped_executions(self, alerts_topic: sns.ITopic) -> events.Rule:
        return events.Rule(
            self,
            "StoppedExecutions",
            description=f"Releases to {self.endpoint_name} that ended without telling it themselves",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [self.state_machine.state_machine_arn],
                    "$or": [
                        {"status": ["TIMED_OUT", "ABORTED"]},
                        {"status": ["FAILED"], "error": [{"anything-but": RELEASE_FAILED}]},
                    ],
                },
            ),
            targets=[targets.SnsTopic(alerts_topic, dead_letter_queue=self.undelivered_alerts)],
        )


def _validate_endpoint_name(endpoint_name: str) -> None:
    if Token.is_unresolved(endpoint_name):
        return
    if len(endpoint_name) > _LONGEST_ENDPOINT_NAME or not _ENDPOINT_NAME.fullmatch(endpoint_name):
        raise ValueError(
            f"endpoint_name is {endpoint_name!r}: use lower-case letters, digits and inner hyphens, "
            f"at most {_LONGEST_ENDPOINT_NAME} characters"
        )


def _validate_posts_prefix(posts_prefix: str) -> None:
    if Token.is_unresolved(posts_prefix):
        return
    if not posts_prefix.endswith("/") or posts_prefix.startswith(("/", "runs/", "models/")):
        raise ValueError(
            f"posts_prefix is {posts_prefix!r}: it ends with a slash, begins with none, "
            "and is not below runs/ or models/, where the workflow writes"
        )


def _allow_listing(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    allow(role, ["s3:ListBucket"], bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": list(prefixes)}})


def _allow_bucket_key(role: iam.Role, bucket: s3.IBucket, *further: str) -> None:
    if bucket.encryption_key is not None:
        bucket.encryption_key.grant(role, "kms:Decrypt", "kms:GenerateDataKey", *further)


def _allow_volumes(role: iam.Role, key: kms.IKey) -> None:
    """What SageMaker asks of whoever makes an encrypted volume: a grant on the key, for an AWS service alone."""
    allow(role, ["kms:DescribeKey"], key.key_arn)
    allow(role, ["kms:CreateGrant"], key.key_arn, conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}})
