from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

# What passes by itself, by the service in the state's resource. SageMaker, SNS and others do not model their throttling
# for Step Functions: it comes under the service's general exception, together with what does not pass by itself, which
# is then told half a minute later.
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
    "states": [
        "StepFunctions.AWSStepFunctionsException",
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.SdkClientException",
    ],
    "applicationautoscaling": [
        "ApplicationAutoScaling.ApplicationAutoScalingException",
        "ApplicationAutoScaling.ConcurrentUpdateException",
        "ApplicationAutoScaling.InternalServiceException",
        "ApplicationAutoScaling.SdkClientException",
    ],
    "athena": [
        "Athena.AmazonAthenaException",
        "Athena.InternalServerException",
        "Athena.SdkClientException",
        "Athena.TooManyRequestsException",
    ],
    "cloudwatch": [
        "CloudWatch.CloudWatchException",
        "CloudWatch.InternalServiceException",
        "CloudWatch.SdkClientException",
    ],
    "dynamodb": [
        "DynamoDb.DynamoDbException",
        "DynamoDb.InternalServerErrorException",
        "DynamoDb.LimitExceededException",
        "DynamoDb.ProvisionedThroughputExceededException",
        "DynamoDb.SdkClientException",
        "DynamoDb.ThrottlingException",
    ],
}

# A function that did not answer may have done its work all the same: for those that may be asked twice.
_UNANSWERED = ["Lambda.Unknown", "Sandbox.Timedout"]

# Step Functions ends an execution whose cause is longer than 32,768 characters with an error of its own, and a cause
# travels within another's: escaped, as a part of an execution's input.
LONGEST_CAUSE = 4000

# A function's error and a job's description come as JSON, of which one sentence is for people; the whole stays in the
# execution's history. Some errors, a time-out among them, come without a cause.
_CAUSE = (
    "($cause := $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : ''; "
    "$told := $substring($cause, 0, 1) = '{' and $substring($cause, -1) = '}' ? $parse($cause) : {}; "
    "$sentence := [$told.errorMessage, $told.FailureReason, $told.Cause][$type($) = 'string' and $ != ''][0]; "
    f"$substring($exists($sentence) ? $sentence : $cause, 0, {LONGEST_CAUSE}))"
)

ERROR_OUTPUT = {"error": "{% $states.errorOutput.Error %}", "cause": f"{{% {_CAUSE} %}}"}
"""An `Assign` of a `Catch`: what failed, as text."""


class TaskStates:
    """Makes the tasks of a state machine. Each is retried, with back-off and jitter, on what passes by itself.

    What does not pass is caught: `failure` (`state`, `error`, `cause`) is assigned, and `failed` comes next.
    """

    def __init__(self, scope: Construct) -> None:
        self._scope = scope
        self._failed: sfn.IChainable | None = None

    def fail_to(self, failed: sfn.IChainable) -> None:
        """Says what comes after a failure of each task that is made from now on."""
        self._failed = failed

    def task(
        self,
        name: str,
        resource: str,
        arguments: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        within: Duration | None = None,
    ) -> sfn.CustomState:
        """Makes a task that calls `resource` (`sagemaker:createTrainingJob.sync`) and fails after `within`."""
        task = self.uncaught(name, resource, arguments, assign=assign, within=within)
        self.catch(name, task)
        return task

    def function(
        self,
        name: str,
        function_arn: str,
        payload: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> sfn.CustomState:
        """Makes a task that invokes a function. One that is `repeatable` is invoked again where it did not answer."""
        task = self.uncaught_function(name, function_arn, payload, assign=assign, repeatable=repeatable)
        self.catch(name, task)
        return task

    def catch(self, name: str, task: sfn.CustomState) -> None:
        """Catches whatever `task`, the state `name`, fails with, after what was caught before."""
        assert self._failed is not None, f"{name} has nowhere to go when it fails: call fail_to first"
        task.add_catch(self._failed, errors=["States.ALL"], assign={"failure": {"state": name, **ERROR_OUTPUT}})

    def uncaught_function(
        self,
        name: str,
        function_arn: str,
        payload: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> sfn.CustomState:
        """Does as `function`, its failures left to the caller."""
        task = self.uncaught(name, "lambda:invoke", {"FunctionName": function_arn, "Payload": payload}, assign=assign)
        if repeatable:
            _retry(task, _UNANSWERED, attempts=2)
        return task

    def uncaught(
        self,
        name: str,
        resource: str,
        arguments: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        within: Duration | None = None,
    ) -> sfn.CustomState:
        """Does as `task`, its failures left to the caller."""
        state: dict[str, object] = {
            "Type": "Task",
            "Resource": f"arn:{Stack.of(self._scope).partition}:states:::{resource}",
            "Arguments": arguments,
        }
        if assign is not None:
            state["Assign"] = assign
        if within is not None:
            state["TimeoutSeconds"] = within.to_seconds()
        task = sfn.CustomState(self._scope, name, state_json=state)
        service = resource.removeprefix("aws-sdk:").partition(":")[0]
        _retry(task, _TRANSIENT_ERRORS[service], attempts=4)
        return task


def assigned_failure(state: str, error: str, cause: str) -> dict[str, object]:
    """Returns the `Assign` of a choice that refuses; `cause` is a JSONata expression without its braces."""
    return {"failure": {"state": state, "error": error, "cause": f"{{% {cause} %}}"}}


def _retry(task: sfn.CustomState, errors: list[str], *, attempts: int) -> None:
    task.add_retry(
        errors=errors,
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_attempts=attempts,
        max_delay=Duration.seconds(60),
        jitter_strategy=sfn.JitterType.FULL,
    )
