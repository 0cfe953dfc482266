"""Every task of every state machine asks AWS for what its API takes, with names as long as they become."""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.model import OperationModel, ServiceModel

from cdk_rehearsal.request_validation import UnreadableRequestError, request_faults
from tests.every_template.assembly import Assembly
from tests.every_template.jsonata_values import UndefinedError, value_of
from tests.every_template.workflow_values import LONGEST_EXECUTION_NAME, Call, Machine, machines, release_name

# What Step Functions calls the services, and botocore does.
SERVICES = {"applicationautoscaling": "application-autoscaling", "states": "stepfunctions"}
# https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
OPTIMIZED = {
    "athena:startQueryExecution": {"", "sync"},
    "lambda:invoke": {"", "waitForTaskToken"},
    "sagemaker:createProcessingJob": {"", "sync"},
    "sagemaker:createTrainingJob": {"", "sync"},
    "sagemaker:createTransformJob": {"", "sync"},
    "sns:publish": {"", "waitForTaskToken"},
    "states:startExecution": {"", "sync", "sync:2", "waitForTaskToken"},
}
# Members that the optimized integrations take as JSON, and the API as text.
AS_TEXT = {"lambda:invoke": "Payload", "sns:publish": "Message", "states:startExecution": "Input"}
# Names that fit as they are, and the longest, which do not; of any character that Step Functions takes.
EXECUTION_NAMES = [
    "a" * LONGEST_EXECUTION_NAME,
    "2f1c8a7e-6f7d-4c1b-9d55-0e8f4b0e9a3c",
    "labels-20261126T170000-12",
    ("odd_name.v1+x=(y)!-" * 5)[:LONGEST_EXECUTION_NAME],
    "it's",
    "_",
]
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: the model has no word of it.
SUBJECT = re.compile(r"[A-Za-z0-9\x21-\x2f][\x20-\x7e]{0,98}")
LONGEST_MESSAGE = 256 * 1024
# https://states-language.net/spec.html#states-fields
LONGEST_STATE_NAME = 80


@functools.cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(SERVICES.get(service, service))


def operation(call: Call) -> OperationModel:
    """The operation, by the name that Step Functions gives it: its own, with a small first letter."""
    return service_model(call.service).operation_model(call.operation[0].upper() + call.operation[1:])


def request(call: Call, machine: Machine) -> dict[str, Any]:
    """What the API is asked: Step Functions writes each member's name with a capital letter."""
    arguments: Mapping[str, Any] = value_of(call.arguments, machine.variables, machine.states)
    named = f"{call.service}:{call.operation}"
    text = "" if call.is_sdk else AS_TEXT.get(named, "")
    if text in arguments and not isinstance(arguments[text], str):
        arguments = {**arguments, text: json.dumps(arguments[text])}
    shape = operation(call).input_shape
    assert shape is not None
    own = {member[0].upper() + member[1:]: member for member in shape.members}
    return {own.get(name, name): value for name, value in arguments.items()}


def faults(call: Call, machine: Machine) -> list[str]:
    """What AWS would refuse of a task's request."""
    where = f"{call.machine}, {call.state}"
    try:
        shape = operation(call).input_shape
        assert shape is not None
        asked = request(call, machine)
        found = request_faults(shape, asked, unknown_members=True)
    except (UndefinedError, UnreadableRequestError) as error:
        return [f"{where}: {type(error).__name__}: {error}"]
    if call.operation == "publish":
        if "Subject" in asked and not SUBJECT.fullmatch(asked["Subject"]):
            found.append(f"Subject is {asked['Subject']!r}")
        if len(asked["Message"].encode()) > LONGEST_MESSAGE:
            found.append("Message is too long")
    if call.operation == "startQueryExecution" and asked["QueryString"].count("'") % 2:
        found.append(f"a text does not end in {asked['QueryString']}")
    return [f"{where}: {fault}" for fault in found]


@pytest.mark.parametrize("execution_name", EXECUTION_NAMES)
def test_aws_takes_what_every_task_asks(assembly: Assembly, execution_name: str) -> None:
    found = [
        fault
        for machine in machines(assembly, execution_name)
        for call in machine.calls()
        for fault in faults(call, machine)
    ]
    assert found == []


def test_step_functions_knows_every_integration(assembly: Assembly) -> None:
    for machine in machines(assembly, "name"):
        for call in machine.calls():
            assert operation(call).name
            if call.is_sdk:
                assert call.pattern in ("", "waitForTaskToken")
            else:
                assert call.pattern in OPTIMIZED[f"{call.service}:{call.operation}"]


def test_aws_takes_what_the_function_around_an_endpoint_asks(assembly: Assembly) -> None:
    """Its requests stand in the template, where CloudFormation checks nothing of them."""
    scaling = service_model("applicationautoscaling")
    for _, properties in assembly.resources("Custom::EndpointScaling"):
        for variant in json.loads(properties["Variants"]):
            for name, asked in (("RegisterScalableTarget", variant["target"]), ("PutScalingPolicy", variant["policy"])):
                shape = scaling.operation_model(name).input_shape
                assert shape is not None
                assert request_faults(shape, asked, unknown_members=True) == []


def test_no_name_of_a_state_or_machine_is_too_long(assembly: Assembly) -> None:
    for machine in machines(assembly, "name"):
        assert len(machine.name) <= LONGEST_EXECUTION_NAME
        assert [name for name in machine.states_by_name if len(name) > LONGEST_STATE_NAME] == []


def test_two_executions_never_share_the_name_of_a_release(assembly: Assembly) -> None:
    for name in EXECUTION_NAMES:
        for machine, other in zip(machines(assembly, name), machines(assembly, name[:-1] + "z"), strict=True):
            if "Input" in machine.states_by_name:
                assert release_name(machine) != release_name(other)


@pytest.mark.parametrize(
    ("state", "change", "fault"),
    [
        ("Model-Creating-Step", {"ModelName": "n" * 64}, "length less than or equal to 63"),
        ("Model-Creating-Step", {"ModelName": "a_b"}, "regular expression"),
        ("Train", {"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "greater than or equal to 1"),
        ("Train", {"EnableNetworkIsolation": "yes"}, "can not be converted"),
        ("Train", {"Enviroment": {}}, "'enviroment' is no member"),
        ("Train", {"RoleArn": None}, "Value null at 'roleArn'"),
        ("Train", {"HyperParameters": {"k" * 257: "v"}}, "length less than or equal to 256"),
        ("Describe", {"EndpointName": "{% $nobody %}"}, "UndefinedError"),
        ("NotifySlackFailure", {"Subject": "two\nlines"}, "Subject is"),
    ],
)
def test_a_fault_would_be_heard(default_workflow: Assembly, state: str, change: dict[str, Any], fault: str) -> None:
    (machine,) = [found for found in machines(default_workflow, "name") if "Input" in found.states_by_name]
    (call,) = [found for found in machine.calls() if found.state == state]
    assert faults(call, machine) == []
    changed = Call(
        machine=call.machine,
        state=state,
        service=call.service,
        operation=call.operation,
        pattern=call.pattern,
        is_sdk=call.is_sdk,
        arguments={**call.arguments, **change},
        body=call.body,
    )
    (found,) = faults(changed, machine)
    assert fault in found
