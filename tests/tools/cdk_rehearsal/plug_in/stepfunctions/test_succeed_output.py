import json
import uuid
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws


def test_an_execution_ends_with_the_output_of_its_succeed_state(
    embedded_aws: EmbeddedAws, eventually: Callable[..., Any]
) -> None:
    states = {
        "First": {"Type": "Pass", "Assign": {"who": "{% $states.input.name %}"}, "Next": "Last"},
        "Last": {"Type": "Succeed", "Output": {"greeting": "{% 'hello ' & $who %}"}},
    }
    machines = embedded_aws.client("stepfunctions")
    machine = machines.create_state_machine(
        name=f"greeting-{uuid.uuid4().hex[:8]}",
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "First", "States": states}),
        roleArn="arn:aws:iam::123456789012:role/workflow",
    )["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine, input='{"name": "you"}')["executionArn"]
    eventually(lambda: machines.describe_execution(executionArn=execution)["status"] == "SUCCEEDED", seconds=60)
    assert json.loads(machines.describe_execution(executionArn=execution)["output"]) == {"greeting": "hello you"}
