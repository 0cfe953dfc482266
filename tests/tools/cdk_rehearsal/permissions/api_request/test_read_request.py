"""What real clients send comes back as the call that they were asked for."""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import OperationModel, Shape
from botocore.serialize import create_serializer

from cdk_rehearsal.permissions.api_request import ApiRequest, HttpRequest, UnknownOperation, read_request
from cdk_rehearsal.permissions.api_request.service_index import service_index
from cdk_rehearsal.permissions.api_request.service_models import service_model
from tests.tools.cdk_rehearsal.permissions.api_request.recording_server import RecordingServer

TABLE_KEY = {"pk": {"S": "day#2026-11-26"}, "sk": {"N": "7"}}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:release"
NOW = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)

# Every operation that the functions, the ML API, the state machines and the rehearsal call, and S3's other forms.
CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("application-autoscaling", "DescribeScalingPolicies", "describe_scaling_policies", {"ServiceNamespace": "ecs"}),
    (
        "application-autoscaling",
        "PutScalingPolicy",
        "put_scaling_policy",
        {
            "PolicyName": "cpu",
            "ServiceNamespace": "ecs",
            "ResourceId": "service/cluster/api",
            "ScalableDimension": "ecs:service:DesiredCount",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60.5, "DisableScaleIn": True},
        },
    ),
    (
        "application-autoscaling",
        "RegisterScalableTarget",
        "register_scalable_target",
        {
            "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/e/variant/v",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        },
    ),
    (
        "athena",
        "StartQueryExecution",
        "start_query_execution",
        {"QueryString": "SELECT 1", "WorkGroup": "primary", "ClientRequestToken": "t" * 32},
    ),
    ("athena", "GetQueryExecution", "get_query_execution", {"QueryExecutionId": "q"}),
    ("cloudformation", "DescribeStackEvents", "describe_stack_events", {"StackName": "s"}),
    ("cloudformation", "DescribeStacks", "describe_stacks", {"StackName": "s"}),
    ("cloudwatch", "DeleteAlarms", "delete_alarms", {"AlarmNames": ["a", "b"]}),
    ("cloudwatch", "DescribeAlarms", "describe_alarms", {"AlarmNames": ["a"], "MaxRecords": 7}),
    ("cloudwatch", "GetDashboard", "get_dashboard", {"DashboardName": "d"}),
    (
        "cloudwatch",
        "GetMetricData",
        "get_metric_data",
        {
            "MetricDataQueries": [{"Id": "m", "Expression": "1"}],
            "StartTime": NOW,
            "EndTime": NOW + datetime.timedelta(hours=1),
        },
    ),
    (
        "cloudwatch",
        "PutMetricAlarm",
        "put_metric_alarm",
        {
            "AlarmName": "a",
            "AlarmActions": [TOPIC],
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 3,
            "Threshold": 1.5,
            "ActionsEnabled": False,
        },
    ),
    (
        "cloudwatch",
        "PutMetricData",
        "put_metric_data",
        {"Namespace": "ModelReleases", "MetricData": [{"MetricName": "Updating", "Value": 1.0}]},
    ),
    ("dynamodb", "BatchGetItem", "batch_get_item", {"RequestItems": {"posts": {"Keys": [TABLE_KEY]}}}),
    ("dynamodb", "DescribeExport", "describe_export", {"ExportArn": "arn:aws:dynamodb:eu-west-1:1:table/t/export/0"}),
    (
        "dynamodb",
        "ExportTableToPointInTime",
        "export_table_to_point_in_time",
        {"TableArn": "arn:aws:dynamodb:eu-west-1:1:table/t", "S3Bucket": "data", "ClientToken": "c"},
    ),
    ("dynamodb", "GetItem", "get_item", {"TableName": "posts", "Key": TABLE_KEY, "ConsistentRead": True}),
    ("dynamodb", "PutItem", "put_item", {"TableName": "posts", "Item": TABLE_KEY}),
    (
        "dynamodb",
        "Query",
        "query",
        {
            "TableName": "posts",
            "IndexName": "oldest",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "審査"}},
        },
    ),
    (
        "dynamodb",
        "TransactWriteItems",
        "transact_write_items",
        {
            "TransactItems": [{"Put": {"TableName": "posts", "Item": TABLE_KEY}}],
            "ClientRequestToken": "c",
        },
    ),
    (
        "dynamodb",
        "UpdateItem",
        "update_item",
        {"TableName": "posts", "Key": TABLE_KEY, "UpdateExpression": "REMOVE untold"},
    ),
    ("ecs", "DescribeServices", "describe_services", {"cluster": "c", "services": ["api"]}),
    ("events", "PutEvents", "put_events", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]}),
    ("kms", "CreateGrant", "create_grant", {"KeyId": "k", "GranteePrincipal": "p", "Operations": ["Decrypt"]}),
    (
        "lambda",
        "Invoke",
        "invoke",
        {"FunctionName": "release-ledger", "Qualifier": "live", "Payload": b'{"a": 1}', "InvocationType": "Event"},
    ),
    ("lambda", "GetFunction", "get_function", {"FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:f"}),
    ("logs", "CreateLogGroup", "create_log_group", {"logGroupName": "/aws/lambda/f"}),
    (
        "logs",
        "PutLogEvents",
        "put_log_events",
        {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]},
    ),
    ("s3", "ListBuckets", "list_buckets", {}),
    ("s3", "CreateBucket", "create_bucket", {"Bucket": "data-bucket"}),
    ("s3", "HeadBucket", "head_bucket", {"Bucket": "data-bucket"}),
    ("s3", "GetBucketLocation", "get_bucket_location", {"Bucket": "data-bucket"}),
    ("s3", "ListObjects", "list_objects", {"Bucket": "data-bucket", "Prefix": "runs/a b/", "MaxKeys": 3}),
    ("s3", "ListObjectsV2", "list_objects_v2", {"Bucket": "data-bucket", "Prefix": "runs/審/", "FetchOwner": True}),
    ("s3", "ListObjectVersions", "list_object_versions", {"Bucket": "data-bucket", "Prefix": "p"}),
    ("s3", "ListMultipartUploads", "list_multipart_uploads", {"Bucket": "data-bucket"}),
    (
        "s3",
        "GetObject",
        "get_object",
        {"Bucket": "data-bucket", "Key": "runs/1/a b+c?d&e=審.txt", "Range": "bytes=0-1"},
    ),
    ("s3", "GetObject", "get_object", {"Bucket": "data-bucket", "Key": "k", "VersionId": "v"}),
    ("s3", "HeadObject", "head_object", {"Bucket": "data-bucket", "Key": "runs/1"}),
    (
        "s3",
        "PutObject",
        "put_object",
        {
            "Bucket": "data-bucket",
            "Key": "runs/1",
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "k",
            "Metadata": {"origin": "posts"},
        },
    ),
    (
        "s3",
        "CopyObject",
        "copy_object",
        {"Bucket": "data-bucket", "Key": "b", "CopySource": "other-bucket/a"},
    ),
    ("s3", "CreateMultipartUpload", "create_multipart_upload", {"Bucket": "data-bucket", "Key": "k/l"}),
    (
        "s3",
        "UploadPart",
        "upload_part",
        {"Bucket": "data-bucket", "Key": "k", "PartNumber": 2, "UploadId": "u"},
    ),
    (
        "s3",
        "UploadPartCopy",
        "upload_part_copy",
        {"Bucket": "data-bucket", "Key": "k", "PartNumber": 2, "UploadId": "u", "CopySource": "o-b/a"},
    ),
    (
        "s3",
        "CompleteMultipartUpload",
        "complete_multipart_upload",
        {
            "Bucket": "data-bucket",
            "Key": "k",
            "UploadId": "u",
            "MultipartUpload": {"Parts": [{"ETag": "e", "PartNumber": 1}, {"ETag": "f", "PartNumber": 2}]},
        },
    ),
    (
        "s3",
        "AbortMultipartUpload",
        "abort_multipart_upload",
        {"Bucket": "data-bucket", "Key": "k", "UploadId": "u"},
    ),
    ("s3", "DeleteObject", "delete_object", {"Bucket": "data-bucket", "Key": "k"}),
    (
        "s3",
        "DeleteObjects",
        "delete_objects",
        {"Bucket": "data-bucket", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "1"}], "Quiet": True}},
    ),
    (
        "s3",
        "PutObjectTagging",
        "put_object_tagging",
        {"Bucket": "data-bucket", "Key": "k", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}},
    ),
    ("s3", "GetBucketTagging", "get_bucket_tagging", {"Bucket": "data-bucket"}),
    ("s3", "GetObjectTagging", "get_object_tagging", {"Bucket": "data-bucket", "Key": "k"}),
    ("s3", "GetObjectAcl", "get_object_acl", {"Bucket": "data-bucket", "Key": "k"}),
    ("s3", "PutBucketPolicy", "put_bucket_policy", {"Bucket": "data-bucket", "Policy": "{}"}),
    (
        "s3",
        "PutBucketLifecycleConfiguration",
        "put_bucket_lifecycle_configuration",
        {
            "Bucket": "data-bucket",
            "LifecycleConfiguration": {
                "Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p"}, "Expiration": {"Days": 3}}]
            },
        },
    ),
    ("sagemaker", "CreateEndpoint", "create_endpoint", {"EndpointName": "e", "EndpointConfigName": "c"}),
    ("sagemaker", "DeleteEndpointConfig", "delete_endpoint_config", {"EndpointConfigName": "c"}),
    ("sagemaker", "DeleteModel", "delete_model", {"ModelName": "m"}),
    ("sagemaker", "DescribeEndpoint", "describe_endpoint", {"EndpointName": "e"}),
    ("sagemaker", "DescribeEndpointConfig", "describe_endpoint_config", {"EndpointConfigName": "c"}),
    ("sagemaker", "StopTrainingJob", "stop_training_job", {"TrainingJobName": "j"}),
    (
        "sagemaker",
        "UpdateEndpointWeightsAndCapacities",
        "update_endpoint_weights_and_capacities",
        {"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "v", "DesiredInstanceCount": 2}]},
    ),
    (
        "sagemaker-runtime",
        "InvokeEndpoint",
        "invoke_endpoint",
        {"EndpointName": "e", "Body": b'{"text": "a"}', "ContentType": "application/json"},
    ),
    ("scheduler", "GetSchedule", "get_schedule", {"Name": "s", "GroupName": "g"}),
    ("secretsmanager", "DescribeSecret", "describe_secret", {"SecretId": "s"}),
    ("secretsmanager", "GetSecretValue", "get_secret_value", {"SecretId": "s", "VersionStage": "AWSCURRENT"}),
    (
        "sns",
        "Publish",
        "publish",
        {
            "TopicArn": TOPIC,
            "Subject": "s",
            "Message": "a & b = c",
            "MessageAttributes": {
                "kind": {"DataType": "String", "StringValue": "alarm"},
                "more": {"DataType": "String", "StringValue": "x"},
            },
        },
    ),
    (
        "sns",
        "PublishBatch",
        "publish_batch",
        {"TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": "1", "Message": "a"}, {"Id": "2", "Message": "b"}]},
    ),
    (
        "sqs",
        "ChangeMessageVisibility",
        "change_message_visibility",
        {"QueueUrl": "http://q/123456789012/n", "ReceiptHandle": "r", "VisibilityTimeout": 5},
    ),
    ("sqs", "DeleteMessage", "delete_message", {"QueueUrl": "http://q/123456789012/n", "ReceiptHandle": "r"}),
    ("sqs", "ReceiveMessage", "receive_message", {"QueueUrl": "http://q/123456789012/n", "WaitTimeSeconds": 20}),
    ("sqs", "SendMessage", "send_message", {"QueueUrl": "http://q/123456789012/n", "MessageBody": "m"}),
    ("ssm", "DeleteParameter", "delete_parameter", {"Name": "/a"}),
    ("ssm", "GetParameter", "get_parameter", {"Name": "/a", "WithDecryption": True}),
    ("ssm", "PutParameter", "put_parameter", {"Name": "/a", "Value": "v", "Type": "String", "Overwrite": True}),
    ("stepfunctions", "DescribeExecution", "describe_execution", {"executionArn": f"{MACHINE}:e"}),
    ("stepfunctions", "GetExecutionHistory", "get_execution_history", {"executionArn": f"{MACHINE}:e"}),
    ("stepfunctions", "StartExecution", "start_execution", {"stateMachineArn": MACHINE, "name": "n", "input": "{}"}),
    ("stepfunctions", "StopExecution", "stop_execution", {"executionArn": f"{MACHINE}:e"}),
    ("sts", "AssumeRole", "assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "s1"}),
    ("sts", "GetCallerIdentity", "get_caller_identity", {}),
    (
        "elbv2",
        "DescribeTargetHealth",
        "describe_target_health",
        {"TargetGroupArn": "arn", "Targets": [{"Id": "10.0.0.1", "Port": 80}]},
    ),
    ("iam", "GetRole", "get_role", {"RoleName": "r"}),
    ("ecr", "GetAuthorizationToken", "get_authorization_token", {}),
    (
        "xray",
        "PutTraceSegments",
        "put_trace_segments",
        {"TraceSegmentDocuments": ["{}"]},
    ),
]


@pytest.fixture(scope="module")
def server() -> Iterator[RecordingServer]:
    server = RecordingServer()
    yield server
    server.close()


def holds(read: Any, given: Any) -> bool:
    """Whether what was read has all that was given; clients add tokens and checksums of their own."""
    match given:
        case Mapping():
            return isinstance(read, Mapping) and all(name in read and holds(read[name], given[name]) for name in given)
        case list():
            return len(read) == len(given) and all(map(holds, read, given))
        case datetime.datetime():
            return bool(read == given.timestamp())
        case _:
            return bool(read == given) and type(read) is type(given)


@pytest.mark.parametrize(
    ("service", "operation", "method", "parameters"),
    CALLS,
    ids=[f"{service}-{operation}-{index}" for index, (service, operation, *_) in enumerate(CALLS)],
)
def test_a_clients_request_is_read(
    service: str, operation: str, method: str, parameters: dict[str, Any], server: RecordingServer
) -> None:
    request = read_request(server.sent(service, method, parameters))
    assert isinstance(request, ApiRequest), request
    assert (request.service, request.operation) == (service, operation)
    assert holds(request.parameters, parameters), request.parameters


@pytest.mark.parametrize(("service", "operation", "method", "parameters"), [each for each in CALLS if each[0] == "s3"])
def test_a_bucket_in_the_hosts_name_is_read(
    service: str, operation: str, method: str, parameters: dict[str, Any], server: RecordingServer
) -> None:
    sent = server.sent(service, method, parameters, host="localhost")
    if "Bucket" in parameters and operation not in ("CreateBucket", "GetBucketLocation"):  # always in the path
        assert sent.headers["host"].startswith("data-bucket.localhost")
    request = read_request(sent)
    assert isinstance(request, ApiRequest), request
    assert request.operation == operation
    assert holds(request.parameters, parameters), request.parameters


def sample(shape: Shape, *, within: tuple[str, ...] = ()) -> Any:
    """A value with every member, one of each list, and one of each union."""
    match shape.type_name:
        case "structure":
            if shape.name in within:
                return {}
            members: Mapping[str, Shape] = shape.members  # type: ignore[attr-defined]
            names = list(members)[:1] if shape.is_tagged_union else list(members)  # type: ignore[attr-defined]
            return {name: sample(members[name], within=(*within, shape.name)) for name in names}
        case "list":
            return [sample(shape.member, within=within)]  # type: ignore[attr-defined]
        case "map":
            return {"key": sample(shape.value, within=within)}  # type: ignore[attr-defined]
        case "string":
            return shape.enum[0] if shape.enum else f"{shape.name}-text"  # type: ignore[attr-defined]
        case "boolean":
            return True
        case "float" | "double":
            return 1.5
        case "integer" | "long":
            return 7
        case "blob":
            return b"blob"
        case "timestamp":
            return NOW
    raise AssertionError(shape.type_name)


def serialised(service: str, operation: OperationModel, parameters: dict[str, Any]) -> HttpRequest:
    model = service_model(service)
    serializer = create_serializer(model.metadata["protocol"], include_validation=False)
    sent = serializer.serialize_to_request(parameters, operation)
    path, _, query = sent["url_path"].partition("?")
    more = urlencode(sent["query_string"], doseq=True) if sent["query_string"] else ""
    body = sent["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    scope = f"a/20261126/eu-west-1/{service_index().signing_names[service]}/aws4_request"
    return HttpRequest(
        method=sent["method"],
        path=path,
        query="&".join(part for part in (query, more) if part),
        headers={name.lower(): value for name, value in sent["headers"].items()}
        | {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"},
        body=body.encode() if isinstance(body, str) else body,
    )


def alike(read: Any, given: Any) -> bool:
    match given:
        case Mapping():
            return isinstance(read, Mapping) and all(name in read and alike(read[name], given[name]) for name in given)
        case list():
            return len(read) == len(given) and all(map(alike, read, given))
        case bytes():
            return read in (given, "YmxvYg==")
        case datetime.datetime():
            return read is not None  # a number, or the text of its protocol
    return bool(read == given)


# Two operations behind one route: the same request on the wire, or nearly so.
SAME_ON_THE_WIRE = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
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
        "s3control",
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
def test_every_operation_of_a_service_is_read(service: str) -> None:
    wrong = []
    for name in service_model(service).operation_names:
        operation = service_model(service).operation_model(name)
        parameters = sample(operation.input_shape) if operation.input_shape else {}
        read = read_request(serialised(service, operation, parameters))
        if name in SAME_ON_THE_WIRE and service == "s3":
            assert isinstance(read, ApiRequest)
            assert read.operation == SAME_ON_THE_WIRE[name]
        elif not (
            isinstance(read, ApiRequest)
            and (read.service, read.operation) == (service, name)
            and alike(read.parameters, parameters)
        ):
            wrong.append((name, read))
    assert wrong == []


SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=a/20261126/eu-west-1/{}/aws4_request, Signature=0"}


def request(signed: str | None, **about: Any) -> HttpRequest:
    headers = {"authorization": SIGNED["authorization"].format(signed)} if signed else {}
    wire = {"method": "POST", "path": "/", "query": "", "body": b"", **about}
    return HttpRequest(**wire | {"headers": headers | about.get("headers", {})})


@pytest.mark.parametrize(
    ("given", "service", "reason"),
    [
        (request(None, method="GET", path="/health"), None, "GET /health carries no signature"),
        (request("s3", method="BREW"), "s3", "BREW / is no operation of s3"),
        (request("sqs", headers={"x-amz-target": "AmazonSQS.Levitate"}), "sqs", "AmazonSQS.Levitate"),
        (request("sqs", headers={"x-amz-target": "nonsense"}), "sqs", "X-Amz-Target is nonsense"),
        (request("dynamodb", headers={"x-amz-target": "DynamoDB_20120810.GetItem"}, body=b"{"), "dynamodb", "readable"),
        (
            request("monitoring", path="/service/GraniteServiceVersion20100801/operation/Levitate"),
            "monitoring",
            "has no",
        ),
        (
            request("monitoring", path="/service/GraniteServiceVersion20100801/operation/PutMetricData", body=b"\xbf"),
            "monitoring",
            "not readable",
        ),
        (request("sns", query="Action=Levitate"), "sns", "Action is Levitate"),
        (request("nosuch", method="GET"), "nosuch", "no operation of nosuch"),
        (
            request("s3", method="POST", path="/bucket", query="delete", body=b"<Delete>"),
            "s3",
            "not readable",
        ),
        (HttpRequest(method="GET", path="", query="X-Amz-Credential=", headers={}, body=b""), None, "no signature"),
    ],
)
def test_what_nobody_can_name_is_said_and_never_raised(given: HttpRequest, service: str | None, reason: str) -> None:
    read = read_request(given)
    assert isinstance(read, UnknownOperation)
    assert read.service == service
    assert reason in read.reason


def test_a_presigned_url_names_its_service() -> None:
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20261126%2Feu-west-1%2Fs3%2Faws4_request"
    read = read_request(HttpRequest(method="GET", path="/bucket/key", query=query, headers={}, body=b""))
    assert read == ApiRequest(service="s3", operation="GetObject", parameters={"Bucket": "bucket", "Key": "key"})


def test_the_query_protocol_is_read_where_a_service_has_another_by_now() -> None:
    """Older SDKs, and the emulator's own calls, still send forms to SQS and CloudWatch."""
    form = b"Action=PutMetricData&Version=2010-08-01&Namespace=N&MetricData.member.1.MetricName=M"
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    read = read_request(request("monitoring", headers=headers, body=form))
    assert isinstance(read, ApiRequest)
    assert (read.service, read.operation) == ("cloudwatch", "PutMetricData")
    assert read.parameters == {"Namespace": "N", "MetricData": [{"MetricName": "M"}]}


def test_json_is_read_where_the_sdk_sends_rpc_v2() -> None:
    body = json.dumps({"Namespace": "N"}).encode()
    headers = {"x-amz-target": "GraniteServiceVersion20100801.PutMetricData"}
    read = read_request(request("monitoring", headers=headers, body=body))
    assert read == ApiRequest(service="cloudwatch", operation="PutMetricData", parameters={"Namespace": "N"})
