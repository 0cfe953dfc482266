"""Each row of the table, in one example at least."""

from datetime import date
from typing import Any

import pytest

from cdk_rehearsal.permissions.needs import Need, absent_object_need, needs
from cdk_rehearsal.permissions.needs.acting import ACTING_RULES
from cdk_rehearsal.permissions.needs.extra_needs import EXTRA_NEEDS
from cdk_rehearsal.permissions.needs.task_needs import WAITED_FOR
from tests.tools.cdk_rehearsal.permissions.needs import service_authorization
from tests.tools.cdk_rehearsal.permissions.needs.recorded_world import RecordedWorld

ACCOUNT = "123456789012"
HERE = f"eu-west-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HERE}:key/1234"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
TOPIC = f"arn:aws:sns:{HERE}:t"
QUEUE = f"arn:aws:sqs:{HERE}:q"
URL = f"http://localhost/{ACCOUNT}/q"
TABLE = f"arn:aws:dynamodb:{HERE}:table/t"
BUCKET = "arn:aws:s3:::b"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:s-AbCdEf"
PARAMETER = f"arn:aws:ssm:{HERE}:parameter/p"
WORLD = RecordedWorld(
    account=ACCOUNT,
    region="eu-west-1",
    keys={TOPIC: KEY, QUEUE: KEY, TABLE: KEY, BUCKET: KEY, SECRET: KEY, PARAMETER: KEY},
    descriptions={
        ("sagemaker:endpoint-config", "c"): {"KmsKeyId": KEY},
        ("sagemaker:endpoint-config", "plain"): {},
        ("sagemaker:model", "m"): {"ExecutionRoleArn": ROLE},
        ("athena:work-group", "g"): {"Configuration": {"ResultConfiguration": {"OutputLocation": "s3://results/x/"}}},
    },
)
ENDPOINT = {"EndpointName": "e", "EndpointConfigName": "c"}
TRAINING = {"TrainingJobName": "j", "RoleArn": ROLE, "ResourceConfig": {"VolumeKmsKeyId": "1234"}}
OBJECT = {"Bucket": "b", "Key": "k"}

# service, operation, parameters, the extra needs in order
EXAMPLES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("sagemaker", "CreateEndpoint", ENDPOINT, [("kms:CreateGrant", KEY), ("kms:DescribeKey", KEY)]),
    ("sagemaker", "UpdateEndpoint", ENDPOINT, [("kms:CreateGrant", KEY), ("kms:DescribeKey", KEY)]),
    ("sagemaker", "CreateTrainingJob", TRAINING, [("kms:CreateGrant", KEY)]),
    (
        "sagemaker",
        "CreateTransformJob",
        {"TransformJobName": "j", "ModelName": "m", "TransformResources": {"VolumeKmsKeyId": KEY}},
        [("kms:CreateGrant", KEY)],
    ),
    (
        "sagemaker",
        "CreateProcessingJob",
        {
            "ProcessingJobName": "j",
            "RoleArn": ROLE,
            "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": KEY}},
        },
        [("kms:CreateGrant", KEY)],
    ),
    (
        "sagemaker",
        "CreateModel",
        {"ModelName": "M", "Tags": [{"Key": "k", "Value": "v"}]},
        [("sagemaker:AddTags", f"arn:aws:sagemaker:{HERE}:model/m")],
    ),
    (
        "sagemaker",
        "CreateTransformJob",
        {"ModelName": "m", "Tags": [{"Key": "k", "Value": "v"}], "TransformJobName": "j"},
        [("sagemaker:AddTags", f"arn:aws:sagemaker:{HERE}:transform-job/j")],
    ),
    ("sns", "Publish", {"TopicArn": TOPIC}, [("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)]),
    ("sqs", "SendMessage", {"QueueUrl": URL}, [("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)]),
    ("sqs", "ReceiveMessage", {"QueueUrl": URL}, [("kms:Decrypt", KEY)]),
    ("s3", "PutObject", OBJECT, [("kms:GenerateDataKey", KEY)]),
    ("s3", "PutObject", {"Bucket": "x", "Key": "k", "SSEKMSKeyId": KEY}, [("kms:GenerateDataKey", KEY)]),
    ("s3", "PutObject", {**OBJECT, "ServerSideEncryption": "AES256"}, []),
    ("s3", "UploadPart", {**OBJECT, "UploadId": "u"}, [("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)]),
    ("s3", "GetObject", OBJECT, [("kms:Decrypt", KEY)]),
    ("s3", "CopyObject", {**OBJECT, "CopySource": "b/l"}, [("kms:Decrypt", KEY), ("kms:GenerateDataKey", KEY)]),
    ("dynamodb", "GetItem", {"TableName": "t"}, [("kms:Decrypt", KEY)]),
    ("dynamodb", "BatchGetItem", {"RequestItems": {"t": {}}}, [("kms:Decrypt", KEY)]),
    (
        "dynamodb",
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "t", "Item": {}}}, {"Delete": {"TableName": "t", "Key": {}}}]},
        [("kms:Decrypt", KEY)],
    ),
    (
        "dynamodb",
        "CreateTable",
        {"TableName": "n", "SSESpecification": {"KMSMasterKeyId": KEY}},
        [
            ("kms:Encrypt", KEY),
            ("kms:Decrypt", KEY),
            ("kms:ReEncryptFrom", KEY),
            ("kms:ReEncryptTo", KEY),
            ("kms:GenerateDataKey", KEY),
            ("kms:GenerateDataKeyWithoutPlaintext", KEY),
            ("kms:DescribeKey", KEY),
            ("kms:CreateGrant", KEY),
        ],
    ),
    (
        "dynamodb",
        "ExportTableToPointInTime",
        {"TableArn": f"arn:aws:dynamodb:{HERE}:table/plain", "S3Bucket": "x", "S3Prefix": "runs/1/"},
        [
            (f"s3:{verb}", "arn:aws:s3:::x/runs/1/AWSDynamoDB/data")
            for verb in ("AbortMultipartUpload", "PutObject", "PutObjectAcl")
        ],
    ),
    (
        "dynamodb",
        "ExportTableToPointInTime",
        {"TableArn": TABLE, "S3Bucket": "x"},
        [
            *(
                (f"s3:{verb}", "arn:aws:s3:::x/AWSDynamoDB/data")
                for verb in ("AbortMultipartUpload", "PutObject", "PutObjectAcl")
            ),
            ("kms:Decrypt", KEY),
        ],
    ),
    ("secretsmanager", "GetSecretValue", {"SecretId": SECRET}, [("kms:Decrypt", KEY)]),
    (
        "secretsmanager",
        "PutSecretValue",
        {"SecretId": SECRET, "SecretString": "x"},
        [("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)],
    ),
    ("ssm", "GetParameter", {"Name": "p", "WithDecryption": True}, [("kms:Decrypt", KEY)]),
    ("ssm", "GetParameter", {"Name": "p"}, []),
    ("ssm", "PutParameter", {"Name": "p", "Type": "SecureString"}, [("kms:Encrypt", KEY)]),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "KMSKeyArn": KEY},
        [("kms:Encrypt", KEY), ("kms:Decrypt", KEY), ("kms:CreateGrant", KEY)],
    ),
    ("logs", "CreateLogGroup", {"logGroupName": "g", "kmsKeyId": KEY}, [("kms:DescribeKey", KEY)]),
    (
        "athena",
        "StartQueryExecution",
        {"QueryString": "WITH a AS (SELECT 1) SELECT * FROM a"},
        [
            ("glue:GetDatabase", f"arn:aws:glue:{HERE}:catalog"),
            ("glue:GetDatabase", f"arn:aws:glue:{HERE}:database/default"),
        ],
    ),
    (
        "athena",
        "StartQueryExecution",
        {"QueryString": 'SELECT * FROM "posts"."t"', "WorkGroup": "g"},
        [
            ("glue:GetDatabase", f"arn:aws:glue:{HERE}:catalog"),
            ("glue:GetDatabase", f"arn:aws:glue:{HERE}:database/default"),
            ("glue:GetDatabase", f"arn:aws:glue:{HERE}:database/posts"),
            ("glue:GetTable", f"arn:aws:glue:{HERE}:catalog"),
            ("glue:GetTable", f"arn:aws:glue:{HERE}:database/posts"),
            ("glue:GetTable", f"arn:aws:glue:{HERE}:table/posts/t"),
            ("glue:GetPartitions", f"arn:aws:glue:{HERE}:catalog"),
            ("glue:GetPartitions", f"arn:aws:glue:{HERE}:database/posts"),
            ("glue:GetPartitions", f"arn:aws:glue:{HERE}:table/posts/t"),
            ("s3:GetBucketLocation", "arn:aws:s3:::results"),
            ("s3:GetObject", "arn:aws:s3:::results/x/result"),
            ("s3:ListMultipartUploadParts", "arn:aws:s3:::results/x/result"),
            ("s3:AbortMultipartUpload", "arn:aws:s3:::results/x/result"),
            ("s3:PutObject", "arn:aws:s3:::results/x/result"),
            ("s3:ListBucket", "arn:aws:s3:::results"),
            ("s3:ListBucketMultipartUploads", "arn:aws:s3:::results"),
        ],
    ),
    (
        "application-autoscaling",
        "RegisterScalableTarget",
        {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "ResourceId": "service/c/s"},
        [
            ("ecs:DescribeServices", f"arn:aws:ecs:{HERE}:service/c/s"),
            ("ecs:UpdateService", f"arn:aws:ecs:{HERE}:service/c/s"),
            (
                "iam:CreateServiceLinkedRole",
                f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
                "AWSServiceRoleForApplicationAutoScaling_ECSService",
            ),
        ],
    ),
    (
        "application-autoscaling",
        "RegisterScalableTarget",
        {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/E/variant/v", "RoleARN": ROLE},
        [
            ("sagemaker:DescribeEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint/e"),
            ("sagemaker:UpdateEndpointWeightsAndCapacities", f"arn:aws:sagemaker:{HERE}:endpoint/e"),
        ],
    ),
    (
        "application-autoscaling",
        "PutScalingPolicy",
        {
            "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/e/variant/v",
            "TargetTrackingScalingPolicyConfiguration": {},
        },
        [
            (f"cloudwatch:{verb}", f"arn:aws:cloudwatch:{HERE}:alarm:TargetTracking-endpoint/e/variant/v-AlarmHigh-0")
            for verb in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms")
        ],
    ),
    (
        "application-autoscaling",
        "PutScalingPolicy",
        {"ServiceNamespace": "sagemaker", "StepScalingPolicyConfiguration": {}},
        [],
    ),
]


def extra(service: str, operation: str, parameters: dict[str, Any]) -> list[Need]:
    found = needs(service, operation, parameters, world=WORLD)
    return [need for need in found if need.because and need.action != "iam:PassRole"]


@pytest.mark.parametrize(("service", "operation", "parameters", "wanted"), EXAMPLES)
def test_a_call_needs_what_its_row_says(
    service: str, operation: str, parameters: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    found = extra(service, operation, parameters)
    assert [(need.action, need.resource) for need in found] == wanted
    for need in found:
        assert service_authorization.faults_of(need.action, need.resource, tuple(need.context)) == []


@pytest.mark.parametrize("row", EXTRA_NEEDS, ids=lambda row: f"{row.service}-{row.operations[0]}")
def test_every_row_has_an_example(row: Any) -> None:
    sentences = {need.because for service, operation, given, _ in EXAMPLES for need in extra(service, operation, given)}
    assert row.sentence in sentences


@pytest.mark.parametrize("row", [*EXTRA_NEEDS, *ACTING_RULES.values(), *WAITED_FOR])
def test_every_row_has_a_date_and_a_page_of_aws(row: Any) -> None:
    assert date(2026, 11, 1) <= row.checked <= date.today()
    assert row.source.startswith("https://docs.aws.amazon.com/")


def test_a_key_is_used_via_its_service_with_its_encryption_context() -> None:
    (_, generate, decrypt) = needs("sns", "Publish", {"TopicArn": TOPIC}, world=WORLD)
    for need in (generate, decrypt):
        assert dict(need.context) == {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": "sns.eu-west-1.amazonaws.com",
            "kms:EncryptionContext:aws:sns:topicArn": TOPIC,
            "kms:EncryptionContextKeys": ("aws:sns:topicArn",),
        }
    china = RecordedWorld(partition="aws-cn", region="cn-north-1", keys={TOPIC: KEY})
    need = needs("sns", "Publish", {"TopicArn": TOPIC}, world=china)[1]
    assert need.context["kms:ViaService"] == "sns.cn-north-1.amazonaws.com.cn"


def test_a_grant_for_sagemaker_is_one_for_an_aws_resource() -> None:
    grant = next(need for need in extra("sagemaker", "UpdateEndpoint", ENDPOINT) if need.action == "kms:CreateGrant")
    assert grant.context["kms:GrantIsForAWSResource"] == "true"
    assert grant.or_of_role == ""


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("CreateTrainingJob", TRAINING),
        (
            "CreateTransformJob",
            {"TransformJobName": "j", "ModelName": "m", "TransformResources": {"VolumeKmsKeyId": KEY}},
        ),
    ],
)
def test_a_job_s_own_role_may_grant_in_the_caller_s_place(operation: str, parameters: dict[str, Any]) -> None:
    (grant,) = extra("sagemaker", operation, parameters)
    assert grant.or_of_role == ROLE


def test_an_endpoint_without_a_key_needs_no_grant() -> None:
    assert extra("sagemaker", "UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": "plain"}) == []


def test_only_who_may_list_is_told_that_an_object_is_not_there() -> None:
    need = absent_object_need({"Bucket": "b", "Key": "runs/1"}, world=WORLD)
    assert (need.action, need.resource, dict(need.context)) == ("s3:ListBucket", BUCKET, {"s3:prefix": "runs/1"})
    assert service_authorization.faults_of(need.action, need.resource, tuple(need.context)) == []


@pytest.mark.parametrize(
    "operation", next(row.operations for row in EXTRA_NEEDS if row.service == "sagemaker" and "tag" in row.sentence)
)
def test_tags_are_of_what_a_call_makes(operation: str) -> None:
    """The reference lists sagemaker:AddTags beside the call; the ARN is that of the call's own resource."""
    assert "sagemaker:AddTags" in service_authorization.dependent_actions("sagemaker", operation)
    parameters = {f"{operation.removeprefix('Create')}Name": "X", "Tags": [{"Key": "k", "Value": "v"}]}
    own = {
        need.resource
        for need in needs("sagemaker", operation, parameters, world=WORLD)
        if need.action == f"sagemaker:{operation}"
    }
    (tags,) = extra("sagemaker", operation, parameters)
    assert tags.action == "sagemaker:AddTags"
    assert tags.resource in own
