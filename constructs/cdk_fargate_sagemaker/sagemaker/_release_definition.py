import math
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ._endpoint_requests import deployment_request, endpoint_config_request, model_network_request
from ._instance_type import has_local_disks
from .endpoint_configuration import EndpointConfiguration
from .evaluation_gate import EvaluationGate
from .traffic_shifting import TrafficShifting
from .training_job import TrainingJob

RELEASE_FAILED = "ReleaseFailed"

# The execution's name is part of the resources' names, which SageMaker limits to 63 characters of [a-zA-Z0-9-]. A name
# that does not fit as it is keeps its beginning and gets a hash, so that two executions never share one.
_LONGEST_NAME = 63
_HASH_CHARACTERS = 8

# What passes by itself. SageMaker and SNS do not model their throttling for Step Functions: it comes under the
# service's general exception, together with what does not pass by itself, which is then told half a minute later.
_TRANSIENT_ERRORS = {
    "lambda": [
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
    ],
    "sagemaker": [
        "SageMaker.AmazonSageMakerException",
        "SageMaker.SageMakerException",
        "SageMaker.SdkClientException",
        "SageMaker.ThrottlingException",
        "ThrottlingException",
    ],
    "sns": [
        "SNS.AmazonSNSException",
        "SNS.SdkClientException",
        "SNS.ThrottledException",
    ],
}

# Step Functions ends an execution whose cause is longer than 32,768 characters with an error of its own.
_LONGEST_CAUSE = 8000

# Some errors, a time-out among them, come without a cause.
_ERROR_OUTPUT = {
    "error": "{% $states.errorOutput.Error %}",
    "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """Everything the release's states name: functions, images, roles, settings."""

    endpoint_name: str
    data_bucket_name: str
    posts_prefix: str
    alerts_topic_arn: str
    extractor_arn: str
    evaluator_arn: str
    checker_arn: str
    training_image_uri: str
    inference_image_uri: str
    inference_environment: Mapping[str, str]
    sagemaker_role_arn: str
    volume_key_id: str
    output_key_id: str | None
    training: TrainingJob
    gate: EvaluationGate
    configuration: EndpointConfiguration
    traffic_shifting: TrafficShifting
    poll_interval: Duration
    in_service_within: Duration


def release_definition(scope: Construct, plan: ReleasePlan) -> sfn.IChainable:
    """The states from `Extract` to `Released`, each failure of which goes through `NotifySlackFailure` to `Failed`.

    Variables: `release` is the name of the training job, the model and the endpoint configuration; `posts`,
    `model_data` and `metrics` are what came out of extraction, training and evaluation; `endpoint` is its last
    description, `polls` how often it was described; `failure` says what failed: `state`, `error`, `cause`.
    """
    return _Release(scope, plan).linked()


class _Release:
    def __init__(self, scope: Construct, plan: ReleasePlan) -> None:
        self._scope = scope
        self._plan = plan
        self._notify = self._notify_slack_failure()

    def linked(self) -> sfn.IChainable:
        extract = self._extract()
        gate = self._evaluation_gate()
        extract.next(self._train()).next(self._evaluate()).next(gate)

        model = self._model()
        describing = self._endpoint_describing()
        gate.otherwise(model)
        model.next(self._endpoint_configuration()).next(describing)

        creating = self._release_to_endpoint("Endpoint-Creating-Step", "createEndpoint")
        updating = self._release_to_endpoint(
            "Endpoint-Updating-Step",
            "updateEndpoint",
            {"DeploymentConfig": deployment_request(self._plan.traffic_shifting, self._plan.configuration)},
        )
        describing.add_catch(
            self._endpoint_missing(creating),
            errors=["States.TaskFailed"],
            assign={"description_error": _ERROR_OUTPUT},
        )
        self._catch("Endpoint-Describing-Step", describing)
        describing.next(updating)

        wait = sfn.Wait.jsonata(self._scope, "Wait", time=sfn.WaitTime.duration(self._plan.poll_interval))
        describe = self._describe()
        in_service = self._in_service()
        creating.next(wait)
        updating.next(wait)
        wait.next(describe).next(in_service)

        check = self._check()
        in_service.when(
            sfn.Condition.jsonata(
                "{% $endpoint.EndpointStatus = 'InService' and $endpoint.EndpointConfigName = $release %}"
            ),
            check,
        )
        self._refuse_endpoint(in_service)
        in_service.otherwise(wait)
        check.next(
            sfn.Succeed.jsonata(
                self._scope,
                "Released",
                outputs={
                    "endpoint": self._plan.endpoint_name,
                    "release": "{% $release %}",
                    "metrics": "{% $metrics %}",
                    "posts": "{% $posts %}",
                },
            )
        )
        return extract

    def _extract(self) -> sfn.CustomState:
        hashed = f"$substring($hash($states.context.Execution.Name, 'SHA-256'), 0, {_HASH_CHARACTERS})"
        kept = _LONGEST_NAME - _HASH_CHARACTERS - 1
        return self._function(
            "Extract",
            self._plan.extractor_arn,
            {
                "bucket": self._plan.data_bucket_name,
                "posts_prefix": self._plan.posts_prefix,
                "run_prefix": "{% 'runs/' & $states.context.Execution.Name & '/' %}",
            },
            assign={
                "release": (
                    f"{{% ($wanted := '{self._plan.endpoint_name}-' & $states.context.Execution.Name; "
                    f"$contains($wanted, /^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/) and $length($wanted) <= {_LONGEST_NAME} "
                    f"? $wanted : $substring($replace($wanted, /[^a-zA-Z0-9]+/, '-'), 0, {kept}) & '-' & {hashed}) %}}"
                ),
                "posts": "{% $states.result.Payload %}",
            },
        )

    def _train(self) -> sfn.CustomState:
        training = self._plan.training
        resources: dict[str, object] = {
            "InstanceType": training.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": training.volume_gib,
        }
        if not has_local_disks(training.instance_type):
            resources["VolumeKmsKeyId"] = self._plan.volume_key_id
        output = {"S3OutputPath": f"s3://{self._plan.data_bucket_name}/models/"}
        if self._plan.output_key_id is not None:
            # Without it SageMaker takes the account's own key for S3, whatever the bucket's is.
            output["KmsKeyId"] = self._plan.output_key_id
        return self._task(
            "Train",
            "sagemaker:createTrainingJob.sync",
            {
                "TrainingJobName": "{% $release %}",
                "RoleArn": self._plan.sagemaker_role_arn,
                "AlgorithmSpecification": {
                    "TrainingImage": self._plan.training_image_uri,
                    "TrainingInputMode": "File",
                },
                "HyperParameters": dict(training.hyperparameters),
                "InputDataConfig": [_channel(side) for side in ("train", "test")],
                "OutputDataConfig": output,
                "ResourceConfig": resources,
                "StoppingCondition": {"MaxRuntimeInSeconds": training.max_runtime.to_seconds()},
                "EnableNetworkIsolation": training.network_isolation,
            },
            assign={"model_data": "{% $states.result.ModelArtifacts.S3ModelArtifacts %}"},
        )

    def _evaluate(self) -> sfn.CustomState:
        return self._function(
            "Evaluate",
            self._plan.evaluator_arn,
            {"model_data": "{% $model_data %}"},
            assign={"metrics": "{% $states.result.Payload.metrics %}"},
        )

    def _evaluation_gate(self) -> sfn.Choice:
        gate = sfn.Choice.jsonata(self._scope, "Evaluation-Gate")
        for metric, minimum in self._plan.gate.minima():
            got = f"$metrics.{metric}"
            gate.when(
                # A metric that is missing compares as undefined, which is neither true nor false.
                sfn.Condition.jsonata(f"{{% ({got} >= {minimum}) ? false : true %}}"),
                self._notify,
                assign=_failure(
                    "Evaluation-Gate",
                    "GateRefused",
                    f"'{metric} is ' & ($exists({got}) ? $string({got}) : 'missing') & ', needed at least {minimum}'",
                ),
            )
        return gate

    def _model(self) -> sfn.CustomState:
        return self._task(
            "Model-Creating-Step",
            "aws-sdk:sagemaker:createModel",
            {
                "ModelName": "{% $release %}",
                "ExecutionRoleArn": self._plan.sagemaker_role_arn,
                "PrimaryContainer": {
                    "Image": self._plan.inference_image_uri,
                    "ModelDataUrl": "{% $model_data %}",
                    "Environment": {**self._plan.inference_environment, "MODEL_NAME": "{% $release %}"},
                },
                **model_network_request(self._plan.configuration),
            },
        )

    def _endpoint_configuration(self) -> sfn.CustomState:
        return self._task(
            "EndpointConfig-Step",
            "aws-sdk:sagemaker:createEndpointConfig",
            endpoint_config_request(
                self._plan.configuration,
                name="{% $release %}",
                model_name="{% $release %}",
                volume_key_id=self._plan.volume_key_id,
            ),
        )

    def _endpoint_describing(self) -> sfn.CustomState:
        # Caught by its caller: of its failures one is an answer, the endpoint is not there yet.
        return self._uncaught_task(
            "Endpoint-Describing-Step",
            "aws-sdk:sagemaker:describeEndpoint",
            {"EndpointName": self._plan.endpoint_name},
        )

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
            self._notify,
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
        return self._task(
            name,
            f"aws-sdk:sagemaker:{action}",
            {"EndpointName": self._plan.endpoint_name, "EndpointConfigName": "{% $release %}", **(further or {})},
            assign={"polls": 0},
        )

    def _describe(self) -> sfn.CustomState:
        return self._task(
            "Describe",
            "aws-sdk:sagemaker:describeEndpoint",
            {"EndpointName": self._plan.endpoint_name},
            assign={"endpoint": "{% $states.result %}", "polls": "{% $polls + 1 %}"},
        )

    def _in_service(self) -> sfn.Choice:
        return sfn.Choice.jsonata(self._scope, "In-Service")

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
                self._notify,
                assign=_failure("In-Service", error, cause),
            )

    def _check(self) -> sfn.CustomState:
        return self._function(
            "Check",
            self._plan.checker_arn,
            {
                "endpoint_name": self._plan.endpoint_name,
                "model": "{% $release %}",
                "posts": "{% $posts.test.uri & 'posts.jsonl' %}",
            },
        )

    def _notify_slack_failure(self) -> sfn.CustomState:
        """Has no Catch: an alert that cannot be published fails the execution with that error, which the rule tells."""
        stack = Stack.of(self._scope)
        console = (
            f"https://{stack.region}.console.aws.amazon.com/states/home?region={stack.region}#/v2/executions/details/"
        )
        message = (
            "{% $string({'kind': 'workflow_failure', 'workflow': $states.context.StateMachine.Name, "
            "'execution': $states.context.Execution.Id, 'state': $failure.state, 'error': $failure.error, "
            f"'cause': $failure.cause, 'console': '{console}' & $states.context.Execution.Id}}) %}}"
        )
        notify = self._uncaught_task(
            "NotifySlackFailure", "sns:publish", {"TopicArn": self._plan.alerts_topic_arn, "Message": message}
        )
        notify.next(
            sfn.Fail.jsonata(
                self._scope,
                "Failed",
                error=RELEASE_FAILED,
                cause=(
                    "{% $substring($failure.state & ': ' & $failure.error & ': ' & $failure.cause, "
                    f"0, {_LONGEST_CAUSE}) %}}"
                ),
            )
        )
        return notify

    def _function(
        self, name: str, function_arn: str, payload: Mapping[str, object], *, assign: Mapping[str, object] | None = None
    ) -> sfn.CustomState:
        return self._task(name, "lambda:invoke", {"FunctionName": function_arn, "Payload": payload}, assign=assign)

    def _task(
        self, name: str, resource: str, arguments: Mapping[str, object], *, assign: Mapping[str, object] | None = None
    ) -> sfn.CustomState:
        task = self._uncaught_task(name, resource, arguments, assign=assign)
        self._catch(name, task)
        return task

    def _catch(self, name: str, task: sfn.CustomState) -> None:
        task.add_catch(self._notify, errors=["States.ALL"], assign={"failure": {"state": name, **_ERROR_OUTPUT}})

    def _uncaught_task(
        self, name: str, resource: str, arguments: Mapping[str, object], *, assign: Mapping[str, object] | None = None
    ) -> sfn.CustomState:
        state: dict[str, object] = {
            "Type": "Task",
            "Resource": f"arn:{Stack.of(self._scope).partition}:states:::{resource}",
            "Arguments": arguments,
        }
        if assign is not None:
            state["Assign"] = assign
        task = sfn.CustomState(self._scope, name, state_json=state)
        task.add_retry(
            errors=_TRANSIENT_ERRORS[resource.split(":")[-2]],
            interval=Duration.seconds(2),
            backoff_rate=2,
            max_attempts=4,
            max_delay=Duration.seconds(60),
            jitter_strategy=sfn.JitterType.FULL,
        )
        return task


def _channel(name: str) -> dict[str, object]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": f"{{% $posts.{name}.uri %}}",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _failure(state: str, error: str, cause: str) -> dict[str, object]:
    return {"failure": {"state": state, "error": error, "cause": f"{{% {cause} %}}"}}
