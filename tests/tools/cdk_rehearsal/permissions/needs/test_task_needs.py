"""From a Task state to what its state machine's role needs."""

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.permissions.api_request.service_models import operation_names
from cdk_rehearsal.permissions.needs import StepFunctionsCall, step_functions_call, task_needs
from tests.tools.cdk_rehearsal.permissions.needs import service_authorization
from tests.tools.cdk_rehearsal.permissions.needs.recorded_world import RecordedWorld

PROJECT = Path(__file__).parents[5]
ACCOUNT = "123456789012"
HERE = f"eu-west-1:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:rollback"
WORLD = RecordedWorld(account=ACCOUNT, region="eu-west-1")


def asked(resource: str, **parameters: Any) -> list[tuple[str, str]]:
    found = task_needs(resource, parameters, world=WORLD)
    for need in found:
        assert service_authorization.faults_of(need.action, need.resource, tuple(need.context)) == []
    return [(need.action, need.resource) for need in found]


@pytest.mark.parametrize(
    ("resource", "service", "operation", "pattern"),
    [
        ("arn:aws:states:::sagemaker:createTrainingJob.sync", "sagemaker", "CreateTrainingJob", "sync"),
        ("arn:aws:states:::states:startExecution.sync:2", "stepfunctions", "StartExecution", "sync"),
        ("arn:aws-cn:states:::lambda:invoke", "lambda", "Invoke", "request-response"),
        ("arn:aws:states:::lambda:invoke.waitForTaskToken", "lambda", "Invoke", "callback"),
        ("arn:aws:states:::sns:publish", "sns", "Publish", "request-response"),
        ("arn:aws:states:::aws-sdk:sagemaker:updateEndpoint", "sagemaker", "UpdateEndpoint", "request-response"),
        (
            "arn:aws:states:::aws-sdk:applicationautoscaling:registerScalableTarget",
            "application-autoscaling",
            "RegisterScalableTarget",
            "request-response",
        ),
        ("arn:aws:states:::aws-sdk:sfn:startExecution", "stepfunctions", "StartExecution", "request-response"),
        ("arn:aws:states:::aws-sdk:cloudwatchlogs:putLogEvents", "logs", "PutLogEvents", "request-response"),
        ("arn:aws:states:::aws-sdk:elasticloadbalancingv2:describeRules", "elbv2", "DescribeRules", "request-response"),
        ("arn:aws:states:::aws-sdk:eventbridge:putRule", "events", "PutRule", "request-response"),
        ("arn:aws:states:::aws-sdk:costexplorer:getTags", "ce", "GetTags", "request-response"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", "lambda", "Invoke", "request-response"),
    ],
)
def test_a_resource_names_its_call(resource: str, service: str, operation: str, pattern: Any) -> None:
    assert step_functions_call(resource) == StepFunctionsCall(service=service, operation=operation, pattern=pattern)


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:eu-west-1:123456789012:activity:a",
        "arn:aws:states:::http:invoke",
        "arn:aws:states:::aws-sdk:nosuch:call",
        "arn:aws:states:::aws-sdk:s3:levitate",
    ],
)
def test_what_calls_no_api_names_none(resource: str) -> None:
    assert step_functions_call(resource) is None
    assert task_needs(resource, {}, world=WORLD) == ()


@pytest.mark.parametrize("kind", ["Training", "Transform", "Processing"])
def test_a_job_that_is_waited_for_is_tagged_looked_at_stopped_and_heard_of(kind: str) -> None:
    job = f"arn:aws:sagemaker:{HERE}:{kind.lower()}-job/j"
    rule = f"arn:aws:events:{HERE}:rule/StepFunctionsGetEventsForSageMaker{kind}JobsRule"
    own = (f"sagemaker:Create{kind}Job", job)
    name = f"{kind}JobName"
    assert asked(f"arn:aws:states:::sagemaker:create{kind}Job.sync", **{name: "J"}) == [
        own,
        ("sagemaker:AddTags", job),
        (f"sagemaker:Describe{kind}Job", job),
        (f"sagemaker:Stop{kind}Job", job),
        ("sagemaker:ListTags", job),
        ("events:PutTargets", rule),
        ("events:PutRule", rule),
        ("events:DescribeRule", rule),
    ]
    assert asked(f"arn:aws:states:::sagemaker:create{kind}Job", **{name: "J"}) == [own]


def test_an_execution_that_is_waited_for_is_looked_at_and_stopped() -> None:
    execution = f"arn:aws:states:{HERE}:execution:rollback:*"
    rule = f"arn:aws:events:{HERE}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    assert asked("arn:aws:states:::states:startExecution.sync:2", StateMachineArn=MACHINE) == [
        ("states:StartExecution", MACHINE),
        ("states:DescribeExecution", execution),
        ("states:StopExecution", execution),
        ("events:PutTargets", rule),
        ("events:PutRule", rule),
        ("events:DescribeRule", rule),
    ]


def test_a_waiting_query_and_task_are_looked_at() -> None:
    query = asked("arn:aws:states:::athena:startQueryExecution.sync", QueryString="SELECT 1", WorkGroup="g")
    assert ("athena:GetQueryExecution", f"arn:aws:athena:{HERE}:workgroup/g") in query
    task = asked("arn:aws:states:::ecs:runTask.sync", Cluster="c", TaskDefinition="d:1")
    assert ("ecs:RunTask", f"arn:aws:ecs:{HERE}:task-definition/d:1") in task
    assert ("ecs:StopTask", f"arn:aws:ecs:{HERE}:task/c/*") in task


def test_a_task_that_names_a_function_invokes_it() -> None:
    function = f"arn:aws:lambda:{HERE}:function:f"
    assert asked(function, anything="the input") == [("lambda:InvokeFunction", function)]


def tasks(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["Resource"]] if value.get("Type") == "Task" else []
        return own + [each for part in value.values() for each in tasks(part)]
    if isinstance(value, list):
        return [each for part in value for each in tasks(part)]
    return []


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_task_of_the_reference_system_names_a_call(environment: str) -> None:
    found = []
    for path in (PROJECT / "tests/stacks/__snapshots__/test_snapshots").glob(f"*-{environment}*.json"):
        for resource in json.loads(path.read_text())["Resources"].values():
            if resource["Type"] == "AWS::StepFunctions::StateMachine":
                found += tasks(resource["Properties"]["DefinitionString"])
    assert len(found) > 30
    for each in found:
        call = step_functions_call(each.replace("${AWS::Partition}", "aws"))
        assert call is not None, each
        assert call.operation in operation_names(call.service)
