from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

# What passes by itself; SNS does not model its throttling for Step Functions, so it comes under its general exception.
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

# A function's error comes as JSON, in which a sentence says what is wrong; a time-out comes without a cause.
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

    Each state may be repeated, and an execution may end anywhere: the next one takes up what is left.
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
                # What started the execution: an event of EventBridge, or a person.
                "event": "{% $states.context.Execution.Input %}",
                "started": "{% $states.context.Execution.StartTime %}",
            },
        },
        assign=assign,
        output=output,
    )
    # Another execution is at it, for as long as its lease lasts where it was cut off.
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
        "Resource": f"arn:{Stack.of(scope).partition}:states:::{resource}",
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
