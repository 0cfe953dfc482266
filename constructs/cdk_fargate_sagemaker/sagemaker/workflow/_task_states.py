"""The tasks of a state machine, each declared together with the permissions of its call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_cdk import Duration, IResolvable
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._allow import allow
from ..._checks import refusal
from ..._construct_tree import partition_of
from ..._interfaces import AnyFunction
from ..._topic_publishers import allow_publishing
from ._later_names import NAMED_BY_EXECUTION, sagemaker_arn
from ._workflow_machine import allow_waiting, machine_tags

# Transient errors, by the service in the state's resource. SageMaker, SNS and others have no error of their own for
# throttling in Step Functions: it arrives as the service's general exception, together with lasting errors, which are
# then reported half a minute later.
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

# A function that did not answer may still have done its work: only for functions that may be invoked twice.
_UNANSWERED = ["Lambda.Unknown", "Sandbox.Timedout"]

# Step Functions ends an execution whose cause is longer than 32,768 characters with an error of its own. A cause
# becomes part of another one: escaped, in an execution's input.
LONGEST_CAUSE = 4000

# A function's error and a job's description are JSON, in which one sentence is for people; the execution's history
# keeps all of it. Some errors, such as a time-out, have no cause.
_CAUSE = (
    "($cause := $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : ''; "
    "$told := $substring($cause, 0, 1) = '{' and $substring($cause, -1) = '}' ? $parse($cause) : {}; "
    "$sentence := [$told.errorMessage, $told.FailureReason, $told.Cause][$type($) = 'string' and $ != ''][0]; "
    f"$substring($exists($sentence) ? $sentence : $cause, 0, {LONGEST_CAUSE}))"
)

ERROR_OUTPUT = {"error": "{% $states.errorOutput.Error %}", "cause": f"{{% {_CAUSE} %}}"}
"""An `Assign` of a `Catch`: the failure as text."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A permission that a call needs: `actions` on exactly `resources`, where `conditions` hold.

    A resource with a wildcard needs `wildcard_reason`, which cdk-nag reads as the acknowledgement of that one finding.
    """

    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, Any] | None = None
    wildcard_reason: str | None = None


class TaskStates:
    """Makes the tasks of a state machine, and grants its role their calls.

    Each is retried on transient errors, with back-off and jitter. Other errors are caught: `failure` (`state`, `error`,
    `cause`) is assigned, and `failed` comes next.
    """

    def __init__(self, scope: Construct, role: iam.Role) -> None:
        self._scope = scope
        self._role = role
        self._failed: sfn.IChainable | None = None
        self._names: set[str] = set()
        # All requests share one token: each token is a call to the JavaScript process.
        self._tags = machine_tags(scope)

    @property
    def tags(self) -> IResolvable:
        """The app's tags, for resources that SageMaker creates; empty if it has none."""
        return self._tags

    @property
    def role(self) -> iam.Role:
        """The role of the state machine."""
        return self._role

    def fail_to(self, failed: sfn.IChainable) -> None:
        """Sets the state after a failure, for each task that is made from now on."""
        self._failed = failed

    @property
    def failed(self) -> sfn.IChainable:
        """The state after a failure."""
        assert self._failed is not None, "a failure has nowhere to go: call fail_to first"
        return self._failed

    def task(
        self,
        name: str,
        resource: str,
        arguments: Mapping[str, object],
        *,
        allowed: Sequence[Allowed],
        assign: Mapping[str, object] | None = None,
        within: Duration | None = None,
    ) -> sfn.CustomState:
        """Makes a task that calls `resource` (`sagemaker:createTrainingJob.sync`) and fails after `within`."""
        task = self.uncaught(name, resource, arguments, allowed=allowed, assign=assign, within=within)
        self.catch(name, task)
        return task

    def function(
        self,
        name: str,
        function: AnyFunction,
        payload: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> sfn.CustomState:
        """Makes a task that invokes a function. One that is `repeatable` is invoked again if it did not answer."""
        task = self.uncaught_function(name, function, payload, assign=assign, repeatable=repeatable)
        self.catch(name, task)
        return task

    def catch(self, name: str, task: sfn.CustomState) -> None:
        """Catches every error of `task`, the state `name`, after its earlier catchers."""
        task.add_catch(self.failed, errors=["States.ALL"], assign={"failure": {"state": name, **ERROR_OUTPUT}})

    def uncaught_function(
        self,
        name: str,
        function: AnyFunction,
        payload: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> sfn.CustomState:
        """Like `function`, but the caller handles the failures."""
        task = self.uncaught(
            name,
            "lambda:invoke",
            {"FunctionName": function.function_arn, "Payload": payload},
            allowed=[Allowed(["lambda:InvokeFunction"], [function.function_arn])],
            assign=assign,
        )
        if repeatable:
            _retry(task, _UNANSWERED, attempts=2)
        return task

    def uncaught(
        self,
        name: str,
        resource: str,
        arguments: Mapping[str, object],
        *,
        allowed: Sequence[Allowed],
        assign: Mapping[str, object] | None = None,
        within: Duration | None = None,
    ) -> sfn.CustomState:
        """Like `task`, but the caller handles the failures."""
        self.claim(name)
        for permission in allowed:
            allow(
                self._role,
                permission.actions,
                *permission.resources,
                conditions=permission.conditions,
                wildcard_reason=permission.wildcard_reason,
            )
        state: dict[str, object] = {
            "Type": "Task",
            "Resource": f"arn:{partition_of(self._scope)}:states:::{resource}",
            "Arguments": arguments,
        }
        if assign is not None:
            state["Assign"] = assign
        if within is not None:
            state["TimeoutSeconds"] = within.to_seconds()
        task = sfn.CustomState(self._scope, name, state_json=state)
        service = resource.removeprefix("aws-sdk:").partition(":")[0]
        # The names of another service's throttling errors are not known here: a team's own stage adds its retries.
        if service in _TRANSIENT_ERRORS:
            _retry(task, _TRANSIENT_ERRORS[service], attempts=4)
        return task

    def job(
        self,
        name: str,
        kind: str,
        request: Mapping[str, object],
        *,
        endpoint_name: str,
        passed_role: iam.IRole,
        within: Duration,
        assign: Mapping[str, object] | None = None,
    ) -> sfn.CustomState:
        """Makes a task that runs a SageMaker job (`Training`, `Processing`, `Transform`) and waits for its end.

        The job is named after the execution and acts as `passed_role`.
        """
        jobs = self.sagemaker_arn(f"{kind.lower()}-job", f"{endpoint_name}-*")
        actions = [
            "sagemaker:AddTags",
            f"sagemaker:Create{kind}Job",
            f"sagemaker:Describe{kind}Job",
            "sagemaker:ListTags",
            f"sagemaker:Stop{kind}Job",
        ]
        task = self.task(
            name,
            f"sagemaker:create{kind}Job.sync",
            {**request, "Tags": self.tags},
            allowed=[Allowed(actions, [jobs], wildcard_reason=NAMED_BY_EXECUTION), passing(passed_role)],
            assign=assign,
            within=within,
        )
        allow_waiting(self._role, f"StepFunctionsGetEventsForSageMaker{kind}JobsRule")
        return task

    def publish(self, name: str, topic: sns.ITopic, message: object) -> sfn.CustomState:
        """Makes a task that publishes `message`; the caller handles the failures."""
        task = self.uncaught(name, "sns:publish", {"TopicArn": topic.topic_arn, "Message": message}, allowed=[])
        allow_publishing(self._role, topic)
        return task

    def choice(self, name: str) -> sfn.Choice:
        """Makes a choice state with JSONata conditions."""
        self.claim(name)
        return sfn.Choice.jsonata(self._scope, name)

    def claim(self, name: str) -> None:
        """Refuses a second state with the same name.

        Raises:
            InvalidArgumentError: see above.
        """
        if name in self._names:
            raise refusal("name", name, "a name that no other state of the workflow has", "give one stage a name=…")
        self._names.add(name)

    def sagemaker_arn(self, resource: str, name: str) -> str:
        """Returns the ARN of a SageMaker resource in the workflow's account and region."""
        return sagemaker_arn(self._scope, resource, name)


def passing(role: iam.IRole) -> Allowed:
    """The permission to pass `role` to SageMaker."""
    return Allowed(
        ["iam:PassRole"],
        [role.role_arn],
        conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )


def assigned_failure(state: str, error: str, cause: str) -> dict[str, object]:
    """Returns the `Assign` of a choice that refuses; `cause` is a JSONata expression without its braces."""
    return {"failure": {"state": state, "error": error, "cause": f"{{% {cause} %}}"}}


@cache
def _seconds(amount: int) -> Duration:
    """Returns the same object for each state: each new one is a call to the JavaScript process."""
    return Duration.seconds(amount)


def _retry(task: sfn.CustomState, errors: list[str], *, attempts: int) -> None:
    task.add_retry(
        errors=errors,
        interval=_seconds(2),
        backoff_rate=2,
        max_attempts=attempts,
        max_delay=_seconds(60),
        jitter_strategy=sfn.JitterType.FULL,
    )
