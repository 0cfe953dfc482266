"""Each request that a role signs is judged, and refused in the words and codes of its service."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import allow, deny, make_queue, policy

Acting = Callable[..., Callable[[str], Any]]
SCHEMA = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@dataclass(frozen=True, kw_only=True)
class Things:
    """One of each kind, made by the deployer."""

    bucket: str
    table: str
    topic: str
    queue_url: str
    queue: str
    secret: str


@pytest.fixture(scope="module")
def things(embedded_aws: EmbeddedAws) -> Things:
    client = embedded_aws.client
    client("s3").create_bucket(Bucket="enforced-things")
    client("s3").put_object(Bucket="enforced-things", Key="there", Body=b"there")
    client("dynamodb").create_table(TableName="enforced-things", **SCHEMA)
    url, queue = make_queue(embedded_aws, "enforced-things")
    return Things(
        bucket="enforced-things",
        table="enforced-things",
        topic=client("sns").create_topic(Name="enforced-things")["TopicArn"],
        queue_url=url,
        queue=queue,
        secret=client("secretsmanager").create_secret(Name="enforced-things", SecretString="s")["ARN"],
    )


@dataclass(frozen=True, kw_only=True)
class Request:
    """A call, the permission that it takes, and how its service refuses it."""

    service: str
    make: Callable[[Any, Things], Any]
    action: str
    on: Callable[[Things], str]
    code: str
    status: int


REQUESTS = {
    "JSON 1.0": Request(
        service="dynamodb",
        make=lambda client, things: client.get_item(TableName=things.table, Key={"id": {"S": "1"}}),
        action="dynamodb:GetItem",
        on=lambda things: f"arn:aws:dynamodb:us-east-1:123456789012:table/{things.table}",
        code="AccessDeniedException",
        status=400,
    ),
    "JSON 1.1 of Systems Manager": Request(
        service="ssm",
        make=lambda client, things: client.describe_parameters(),
        action="ssm:DescribeParameters",
        on=lambda things: "*",
        code="AccessDeniedException",
        status=400,
    ),
    "JSON 1.1": Request(
        service="secretsmanager",
        make=lambda client, things: client.get_secret_value(SecretId=things.secret),
        action="secretsmanager:GetSecretValue",
        on=lambda things: things.secret,
        code="AccessDeniedException",
        status=400,
    ),
    "JSON 1.0 that was a query": Request(
        service="sqs",
        make=lambda client, things: client.send_message(QueueUrl=things.queue_url, MessageBody="m"),
        action="sqs:SendMessage",
        on=lambda things: things.queue,
        code="AccessDenied",
        status=403,
    ),
    "XML": Request(
        service="s3",
        make=lambda client, things: client.put_object(Bucket=things.bucket, Key="new", Body=b"new"),
        action="s3:PutObject",
        on=lambda things: f"arn:aws:s3:::{things.bucket}/new",
        code="AccessDenied",
        status=403,
    ),
    "XML without a body": Request(
        service="s3",
        make=lambda client, things: client.head_object(Bucket=things.bucket, Key="there"),
        action="s3:GetObject",
        on=lambda things: f"arn:aws:s3:::{things.bucket}/there",
        code="403",
        status=403,
    ),
    "query": Request(
        service="sns",
        make=lambda client, things: client.publish(TopicArn=things.topic, Message="m"),
        action="sns:Publish",
        on=lambda things: things.topic,
        code="AuthorizationError",
        status=403,
    ),
    "JSON or CBOR that was a query": Request(
        service="cloudwatch",
        make=lambda client, things: client.put_metric_data(
            Namespace="Enforced", MetricData=[{"MetricName": "m", "Value": 1.0}]
        ),
        action="cloudwatch:PutMetricData",
        on=lambda things: "*",
        code="AccessDenied",
        status=403,
    ),
    "REST": Request(
        service="lambda",
        make=lambda client, things: client.list_functions(),
        action="lambda:ListFunctions",
        on=lambda things: "*",
        code="AccessDeniedException",
        status=403,
    ),
}


@pytest.mark.parametrize("protocol", REQUESTS)
def test_a_request_is_refused_until_a_statement_allows_it(protocol: str, things: Things, acting: Acting) -> None:
    request = REQUESTS[protocol]
    client = acting()(request.service)
    with pytest.raises(ClientError) as refused:
        request.make(client, things)
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (request.code, request.status)
    if protocol != "XML without a body":
        assert "is not authorized to perform: " + request.action in answer["Error"]["Message"]
        assert "because no identity-based policy allows the " in answer["Error"]["Message"]
    # The same session: a role that has changed is judged by what it has now.
    acting(allow(request.action, on=request.on(things)))
    request.make(client, things)
    acting(allow(request.action, on=request.on(things)), deny(request.action))
    with pytest.raises(ClientError) as denied:
        request.make(client, things)
    if protocol != "XML without a body":
        assert "with an explicit deny in an identity-based policy" in denied.value.response["Error"]["Message"]


def test_a_statement_about_another_resource_does_not_do(things: Things, acting: Acting) -> None:
    queues = acting(allow("sqs:SendMessage", on=f"{things.queue}-other"))("sqs")
    with pytest.raises(ClientError, match="AccessDenied"):
        queues.send_message(QueueUrl=things.queue_url, MessageBody="m")


def test_a_condition_has_to_hold(things: Things, acting: Acting) -> None:
    elsewhere = {"StringEquals": {"cloudwatch:namespace": "Other"}}
    metrics = acting(allow("cloudwatch:PutMetricData", Condition=elsewhere))("cloudwatch")
    metrics.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1.0}])
    with pytest.raises(ClientError, match="AccessDenied"):
        metrics.put_metric_data(Namespace="Enforced", MetricData=[{"MetricName": "m", "Value": 1.0}])


def test_the_resources_policy_is_enough_in_its_own_account(
    embedded_aws: EmbeddedAws, acting: Acting, role_for: Callable[..., str], unique: str
) -> None:
    queues = acting()("sqs")
    url, arn = make_queue(embedded_aws, unique)
    role = role_for("ecs-tasks")
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "sqs:SendMessage", "Resource": arn}
    embedded_aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
    queues.send_message(QueueUrl=url, MessageBody="m")
    with pytest.raises(ClientError, match="AccessDenied"):
        queues.receive_message(QueueUrl=url)


def test_what_is_not_there_is_told_only_to_those_who_may_list(things: Things, acting: Acting) -> None:
    objects = f"arn:aws:s3:::{things.bucket}/*"
    store = acting(allow("s3:GetObject", on=objects))("s3")
    with pytest.raises(ClientError, match="AccessDenied"):
        store.get_object(Bucket=things.bucket, Key="absent")
    with pytest.raises(ClientError, match=r"\(403\)"):
        store.head_object(Bucket=things.bucket, Key="absent")
    acting(allow("s3:GetObject", on=objects), allow("s3:ListBucket", on=f"arn:aws:s3:::{things.bucket}"))
    with pytest.raises(ClientError, match="NoSuchKey"):
        store.get_object(Bucket=things.bucket, Key="absent")
    with pytest.raises(ClientError, match=r"\(404\)"):
        store.head_object(Bucket=things.bucket, Key="absent")
    assert store.get_object(Bucket=things.bucket, Key="there")["Body"].read() == b"there"


def test_a_role_needs_the_key_of_what_it_uses_by_policy_or_by_grant(
    embedded_aws: EmbeddedAws, acting: Acting, role_for: Callable[..., str], deployed: Any
) -> None:
    statements = [allow("sqs:SendMessage")]
    queues = acting(*statements)("sqs")
    role = role_for("ecs-tasks", *statements)
    # The key's policy names the account, which leaves the decision to identity policies, for all but these roles.
    administrators = {"Principal": {"AWS": "arn:aws:iam::123456789012:user/admin"}, "Effect": "Allow"}
    key = ("AWS::KMS::Key", {"KeyPolicy": json.loads(policy({**administrators, "Action": "kms:*", "Resource": "*"}))})
    queue = ("AWS::SQS::Queue", {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}})
    made = deployed(Key=key, Queue=queue)
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        queues.send_message(QueueUrl=made["Queue"], MessageBody="m")
    # What identity policies allow is not enough for a key.
    acting(*statements, allow("kms:*"))
    with pytest.raises(ClientError, match="because no resource-based policy allows the kms:GenerateDataKey action"):
        queues.send_message(QueueUrl=made["Queue"], MessageBody="m")
    keys = embedded_aws.client("kms")
    grant = keys.create_grant(KeyId=made["Key"], GranteePrincipal=role, Operations=["GenerateDataKey", "Decrypt"])
    acting(*statements)
    queues.send_message(QueueUrl=made["Queue"], MessageBody="m")
    keys.revoke_grant(KeyId=made["Key"], GrantId=grant["GrantId"])
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        queues.send_message(QueueUrl=made["Queue"], MessageBody="m")


def test_a_later_deployment_changes_what_a_role_may(things: Things, acting: Acting, deployed: Any, unique: str) -> None:
    queues = acting()("sqs")

    def granting(action: str) -> tuple[str, dict[str, Any]]:
        document = json.loads(policy(allow(action, on=things.queue)))
        return "AWS::IAM::Policy", {"PolicyName": "deployed", "PolicyDocument": document, "Roles": [unique]}

    deployed(Policy=granting("sqs:SendMessage"))
    queues.send_message(QueueUrl=things.queue_url, MessageBody="m")
    deployed(Policy=granting("sqs:ReceiveMessage"))
    queues.receive_message(QueueUrl=things.queue_url)
    with pytest.raises(ClientError, match="AccessDenied"):
        queues.send_message(QueueUrl=things.queue_url, MessageBody="m")


def test_handing_on_a_role_takes_pass_role_for_the_service_that_gets_it(
    embedded_aws: EmbeddedAws, acting: Acting, unique: str
) -> None:
    passed = "arn:aws:iam::123456789012:role/workflow"
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})

    def create(machines: Any) -> None:
        machines.create_state_machine(name=unique, definition=definition, roleArn=passed)

    creating = allow("states:CreateStateMachine")
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    machines = acting(creating, allow("iam:PassRole", on=passed, Condition=to_lambda))("stepfunctions")
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {passed}"):
        create(machines)
    to_states = {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}
    acting(creating, allow("iam:PassRole", on=passed, Condition=to_states))
    create(machines)


def test_the_deployer_is_not_judged(embedded_aws: EmbeddedAws, judged: Any, unique: str) -> None:
    url, arn = make_queue(embedded_aws, unique)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    embedded_aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
    embedded_aws.client("sqs").send_message(QueueUrl=url, MessageBody="m")
    assert judged("sqs:SendMessage", arn) == []


def test_cloudformation_is_not_judged(embedded_aws: EmbeddedAws, deployed: Any, unique: str) -> None:
    deployed(Queue=("AWS::SQS::Queue", {"QueueName": unique}), Topic=("AWS::SNS::Topic", {"TopicName": unique}))
    assert [call for call in embedded_aws.judged_calls() if unique in call["resource"]] == []


def test_what_was_judged_says_who_asked_for_what_and_which_statement_is_missing(
    things: Things, acting: Acting, judged: Any, role_for: Callable[..., str], unique: str
) -> None:
    metrics = acting()("cloudwatch")
    for _ in range(2):
        with pytest.raises(ClientError):
            metrics.put_metric_data(Namespace=unique, MetricData=[{"MetricName": "m", "Value": 1.0}])
    (call,) = (call for call in judged("cloudwatch:PutMetricData", "*") if call["caller"].endswith(unique))
    assert call["caller"] == role_for("ecs-tasks")
    assert call["session"] == f"arn:aws:sts::123456789012:assumed-role/{unique}/task"
    assert (call["operation"], call["times"], call["allowed"]) == ("cloudwatch:PutMetricData", 2, False)
    assert call["context"]["cloudwatch:namespace"] == unique
    assert call["reason"].startswith("no statement of the identity policies allows ")
    assert call["missing"] == {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*"}
