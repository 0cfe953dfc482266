"""From a call to its permissions."""

from typing import Any

import pytest

from cdk_rehearsal.permissions.api_request.service_models import operation_names
from cdk_rehearsal.permissions.needs import Need, needs
from cdk_rehearsal.permissions.needs.authorization_data import action
from cdk_rehearsal.permissions.needs.operation_actions import own_action
from cdk_rehearsal.permissions.needs.passed_roles import PASSED_ROLES
from tests.tools.cdk_rehearsal.permissions.api_request.test_read_request import CALLS
from tests.tools.cdk_rehearsal.permissions.needs import service_authorization
from tests.tools.cdk_rehearsal.permissions.needs.recorded_world import RecordedWorld

ACCOUNT = "123456789012"
HERE = f"eu-west-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HERE}:key/1234"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
TABLE = f"arn:aws:dynamodb:{HERE}:table/posts"
WORLD = RecordedWorld(account=ACCOUNT, region="eu-west-1")


def asked(service: str, operation: str, *, world: RecordedWorld = WORLD, **parameters: Any) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in needs(service, operation, parameters, world=world)]


def only(service: str, operation: str, *, world: RecordedWorld = WORLD, **parameters: Any) -> Need:
    (need,) = needs(service, operation, parameters, world=world)
    return need


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "wanted"),
    [
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k/l"}, [("s3:GetObject", "arn:aws:s3:::b/k/l")]),
        (
            "s3",
            "GetObject",
            {"Bucket": "b", "Key": "k", "VersionId": "1"},
            [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
        ),
        ("s3", "HeadBucket", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
        ("s3", "UploadPart", {"Bucket": "b", "Key": "k", "UploadId": "u"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        (
            "s3",
            "CreateMultipartUpload",
            {"Bucket": "b", "Key": "k", "ACL": "private"},
            [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:PutObjectAcl", "arn:aws:s3:::b/k")],
        ),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "other/a%20b"},
            [("s3:GetObject", "arn:aws:s3:::other/a b"), ("s3:PutObject", "arn:aws:s3:::b/k")],
        ),
        (
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "1"}]}},
            [("s3:DeleteObject", "arn:aws:s3:::b/a"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/b")],
        ),
        (
            "sqs",
            "SendMessage",
            {"QueueUrl": "http://localhost:4566/210987654321/q"},
            [("sqs:SendMessage", "arn:aws:sqs:eu-west-1:210987654321:q")],
        ),
        (
            "sqs",
            "DeleteMessageBatch",
            {"QueueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/q"},
            [("sqs:DeleteMessage", f"arn:aws:sqs:{HERE}:q")],
        ),
        ("sns", "Publish", {"TopicArn": f"arn:aws:sns:{HERE}:t"}, [("sns:Publish", f"arn:aws:sns:{HERE}:t")]),
        ("sns", "Publish", {"TargetArn": f"arn:aws:sns:{HERE}:t"}, [("sns:Publish", f"arn:aws:sns:{HERE}:t")]),
        ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")]),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f", "Qualifier": "live"},
            [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f:live")],
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": f"{ACCOUNT}:function:f"},
            [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")],
        ),
        (
            "sagemaker-runtime",
            "InvokeEndpoint",
            {"EndpointName": "Moderation"},
            [("sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint/moderation")],
        ),
        (
            "sagemaker",
            "UpdateEndpoint",
            {"EndpointName": "e", "EndpointConfigName": "c"},
            [
                ("sagemaker:UpdateEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint/e"),
                ("sagemaker:UpdateEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint-config/c"),
            ],
        ),
        ("dynamodb", "GetItem", {"TableName": "posts"}, [("dynamodb:GetItem", TABLE)]),
        ("dynamodb", "GetItem", {"TableName": TABLE}, [("dynamodb:GetItem", TABLE)]),
        (
            "dynamodb",
            "Query",
            {"TableName": "posts", "IndexName": "oldest"},
            [("dynamodb:Query", f"{TABLE}/index/oldest")],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "posts", "Item": {}}},
                    {"ConditionCheck": {"TableName": "other", "Key": {}}},
                    {"Update": {"TableName": "posts", "Key": {}}},
                    {"Delete": {"TableName": "posts", "Key": {}}},
                ]
            },
            [
                ("dynamodb:PutItem", TABLE),
                ("dynamodb:ConditionCheckItem", TABLE.replace("posts", "other")),
                ("dynamodb:UpdateItem", TABLE),
                ("dynamodb:DeleteItem", TABLE),
            ],
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"posts": {"Keys": []}, "other": {"Keys": []}}},
            [("dynamodb:BatchGetItem", TABLE), ("dynamodb:BatchGetItem", TABLE.replace("posts", "other"))],
        ),
        (
            "dynamodb",
            "DescribeExport",
            {"ExportArn": f"{TABLE}/export/1"},
            [("dynamodb:DescribeExport", f"{TABLE}/export/1")],
        ),
        (
            "stepfunctions",
            "StopExecution",
            {"executionArn": f"arn:aws:states:{HERE}:execution:m:n"},
            [("states:StopExecution", f"arn:aws:states:{HERE}:execution:m:n")],
        ),
        ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/a/b")]),
        ("ssm", "GetParameter", {"Name": "a"}, [("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/a")]),
        # With what follows the name, so that only `…:group:*` matches.
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "/g"},
            [("logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:/g:log-stream:")],
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/g", "logStreamName": "s/1"},
            [("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/g:log-stream:s/1")],
        ),
        (
            "logs",
            "TagResource",
            {"resourceArn": f"arn:aws:logs:{HERE}:log-group:/g", "tags": {}},
            [("logs:TagResource", f"arn:aws:logs:{HERE}:log-group:/g")],
        ),
        ("logs", "DescribeLogGroups", {}, [("logs:DescribeLogGroups", "*")]),
        (
            "cloudwatch",
            "DescribeAlarms",
            {"AlarmNames": ["a", "b"]},
            [
                ("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:a"),
                ("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:b"),
            ],
        ),
        ("cloudwatch", "DescribeAlarms", {}, [("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:*")]),
        (
            "cloudwatch",
            "PutDashboard",
            {"DashboardName": "d"},
            [("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d")],
        ),
        (
            "ecs",
            "DescribeServices",
            {"cluster": "c", "services": ["s"]},
            [("ecs:DescribeServices", f"arn:aws:ecs:{HERE}:service/c/s")],
        ),
        ("events", "PutRule", {"Name": "r"}, [("events:PutRule", f"arn:aws:events:{HERE}:rule/r")]),
        (
            "events",
            "PutRule",
            {"Name": "r", "EventBusName": "default"},
            [("events:PutRule", f"arn:aws:events:{HERE}:rule/r")],
        ),
        (
            "events",
            "PutRule",
            {"Name": "r", "EventBusName": "b"},
            [("events:PutRule", f"arn:aws:events:{HERE}:rule/b/r")],
        ),
        (
            "events",
            "PutEvents",
            {"Entries": [{"EventBusName": "b"}, {}]},
            [
                ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/b"),
                ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default"),
            ],
        ),
        (
            "kms",
            "ReEncrypt",
            {"SourceKeyId": KEY, "DestinationKeyId": "1234"},
            [("kms:ReEncryptFrom", KEY), ("kms:ReEncryptTo", KEY)],
        ),
        # Services that no table here names: by the reference alone.
        (
            "ec2",
            "TerminateInstances",
            {"InstanceIds": ["i-1"]},
            [("ec2:TerminateInstances", f"arn:aws:ec2:{HERE}:instance/i-1")],
        ),
        ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"]}, [("ec2:DescribeInstances", "*")]),
        (
            "glue",
            "GetTable",
            {"DatabaseName": "d", "Name": "t"},
            [
                ("glue:GetTable", f"arn:aws:glue:{HERE}:database/d"),
                ("glue:GetTable", f"arn:aws:glue:{HERE}:catalog"),
                ("glue:GetTable", f"arn:aws:glue:{HERE}:table/d/t"),
            ],
        ),
        ("ecr", "BatchGetImage", {"repositoryName": "r"}, [("ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/r")]),
        ("kinesis", "PutRecord", {"StreamName": "s"}, [("kinesis:PutRecord", f"arn:aws:kinesis:{HERE}:stream/s")]),
        (
            "scheduler",
            "GetSchedule",
            {"Name": "s", "GroupName": "g"},
            [("scheduler:GetSchedule", f"arn:aws:scheduler:{HERE}:schedule/g/s")],
        ),
        ("sts", "GetCallerIdentity", {}, []),
    ],
)
def test_a_call_asks_for_its_actions(
    service: str, operation: str, parameters: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    assert asked(service, operation, **parameters) == wanted


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "context"),
    [
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "runs/"}, {"s3:prefix": "runs/"}),
        ("cloudwatch", "PutMetricData", {"Namespace": "ModelReleases"}, {"cloudwatch:namespace": "ModelReleases"}),
        (
            "application-autoscaling",
            "PutScalingPolicy",
            {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"},
            {
                "application-autoscaling:service-namespace": "ecs",
                "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
            },
        ),
        ("ecs", "DescribeServices", {"cluster": "c"}, {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/c"}),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "t", "Key": {"pk": {"S": "day#1"}}},
            {"dynamodb:LeadingKeys": ("day#1",)},
        ),
        (
            "dynamodb",
            "Query",
            {
                "TableName": "t",
                "KeyConditionExpression": "#day = :day and at > :at",
                "ExpressionAttributeNames": {"#day": "pk"},
                "ExpressionAttributeValues": {":day": {"S": "day#1"}, ":at": {"N": "3"}},
            },
            {"dynamodb:LeadingKeys": ("day#1",)},
        ),
        (
            "kms",
            "Decrypt",
            {"KeyId": KEY, "EncryptionContext": {"a": "b"}},
            {
                "kms:CallerAccount": ACCOUNT,
                "kms:EncryptionContext:a": "b",
                "kms:EncryptionContextKeys": ("a",),
            },
        ),
        ("ssm", "PutParameter", {"Name": "a", "Overwrite": True}, {"ssm:Overwrite": "true"}),
        # A key that the reference does not list for the action is not set: s3:prefix of a GetObject.
        ("s3", "GetObject", {"Bucket": "b", "Key": "k", "Prefix": "p"}, {}),
    ],
)
def test_a_call_sets_the_condition_keys_of_its_service(
    service: str, operation: str, parameters: dict[str, Any], context: dict[str, Any]
) -> None:
    assert dict(only(service, operation, **parameters).context) == context


def test_leading_keys_are_those_of_the_table_or_index_asked() -> None:
    world = RecordedWorld(
        descriptions={
            ("dynamodb:table", "posts"): {
                "KeySchema": [{"AttributeName": "post", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [
                    {"IndexName": "days", "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}]}
                ],
            }
        }
    )
    item = {"text": {"S": "no key"}, "post": {"S": "p1"}, "day": {"S": "d1"}}
    assert only("dynamodb", "PutItem", world=world, TableName="posts", Item=item).context["dynamodb:LeadingKeys"] == (
        "p1",
    )
    query = {
        "TableName": "posts",
        "KeyConditionExpression": "post = :p and day = :d",
        "ExpressionAttributeValues": {":p": {"S": "p1"}, ":d": {"S": "d1"}},
    }
    assert only("dynamodb", "Query", world=world, **query).context["dynamodb:LeadingKeys"] == ("p1",)
    index = only("dynamodb", "Query", world=world, **query, IndexName="days")
    assert index.context["dynamodb:LeadingKeys"] == ("d1",)


def test_tags_of_request_and_resource_are_set() -> None:
    model = f"arn:aws:sagemaker:{HERE}:model/m"
    world = RecordedWorld(tags={model: {"team": "trust"}})
    own, add = needs("sagemaker", "CreateModel", {"ModelName": "m", "Tags": [{"Key": "a", "Value": "b"}]}, world=world)
    assert own.context["aws:RequestTag/a"] == "b"
    assert own.context["aws:TagKeys"] == ("a",)
    assert own.context["aws:ResourceTag/team"] == "trust"
    assert (add.action, add.resource) == ("sagemaker:AddTags", model)


def test_a_resource_is_its_account_s() -> None:
    world = RecordedWorld(account=ACCOUNT, owners={"arn:aws:s3:::theirs": "210987654321"})
    assert only("s3", "ListObjectsV2", world=world, Bucket="theirs").resource_account == "210987654321"
    assert only("s3", "ListObjectsV2", world=world, Bucket="ours").resource_account == ACCOUNT
    topic = "arn:aws:sns:eu-west-1:210987654321:t"
    assert only("sns", "Publish", TopicArn=topic).resource_account == "210987654321"


def test_partition_and_region_are_the_world_s() -> None:
    world = RecordedWorld(partition="aws-cn", region="cn-north-1", account=ACCOUNT)
    need = only("sagemaker", "DescribeEndpoint", world=world, EndpointName="e")
    assert need.resource == f"arn:aws-cn:sagemaker:cn-north-1:{ACCOUNT}:endpoint/e"


def test_what_names_alone_do_not_say_is_looked_up() -> None:
    stack, secret = f"arn:aws:cloudformation:{HERE}:stack/s/1", f"arn:aws:secretsmanager:{HERE}:secret:s-AbCdEf"
    group = f"arn:aws:athena:{HERE}:workgroup/g"
    world = RecordedWorld(
        account=ACCOUNT,
        arns={
            ("cloudformation:stack", "s"): stack,
            ("secretsmanager:secret", "s"): secret,
            ("kms:key", "alias/a"): KEY,
            ("athena:query", "q"): group,
        },
    )
    assert only("cloudformation", "DescribeStacks", world=world, StackName="s").resource == stack
    assert only("secretsmanager", "DescribeSecret", world=world, SecretId="s").resource == secret
    key = only("kms", "DescribeKey", world=world, KeyId="alias/a")
    assert key.resource == KEY
    assert key.context["kms:RequestAlias"] == "alias/a"
    assert only("athena", "GetQueryExecution", world=world, QueryExecutionId="q").resource == group


def test_an_unknown_operation_can_only_be_allowed_everywhere() -> None:
    need = only("sagemaker", "Levitate")
    assert (need.action, need.resource) == ("sagemaker:Levitate", "*")
    assert "has no sagemaker:Levitate" in need.because


# botocore is ahead of the reference, or the operation is judged as what it contains.
NOT_IN_THE_REFERENCE = {
    "cloudwatch": {"AssociateDatasetKmsKey", "DescribeAlarmContributors", "DisassociateDatasetKmsKey"},
    "dynamodb": {
        "BatchExecuteStatement",
        "ExecuteStatement",
        "ExecuteTransaction",
        "TransactGetItems",
        "TransactWriteItems",
    },
    "ecr": {"ListImageReferrers"},
    "iam": {"AcquireRole", "UpdateDelegationRequest"},
    "kms": {"ReEncrypt"},
    "logs": {"GetLogObject"},
    "s3": {"CopyObject", "DeleteObjects", "UploadPartCopy"},
}


@pytest.mark.parametrize(
    "service",
    [
        "application-autoscaling",
        "athena",
        "cloudformation",
        "cloudwatch",
        "dynamodb",
        "ecr",
        "ecs",
        "elbv2",
        "events",
        "iam",
        "kms",
        "lambda",
        "logs",
        "s3",
        "sagemaker",
        "sagemaker-runtime",
        "scheduler",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "stepfunctions",
        "sts",
        "xray",
    ],
)
def test_every_operation_has_an_action_of_the_reference(service: str) -> None:
    unknown = {
        operation
        for operation in operation_names(service)
        if action(*own_action(service, operation).split(":", 1)) is None
    }
    assert unknown == NOT_IN_THE_REFERENCE.get(service, set())


@pytest.mark.parametrize(("service", "operation", "parameters"), [(each[0], each[1], each[3]) for each in CALLS])
def test_the_reference_takes_what_the_project_s_calls_need(
    service: str, operation: str, parameters: dict[str, Any]
) -> None:
    world = RecordedWorld(keys={"arn:aws:s3:::data-bucket": KEY, f"arn:aws:dynamodb:{HERE}:table/posts": KEY})
    for need in needs(service, operation, parameters, world=world):
        assert service_authorization.faults_of(need.action, need.resource, tuple(need.context)) == []


@pytest.mark.parametrize(("service", "operation"), list(PASSED_ROLES))
def test_a_passed_role_is_asked_for(service: str, operation: str) -> None:
    for passed in PASSED_ROLES[service, operation]:
        parameters: Any = ROLE
        for step in reversed(passed.path):
            parameters = [parameters] if step == "*" else {step: parameters}
        found = [need for need in needs(service, operation, parameters, world=WORLD) if need.action == "iam:PassRole"]
        assert [(need.resource, dict(need.context)) for need in found] == [
            (ROLE, {"iam:PassedToService": passed.service})
        ]


def test_a_role_by_its_name_is_passed_too() -> None:
    assert ("iam:PassRole", ROLE) in asked("lambda", "CreateFunction", FunctionName="f", Role=ROLE)
    assert ("iam:PassRole", ROLE) in asked("ecs", "RegisterTaskDefinition", family="f", taskRoleArn="r")


def test_a_task_hands_on_the_roles_of_its_definition() -> None:
    world = RecordedWorld(descriptions={("ecs:task-definition", "d:1"): {"taskRoleArn": ROLE}})
    assert ("iam:PassRole", ROLE) in asked("ecs", "RunTask", world=world, taskDefinition="d:1")


@pytest.mark.parametrize("prefix", ["sagemaker", "ecs", "lambda", "states", "scheduler", "logs"])
def test_the_reference_s_calls_that_pass_roles_are_known(prefix: str) -> None:
    """By their row, or because any role in their parameters is taken to be passed."""
    service = {"states": "stepfunctions"}.get(prefix, prefix)
    for name in service_authorization.privileges(prefix):
        if "iam:PassRole" not in service_authorization.dependent_actions(prefix, name):
            continue
        rows = PASSED_ROLES.get((service, name))
        parameters: Any = {"SomeConfig": {"ExecutionRoleArn": ROLE}}
        if rows:
            parameters = ROLE
            for step in reversed(rows[0].path):
                parameters = [parameters] if step == "*" else {step: parameters}
        if name in ("RenderUiTemplate",):  # a preview, which sets nothing up
            continue
        found = needs(service, name, parameters, world=WORLD)
        assert ("iam:PassRole", ROLE) in [(need.action, need.resource) for need in found], name
