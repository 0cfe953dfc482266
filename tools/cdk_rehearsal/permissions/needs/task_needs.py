"""What a state machine's role needs for a Task state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from cdk_rehearsal.permissions.needs.arns import account_of, arn, sagemaker_arn
from cdk_rehearsal.permissions.needs.call_needs import needs
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.step_functions_call import StepFunctionsCall, step_functions_call
from cdk_rehearsal.permissions.needs.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitedFor:
    """A row: the additional calls of Step Functions for a task that waits (`.sync`)."""

    checked: date
    service: str
    operation: str
    follow_ups: tuple[str, ...]  # actions on the created resource: to describe and to stop it
    made: str  # the ARN's last part; {name} is the parameter below, "*" an id that only the response has
    name: str  # the parameter with the resource's name
    rule: str | None  # the managed rule that notifies Step Functions of the end; None: it polls
    source: str


_CHECKED = date(2026, 11, 26)
_GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg"


def _sagemaker_job(kind: str, path: str) -> WaitedFor:
    return WaitedFor(
        checked=_CHECKED,
        service="sagemaker",
        operation=f"Create{kind}Job",
        # Step Functions adds a tag of its own to the job: https://github.com/aws/aws-cdk/issues/32294
        follow_ups=(
            "sagemaker:AddTags",
            f"sagemaker:Describe{kind}Job",
            f"sagemaker:Stop{kind}Job",
            "sagemaker:ListTags",
        ),
        made=f"{path}/{{name}}",
        name=f"{kind}JobName",
        rule=f"StepFunctionsGetEventsForSageMaker{kind}JobsRule",
        source=f"{_GUIDE}/sagemaker-iam.html",
    )


WAITED_FOR = (
    _sagemaker_job("Training", "training-job"),
    _sagemaker_job("Transform", "transform-job"),
    _sagemaker_job("Processing", "processing-job"),
    WaitedFor(
        checked=_CHECKED,
        service="stepfunctions",
        operation="StartExecution",
        follow_ups=("states:DescribeExecution", "states:StopExecution"),
        made="",  # taken from the state machine's ARN
        name="stateMachineArn",
        rule="StepFunctionsGetEventsForStepFunctionsExecutionRule",
        source=f"{_GUIDE}/connect-stepfunctions.html",
    ),
    WaitedFor(
        checked=_CHECKED,
        service="ecs",
        operation="RunTask",
        follow_ups=("ecs:StopTask", "ecs:DescribeTasks"),
        made="task/{name}/*",
        name="cluster",
        rule="StepFunctionsGetEventsForECSTaskRule",
        source=f"{_GUIDE}/ecs-iam.html",
    ),
    WaitedFor(
        checked=_CHECKED,
        service="athena",
        operation="StartQueryExecution",
        follow_ups=("athena:GetQueryExecution", "athena:StopQueryExecution"),
        made="workgroup/{name}",
        name="WorkGroup",
        rule=None,
        source=f"{_GUIDE}/athena-iam.html",
    ),
    WaitedFor(
        checked=_CHECKED,
        service="glue",
        operation="StartJobRun",
        follow_ups=("glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"),
        made="job/{name}",
        name="JobName",
        rule=None,
        source=f"{_GUIDE}/glue-iam.html",
    ),
    WaitedFor(
        checked=_CHECKED,
        service="batch",
        operation="SubmitJob",
        follow_ups=("batch:DescribeJobs", "batch:TerminateJob"),
        made="job/*",
        name="jobName",
        rule="StepFunctionsGetEventsForBatchJobsRule",
        source=f"{_GUIDE}/batch-iam.html",
    ),
)
_BY_CALL: Mapping[tuple[str, str], WaitedFor] = MappingProxyType(
    {(row.service, row.operation): row for row in WAITED_FOR}
)


def task_needs(resource: str, parameters: Mapping[str, Any], *, world: World) -> tuple[Need, ...]:
    """The permissions that a Task needs from its state machine's role, including those to stop the task.

    Args:
        resource: the state's Resource, such as `arn:aws:states:::sagemaker:createTrainingJob.sync`.
        parameters: the parameters that Step Functions passes to the API, under the API's own names.
        world: look-ups in the account's state.
    """
    call = step_functions_call(resource)
    if call is None:
        return ()
    if call.service == "lambda" and resource.startswith(f"arn:{world.partition}:lambda:"):
        parameters = {"FunctionName": resource}
    found = needs(call.service, call.operation, _as_the_api_names(call, parameters), world=world)
    if call.pattern != "sync":
        return found
    return tuple(dict.fromkeys((*found, *waiting_needs(call, parameters, world=world))))


def waiting_needs(call: StepFunctionsCall, parameters: Mapping[str, Any], *, world: World) -> Iterator[Need]:
    """The additional permissions of `.sync`: to be notified of the end, to describe the job, and to stop it."""
    row = _BY_CALL.get((call.service, call.operation))
    if row is None:
        return
    made = _made(row, _as_the_api_names(call, parameters), world)
    because = f"a task that waits for {call.operation} ({row.source})"
    for action in row.follow_ups:
        yield Need(action=action, resource=made, resource_account=account_of(made, world), because=because)
    if row.rule:
        rule = arn(world, "events", f"rule/{row.rule}")
        for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
            yield Need(action=action, resource=rule, resource_account=world.account, because=because)


def _made(row: WaitedFor, parameters: Mapping[str, Any], world: World) -> str:
    name = str(parameters.get(row.name, "primary" if row.service == "athena" else "*"))
    if row.service == "stepfunctions":
        execution = parameters.get("name", "*")
        return f"{name.replace(':stateMachine:', ':execution:')}:{execution}"
    if row.service == "sagemaker":
        return sagemaker_arn(world, row.made.partition("/")[0], name)
    return arn(world, row.service, row.made.format(name=name.rpartition("/")[2]))


def _as_the_api_names(call: StepFunctionsCall, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Step Functions capitalizes the parameters of every API; some APIs (ECS, its own) use a small first letter.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-parameters.html
    """
    if call.service not in ("ecs", "stepfunctions", "batch", "logs"):
        return parameters
    return {name[:1].lower() + name[1:]: value for name, value in parameters.items()}
