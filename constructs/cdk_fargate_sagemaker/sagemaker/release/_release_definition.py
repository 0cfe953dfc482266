import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aws_cdk import Duration, Tokenization
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._number_token import is_token
from ..configuration._endpoint_requests import (
    deployment_request,
    endpoint_config_request,
    model_network_request,
    retention_request,
)
from ..configuration._serving_machines import serving_machines
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..endpoint._endpoint_name import LONGEST_NAME
from ..endpoint._rollback_alarms import RollbackAlarms
from ..rollback._rollback_definition import SERVING_AGAIN
from ..sources._source_states import REVIEWS_FOLDER, PostsSource, reviews_states, source_payload, source_states
from ..sources.dynamodb_export import DynamoDbExport
from ..sources.review_limits import ReviewLimits
from ..stages._job_requests import processing_job_request, training_job_request, transform_job_request
from ..stages.evaluation_gate import EvaluationGate
from ..stages.function_step import FunctionStep
from ..stages.processing_job import ProcessingJob
from ..stages.training_job import TrainingJob
from ..stages.transform_job import TransformJob
from ..workflow._alert_message import failure_alert
from ..workflow._archive_check import archive_checked
from ..workflow._scaling_states import scaling_lifted, scaling_registered
from ..workflow._task_states import ERROR_OUTPUT, TaskStates, assigned_failure
from ..workflow._update_mark import update_marked

RELEASE_FAILED = "ReleaseFailed"
RELEASE_IN_PROGRESS = "ReleaseInProgressError"

# The execution's name is part of the resources' names, which SageMaker limits to LONGEST_NAME characters of
# [a-zA-Z0-9-]. A name that does not fit as it is keeps its beginning and gets a hash, so that two executions never
# share one.
_HASH_CHARACTERS = 8

_RUN_PREFIX = "'runs/' & $states.context.Execution.Name & '/'"
TRAINED_FOLDER = "trained/"
"""Where a training job's output is put, below its run: it may write nowhere that a model is served from."""
_CURRENT = "$type($current) = 'object'"
_CONFIDENCE = "$string($round(100 * $comparison.confidence))"
_SURE = f"' with ' & {_CONFIDENCE} & ' % confidence, on ' & $string($comparison.violations) & ' held-out violations)'"
# A job waits for its machines before it runs, and for its files to be written afterwards.
AROUND_A_JOB = Duration.hours(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """Everything the release's states name: functions, images, roles, settings. A step that is None is left out."""

    endpoint_name: str
    data_bucket_name: str
    alerts_topic_arn: str
    ledger_arn: str
    cleaner_arn: str
    files_arn: str
    rollback_arn: str
    rollback_within: Duration
    extract: FunctionStep | None
    source: PostsSource | None
    posts_prefix: str
    reviews: DynamoDbExport | None
    review_limits: ReviewLimits
    preprocess: ProcessingJob | FunctionStep | None
    train: TrainingJob | None
    evaluate: FunctionStep | None
    gate: EvaluationGate
    score_current: TransformJob | None
    check: FunctionStep | None
    training_image_uri: str | None
    inference_image_uri: str
    processing_image_uri: str | None
    inference_environment: Mapping[str, str]
    training_role_arn: str | None
    processing_role_arn: str | None
    endpoint_role_arn: str
    volume_key_id: str
    output_key_id: str | None
    configuration: EndpointConfiguration
    traffic_shifting: TrafficShifting
    rollback_alarms: RollbackAlarms
    keep_releases: int
    poll_interval: Duration
    in_service_within: Duration


def release_definition(scope: Construct, plan: ReleasePlan) -> sfn.IChainable:
    """The states from `Input` to `Released`, each failure of which goes through `Roll-Back` to `Failed`.

    Variables: `release` is the name of the jobs, the model and the endpoint configuration, `started_by` who or what
    started it; `current` the release that serves, or null; `posts`, `model_data`, `metrics` and `current_metrics` are
    what came out of extraction (and preprocessing), training and evaluation; after the gate `model_data` is the copy of
    the archive that is kept, and `archive_sha256` its hash; `held_out` is where the posts to test with lie as they were
    extracted; `current_scores` what the current model made of them, or null. `endpoint` is the last
    description, `polls` how often it was described; `failure` says what failed: `state`, `error`, `cause`.
    """
    return _Release(scope, plan).linked()


class _Release:
    def __init__(self, scope: Construct, plan: ReleasePlan) -> None:
        self._scope = scope
        self._plan = plan
        self._tasks = TaskStates(scope)
        self._notify = self._notify_slack_failure()
        self._roll_back = self._make_roll_back()
        self._tasks.fail_to(self._roll_back)

    def linked(self) -> sfn.IChainable:
        check = self._check_to_released()
        describing = self._endpoint_describing(self._served(check))
        configuring = self._endpoint_configuration()
        checking = archive_checked(
            self._tasks,
            self._plan.files_arn,
            release="$release",
            model_data="$model_data",
            sha256="$archive_sha256",
        )
        configuring.next(checking)
        checking.next(describing)
        model = self._model()
        model.next(configuring)
        copying = self._archive_copied()
        copying.next(model)
        begin = self._begin()
        begin.next(self._begun(self._judged(copying)))
        return self._input(begin)

    # ---- before the endpoint is touched ----------------------------------------------------------------------------

    def _input(self, begin: sfn.CustomState) -> sfn.Choice:
        """Refuses an input of the wrong shape before anything is begun, so there is nothing to roll back."""
        hashed = f"$substring($hash($states.context.Execution.Name, 'SHA-256'), 0, {_HASH_CHARACTERS})"
        kept = LONGEST_NAME - _HASH_CHARACTERS - 1
        given = sfn.Choice.jsonata(self._scope, "Input")
        for refused, cause in self._refused_inputs():
            given.when(
                sfn.Condition.jsonata(f"{{% {refused} %}}"),
                self._notify,
                assign=assigned_failure("Input", "InvalidInput", cause),
            )
        assign: dict[str, object] = {
            "release": (
                f"{{% ($wanted := '{self._plan.endpoint_name}-' & $states.context.Execution.Name; "
                f"$contains($wanted, /^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/) and $length($wanted) <= {LONGEST_NAME} "
                f"? $wanted : $substring($replace($wanted, /[^a-zA-Z0-9]+/, '-'), 0, {kept}) & '-' & {hashed}) %}}"
            ),
            "started_by": "{% $exists($states.input.started_by) ? $states.input.started_by : 'hand' %}",
            # Not None, which jsii leaves out.
            "metrics": {},
            "current_metrics": "{% null %}",
            "current_scores": "{% null %}",
            "comparison": {},
            "validation": {},
        }
        if self._plan.extract is None:
            assign["posts"] = "{% $exists($states.input.posts) ? $states.input.posts : {} %}"
            assign["held_out"] = "{% $exists($states.input.posts) ? $states.input.posts.test.uri : '' %}"
        if self._plan.train is None:
            assign["model_data"] = "{% $states.input.model_data %}"
        # A rule that always holds, not the default: only a rule can assign.
        given.when(sfn.Condition.jsonata("{% true %}"), begin, assign=assign)
        return given

    def _refused_inputs(self) -> Iterator[tuple[str, str]]:
        yield (
            "$type($states.input) != 'object'",
            "'the input is of the type ' & $type($states.input) & ': it is an object, such as {}'",
        )
        yield (
            "$exists($states.input.started_by) and $type($states.input.started_by) != 'string'",
            "'started_by is of the type ' & $type($states.input.started_by) & ': it is a text that says who or what'",
        )
        wanted = []
        if self._plan.extract is None and self._needs_posts:
            wanted += [("posts.train.uri", "s3://…/"), ("posts.test.uri", "s3://…/")]
        if self._plan.train is None:
            wanted.append(("model_data", "s3://…/model.tar.gz"))
        for path, shape in wanted:
            got = f"$states.input.{path}"
            ending = shape.removeprefix("s3://…")
            yield (
                f"$not($type({got}) = 'string') ? true : "
                f"$substring({got}, 0, 5) != 's3://' or $substring({got}, -{len(ending)}) != '{ending}'",
                f"'{path} is ' & ($type({got}) = 'string' ? {got} : 'missing') & ': this workflow needs it as {shape}'",
            )

    @property
    def _needs_posts(self) -> bool:
        plan = self._plan
        return any(step is not None for step in (plan.preprocess, plan.train, plan.evaluate, plan.check))

    def _begin(self) -> sfn.CustomState:
        begin = self._tasks.uncaught_function(
            "Begin",
            self._plan.ledger_arn,
            {
                "operation": "begin_release",
                "release": "{% $release %}",
                "execution": "{% $states.context.Execution.Id %}",
                "started_by": "{% $started_by %}",
            },
            assign={"current": "{% $states.result.Payload.current %}"},
            repeatable=True,
        )
        # Whoever holds the endpoint goes on undisturbed, and there is nothing to tell but to who started this one.
        begin.add_catch(
            sfn.Fail.jsonata(self._scope, "Refused", error=RELEASE_IN_PROGRESS, cause="{% $refusal.cause %}"),
            errors=[RELEASE_IN_PROGRESS],
            assign={"refusal": ERROR_OUTPUT},
        )
        self._tasks.catch("Begin", begin)
        return begin

    def _begun(self, then: sfn.IChainable) -> sfn.IChainable:
        """Looks first for what a training needs beside its posts: without it every step before would be in vain."""
        training = self._plan.train
        if training is None or not training.channels:
            return then
        finding = self._tasks.function(
            "Inputs-Finding-Step",
            self._plan.files_arn,
            {
                "operation": "find",
                "inputs": [
                    {"uri": uri, "remedy": channel.remedy}
                    for channel, uri in zip(training.channels, self._further_channels().values(), strict=True)
                ],
            },
            repeatable=True,
        )
        finding.next(then)
        return finding

    def _further_channels(self) -> dict[str, str]:
        training, bucket = self._plan.train, self._plan.data_bucket_name
        return {channel.name: f"s3://{bucket}/{channel.prefix}" for channel in (training.channels if training else ())}

    def _judged(self, then: sfn.IChainable) -> sfn.IChainable:
        """The states from extraction to the gate, of which any may have been left out, and `then` after them."""
        plan = self._plan
        if plan.evaluate is not None:
            gate = self._evaluation_gate()
            gate.otherwise(then)
            evaluate = self._evaluate(plan.evaluate)
            evaluate.next(gate)
            then = evaluate
            if plan.score_current is not None:
                then = self._scored(plan.score_current, evaluate)
        steps = [
            self._train(plan.train) if plan.train else None,
            self._preprocess(plan.preprocess) if plan.preprocess else None,
            self._extract(plan.extract) if plan.extract else None,
        ]
        for step in steps:
            if step is not None:
                step.next(then)
                then = step
        if plan.reviews is not None:
            then = reviews_states(
                self._scope,
                self._tasks,
                plan.reviews,
                bucket_name=plan.data_bucket_name,
                run_prefix=_RUN_PREFIX,
                output_key_id=plan.output_key_id,
                failed=self._roll_back,
                then=then,
            )
        if plan.source is not None:
            then = source_states(
                self._scope,
                self._tasks,
                plan.source,
                bucket_name=plan.data_bucket_name,
                run_prefix=_RUN_PREFIX,
                output_key_id=plan.output_key_id,
                failed=self._roll_back,
                then=then,
            )
        return then

    def _extract(self, step: FunctionStep) -> sfn.CustomState:
        return self._tasks.function(
            "Extract",
            step.function.function_arn,
            _given(step)
            or {
                "bucket": self._plan.data_bucket_name,
                "run_prefix": f"{{% {_RUN_PREFIX} %}}",
                **source_payload(self._plan.source, posts_prefix=self._plan.posts_prefix, run_prefix=_RUN_PREFIX),
                # Null where no release serves; 0 where one does that wrote no side down.
                "known_sides": (f"{{% {_CURRENT} ? ($type($current.sides) = 'number' ? $current.sides : 0) : null %}}"),
                **self._reviews_payload(),
            },
            assign={
                "posts": "{% $states.result.Payload %}",
                "held_out": "{% $states.result.Payload.test.uri %}",
            },
        )

    def _reviews_payload(self) -> dict[str, object]:
        if self._plan.reviews is None:
            return {}
        since = f"{_CURRENT} and $exists($current.labels_as_of) ? $current.labels_as_of : null"
        return {
            "reviews": {
                "prefix": f"{{% {_RUN_PREFIX} & '{REVIEWS_FOLDER}' %}}",
                "since": f"{{% {since} %}}",
                "limits": dataclasses.asdict(self._plan.review_limits),
            }
        }

    def _preprocess(self, step: ProcessingJob | FunctionStep) -> sfn.CustomState:
        moved = (
            "{{% $merge([$posts, {{'train': $merge([$posts.train, {{'uri': {train}}}]), "
            "'test': $merge([$posts.test, {{'uri': {test}}}])}}]) %}}"
        )
        if isinstance(step, FunctionStep):
            result = "$states.result.Payload"
            return self._tasks.function(
                "Preprocess",
                step.function.function_arn,
                _given(step)
                or {
                    "posts": "{% $posts %}",
                    "bucket": self._plan.data_bucket_name,
                    "run_prefix": f"{{% {_RUN_PREFIX} %}}",
                },
                assign={"posts": moved.format(train=f"{result}.train.uri", test=f"{result}.test.uri")},
            )
        image_uri, role_arn = self._plan.processing_image_uri, self._plan.processing_role_arn
        # A plan with such a job has both.
        assert image_uri is not None
        assert role_arn is not None
        folder = f"'s3://{self._plan.data_bucket_name}/' & {_RUN_PREFIX} & 'preprocessed/"
        return self._tasks.task(
            "Preprocess",
            "sagemaker:createProcessingJob.sync",
            processing_job_request(
                step,
                name="{% $release %}",
                image_uri=image_uri,
                role_arn=role_arn,
                volume_key_id=self._plan.volume_key_id,
                output_key_id=self._plan.output_key_id,
                inputs={side: f"{{% $posts.{side}.uri %}}" for side in ("train", "test")},
                outputs={side: f"{{% {folder}{side}/' %}}" for side in ("train", "test")},
            ),
            assign={"posts": moved.format(train=f"{folder}train/'", test=f"{folder}test/'")},
            within=step.max_runtime.plus(AROUND_A_JOB),
        )

    def _train(self, training: TrainingJob) -> sfn.CustomState:
        bucket = self._plan.data_bucket_name
        image_uri, role_arn = self._plan.training_image_uri, self._plan.training_role_arn
        # A plan with such a job has both.
        assert image_uri is not None
        assert role_arn is not None
        return self._tasks.task(
            "Train",
            "sagemaker:createTrainingJob.sync",
            training_job_request(
                training,
                name="{% $release %}",
                image_uri=image_uri,
                role_arn=role_arn,
                volume_key_id=self._plan.volume_key_id,
                output_key_id=self._plan.output_key_id,
                channels={
                    **{side: f"{{% $posts.{side}.uri %}}" for side in ("train", "test")},
                    **self._further_channels(),
                },
                output=f"{{% 's3://{bucket}/' & {_RUN_PREFIX} & '{TRAINED_FOLDER}' %}}",
                checkpoints=f"{{% 's3://{bucket}/' & {_RUN_PREFIX} & 'checkpoints/' %}}",
            ),
            assign={"model_data": "{% $states.result.ModelArtifacts.S3ModelArtifacts %}"},
            within=training.longest.plus(AROUND_A_JOB),
        )

    def _scored(self, transform: TransformJob, evaluate: sfn.CustomState) -> sfn.Choice:
        folder = f"'s3://{self._plan.data_bucket_name}/' & {_RUN_PREFIX} & 'current/"
        scoring = self._tasks.task(
            "Score-Current-Step",
            "sagemaker:createTransformJob.sync",
            transform_job_request(
                transform,
                name="{% $release %}",
                model_name="{% $current.model %}",
                volume_key_id=self._plan.volume_key_id,
                output_key_id=self._plan.output_key_id,
                texts="{% $posts.test.texts_uri %}",
                output=f"{{% {folder}' %}}",
            ),
            assign={"current_scores": f"{{% {folder}posts.jsonl.out' %}}"},
            within=transform.max_runtime,
        )
        scoring.next(evaluate)
        has_current = sfn.Choice.jsonata(self._scope, "Has-Current")
        has_current.when(
            sfn.Condition.jsonata(f"{{% {_CURRENT} and $exists($posts.test.texts_uri) %}}"),
            scoring,
        )
        has_current.otherwise(evaluate)
        return has_current

    def _evaluate(self, step: FunctionStep) -> sfn.CustomState:
        return self._tasks.function(
            "Evaluate",
            step.function.function_arn,
            _given(step)
            or {
                "model_data": "{% $model_data %}",
                "test_uri": "{% $held_out %}",
                "current_scores": "{% $current_scores %}",
                "machines": serving_machines(self._plan.configuration, self._plan.inference_environment),
            },
            assign={
                "metrics": "{% $states.result.Payload.metrics %}",
                "current_metrics": (
                    "{% $exists($states.result.Payload.current_metrics) "
                    "? $states.result.Payload.current_metrics : null %}"
                ),
                "comparison": (
                    "{% $exists($states.result.Payload.comparison) ? $states.result.Payload.comparison : {} %}"
                ),
                "validation": (
                    "{% $exists($states.result.Payload.validation) ? $states.result.Payload.validation : {} %}"
                ),
            },
        )

    def _evaluation_gate(self) -> sfn.Choice:
        gate = sfn.Choice.jsonata(self._scope, "Evaluation-Gate")
        for metric, minimum in self._plan.gate.minima():
            got, needed = f"$metrics.{metric}", _written(minimum)
            # What it may be in truth, where the evaluation says so.
            sure = f"$exists($metrics.{metric}) and $exists($comparison.{metric}.high)"
            low, high = f"$comparison.{metric}.low", f"$comparison.{metric}.high"
            gate.when(
                # A metric that is missing compares as undefined, which is neither true nor false.
                sfn.Condition.jsonata(f"{{% (({sure} ? {high} : {got}) >= {needed}) ? false : true %}}"),
                self._roll_back,
                assign=assigned_failure(
                    "Evaluation-Gate",
                    "GateRefused",
                    f"'{metric} is ' & ($exists({got}) ? $string({got}) : 'missing') & "
                    f"({sure} ? ' (at most ' & $string($round({high}, 4)) & {_SURE} : '') & "
                    f"', needed at least {needed}: min_{metric} of the gate' & "
                    f"({sure} ? '; about ' & {_violations_for(f'{high} - {got}', '0.01')} & "
                    "' held-out violations measure it to 0.01' : '')",
                ),
            )
            gate.when(
                sfn.Condition.jsonata(f"{{% {sure} and {low} < $min([0.5, {needed}]) %}}"),
                self._roll_back,
                assign=assigned_failure(
                    "Evaluation-Gate",
                    "GateRefused",
                    f"'{metric} is ' & $string({got}) & ' (at least ' & $string($round({low}, 4)) & {_SURE} & "
                    f"', which chance reaches too: min_{metric} of the gate asks for {needed}; about ' & "
                    f"{_violations_for(f'{got} - {low}', f'$max([0.01, {got} - 0.5])')} & "
                    "' held-out violations would show the difference: add labelled posts'",
                ),
            )
        for metric, drop in self._plan.gate.max_drops():
            new, current, margin = f"$metrics.{metric}", f"$current_metrics.{metric}", _written(drop)
            # More than the margin, and more than chance makes of two equal models, where the evaluation says what.
            found = f"$comparison.{metric}_drop"
            by_chance = f"$exists({found}.low) and {found}.low <= 0"
            gate.when(
                # Rounded, so that a drop of exactly the margin passes whatever binary makes of it.
                sfn.Condition.jsonata(
                    f"{{% {_CURRENT} and ($round({current} - {new}, 9) <= {margin} ? false : $not({by_chance})) %}}"
                ),
                self._roll_back,
                assign=assigned_failure(
                    "Evaluation-Gate",
                    "GateRefused",
                    f"'{metric} is ' & ($exists({new}) ? $string({new}) : 'missing') & ', with ' & "
                    f"($exists({current}) ? $string({current}) : 'nothing known') & ' of the current model ' & "
                    f"$current.release & ' on the same posts: it may fall by at most {margin}, max_{metric}_drop of "
                    f"the gate' & ($exists({found}.low) ? ', and has fallen by at least ' & "
                    f"$string($round({found}.low, 4)) & ' with ' & {_CONFIDENCE} & ' % confidence; on about ' & "
                    f"{_violations_for(f'{found}.value - {found}.low', f'$max([0.001, {margin}])')} & "
                    f"' held-out violations, not ' & $string($comparison.violations) & "
                    f"', a fall of ' & $string($max([0.001, {margin}])) & ' shows' : '')",
                ),
            )
        return gate

    # ---- the endpoint ----------------------------------------------------------------------------------------------

    def _archive_copied(self) -> sfn.CustomState:
        """From here on the model is the copy, which no job may write."""
        return self._tasks.function(
            "Archive-Copying-Step",
            self._plan.files_arn,
            {"operation": "keep", "release": "{% $release %}", "model_data": "{% $model_data %}"},
            assign={
                "model_data": "{% $states.result.Payload.model_data %}",
                "archive_sha256": "{% $states.result.Payload.sha256 %}",
            },
            repeatable=True,
        )

    def _model(self) -> sfn.CustomState:
        return self._tasks.task(
            "Model-Creating-Step",
            "aws-sdk:sagemaker:createModel",
            {
                "ModelName": "{% $release %}",
                "ExecutionRoleArn": self._plan.endpoint_role_arn,
                "PrimaryContainer": {
                    "Image": self._plan.inference_image_uri,
                    "ModelDataUrl": "{% $model_data %}",
                    "Environment": {**self._plan.inference_environment, "MODEL_NAME": "{% $release %}"},
                },
                **model_network_request(self._plan.configuration),
            },
        )

    def _endpoint_configuration(self) -> sfn.CustomState:
        return self._tasks.task(
            "EndpointConfig-Step",
            "aws-sdk:sagemaker:createEndpointConfig",
            endpoint_config_request(
                self._plan.configuration,
                name="{% $release %}",
                model_name="{% $release %}",
                volume_key_id=self._plan.volume_key_id,
            ),
        )

    def _endpoint_describing(self, wait: sfn.IChainable) -> sfn.CustomState:
        plan = self._plan
        creating = self._release_to_endpoint("Endpoint-Creating-Step", "createEndpoint")
        updating = self._release_to_endpoint(
            "Endpoint-Updating-Step",
            "updateEndpoint",
            {
                "DeploymentConfig": {
                    **deployment_request(plan.traffic_shifting, plan.configuration),
                    "AutoRollbackConfiguration": plan.rollback_alarms.at_synthesis(),
                },
                **retention_request(plan.configuration),
            },
        )
        creating.next(wait)
        updating.next(wait)
        # Of its failures one is an answer: the endpoint is not there yet.
        describing = self._tasks.uncaught(
            "Endpoint-Describing-Step", "aws-sdk:sagemaker:describeEndpoint", {"EndpointName": plan.endpoint_name}
        )
        describing.add_catch(
            self._endpoint_missing(creating),
            errors=["States.TaskFailed"],
            assign={"description_error": ERROR_OUTPUT},
        )
        self._tasks.catch("Endpoint-Describing-Step", describing)
        describing.next(scaling_lifted(self._tasks, plan.endpoint_name, plan.configuration, updating))
        return describing

    def _endpoint_missing(self, creating: sfn.CustomState) -> sfn.Choice:
        """SageMaker has no error of its own for an endpoint that is not there: its message alone tells."""
        missing = sfn.Choice.jsonata(self._scope, "Endpoint-Missing")
        missing.when(
            sfn.Condition.jsonata("{% $contains($description_error.cause, 'Could not find') %}"),
            creating,
        )
        # A rule that always holds, not the default: only a rule can say what failed.
        missing.when(
            sfn.Condition.jsonata("{% true %}"),
            self._roll_back,
            assign={
                "failure": {
                    "state": "Endpoint-Describing-Step",
                    "error": "{% $description_error.error %}",
                    "cause": "{% $description_error.cause %}",
                }
            },
        )
        return missing

    def _release_to_endpoint(
        self, name: str, action: str, further: Mapping[str, object] | None = None
    ) -> sfn.CustomState:
        return self._tasks.task(
            name,
            f"aws-sdk:sagemaker:{action}",
            {"EndpointName": self._plan.endpoint_name, "EndpointConfigName": "{% $release %}", **(further or {})},
            assign={"polls": 0},
        )

    def _served(self, then: sfn.IChainable) -> sfn.CustomState:
        """The states that wait until the endpoint serves the new configuration, and `then` after them."""
        plan = self._plan
        wait = sfn.Wait.jsonata(self._scope, "Wait", time=sfn.WaitTime.duration(plan.poll_interval))
        describe = self._tasks.task(
            "Describe",
            "aws-sdk:sagemaker:describeEndpoint",
            {"EndpointName": plan.endpoint_name},
            assign={"endpoint": "{% $states.result %}", "polls": "{% $polls + 1 %}"},
        )
        in_service = sfn.Choice.jsonata(self._scope, "In-Service")
        wait.next(describe)
        describe.next(in_service)
        in_service.when(
            sfn.Condition.jsonata(
                "{% $endpoint.EndpointStatus = 'InService' and $endpoint.EndpointConfigName = $release %}"
            ),
            scaling_registered(self._tasks, plan.endpoint_name, plan.configuration, then),
        )
        self._refuse_endpoint(in_service)
        marking = update_marked(self._tasks, plan.endpoint_name, wait)
        in_service.otherwise(marking)
        return marking

    def _refuse_endpoint(self, in_service: sfn.Choice) -> None:
        within = self._plan.in_service_within
        polls = math.ceil(within.to_seconds() / self._plan.poll_interval.to_seconds())
        refusals = {
            # Creating, Updating and SystemUpdating go on; InService with another configuration has been rolled back.
            "$not($endpoint.EndpointStatus in ['Creating', 'Updating', 'SystemUpdating'])": (
                "EndpointNotReleased",
                "'the endpoint is ' & $endpoint.EndpointStatus & ' with the configuration ' & "
                "($exists($endpoint.EndpointConfigName) ? $endpoint.EndpointConfigName : 'of nothing') & "
                "', needed InService with ' & $release & "
                "($exists($endpoint.FailureReason) ? ': ' & $endpoint.FailureReason : '')",
            ),
            f"$polls >= {polls}": (
                "EndpointNotInTime",
                "'the endpoint is still ' & $endpoint.EndpointStatus & "
                f"' after {within.to_human_string()}, needed InService with ' & $release",
            ),
        }
        for condition, (error, cause) in refusals.items():
            in_service.when(
                sfn.Condition.jsonata(f"{{% {condition} %}}"),
                self._roll_back,
                assign=assigned_failure("In-Service", error, cause),
            )

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _check_to_released(self) -> sfn.IChainable:
        record = self._tasks.function(
            "Record",
            self._plan.ledger_arn,
            {
                "operation": "finish_release",
                "release": "{% $release %}",
                "execution": "{% $states.context.Execution.Id %}",
                "posts": "{% $exists($posts) ? $posts : {} %}",
                "metrics": "{% $metrics %}",
                "current_metrics": "{% $current_metrics %}",
                "comparison": "{% $comparison %}",
                "validation": "{% $validation %}",
                "model_data": "{% $model_data %}",
                "archive_sha256": "{% $archive_sha256 %}",
            },
            repeatable=True,
        )
        record.next(self._clean_up())
        step = self._plan.check
        if step is None:
            return record
        check = self._tasks.function(
            "Check",
            step.function.function_arn,
            _given(step)
            or {
                "endpoint_name": self._plan.endpoint_name,
                "model": "{% $release %}",
                "posts": "{% $held_out & 'posts.jsonl' %}",
                "model_data": "{% $model_data %}",
            },
        )
        check.next(record)
        return check

    def _clean_up(self) -> sfn.CustomState:
        released = sfn.Succeed.jsonata(
            self._scope,
            "Released",
            outputs={
                "endpoint": self._plan.endpoint_name,
                "release": "{% $release %}",
                "metrics": "{% $metrics %}",
                "current_metrics": "{% $current_metrics %}",
                "comparison": "{% $comparison %}",
                "posts": "{% $exists($posts) ? $posts : {} %}",
            },
        )
        clean_up = self._tasks.uncaught_function(
            "Clean-Up",
            self._plan.cleaner_arn,
            {"operation": "clean_up", "keep": self._plan.keep_releases},
            repeatable=True,
        )
        clean_up.next(released)
        notify = self._publish(
            "NotifySlackCleanUp",
            "$failure.cause & '; the new model serves, and the next release takes away what is left'",
        )
        notify.next(released)
        clean_up.add_catch(notify, errors=["States.ALL"], assign={"failure": {"state": "Clean-Up", **ERROR_OUTPUT}})
        return clean_up

    def _make_roll_back(self) -> sfn.CustomState:
        output = "$states.result.Output"
        serving_again = SERVING_AGAIN.format(
            failed=f"{output}.failed", target=f"{output}.target", checked=f"{output}.archive_checked"
        )
        roll_back = self._tasks.uncaught(
            "Roll-Back",
            "states:startExecution.sync:2",
            {
                "StateMachineArn": self._plan.rollback_arn,
                # Asked twice for an answer that was lost, Step Functions finds the same execution by its name.
                "Name": "{% $states.context.Execution.Name %}",
                "Input": {
                    "failed": {
                        "release": "{% $release %}",
                        "execution": "{% $states.context.Execution.Id %}",
                        "failure": "{% $failure %}",
                    }
                },
            },
            assign={
                "rolled_back_to": f"{{% {serving_again} %}}",
            },
            # A little before the rollback's own time is over, which its rule would tell a second time.
            within=self._plan.rollback_within.minus(Duration.minutes(5)),
        )
        roll_back.add_catch(
            self._notify,
            errors=["States.ALL"],
            assign={
                "rollback_failure": (
                    f"{{% $states.errorOutput.Error & ': ' & {ERROR_OUTPUT['cause'][2:-2].strip()} %}}"
                )
            },
        )
        roll_back.next(self._notify)
        return roll_back

    def _notify_slack_failure(self) -> sfn.CustomState:
        """Has no Catch: an alert that cannot be published fails the execution with that error, which the rule tells."""
        notify = self._publish("NotifySlackFailure", "$failure.cause")
        notify.next(
            sfn.Fail.jsonata(
                self._scope,
                "Failed",
                error=RELEASE_FAILED,
                cause=(
                    "{% $failure.state & ': ' & $failure.error & ': ' & $failure.cause & "
                    "($exists($rollback_failure) ? '; the rollback failed too: ' & $rollback_failure : '') %}"
                ),
            )
        )
        return notify

    def _publish(self, name: str, cause: str) -> sfn.CustomState:
        return self._tasks.uncaught(
            name,
            "sns:publish",
            {
                "TopicArn": self._plan.alerts_topic_arn,
                "Message": failure_alert(
                    self._scope,
                    workflow="$states.context.StateMachine.Name",
                    execution="$states.context.Execution.Id",
                    state="$failure.state",
                    error="$failure.error",
                    cause=cause,
                    further="{'rolled_back_to': $rolled_back_to, 'rollback_failure': $rollback_failure}",
                ),
            },
        )


def _violations_for(half: str, wanted: str) -> str:
    """Write how many held-out violations an interval of half the width `wanted` takes, where there is one of `half`."""
    return f"$string($ceil($round($comparison.violations * $power(({half}) / {wanted}, 2), 6)))"


def _written(number: float) -> str:
    """Writes a number as JSONata has it; of a token, text that the deployment makes of its value."""
    return Tokenization.stringify_number(number) if is_token(number) else str(number)


def _given(step: FunctionStep) -> dict[str, object] | None:
    # A plain dictionary, which jsii knows.
    return None if step.payload is None else dict(step.payload)
