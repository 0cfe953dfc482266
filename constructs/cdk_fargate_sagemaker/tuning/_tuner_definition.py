from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from .._construct_tree import partition_of

# Transient errors. SNS's throttling has no error of its own in Step Functions, so SNS's general exception is included.
_TRANSIENT_ERRORS = {
    "lambda": [
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
    ],
    "sns": ["SNS.AmazonSNSException", "SNS.SdkClientException", "SNS.ThrottledException"],
}

TUNING_FAILED = "TuningFailed"

# A function's error is JSON with a message; a time-out has no cause.
_CAUSE = (
    "{% ($cause := $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : ''; "
    "$contains($cause, '\"errorMessage\"') ? $parse($cause).errorMessage : $cause) %}"
)

_LONGEST_SUBJECT = 99
_LONGEST_CAUSE = 8000


def tuner_definition(
    scope: Construct, *, function_arn: str, topic_arn: str, name: str, dry_run: bool
) -> sfn.IChainable:
    """`Look` → `Pending` → [`Apply`] → `Report` → `Done`; a failure goes through `NotifyFailure` to `Failed`.

    Each state may be repeated, and an execution may end in any state: the next execution continues from there.
    """
    failed = _task(
        scope,
        "NotifyFailure",
        "sns:publish",
        {
            "TopicArn": topic_arn,
            "Subject": f"{name}: the tuner failed"[:_LONGEST_SUBJECT],
            "Message": "{% $failure.state & ': ' & $failure.error & ': ' & $failure.cause & "
            "'\\nThe target does not change; the tuner tries again within the hour. ' & $states.context.Execution.Id "
            "%}",
        },
    )
    failed.next(
        sfn.Fail.jsonata(
            scope,
            "Failed",
            error=TUNING_FAILED,
            cause=f"{{% $substring($failure.state & ': ' & $failure.cause, 0, {_LONGEST_CAUSE}) %}}",
        )
    )
    report = _operation(scope, "Report", function_arn, failed, output="{% $decision %}")
    report.next(sfn.Succeed.jsonata(scope, "Done"))
    look = _operation(scope, "Look", function_arn, failed, assign={"decision": "{% $states.result.Payload %}"})
    if dry_run:
        look.next(report)
        return look
    pending = sfn.Choice.jsonata(scope, "Pending")
    apply = _operation(scope, "Apply", function_arn, failed)
    look.next(pending)
    pending.when(sfn.Condition.jsonata("{% $decision.pending %}"), apply)
    pending.otherwise(report)
    apply.next(report)
    return look


def _operation(
    scope: Construct,
    name: str,
    function_arn: str,
    failed: sfn.CustomState,
    *,
    assign: Mapping[str, object] | None = None,
    output: str | None = None,
) -> sfn.CustomState:
    task = _task(
        scope,
        name,
        "lambda:invoke",
        {
            "FunctionName": function_arn,
            "Payload": {
                "operation": name.lower(),
                # The input that started the execution: an EventBridge event, or that of a person.
                "event": "{% $states.context.Execution.Input %}",
                "started": "{% $states.context.Execution.StartTime %}",
            },
        },
        assign=assign,
        output=output,
    )
    # Another execution holds the lease. If it was aborted, its lease has to expire first.
    task.add_retry(
        errors=["BusyError"],
        interval=Duration.seconds(3),
        backoff_rate=1.5,
        max_attempts=12,
        max_delay=Duration.seconds(20),
        jitter_strategy=sfn.JitterType.FULL,
    )
    task.add_catch(
        failed,
        errors=["States.ALL"],
        assign={
            "failure": {
                "state": name,
                "error": "{% $states.errorOutput.Error %}",
                "cause": _CAUSE,
            }
        },
    )
    return task


def _task(
    scope: Construct,
    name: str,
    resource: str,
    arguments: Mapping[str, object],
    *,
    assign: Mapping[str, object] | None = None,
    output: str | None = None,
) -> sfn.CustomState:
    state: dict[str, object] = {
        "Type": "Task",
        "Resource": f"arn:{partition_of(scope)}:states:::{resource}",
        "Arguments": arguments,
    }
    if assign is not None:
        state["Assign"] = assign
    if output is not None:
        state["Output"] = output
    task = sfn.CustomState(scope, name, state_json=state)
    task.add_retry(
        errors=_TRANSIENT_ERRORS[resource.partition(":")[0]],
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_attempts=4,
        max_delay=Duration.seconds(20),
        jitter_strategy=sfn.JitterType.FULL,
    )
    return task
