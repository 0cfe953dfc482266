import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.tools.cdk_rehearsal.plug_in.stepfunctions.executions import when_ended

Eventually = Callable[..., Any]
ROLE = "arn:aws:iam::123456789012:role/workflow"
WAIT_AN_HOUR = {"Type": "Wait", "Seconds": 3600, "Next": "End"}


@pytest.fixture
def machine(embedded_aws: EmbeddedAws) -> Callable[..., str]:
    def make(states: dict[str, Any], **more: Any) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **more}
        made = embedded_aws.client("stepfunctions").create_state_machine(
            name=f"machine-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=ROLE
        )
        arn: str = made["stateMachineArn"]
        return arn

    return make


@pytest.fixture
def parent(embedded_aws: EmbeddedAws, machine: Callable[..., str]) -> Callable[..., str]:
    """Starts an execution that runs a child and waits for it."""

    def start(child: str, pattern: str = "sync:2", **more: Any) -> str:
        task = {
            "Type": "Task",
            "Resource": f"arn:aws:states:::states:startExecution.{pattern}",
            "Arguments": {"StateMachineArn": child, "Input": {"given": 7}},
            "End": True,
            **more,
        }
        client = embedded_aws.client("stepfunctions")
        execution: str = client.start_execution(stateMachineArn=machine({"Child": task}))["executionArn"]
        return execution

    return start


def _children(aws: EmbeddedAws, child: str) -> list[str]:
    executions = aws.client("stepfunctions").list_executions(stateMachineArn=child)["executions"]
    return [execution["status"] for execution in executions]


@pytest.mark.parametrize(("pattern", "output"), [("sync:2", {"given": 7}), ("sync", '{"given": 7}')])
def test_the_childs_output_is_the_tasks(
    embedded_aws: EmbeddedAws, machine: Any, parent: Any, eventually: Eventually, pattern: str, output: Any
) -> None:
    execution = parent(machine({"Pass": {"Type": "Pass", "End": True}}), pattern)
    result = json.loads(eventually(lambda: when_ended(embedded_aws, execution), seconds=60)["output"])
    assert (result["Status"], result["Output"]) == ("SUCCEEDED", output)


def test_a_child_that_fails_fails_the_task_and_says_why(
    embedded_aws: EmbeddedAws, machine: Any, parent: Any, eventually: Eventually
) -> None:
    execution = parent(machine({"Fail": {"Type": "Fail", "Error": "RollbackFailed", "Cause": "no way back"}}))
    ended = eventually(lambda: when_ended(embedded_aws, execution), seconds=60)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(ended["cause"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "RollbackFailed", "no way back")


def test_a_child_that_cannot_start_is_named(embedded_aws: EmbeddedAws, parent: Any, eventually: Eventually) -> None:
    execution = parent("arn:aws:states:us-east-1:123456789012:stateMachine:none")
    ended = eventually(lambda: when_ended(embedded_aws, execution), seconds=60)
    assert ended["error"] == "StepFunctions.StateMachineDoesNotExistException"


def test_a_stopped_parent_stops_its_child(
    embedded_aws: EmbeddedAws, machine: Any, parent: Any, eventually: Eventually
) -> None:
    child = machine({"Wait": WAIT_AN_HOUR, "End": {"Type": "Succeed"}})
    execution = parent(child)
    eventually(lambda: _children(embedded_aws, child) == ["RUNNING"], seconds=60)
    embedded_aws.client("stepfunctions").stop_execution(executionArn=execution)
    eventually(lambda: _children(embedded_aws, child) == ["ABORTED"], seconds=60)
    assert when_ended(embedded_aws, execution)["status"] == "ABORTED"  # type: ignore[index]


def test_a_task_that_times_out_stops_its_child(
    embedded_aws: EmbeddedAws, machine: Any, parent: Any, eventually: Eventually
) -> None:
    child = machine({"Wait": WAIT_AN_HOUR, "End": {"Type": "Succeed"}})
    execution = parent(child, TimeoutSeconds=1)
    assert eventually(lambda: when_ended(embedded_aws, execution), seconds=60)["error"] == "States.Timeout"
    eventually(lambda: _children(embedded_aws, child) == ["ABORTED"], seconds=60)


def test_a_state_machine_that_takes_too_long_times_out(
    embedded_aws: EmbeddedAws, machine: Any, eventually: Eventually
) -> None:
    slow = machine({"Wait": WAIT_AN_HOUR, "End": {"Type": "Succeed"}}, TimeoutSeconds=1)
    execution = embedded_aws.client("stepfunctions").start_execution(stateMachineArn=slow)["executionArn"]
    assert eventually(lambda: when_ended(embedded_aws, execution), seconds=60)["status"] == "TIMED_OUT"


def test_a_rule_starts_a_machine_with_what_its_transformer_makes_of_the_event(
    embedded_aws: EmbeddedAws, machine: Any, eventually: Eventually
) -> None:
    failing = machine({"Fail": {"Type": "Fail", "Error": "Broken", "Cause": 'it said "no"'}})
    starter = machine({"Pass": {"Type": "Pass", "End": True}})
    whole = machine({"Pass": {"Type": "Pass", "End": True}})
    events, rule = embedded_aws.client("events"), f"rule-{uuid.uuid4().hex[:8]}"
    detail = {"stateMachineArn": [failing], "status": ["FAILED"], "error": [{"anything-but": ["ReleaseFailed"]}]}
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.states"], "detail": detail}))
    transformer = {
        "InputPathsMap": {"execution": "$.detail.executionArn", "error": "$.detail.error"},
        "InputTemplate": '{"stopped": {"execution": <execution>, "error": <error>}}',
    }
    targets = [
        {"Id": "transformed", "Arn": starter, "RoleArn": ROLE, "InputTransformer": transformer},
        {"Id": "whole", "Arn": whole, "RoleArn": ROLE},
    ]
    events.put_targets(Rule=rule, Targets=targets)
    client = embedded_aws.client("stepfunctions")
    failed = client.start_execution(stateMachineArn=failing)["executionArn"]
    eventually(lambda: _children(embedded_aws, starter) == _children(embedded_aws, whole) == ["SUCCEEDED"], seconds=60)

    def given(arn: str) -> Any:
        (execution,) = client.list_executions(stateMachineArn=arn)["executions"]
        return json.loads(client.describe_execution(executionArn=execution["executionArn"])["input"])

    assert given(starter) == {"stopped": {"execution": failed, "error": "Broken"}}
    assert given(whole)["detail"]["cause"] == 'it said "no"'
    events.remove_targets(Rule=rule, Ids=["transformed", "whole"])
    events.delete_rule(Name=rule)


def test_the_sdk_integrations_name_errors_as_aws_does(
    embedded_aws: EmbeddedAws, machine: Any, eventually: Eventually
) -> None:
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/none/variant/v",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    missing = "arn:aws:states:us-east-1:123456789012:execution:none:none"
    for resource, arguments, error in (
        (
            "applicationautoscaling:deregisterScalableTarget",
            target,
            "ApplicationAutoScaling.ObjectNotFoundException",
        ),
        ("sfn:describeExecution", {"ExecutionArn": missing}, "Sfn.ExecutionDoesNotExistException"),
    ):
        task = {
            "Type": "Task",
            "Resource": f"arn:aws:states:::aws-sdk:{resource}",
            "Arguments": arguments,
            "End": True,
        }
        started = embedded_aws.client("stepfunctions").start_execution(stateMachineArn=machine({"Task": task}))
        ended = eventually(lambda arn=started["executionArn"]: when_ended(embedded_aws, arn), seconds=60)
        assert ended["error"] == error
