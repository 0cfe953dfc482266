import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws

CODE = '''
class OutOfStock(Exception):
    """Nothing is left."""


def handler(event, context):
    raise {"own": OutOfStock, "built in": KeyError}[event["which"]](event["why"])
'''


@pytest.mark.parametrize(
    ("which", "why", "name"),
    [("own", "none: left", "OutOfStock"), ("own", "two\nlines", "OutOfStock"), ("own", "", "OutOfStock"),
     ("built in", "shelf", "KeyError")],
)  # fmt: skip
def test_a_state_catches_a_functions_error_by_its_class(
    embedded_aws: EmbeddedAws, eventually: Callable[..., Any], which: str, why: str, name: str
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("shelf.py", CODE)
    function = embedded_aws.client("lambda").create_function(
        FunctionName=f"shelf-{uuid.uuid4().hex[:8]}",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/notifier",
        Handler="shelf.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    states = {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": function, "Payload": {"which": which, "why": why}},
            "Catch": [{"ErrorEquals": [name], "Next": "Caught", "Assign": {"error": "{% $states.errorOutput %}"}}],
            "Next": "Caught",
        },
        "Caught": {"Type": "Succeed", "Output": "{% $error %}"},
    }
    machines = embedded_aws.client("stepfunctions")
    machine = machines.create_state_machine(
        name=f"asking-{uuid.uuid4().hex[:8]}",
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Ask", "States": states}),
        roleArn="arn:aws:iam::123456789012:role/workflow",
    )["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    eventually(lambda: machines.describe_execution(executionArn=execution)["status"] != "RUNNING", seconds=60)
    ended = machines.describe_execution(executionArn=execution)
    assert ended["status"] == "SUCCEEDED", ended
    caught = json.loads(ended["output"])
    assert caught["Error"] == name
    assert json.loads(caught["Cause"])["errorType"] == name
