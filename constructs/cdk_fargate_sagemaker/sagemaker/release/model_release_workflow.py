"""The workflow that releases a model to an endpoint."""

from collections.abc import Mapping, Sequence
from typing import Unpack

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._checks import refusal
from ..._interfaces import AnyKey, AnyTopic, checked_grantee
from ..._metric_options import MetricOptions, given_options
from ..._readable_help import CallSignature
from ..configuration._endpoint_requests import longest_waits
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..endpoint._endpoint_name import claim_endpoint_name
from ..endpoint._endpoint_role import endpoint_role
from ..endpoint._imported_endpoint import invoke_grant
from ..endpoint._rollback_alarms import HasGuardrail, RollbackAlarms
from ..endpoint.endpoint_metrics import EndpointMetrics
from ..machines.model_image import ModelImage
from ..rollback.rollback_workflow import POLL_INTERVAL, RollbackWorkflow
from ..sources.labelled_data import LabelledData
from ..stages.endpoint_check import EndpointCheck
from ..stages.model_evaluation import ModelEvaluation
from ..stages.processing_job import PROCESSING_ROLE
from ..stages.release_binding import ReleaseBinding
from ..stages.release_stage import ReleaseStage
from ..stages.training_job import TRAINING_ROLE
from ..workflow._later_names import sagemaker_arn
from ..workflow._task_states import TaskStates
from ..workflow._workflow_machine import workflow_logs, workflow_machine, workflow_role
from ..workflow.release_records import ReleaseRecords
from ._data_grants import grant_data
from ._endpoint_end import EndpointEnd
from ._release_arguments import check_release_arguments, check_starts, checked_stages, reviews_of
from ._release_definition import (
    RELEASE_FAILED,
    RELEASE_IN_PROGRESS,
    ReleaseDefinition,
    ReleasePlan,
)
from ._release_starts import ReleaseStarts
from ._served_model import ServedModel

# Time for functions, queues and retries, in addition to the jobs' own limits and the wait for the endpoint.
_REST = Duration.hours(2)


class ModelReleaseWorkflow(Construct):
    """Releases a model trained on labelled posts to one stable endpoint, or reports why it did not.

    A Step Functions state machine extracts the posts, trains, evaluates the new model and the current one on the same
    held-out posts, copies the model's archive to a place that no job may write to, creates the model and the endpoint
    configuration (both named after the execution), creates the endpoint the first time and updates it afterwards, waits
    until it serves the new configuration, checks it with real invocations, records the release and deletes what older
    ones left.

    If a release fails or is stopped, the state machine `rollback` puts the endpoint back to the release before, deletes
    what the failed release left behind, and `alerts_topic` is notified once. A person can start `rollback` too. A
    second release at the same time is refused: it ends in `Refused` with the error `ReleaseInProgressError`.

    An execution's input is `{}`; the text `started_by` in it is recorded with the release. A person, `schedule`, new
    data or new labels start a release. A second execution is refused; data that arrive meanwhile go into the next
    release.

    Each stage is an object with its own states, permissions, role, time limit and image: one of the library's, a
    `FunctionStep`, or a `ReleaseStage` of the team's own. None leaves a stage out. Then the execution's input must
    contain its result: without `source` the posts, below `runs/`, as `{"posts": {"train": {"uri": "s3://…/"}, "test":
    {"uri": "s3://…/"}}}`; without `train` the model, below `models/`, as `{"model_data": "s3://…/model.tar.gz"}`.

    Owners of imported resources may have to allow this app's access: CloudWatch Logs and EventBridge use
    `encryption_key` and `alerts_topic`, and a bucket, its key or images of another account need it too. The app warns
    with each statement to add.

    Args:
        endpoint_name: the name of the endpoint, which clients invoke and which stays from release to release:
            lower-case letters, digits and inner hyphens, at most 40 characters. Jobs, models, endpoint configurations
            and both state machines are named after it. No other construct of the app may release to the same name in
            the same account and region. Another name is another endpoint; the one with the former name stays.
        inference_image: serves the model: port 8080, `GET /ping`, `POST /invocations`.
        data_bucket: has the posts, and what the workflow writes below `runs/` and `models/`. Jobs encrypt their output
            with the bucket's key if it has one. If two workflows share it, their executions must have different names:
            files are below `runs/<execution>/`.
        alerts_topic: is notified of each release that failed.
        source: where labelled posts come from: `LabelledData`, an `AthenaUnload` or a `DynamoDbExport`. Default: the
            posts below `posts/` of the bucket.
        preprocess: what happens to the posts before training: a stage, or several in their order. Default: nothing.
        train: how the model is trained, as `TrainingJob(image=…)`.
        evaluate: how the new model is evaluated. Default: `ModelEvaluation()`. None: no evaluation.
        check: how the endpoint is checked before the release counts as good: a stage, or several in their order.
            Default: `EndpointCheck()`.
        keep_releases: how many good releases stay for rollbacks, at least 2. Models and configurations of older ones
            are deleted, never one in use; so are the files of older and of failed ones below `runs/` and `models/`.
            Default: 5.
        schedule: starts releases. Default: none.
        start_on_new_data: starts a release for each object that is put below the prefix of `LabelledData`. A
            `data_bucket` of another app must send its events to EventBridge; for one of this app that is switched on.
            Default: it starts none.
        start_on_new_labels: starts a release, within an hour, once reviewers have given this many labels since the
            release that serves; after a failed release, once as many more have come. It needs a source with `reviews`.
            Default: none.
        configuration: what the endpoint runs. Default: one `ml.m5.large`.
        traffic_shifting: how traffic shifts from the model that serves. Default: all at once, and the old instances
            stay for 10 minutes.
        inference_environment: variables of the serving container, which gets `MODEL_NAME` too. Default: none.
        encryption_key: encrypts the volumes of jobs and endpoint, the records, the logs and the secret for the random
            choice of test posts. Default: a new key.
        poll_interval: how often the workflow checks whether the endpoint serves the new model, 1 second to 4 minutes.
            Each check writes a heartbeat, which silences the endpoint's alarms for five minutes. Default: 30 seconds.
        in_service_within: time limit for the endpoint to serve the new release; after it the release fails. Default: 45
            minutes and what `traffic_shifting` waits at most.
        log_retention: how long the logs of both state machines are kept. Default: one year.
        removal_policy: what happens to endpoint, configurations, models, records, secret and key when the stack is
            deleted. With DESTROY they are deleted. With any other policy they are kept, and `alerts_topic` gets an
            alert that lists them and their cost. Default: they are kept.

    Raises:
        InvalidArgumentError: an invalid argument, parts that exclude each other, a time that is known at
            deployment only, or a topic of another region.

    Example:
        ```python
        release = ModelReleaseWorkflow(
            self,
            "SpamRelease",
            endpoint_name="spam-filter",
            inference_image=model_image,
            data_bucket=bucket,
            alerts_topic=topic,
            source=LabelledData("labelled/"),
            train=TrainingJob(
                image=ModelImage.from_ecr_repository(
                    ecr.Repository.from_repository_name(self, "Training", "spam-training"), "1.4.2"
                )
            ),
            evaluate=ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0.85}, may_worsen={"auc": 0.005})),
            schedule=events.Schedule.rate(cdk.Duration.days(7)),
        )
        release.roll_back_on(EndpointAlarms(self, "SpamAlarms", endpoint=release, alerts_topic=topic))
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        inference_image: ModelImage,
        data_bucket: s3.IBucket,
        alerts_topic: AnyTopic,
        source: ReleaseStage | None = LabelledData(),  # noqa: B008  # a value
        preprocess: ReleaseStage | Sequence[ReleaseStage] | None = None,
        train: ReleaseStage | None,
        evaluate: ReleaseStage | None = ModelEvaluation(),  # noqa: B008  # a value
        check: ReleaseStage | Sequence[ReleaseStage] | None = EndpointCheck(),  # noqa: B008  # a value
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
            data_bucket=data_bucket,
            alerts_topic=alerts_topic,
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
        stages = checked_stages(source=source, preprocess=preprocess, train=train, evaluate=evaluate, check=check)
        check_starts(
            stages,
            schedule=schedule,
            start_on_new_data=start_on_new_data,
            start_on_new_labels=start_on_new_labels,
        )
        claim_endpoint_name(self, endpoint_name)
        configuration = configuration or EndpointConfiguration()
        traffic_shifting = traffic_shifting or TrafficShifting.all_at_once()
        poll_interval = poll_interval or POLL_INTERVAL
        in_service_within = in_service_within or _in_service_within(traffic_shifting, configuration)

        self._endpoint_name = endpoint_name
        self._endpoint_arn = sagemaker_arn(self, "endpoint", endpoint_name)
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
            # The rollback waits for an update in progress, and then makes one more.
            settled_within=in_service_within.plus(in_service_within),
            log_retention=log_retention,
        )
        # The id dates from when it was also the role of the jobs. Another id would create another role, but models that
        # a rollback may need keep the role that they were created with.
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
        self._role = workflow_role(self, f"The release workflow of {endpoint_name}")
        self._log_group = workflow_logs(self, self._encryption_key, log_retention)
        tasks = TaskStates(self, self._role)
        self._binding = ReleaseBinding(
            self,
            tasks=tasks,
            records=self._records,
            endpoint_name=endpoint_name,
            endpoint_role=self._endpoint_role,
            configuration=configuration,
            inference_environment=dict(inference_environment or {}),
            data_bucket=data_bucket,
            encryption_key=self._encryption_key,
            removal_policy=removal_policy,
            trains=train is not None,
        )
        definition = ReleaseDefinition(
            self,
            tasks,
            ReleasePlan(
                endpoint_name=endpoint_name,
                stages=stages,
                served=ServedModel(
                    endpoint_name=endpoint_name,
                    image_uri=inference_image.bind(self, "InferenceImage", puller=self._endpoint_role),
                    environment=dict(inference_environment or {}),
                    endpoint_role=self._endpoint_role,
                    configuration=configuration,
                    traffic_shifting=traffic_shifting,
                    rollback_alarms=self._rollback_alarms,
                    volume_key=self._encryption_key,
                    records=self._records,
                    poll_interval=poll_interval,
                    in_service_within=in_service_within,
                ),
                records=self._records,
                rollback=self._rollback,
                alerts_topic=alerts_topic,
                keep_releases=keep_releases,
            ),
        ).linked(self._binding)
        grant_data(self._binding, files=self._records.files.role)
        timeout = in_service_within.plus(self._rollback.timeout).plus(_REST)
        for longest in self._binding.longest:
            timeout = timeout.plus(longest)
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
        # When the stack is deleted, executions are stopped: no rule may then start another one or report the stop.
        for rule in (self._stopped_rule, self._rollback.unfinished_rule):
            rule.node.add_dependency(self._end)
        self._starts = ReleaseStarts(
            self,
            endpoint_name=endpoint_name,
            state_machine=self._state_machine,
            records=self._records,
            reviews=reviews_of(source),
            encryption_key=self._encryption_key,
            undelivered=self._rollback.undelivered_events,
            end=self._end,
        )
        if schedule is not None:
            self._starts.on_schedule(schedule)
        if start_on_new_data and isinstance(source, LabelledData):
            self._starts.on_new_data(data_bucket, source.prefix)
        if start_on_new_labels is not None:
            self._starts.on_new_labels(start_on_new_labels)

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
        """The workflow that rolls the endpoint back."""
        return self._rollback

    @property
    def endpoint_role(self) -> iam.Role:
        """The role of the serving containers."""
        return self._endpoint_role

    @property
    def training_role(self) -> iam.Role | None:
        """The role of training jobs; None without training."""
        return self._binding.find_job_role(TRAINING_ROLE)

    @property
    def processing_role(self) -> iam.Role | None:
        """The role of processing jobs; None without a `ProcessingJob`."""
        return self._binding.find_job_role(PROCESSING_ROLE)

    @property
    def role(self) -> iam.Role:
        """The role of the state machine."""
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
        """The rule that rolls back executions that were stopped or timed out."""
        return self._stopped_rule

    @property
    def metrics(self) -> EndpointMetrics:
        """The metrics of the endpoint."""
        return self._metrics

    def roll_back_on(self, alarms: Sequence[cloudwatch.IAlarm] | HasGuardrail) -> None:
        """Lets each of `alarms` roll an update back, in addition to the `rollback_alarms` of `traffic_shifting`.

        Call it after you created the alarms from this workflow: they are read at synthesis.

        Args:
            alarms: `EndpointAlarms`, whose `guardrail_alarms` are taken, or a list of alarms. Alarms that were added
                before are skipped.

        Raises:
            InvalidArgumentError: something else, or more than ten alarms in all.
        """
        self._rollback_alarms.add(alarms)

    def start_on(self, alarm: cloudwatch.IAlarm) -> None:
        """Starts a release when `alarm` fires, as one on a worse model (`ReviewAlarms`).

        It needs at least one new label since the release that serves: the same posts would give the same model. No
        release starts while a workflow changes the endpoint. Each time the alarm fires, at most one release starts, and
        the gate judges it as any other.

        Args:
            alarm: an alarm that an app of this account and region creates. The rule that reacts to it is created beside
                it.

        Raises:
            InvalidArgumentError: a value that is not an alarm, or a workflow whose source has no `reviews`.
        """
        self._starts.on_alarm(alarm)

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` start a release.

        Args:
            grantee: who is allowed.
        """
        return self._state_machine.grant_start_execution(checked_grantee(grantee))

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` invoke this endpoint, and no other.

        Args:
            grantee: who is allowed.
        """
        return invoke_grant(grantee, self._endpoint_arn)

    def metric_failed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Counts releases that failed (sum over 5 minutes).

        Args:
            options: those of the CDK's metrics.
        """
        return self._state_machine.metric_failed(**given_options(options))

    def metric_succeeded(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Counts releases that ended in service (sum over 5 minutes).

        Args:
            options: those of the CDK's metrics.
        """
        return self._state_machine.metric_succeeded(**given_options(options))


def _in_service_within(traffic_shifting: TrafficShifting, configuration: EndpointConfiguration) -> Duration:
    waits = longest_waits(traffic_shifting, configuration)
    if waits is None:
        raise refusal(
            "in_service_within",
            None,
            "a Duration beside a traffic_shifting whose waits are known at deployment only",
            "give the longest that an update may take",
        )
    return Duration.minutes(45).plus(waits)
