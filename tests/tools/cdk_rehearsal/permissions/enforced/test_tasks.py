"""What a state machine's tasks call is judged as the machine's role."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import Statement, allow, make_queue, make_role

Eventually = Callable[..., Any]
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": "program:1", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://enforced-none/models/"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


@pytest.fixture
def run(
    embedded_aws: EmbeddedAws, role_for: Callable[..., str], unique: str, eventually: Eventually
) -> Callable[..., dict[str, Any]]:
    """Runs a machine of one task whose role has these statements; answers its execution when it has ended."""

    def ended(
        resource: str, arguments: dict[str, Any], *statements: Statement, trusts: str = "states"
    ) -> dict[str, Any]:
        machines = embedded_aws.client("stepfunctions")
        task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "End": True}
        definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Task", "States": {"Task": task}})
        role = role_for(trusts, *statements)
        arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{unique}"
        if arn in [machine["stateMachineArn"] for machine in machines.list_state_machines()["stateMachines"]]:
            machines.update_state_machine(stateMachineArn=arn, definition=definition)
        else:
            machines.create_state_machine(name=unique, definition=definition, roleArn=role)
        execution = machines.start_execution(stateMachineArn=arn)["executionArn"]

        def found() -> Any:
            described = machines.describe_execution(executionArn=execution)
            return described["status"] != "RUNNING" and described

        execution_ended: dict[str, Any] = eventually(found)
        return execution_ended

    return ended


@pytest.mark.parametrize(
    ("resource", "arguments", "error", "action"),
    [
        (
            "sns:publish",
            {"TopicArn": "arn:aws:sns:us-east-1:123456789012:enforced-none", "Message": "m"},
            "SNS.AuthorizationErrorException",
            "sns:Publish",
        ),
        (
            "dynamodb:getItem",
            {"TableName": "enforced-none", "Key": {"id": {"S": "1"}}},
            "DynamoDB.AmazonDynamoDBException",
            "dynamodb:GetItem",
        ),
        ("lambda:invoke", {"FunctionName": "enforced-none"}, "Lambda.AWSLambdaException", "lambda:InvokeFunction"),
        (
            "aws-sdk:sagemaker:describeEndpoint",
            {"EndpointName": "enforced-none"},
            "SageMaker.SageMakerException",
            "sagemaker:DescribeEndpoint",
        ),
    ],
)
def test_a_task_without_permission_fails_by_its_integrations_name(
    run: Any, resource: str, arguments: dict[str, Any], error: str, action: str, unique: str
) -> None:
    ended = run(resource, arguments)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    session = f"arn:aws:sts::123456789012:assumed-role/{unique}/{ended['name']}"
    assert ended["cause"].startswith(f"User: {session} is not authorized to perform: {action} on resource: ")
    assert "because no identity-based policy allows" in ended["cause"]


def test_a_statement_lets_the_task_call(run: Any, embedded_aws: EmbeddedAws, unique: str) -> None:
    url, arn = make_queue(embedded_aws, unique)
    send = {"QueueUrl": url, "MessageBody": "m"}
    assert run("sqs:sendMessage", send)["error"] == "SQS.AmazonSQSException"
    assert embedded_aws.client("sqs").receive_message(QueueUrl=url).get("Messages") is None
    assert run("sqs:sendMessage", send, allow("sqs:SendMessage", on=arn))["status"] == "SUCCEEDED"


def test_a_job_takes_pass_role_for_its_role(run: Any, unique: str) -> None:
    passed = "arn:aws:iam::123456789012:role/sagemaker"
    request = {**TRAINING, "TrainingJobName": unique, "RoleArn": passed}
    statements = [allow("sagemaker:*"), allow("events:*")]
    ended = run("sagemaker:createTrainingJob.sync", request, *statements)
    assert ended["error"] == "SageMaker.AmazonSageMakerException"
    assert f"iam:PassRole on resource: {passed}" in ended["cause"]
    ended = run("sagemaker:createTrainingJob.sync", request, *statements, allow("iam:PassRole", on=passed))
    # It ran as far as its output, whose bucket does not exist.
    assert ended["error"] == "States.TaskFailed"


def test_a_job_whose_role_does_not_trust_sagemaker_does_not_start(
    run: Any, embedded_aws: EmbeddedAws, unique: str
) -> None:
    role = make_role(embedded_aws, f"{unique}-job", trusts="lambda.amazonaws.com")
    request = {**TRAINING, "TrainingJobName": unique, "RoleArn": role}
    ended = run("sagemaker:createTrainingJob", request, allow("sagemaker:*", "iam:PassRole"))
    assert ended["error"] == "SageMaker.AmazonSageMakerException"
    assert f"Could not assume role {role}." in ended["cause"]


def test_a_machine_whose_role_does_not_trust_step_functions_calls_nothing(
    run: Any, embedded_aws: EmbeddedAws, unique: str
) -> None:
    url, _ = make_queue(embedded_aws, unique)
    send = {"QueueUrl": url, "MessageBody": "m"}
    ended = run("sqs:sendMessage", send, allow("sqs:SendMessage"), trusts="lambda")
    assert "sts:AssumeRole" in ended["cause"]
    assert run("sqs:sendMessage", send, allow("sqs:SendMessage"), trusts="states.us-east-1")["status"] == "SUCCEEDED"


def test_a_trust_may_ask_for_which_machine_the_role_is_assumed(
    run: Any, embedded_aws: EmbeddedAws, unique: str
) -> None:
    url, _ = make_queue(embedded_aws, unique)
    send = {"QueueUrl": url, "MessageBody": "m"}
    run("sqs:sendMessage", send, allow("sqs:SendMessage"))

    def trusting(machine: str) -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:states:*:*:stateMachine:{machine}"}},
        }
        embedded_aws.client("iam").update_assume_role_policy(
            RoleName=unique, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
        machines = embedded_aws.client("stepfunctions")
        arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{unique}"
        execution = machines.start_execution(stateMachineArn=arn)["executionArn"]
        while (status := machines.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            pass
        return str(status)

    assert [trusting("other"), trusting(unique)] == ["FAILED", "SUCCEEDED"]


def test_sagemaker_reads_a_models_data_in_its_role(
    embedded_aws: EmbeddedAws, role_for: Callable[..., str], bucket: str, unique: str
) -> None:
    sagemaker = embedded_aws.client("sagemaker")

    def make(key: str, *statements: Statement) -> None:
        container = {"Image": "program:1", "ModelDataUrl": f"s3://{bucket}/{key}"}
        role = role_for("sagemaker", *statements)
        sagemaker.create_model(ModelName=unique, ExecutionRoleArn=role, PrimaryContainer=container)

    there = "posts/test/posts.txt"
    read = allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*")
    with pytest.raises(ClientError, match=f"Could not access model data at s3://{bucket}/{there}. Please ensure that"):
        make(there)
    # S3 does not say to it that the object is absent.
    with pytest.raises(ClientError, match=f"Could not access model data at s3://{bucket}/absent. Please ensure that"):
        make("absent", read)
    with pytest.raises(ClientError, match=f"Could not find model data at s3://{bucket}/absent."):
        make("absent", read, allow("s3:ListBucket", on=f"arn:aws:s3:::{bucket}"))
    make(there, read)
