import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.fault import Fault
from tests.access import make_queue

Eventually = Callable[..., Any]
NEXT = {"Type": "Pass", "End": True}


@pytest.fixture
def machine(embedded_aws: EmbeddedAws) -> Iterator[Callable[..., tuple[str, str]]]:
    """Makes a state machine that starts with one task, `Call`; answers its name and ARN."""

    def make(resource: str, arguments: dict[str, Any], **more: Any) -> tuple[str, str]:
        task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, **more}
        states = {"Call": {**task, "Next": "After"}, "After": NEXT, "Caught": {"Type": "Fail", "Error": "Told"}}
        name = f"faulty-{uuid.uuid4().hex[:8]}"
        made = embedded_aws.client("stepfunctions").create_state_machine(
            name=name,
            definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Call", "States": states}),
            roleArn="arn:aws:iam::123456789012:role/workflow",
        )
        return name, made["stateMachineArn"]

    yield make
    embedded_aws.clear_faults()


@pytest.fixture
def run(embedded_aws: EmbeddedAws, eventually: Eventually) -> Callable[[str], dict[str, Any]]:
    """Runs an execution to its end; answers its description with the types of its events."""

    def start(arn: str) -> dict[str, Any]:
        client = embedded_aws.client("stepfunctions")
        execution = client.start_execution(stateMachineArn=arn)["executionArn"]

        def ended() -> Any:
            described = client.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        described: dict[str, Any] = eventually(ended, seconds=60)
        events = client.get_execution_history(executionArn=execution)["events"]
        return {**described, "events": [event["type"] for event in events]}

    return start


@pytest.mark.parametrize(
    ("resource", "kind", "error", "cause"),
    [
        ("lambda:invoke", "throttling", "Lambda.TooManyRequestsException", "Rate exceeded (Service: AWSLambda; "),
        ("lambda:invoke", "access_denied", "Lambda.AWSLambdaException", "not authorized to perform: lambda:InvokeF"),
        ("lambda:invoke", "service_error", "Lambda.ServiceException", "Status Code: 500"),
        ("lambda:invoke", "function_timeout", "Sandbox.Timedout", "Task timed out after"),
        ("sagemaker:createModel", "throttling", "SageMaker.AmazonSageMakerException", "Error Code: ThrottlingExc"),
        ("sagemaker:createTrainingJob.sync", "access_denied", "SageMaker.AmazonSageMakerException", "CreateTrainingJ"),
        ("aws-sdk:sagemaker:describeEndpoint", "throttling", "SageMaker.SageMakerException", "Rate exceeded (Service"),
        ("sns:publish", "access_denied", "SNS.AuthorizationErrorException", "sns:Publish"),
        ("dynamodb:putItem", "throttling", "DynamoDB.ProvisionedThroughputExceededException", "Rate exceeded"),
        ("states:startExecution.sync:2", "throttling", "StepFunctions.AWSStepFunctionsException", "Rate exceeded"),
        (
            "aws-sdk:applicationautoscaling:registerScalableTarget",
            "access_denied",
            "ApplicationAutoScaling.ApplicationAutoScalingException",
            "applicationautoscaling:RegisterScalableTarget",
        ),
    ],
)
def test_a_fault_is_named_as_step_functions_names_it(
    embedded_aws: EmbeddedAws, machine: Any, run: Any, resource: str, kind: Any, error: str, cause: str
) -> None:
    name, arn = machine(resource, {})
    fault = Fault(state="Call", kind=kind, machine=name)
    embedded_aws.inject(fault)
    ended = run(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert cause in ended["cause"]
    assert embedded_aws.times_happened(fault) == 1


def test_a_fault_happens_as_often_as_asked_and_to_its_own_machine_and_state(
    embedded_aws: EmbeddedAws, machine: Any, run: Any
) -> None:
    topic = embedded_aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    retry = [{"ErrorEquals": ["SNS.AmazonSNSException"], "MaxAttempts": 3}]
    name, arn = machine("sns:publish", {"TopicArn": topic, "Message": "m"}, Retry=retry)
    fault = Fault(state="Call", kind="throttling", machine=name, times=2)
    for other in (Fault(state="Other", kind="throttling", machine=name), Fault(state="Call", kind="throttling")):
        embedded_aws.inject(other)
    embedded_aws.inject(fault)
    ended = run(arn)
    assert ended["status"] == "SUCCEEDED"
    assert ended["events"].count("TaskFailed") == 2
    assert embedded_aws.times_happened(fault) == 2


def test_a_fault_without_end_lasts_until_it_is_cleared(embedded_aws: EmbeddedAws, machine: Any, run: Any) -> None:
    topic = embedded_aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    name, arn = machine("sns:publish", {"TopicArn": topic, "Message": "m"})
    embedded_aws.inject(Fault(state="Call", kind="service_error", machine=name, times=None))
    assert [run(arn)["status"] for _ in range(2)] == ["FAILED", "FAILED"]
    embedded_aws.clear_faults()
    assert run(arn)["status"] == "SUCCEEDED"


def test_a_fault_that_is_withdrawn_leaves_the_others(embedded_aws: EmbeddedAws, machine: Any, run: Any) -> None:
    topic = embedded_aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    name, arn = machine("sns:publish", {"TopicArn": topic, "Message": "m"})
    first = Fault(state="Call", kind="service_error", machine=name, times=None)
    second = Fault(state="Call", kind="access_denied", machine=name, times=None)
    embedded_aws.inject(first)
    embedded_aws.inject(second)
    embedded_aws.withdraw(first)
    assert run(arn)["error"] == "SNS.AuthorizationErrorException"
    embedded_aws.withdraw(second)
    assert run(arn)["status"] == "SUCCEEDED"


def test_after_the_call_only_its_answer_is_lost(
    embedded_aws: EmbeddedAws, machine: Any, run: Any, training_job: Any, eventually: Eventually
) -> None:
    job = f"job-{uuid.uuid4().hex[:8]}"
    name, arn = machine("sagemaker:createTrainingJob.sync", training_job(job))
    embedded_aws.inject(Fault(state="Call", kind="service_error", machine=name, when="after"))
    assert run(arn)["error"] == "SageMaker.AmazonSageMakerException"
    describe = embedded_aws.client("sagemaker").describe_training_job
    eventually(lambda: describe(TrainingJobName=job)["TrainingJobStatus"] == "Completed", seconds=60)


@pytest.mark.parametrize(("kind", "status"), [("abort", "ABORTED"), ("time_out", "TIMED_OUT")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_ended_execution_stays_ended_and_is_told_as_an_event(
    embedded_aws: EmbeddedAws,
    machine: Any,
    run: Any,
    eventually: Eventually,
    told: Callable[[str], list[Any]],
    kind: Any,
    status: str,
    when: Any,
) -> None:
    queue_url, _ = make_queue(embedded_aws, f"queue-{uuid.uuid4().hex[:8]}")
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    name, arn = machine("sqs:sendMessage", {"QueueUrl": queue_url, "MessageBody": "sent"}, Catch=caught)
    embedded_aws.inject(Fault(state="Call", kind=kind, machine=name, when=when))
    ended = run(arn)
    assert ended["status"] == status
    assert ended["events"][-1] == {"abort": "ExecutionAborted", "time_out": "ExecutionTimedOut"}[kind]
    assert "PassStateEntered" not in ended["events"]
    sent = embedded_aws.client("sqs").receive_message(QueueUrl=queue_url).get("Messages", [])
    assert [message["Body"] for message in sent] == (["sent"] if when == "after" else [])
    statuses = eventually(lambda: (seen := told(arn)) and len(seen) > 1 and seen, seconds=60)
    assert [event["detail"]["status"] for event in statuses] == ["RUNNING", status]


def test_a_pass_state_too_can_be_aborted(embedded_aws: EmbeddedAws, machine: Any, run: Any) -> None:
    topic = embedded_aws.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    name, arn = machine("sns:publish", {"TopicArn": topic, "Message": "m"})
    embedded_aws.inject(Fault(state="After", kind="abort", machine=name))
    assert run(arn)["status"] == "ABORTED"


def test_fails_when_the_fault_is_unknown() -> None:
    with pytest.raises(ValueError, match='kind is "rain"; give one of throttling, '):
        Fault(state="Call", kind="rain")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="times is 0; give 1 or more"):
        Fault(state="Call", kind="abort", times=0)


@pytest.fixture
def told(embedded_aws: EmbeddedAws) -> Iterator[Callable[[str], list[Any]]]:
    """The status events of a state machine's executions, in order, from when the test began."""
    rule = f"rule-{uuid.uuid4().hex[:8]}"
    events = embedded_aws.client("events")
    pattern = {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"]}
    rule_arn = events.put_rule(Name=rule, EventPattern=json.dumps(pattern))["RuleArn"]
    url, arn = make_queue(embedded_aws, f"queue-{rule}", takes_from=rule_arn)
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    seen: list[Any] = []

    def of(machine_arn: str) -> list[Any]:
        received = embedded_aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        seen.extend(json.loads(message["Body"]) for message in received.get("Messages", []))
        return [event for event in seen if event["detail"]["stateMachineArn"] == machine_arn]

    yield of
    events.remove_targets(Rule=rule, Ids=["queue"])
    events.delete_rule(Name=rule)
