"""The workflow that releases a model to an endpoint."""

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack, Tokenization
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._allow import allow
from ..._checks import check_interface, refusal
from ..._draw_secret import draw_secret
from ..._interfaces import AnyKey, AnyTopic
from ..._key_use import allow_key, through_dynamodb, through_secrets_manager
from ..._metric_options import MetricOptions, given_options
from ..._packaged_function import PackagedFunction
from ..._resource_policy import open_to_account
from ..._topic_publishers import allow_publishing
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..endpoint._endpoint_name import claim_endpoint_name
from ..endpoint._endpoint_role import endpoint_role
from ..endpoint._imported_endpoint import invoke_grant
from ..endpoint._rollback_alarms import HasGuardrail, RollbackAlarms
from ..endpoint._scaling_permissions import allow_scaling
from ..endpoint.endpoint_metrics import EndpointMetrics
from ..machines._log_streams import allow_logs
from ..machines.model_image import ModelImage
from ..rollback.rollback_workflow import POLL_INTERVAL, RollbackWorkflow
from ..sources._source_permissions import allow_source
from ..sources._source_states import REVIEWS_FOLDER
from ..sources.athena_unload import AthenaUnload
from ..sources.dynamodb_export import DynamoDbExport
from ..sources.review_limits import ReviewLimits
from ..stages._devices import warn_of_two_devices
from ..stages._job_role import job_role
from ..stages.evaluation_gate import EvaluationGate
from ..stages.function_step import FunctionStep
from ..stages.processing_job import ProcessingJob
from ..stages.training_job import TrainingJob
from ..stages.transform_job import TransformJob
from ..workflow._endpoint_updates import allow_endpoint_updates
from ..workflow._starts import new_objects, send_events, start_target, undelivered_queue
from ..workflow._update_mark import allow_marking
from ..workflow._workflow_machine import allow_waiting, workflow_logs, workflow_machine, workflow_role
from ..workflow.release_records import ReleaseRecords
from ._endpoint_end import EndpointEnd
from ._release_arguments import check_release_arguments
from ._release_definition import (
    AROUND_A_JOB,
    RELEASE_FAILED,
    RELEASE_IN_PROGRESS,
    TRAINED_FOLDER,
    ReleasePlan,
    release_definition,
)

_OBJECTS_OF_LATER = "The objects below this prefix are made by the workflow's later executions."
_EXECUTIONS_OF_LATER = "An execution's name is not known before it is started."
_SIDES = "sides/*"
_CHECKPOINTS = "runs/*/checkpoints/*"
_TRAINED = f"runs/*/{TRAINED_FOLDER}*"
_NAMED_BY_EXECUTION = "Named after the execution that makes it, with the endpoint's name in front."
# The functions, the queues and the retries, beyond the jobs' own limits and the waiting for the endpoint.
_REST = Duration.hours(2)
# What the workflow's roles do with the data's bucket, where it is of another account.
_OF_OBJECTS = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
]
_OF_BUCKET = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]

Default = Literal["default"]


class ModelReleaseWorkflow(Construct):
    """Takes labelled posts to a model that serves behind one stable endpoint, or says why not.

    A Step Functions state machine extracts the posts, trains, evaluates the new model and the current one on the same
    held-out posts, copies the model's archive to where no job may write, creates the model and the endpoint
    configuration (both named after the execution), creates the endpoint the first time and updates it afterwards, waits
    until it serves the new configuration, checks it with real invocations, records the release and deletes what older
    ones left.

    Whatever fails, and whoever stops it, the endpoint is put back to the release before by `rollback`, a state machine
    that a person can start too; what the failed release left behind is deleted, and `alerts_topic` is notified once.
    Two releases at a time are refused: the second ends as `Refused`, with the error `ReleaseInProgressError`.

    An execution's input is `{}`; `started_by` in it, a text, is recorded with the release. A release is started by a
    person, on `schedule`, by new data or by new labels. What starts while one runs is refused; data that arrive
    meanwhile go into the next release.

    Any step but training can be replaced by a `FunctionStep`, and steps are left out with None. What an execution needs
    then is in its input: without `extract` the posts, below `runs/`, as
    `{"posts": {"train": {"uri": "s3://…/"}, "test": {"uri": "s3://…/"}}}`; without `train` the model, below `models/`,
    as `{"model_data": "s3://…/model.tar.gz"}`.

    What is imported has an owner who may have to let this app: CloudWatch Logs and EventBridge use `encryption_key` and
    `alerts_topic`, and of another account the bucket, its key and the images too. The app warns with each statement.

    Args:
        endpoint_name: the name of the endpoint, which clients invoke and which stays from release to release:
            lower-case letters, digits and inner hyphens, at most 40 characters. Jobs, models, endpoint configurations
            and both state machines are named after it. No other construct of the app may release to the same name in
            the same account and region. Another name is another endpoint.
        inference_image: serves the model: port 8080, `GET /ping`, `POST /invocations`.
        training_image: trains the model. Required, unless `train` is None.
        data_bucket: holds the posts, and what the workflow writes below `runs/` and `models/`. What jobs write is
            encrypted with the bucket's key where it has one.
        alerts_topic: is notified of each release that failed.
        data_prefix: below what in the bucket the posts are: objects `*.csv` with a header, or `*.jsonl`, with `text`
            and `label` (0 or 1). It ends with a slash and is not below `runs/`, `models/` or `sides/`.
        extract: makes the training data. An `AthenaUnload` or a `DynamoDbExport` takes posts from where a team has
            them. Default: the posts below `data_prefix`, of which some are held out to test with. Which ones is drawn
            by a secret and written down below `sides/`: a post stays where it is for good.
        reviews: an export of a `ReviewQueue`'s table, whose decisions are merged with the posts: the latest label of a
            post takes the place of the one it had, and posts that were not there are trained with. Posts to test with
            stay the same from release to release, whatever is decided; their labels change where two reviewers agree,
            and half of them never. The release's record says how many labels were new. Default: none are merged.
        review_limits: beyond what reviewers' decisions a release is refused. It needs `reviews`. Default:
            `ReviewLimits()`.
        preprocess: changes the posts before training. Default: training is given them as they were extracted.
        train: how the model is trained. Default: a `TrainingJob` with its defaults.
        evaluate: measures the new model. Default: the metrics that training wrote, and those of the current model on
            the same posts. None asks nothing, and there is no gate.
        gate: what the new model must reach to serve. Default: `EvaluationGate()`.
        score_current: how the current model is asked about the held-out posts, where the gate compares. Default: a
            `TransformJob` with its defaults.
        check: asks the endpoint before the release counts as good. Default: the answers to held-out posts have to be
            those of the evaluation, and to come from the new model. None asks nothing.
        keep_releases: how many good releases stay for rollbacks, at least 2. Models and configurations of older ones
            are deleted, never one in use; so are the files of older and of failed ones below `runs/` and `models/`.
        schedule: starts releases. Default: none.
        start_on_new_data: starts a release for each object that is put below `data_prefix`. A `data_bucket` of another
            app has to send its events to EventBridge; one of this app is made to.
        start_on_new_labels: starts a release, within an hour, once reviewers have given so many labels since the
            release that serves; after one that failed, when as many have come again. It needs `reviews`. Default: no
            number of labels does.
        configuration: what the endpoint runs. Default: one `ml.m5.large`.
        traffic_shifting: how requests go over from the model that serves. Default: all at once, and the old instances
            stay for 10 minutes.
        inference_environment: variables of the serving container, which gets `MODEL_NAME` too. Default: none.
        encryption_key: encrypts the volumes of jobs and endpoint, the records, the logs and the secret by which posts
            to test with are drawn. Default: a key is made.
        poll_interval: how often the endpoint is asked whether it serves the new model, 1 second to 4 minutes. Each time
            it is marked as being changed, which keeps its alarms quiet for five minutes. Default: 30 seconds.
        in_service_within: when a release whose endpoint does not serve it has failed. Default: 45 minutes and what
            `traffic_shifting` waits.
        log_retention: how long the logs of both state machines are kept.
        removal_policy: what becomes of endpoint, configurations, models, records, secret and key with the stack. With
            DESTROY they end with it. With any other they stay, and `alerts_topic` is told what stays and what it costs.
            Default: they stay.

    Raises:
        InvalidArgumentError: an argument that cannot be, parts that exclude each other, a time that is known at
            deployment only, or a topic of another region.

    Example:
        ```python
        release = ModelReleaseWorkflow(
            self,
            "SpamRelease",
            endpoint_name="spam-filter",
            training_image=ModelImage.from_ecr_repository(
                ecr.Repository.from_repository_name(self, "Training", "spam-training"), "1.4.2"
            ),
            inference_image=model_image,
            data_bucket=bucket,
            alerts_topic=topic,
            gate=EvaluationGate(min_auc=0.85, max_auc_drop=0.005),
            schedule=events.Schedule.rate(cdk.Duration.days(7)),
        )
        release.roll_back_on(EndpointAlarms(self, "SpamAlarms", endpoint=release, alerts_topic=topic))
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        inference_image: ModelImage,
        training_image: ModelImage | None = None,
        data_bucket: s3.IBucket,
        alerts_topic: AnyTopic,
        data_prefix: str = "posts/",
        extract: AthenaUnload | DynamoDbExport | FunctionStep | Default | None = "default",
        reviews: DynamoDbExport | None = None,
        review_limits: ReviewLimits | None = None,
        preprocess: ProcessingJob | FunctionStep | None = None,
        train: TrainingJob | Default | None = "default",
        evaluate: FunctionStep | Default | None = "default",
        gate: EvaluationGate | None = None,
        score_current: TransformJob | None = None,
        check: FunctionStep | Default | None = "default",
        keep_releases: int = 5,
        schedule: events.Schedule | None = None,
        start_on_new_data: bool = False,
        start_on_new_labels: int | None = None,
        configuration: EndpointConfiguration | None = None,
        traffic_shifting: TrafficShifting | None = None,
        inference_environment: Mapping[str, str] | None = None,
        encryption_key: AnyKey | None = None,
        poll_interval: Duration | None = None,
        in_service_within: Duration | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        check_release_arguments(
            endpoint_name=endpoint_name,
            inference_image=inference_image,
            training_image=training_image,
            data_bucket=data_bucket,
            alerts_topic=alerts_topic,
            data_prefix=data_prefix,
            extract=extract,
            reviews=reviews,
            review_limits=review_limits,
            preprocess=preprocess,
            train=train,
            evaluate=evaluate,
            gate=gate,
            score_current=score_current,
            check=check,
            keep_releases=keep_releases,
            schedule=schedule,
            start_on_new_data=start_on_new_data,
            start_on_new_labels=start_on_new_labels,
            configuration=configuration,
            traffic_shifting=traffic_shifting,
            inference_environment=inference_environment,
            encryption_key=encryption_key,
            poll_interval=poll_interval,
            in_service_within=in_service_within,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        claim_endpoint_name(self, endpoint_name)
        gate = gate or EvaluationGate()
        training = TrainingJob() if train == "default" else train
        configuration = configuration or EndpointConfiguration()
        traffic_shifting = traffic_shifting or TrafficShifting.all_at_once()
        poll_interval = poll_interval or POLL_INTERVAL
        in_service_within = in_service_within or _in_service_within(traffic_shifting)
        compares = evaluate is not None and any(True for _ in gate.max_drops())
        scoring = (score_current or TransformJob()) if compares else None
        if scoring is not None:
            warn_of_two_devices(self, configuration, scoring)
        processing = preprocess if isinstance(preprocess, ProcessingJob) else None

        self._endpoint_name = endpoint_name
        self._endpoint_arn = self._sagemaker_arn("endpoint", endpoint_name)
        self._configuration = configuration
        self._metrics = EndpointMetrics(endpoint_name=endpoint_name, configuration=configuration)
        self._data_bucket = data_bucket
        self._encryption_key: kms.IKey = encryption_key or kms.Key(
            self,
            "Key",
            description=f"Encrypts volumes, records and logs of {endpoint_name}",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        machine_name = f"{endpoint_name}-release"
        self._records = ReleaseRecords(
            self,
            "Records",
            endpoint_name=endpoint_name,
            workflow_names=[machine_name, f"{endpoint_name}-rollback"],
            data_bucket=data_bucket,
            alerts_topic=alerts_topic,
            encryption_key=self._encryption_key,
            removal_policy=removal_policy,
        )
        self._rollback = RollbackWorkflow(
            self,
            "Rollback",
            endpoint_name=endpoint_name,
            release_workflow_name=machine_name,
            records=self._records,
            alerts_topic=alerts_topic,
            configuration=configuration,
            encryption_key=self._encryption_key,
            poll_interval=poll_interval,
            # An update that goes on is waited for, and then comes one more.
            settled_within=in_service_within.plus(in_service_within),
            log_retention=log_retention,
        )
        # Named as it is since it was the role of the jobs too: a new name would be a new role, and models that a
        # rollback may need keep the one that they were made with.
        self._endpoint_role = endpoint_role(
            self,
            "SageMakerRole",
            endpoint_name=endpoint_name,
            configuration=configuration,
            traffic_shifting=traffic_shifting,
            volume_key=self._encryption_key,
        )
        self._records.allow_making_again(self._endpoint_role)
        self._rollback_alarms = RollbackAlarms(self._endpoint_role, traffic_shifting.rollback_alarms)
        self._training_role = self._job_role("TrainingRole", "TrainingJobs", training) if training else None
        self._processing_role = self._job_role("ProcessingRole", "ProcessingJobs", processing) if processing else None
        self._grant_data(data_bucket, training, scores=scoring is not None)
        source = extract if isinstance(extract, AthenaUnload | DynamoDbExport) else None
        extract_step: FunctionStep | None
        if extract == "default" or isinstance(extract, AthenaUnload | DynamoDbExport):
            folders = ["runs/*"] if source else [f"{data_prefix}*"]
            if reviews and not source:
                folders.append(f"runs/*/{REVIEWS_FOLDER}*")
            extract_step = self._extract_step(*folders, removal_policy=removal_policy)
        else:
            extract_step = extract
        evaluate_step = self._evaluate_step() if evaluate == "default" else evaluate
        check_step = self._check_step() if check == "default" else check
        functions = [
            step.function.function_arn
            for step in (extract_step, preprocess, evaluate_step, check_step)
            if isinstance(step, FunctionStep)
        ]

        self._role = workflow_role(self, f"The release workflow of {endpoint_name}")
        self._grant_workflow(functions, scores=scoring is not None)
        allow_scaling(self._role, endpoint_name, configuration)
        allow_marking(self._role)
        allow_publishing(self._role, alerts_topic)
        for exported in (source, reviews):
            if exported is not None:
                allow_source(self._role, exported, data_bucket)
        self._log_group = workflow_logs(self, self._encryption_key, log_retention)
        definition = release_definition(
            self,
            ReleasePlan(
                endpoint_name=endpoint_name,
                data_bucket_name=data_bucket.bucket_name,
                alerts_topic_arn=alerts_topic.topic_arn,
                ledger_arn=self._records.ledger.function.function_arn,
                cleaner_arn=self._records.cleaner.function.function_arn,
                files_arn=self._records.files.function.function_arn,
                rollback_arn=self._rollback.state_machine.state_machine_arn,
                rollback_within=self._rollback.timeout,
                extract=extract_step,
                source=source,
                posts_prefix=data_prefix,
                reviews=reviews,
                review_limits=review_limits or ReviewLimits(),
                preprocess=preprocess,
                train=training,
                evaluate=evaluate_step,
                gate=gate,
                score_current=scoring,
                check=check_step,
                training_image_uri=(
                    training_image.bind(self, "TrainingImage", puller=self._training_role)
                    if training_image and self._training_role
                    else None
                ),
                inference_image_uri=inference_image.bind(self, "InferenceImage", puller=self._endpoint_role),
                processing_image_uri=(
                    processing.image.bind(self, "ProcessingImage", puller=self._processing_role)
                    if processing and self._processing_role
                    else None
                ),
                inference_environment=dict(inference_environment or {}),
                training_role_arn=self._training_role.role_arn if self._training_role else None,
                processing_role_arn=self._processing_role.role_arn if self._processing_role else None,
                endpoint_role_arn=self._endpoint_role.role_arn,
                volume_key_id=self._encryption_key.key_arn,
                output_key_id=data_bucket.encryption_key.key_arn if data_bucket.encryption_key else None,
                configuration=configuration,
                traffic_shifting=traffic_shifting,
                rollback_alarms=self._rollback_alarms,
                keep_releases=keep_releases,
                poll_interval=poll_interval,
                in_service_within=in_service_within,
            ),
        )
        longest = [
            training.longest if training else None,
            processing.max_runtime if processing else None,
            scoring.max_runtime if scoring else None,
            source.max_runtime if source else None,
            reviews.max_runtime if reviews else None,
        ]
        timeout = in_service_within.plus(self._rollback.timeout).plus(_REST)
        for job in longest:
            if job is not None:
                # Its own limit ends it first; the hour is for its machines and its files.
                timeout = timeout.plus(job).plus(AROUND_A_JOB)
        self._state_machine = workflow_machine(
            self,
            name=machine_name,
            comment=f"Releases a model to {endpoint_name}",
            definition=definition,
            role=self._role,
            log_group=self._log_group,
            timeout=timeout,
        )
        self._stopped_rule = self._rollback.after_stopped(
            self,
            "StoppedExecutions",
            state_machine=self._state_machine,
            own_errors=[RELEASE_FAILED, RELEASE_IN_PROGRESS],
        )
        self._end = EndpointEnd(
            self,
            "End",
            endpoint_name=endpoint_name,
            configuration=configuration,
            records=self._records,
            workflows=[self._state_machine, self._rollback.state_machine],
            endpoint_role=self._endpoint_role,
            alerts_topic=alerts_topic,
            encryption_key=self._encryption_key,
            removal_policy=removal_policy,
        )
        # A stack that is deleted stops executions: no rule starts another one, or reports that one was stopped.
        for rule in (self._stopped_rule, self._rollback.unfinished_rule):
            rule.node.add_dependency(self._end)
        if schedule is not None:
            self._start_by("schedule", "Schedule", schedule=schedule)
        if start_on_new_data:
            send_events(data_bucket)
            self._start_by("new posts", "NewPosts", event_pattern=new_objects(data_bucket, data_prefix))
        self._reviews = reviews
        self._starter: lambda_.Function | None = None
        if start_on_new_labels is not None and reviews is not None:
            self._start_by_labels(reviews.table, start_on_new_labels)

    @property
    def endpoint_name(self) -> str:
        """The name of the endpoint."""
        return self._endpoint_name

    @property
    def endpoint_arn(self) -> str:
        """The ARN of the endpoint."""
        return self._endpoint_arn

    @property
    def configuration(self) -> EndpointConfiguration:
        """What the endpoint runs."""
        return self._configuration

    @property
    def data_bucket(self) -> s3.IBucket:
        """The bucket of posts, runs and models."""
        return self._data_bucket

    @property
    def encryption_key(self) -> kms.IKey:
        """The key that encrypts volumes, records and logs."""
        return self._encryption_key

    @property
    def records(self) -> ReleaseRecords:
        """The table of the releases, and the functions that keep it."""
        return self._records

    @property
    def rollback(self) -> RollbackWorkflow:
        """The workflow that puts the endpoint back."""
        return self._rollback

    @property
    def endpoint_role(self) -> iam.Role:
        """What the serving containers act as."""
        return self._endpoint_role

    @property
    def training_role(self) -> iam.Role | None:
        """What training jobs act as; None without training."""
        return self._training_role

    @property
    def processing_role(self) -> iam.Role | None:
        """What processing jobs act as; None without a `ProcessingJob`."""
        return self._processing_role

    @property
    def role(self) -> iam.Role:
        """What the state machine acts as."""
        return self._role

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group of the state machine."""
        return self._log_group

    @property
    def state_machine(self) -> sfn.StateMachine:
        """The state machine that releases."""
        return self._state_machine

    @property
    def stopped_rule(self) -> events.Rule:
        """The rule that rolls back what was stopped or ran out of time."""
        return self._stopped_rule

    @property
    def metrics(self) -> EndpointMetrics:
        """The metrics of the endpoint."""
        return self._metrics

    def roll_back_on(self, alarms: Sequence[cloudwatch.IAlarm] | HasGuardrail) -> None:
        """Has each of `alarms` take an update back, beside the `rollback_alarms` of `traffic_shifting`.

        It can be called after the alarms were made of this workflow: they are read at synthesis.

        Args:
            alarms: `EndpointAlarms`, whose `guardrail_alarms` are meant, or a list of alarms. Those that are there
                already are left out.

        Raises:
            InvalidArgumentError: something else, or more than ten alarms in all.
        """
        self._rollback_alarms.add(alarms)

    def start_on(self, alarm: cloudwatch.IAlarm) -> None:
        """Starts a release when `alarm` fires: one that says that the model got worse (`ReviewAlarms`).

        There has to be a label since the release that serves: the same posts would make the same model. While a
        workflow changes the endpoint none is started. Each time the alarm fires starts one release at most, and the
        gate judges it as any other.

        Args:
            alarm: made by an app of this account and region. The rule that waits for it is made beside it.

        Raises:
            InvalidArgumentError: something else than an alarm, or a workflow without `reviews`.
        """
        check_interface("alarm", alarm, "alarm_arn", "an alarm", "import one with Alarm.from_alarm_arn(…)")
        if not isinstance(alarm, Construct):
            raise refusal("alarm", alarm, "an alarm in the tree of an app", "import it with Alarm.from_alarm_arn(…)")
        if self._reviews is None:
            raise refusal("reviews", None, "a DynamoDbExport with start_on", "a release would train on the same posts")
        rule = events.Rule(
            alarm,
            "StartsRelease",
            description=f"Starts a release to {self._endpoint_name} when {alarm.node.path} fires",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                resources=[alarm.alarm_arn],
                detail={"state": {"value": ["ALARM"]}},
            ),
            targets=[
                targets.LambdaFunction(
                    self._starter_function(self._reviews.table),
                    # Of the alarm's stack: the policy of the workflow's own queue would name a rule of a later stack.
                    dead_letter_queue=undelivered_queue(alarm, "Undelivered"),
                    max_event_age=Duration.hours(1),
                )
            ],
        )
        rule.node.add_dependency(self._end)

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` start a release.

        Args:
            grantee: who is allowed.
        """
        return self._state_machine.grant_start_execution(grantee)

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` invoke this endpoint, and no other.

        Args:
            grantee: who is allowed.
        """
        return invoke_grant(grantee, self._endpoint_arn)

    def metric_failed(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Counts releases that failed (sum over 5 minutes).

        Args:
            options: those of the CDK's metrics.
        """
        return self._state_machine.metric_failed(**given_options(options))

    def metric_succeeded(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Counts releases that ended in service (sum over 5 minutes).

        Args:
            options: those of the CDK's metrics.
        """
        return self._state_machine.metric_succeeded(**given_options(options))

    def _start_by(
        self,
        started_by: str,
        id: str,
        *,
        schedule: events.Schedule | None = None,
        event_pattern: events.EventPattern | None = None,
    ) -> None:
        target = start_target(
            self,
            f"{id}Role",
            self._state_machine,
            given=events.RuleTargetInput.from_object({"started_by": started_by}),
            undelivered=self._rollback.undelivered_events,
        )
        rule = events.Rule(
            self,
            id,
            description=f"Releases to {self._endpoint_name} by {started_by}",
            schedule=schedule,
            event_pattern=event_pattern,
            targets=[target],
        )
        rule.node.add_dependency(self._end)

    def _starter_function(self, reviews: dynamodb.ITable) -> lambda_.Function:
        if self._starter is None:
            self._starter = self._made_starter(reviews)
        return self._starter

    def _made_starter(self, reviews: dynamodb.ITable) -> lambda_.Function:
        starter = PackagedFunction(
            self,
            "Starter",
            name="release_starter",
            description=f"Starts a release to {self._endpoint_name} once there are enough new labels",
            timeout=Duration.minutes(1),
            log_encryption_key=self._encryption_key,
            dead_letter_queue=self._rollback.undelivered_events,
            environment={
                "ENDPOINT_NAME": self._endpoint_name,
                "RELEASES_TABLE": self._records.table.table_name,
                "RELEASE_WORKFLOW": self._state_machine.state_machine_arn,
                "REVIEW_TABLE": reviews.table_name,
            },
        )
        allow(starter.role, ["dynamodb:GetItem", "dynamodb:Query"], self._records.table.table_arn)
        # Reviewers' counters alone; no post.
        allow(
            starter.role,
            ["dynamodb:Query"],
            reviews.table_arn,
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["day#*"]}},
        )
        keys = [self._encryption_key, *([reviews.encryption_key] if reviews.encryption_key else [])]
        allow(
            starter.role,
            ["kms:Decrypt", "kms:DescribeKey"],
            *(key.key_arn for key in keys),
            conditions=through_dynamodb(self),
        )
        for key in keys:
            open_to_account(key, key.key_arn, starter.role, ["kms:Decrypt", "kms:DescribeKey"], "*")
        allow(starter.role, ["states:StartExecution"], self._state_machine.state_machine_arn)
        for workflow in ("release", "rollback"):
            allow(
                starter.role,
                ["states:DescribeExecution"],
                self._execution_arn(f"{self._endpoint_name}-{workflow}:*"),
                wildcard_reason=_EXECUTIONS_OF_LATER,
            )
        return starter.function

    def _start_by_labels(self, reviews: dynamodb.ITable, new_labels: int) -> None:
        starter = self._starter_function(reviews)
        starter.add_environment("NEW_LABELS", Tokenization.stringify_number(new_labels))
        rule = events.Rule(
            self,
            "NewLabels",
            description=f"Looks whether there are enough new labels for a release to {self._endpoint_name}",
            schedule=events.Schedule.rate(Duration.hours(1)),
            targets=[
                targets.LambdaFunction(
                    starter,
                    dead_letter_queue=self._rollback.undelivered_events,
                    max_event_age=Duration.hours(1),
                )
            ],
        )
        rule.node.add_dependency(self._end)

    def _execution_arn(self, execution: str) -> str:
        return Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=execution,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _sagemaker_arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=resource, resource_name=name)

    def _job_role(self, id: str, jobs: str, job: TrainingJob | ProcessingJob) -> iam.Role:
        return job_role(
            self, id, endpoint_name=self._endpoint_name, jobs=jobs, vpc=job.vpc, volume_key=self._encryption_key
        )

    def _grant_data(self, data_bucket: s3.IBucket, training: TrainingJob | None, *, scores: bool) -> None:
        files = self._records.files.role
        if self._training_role is not None and training is not None:
            channels = [f"{channel.prefix}*" for channel in training.channels]
            _allow_reading(self._training_role, data_bucket, "runs/*", *channels)
            # Nowhere that a model is served from. A role cannot name the run of the job that has it: the job's request
            # does, and the program of an isolated job has no credentials.
            _allow_writing(
                self._training_role, data_bucket, _TRAINED, *([_CHECKPOINTS] if training.checkpoints else [])
            )
            _allow_reading(files, data_bucket, _TRAINED)
            if channels:
                _allow_listing(files, data_bucket, *channels)
            if training.checkpoints:
                # What the program takes away on the machine goes from the copy too.
                allow(
                    self._training_role,
                    ["s3:DeleteObject"],
                    data_bucket.arn_for_objects(_CHECKPOINTS),
                    wildcard_reason=_OBJECTS_OF_LATER,
                )
            _allow_bucket_key(self._training_role, data_bucket, "kms:Encrypt")
        if self._processing_role is not None:
            _allow_reading(self._processing_role, data_bucket, "runs/*")
            _allow_writing(self._processing_role, data_bucket, "runs/*/preprocessed/*")
            _allow_bucket_key(self._processing_role, data_bucket, "kms:Encrypt")
        # Tags are replaced by none, as it would take further permissions to copy them. More than 5 GiB go in parts.
        allow(
            files,
            ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"],
            data_bucket.arn_for_objects("models/*"),
            wildcard_reason=_OBJECTS_OF_LATER,
        )
        _allow_reading(self._endpoint_role, data_bucket, "models/*", *(["runs/*/texts/*"] if scores else []))
        if scores:
            # A transform job acts as the role of the model that it asks.
            _allow_writing(self._endpoint_role, data_bucket, "runs/*/current/*")
            allow_logs(self._endpoint_role, "TransformJobs", f"{self._endpoint_name}-*")
        _allow_bucket_key(self._endpoint_role, data_bucket, *(["kms:Encrypt"] if scores else []))
        # Which prefixes, each role's own policy says.
        open_to_account(
            data_bucket, data_bucket.bucket_arn, self._endpoint_role, _OF_OBJECTS, data_bucket.arn_for_objects("*")
        )
        open_to_account(data_bucket, data_bucket.bucket_arn, self._endpoint_role, _OF_BUCKET, data_bucket.bucket_arn)

    def _extract_step(self, *read: str, removal_policy: RemovalPolicy) -> FunctionStep:
        secret = draw_secret(
            self,
            "SideSecret",
            description=f"Draws which posts {self._endpoint_name} is tested with",
            encryption_key=self._encryption_key,
            removal_policy=removal_policy,
        )
        extractor = PackagedFunction(
            self,
            "Extractor",
            name="training_data_extractor",
            description=f"Makes the training data of {self._endpoint_name} out of labelled posts",
            timeout=Duration.minutes(15),
            log_encryption_key=self._encryption_key,
            memory_mib=1024,
            ephemeral_storage_mib=4096,
            environment={"SIDE_SECRET_ARN": secret.secret_arn},
        )
        role, bucket = extractor.role, self._data_bucket
        allow(role, ["secretsmanager:GetSecretValue"], secret.secret_arn)
        allow_key(role, self._encryption_key, ["kms:Decrypt"], conditions=through_secrets_manager(self))
        allow(
            role,
            ["s3:GetObject"],
            *(bucket.arn_for_objects(objects) for objects in read),
            wildcard_reason="Which objects hold posts is for the user to say.",
        )
        allow(role, ["s3:GetObject"], bucket.arn_for_objects(_SIDES), wildcard_reason=_OBJECTS_OF_LATER)
        _allow_listing(role, bucket, *read, _SIDES)
        allow(
            role,
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            bucket.arn_for_objects("runs/*"),
            wildcard_reason=_OBJECTS_OF_LATER,
        )
        allow(role, ["s3:PutObject"], bucket.arn_for_objects(_SIDES), wildcard_reason=_OBJECTS_OF_LATER)
        _allow_bucket_key(role, bucket)
        return FunctionStep(function=extractor.function)

    def _evaluate_step(self) -> FunctionStep:
        evaluator = PackagedFunction(
            self,
            "Evaluator",
            name="model_evaluator",
            description=f"Reads the metrics of a new model of {self._endpoint_name}, and measures the current one",
            timeout=Duration.minutes(5),
            log_encryption_key=self._encryption_key,
        )
        # A model that was trained elsewhere is given below models/, with its output beside it.
        _allow_reading(evaluator.role, self._data_bucket, *([] if self._training_role else ["models/*"]), "runs/*")
        _allow_bucket_key(evaluator.role, self._data_bucket)
        return FunctionStep(function=evaluator.function)

    def _check_step(self) -> FunctionStep:
        checker = PackagedFunction(
            self,
            "Checker",
            name="endpoint_checker",
            description=f"Checks the answers of {self._endpoint_name} to held-out posts",
            timeout=Duration.minutes(5),
            log_encryption_key=self._encryption_key,
        )
        _allow_reading(checker.role, self._data_bucket, "models/*", "runs/*")
        _allow_bucket_key(checker.role, self._data_bucket)
        self.grant_invoke(checker.role)
        return FunctionStep(function=checker.function)

    def _grant_workflow(self, functions: list[str], *, scores: bool) -> None:
        role, releases = self._role, f"{self._endpoint_name}-*"
        for function in (self._records.ledger, self._records.cleaner, self._records.files):
            allow(role, ["lambda:InvokeFunction"], function.function.function_arn)
        for function_arn in functions:
            allow(role, ["lambda:InvokeFunction"], function_arn)
        jobs = {"Training": self._training_role, "Processing": self._processing_role}
        for job in [
            *(job for job, passed in jobs.items() if passed is not None),
            *(["Transform"] if scores else []),
        ]:
            allow(
                role,
                [
                    "sagemaker:AddTags",
                    f"sagemaker:Create{job}Job",
                    f"sagemaker:Describe{job}Job",
                    "sagemaker:ListTags",
                    f"sagemaker:Stop{job}Job",
                ],
                self._sagemaker_arn(f"{job.lower()}-job", releases),
                wildcard_reason=_NAMED_BY_EXECUTION,
            )
            allow_waiting(role, f"StepFunctionsGetEventsForSageMaker{job}JobsRule")
        allow(
            role, ["sagemaker:CreateModel"], self._sagemaker_arn("model", releases), wildcard_reason=_NAMED_BY_EXECUTION
        )
        allow(
            role,
            ["sagemaker:CreateEndpointConfig"],
            self._sagemaker_arn("endpoint-config", releases),
            wildcard_reason=_NAMED_BY_EXECUTION,
        )
        allow_endpoint_updates(role, self._endpoint_name, volume_key=self._encryption_key)
        allow(
            role,
            ["iam:PassRole"],
            *(passed.role_arn for passed in (self._endpoint_role, *jobs.values()) if passed is not None),
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
        allow(role, ["states:StartExecution"], self._rollback.state_machine.state_machine_arn)
        allow(
            role,
            ["states:DescribeExecution", "states:StopExecution"],
            self._execution_arn(f"{self._endpoint_name}-rollback:*"),
            wildcard_reason=_EXECUTIONS_OF_LATER,
        )
        allow_waiting(role, "StepFunctionsGetEventsForStepFunctionsExecutionRule")


def _in_service_within(traffic_shifting: TrafficShifting) -> Duration:
    waits = traffic_shifting.waits
    if waits is None:
        raise refusal(
            "in_service_within",
            None,
            "a Duration beside a traffic_shifting whose waits are known at deployment only",
            "give the longest that an update may take",
        )
    return Duration.minutes(45).plus(waits)


def _allow_reading(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    objects = [bucket.arn_for_objects(prefix) for prefix in prefixes]
    allow(role, ["s3:GetObject"], *objects, wildcard_reason=_OBJECTS_OF_LATER)
    # Without it S3 says that access is denied where an object is not there.
    _allow_listing(role, bucket, *prefixes)


def _allow_writing(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    objects = [bucket.arn_for_objects(prefix) for prefix in prefixes]
    allow(role, ["s3:PutObject"], *objects, wildcard_reason=_OBJECTS_OF_LATER)


def _allow_listing(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    allow(role, ["s3:ListBucket"], bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": list(prefixes)}})


def _allow_bucket_key(role: iam.Role, bucket: s3.IBucket, *further: str) -> None:
    if bucket.encryption_key is not None:
        allow_key(role, bucket.encryption_key, ["kms:Decrypt", "kms:GenerateDataKey", *further])
