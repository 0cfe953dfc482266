"""The policies that templates attach to roles and resources, for checking calls.

Templates are incomplete: conditions depend on the request, and a policy may come from elsewhere. Unknown parts count in
favour of the call, so that only calls that no policy can allow are denied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cdk_review.permission_check.known_names import UNKNOWN, NamedStack, Names
from cdk_review.policies import ATTACHED
from cdk_review.reference_text import as_list

Document = Mapping[str, Any]

_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_NETWORK = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
_QUEUE = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
_TABLE_STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
_IMAGES = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
)
_TRACES = (
    "xray:GetSamplingRules",
    "xray:GetSamplingStatisticSummaries",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)
# The actions that AWS managed policies allow on all resources, for those that constructs attach:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
OF_AWS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AWSLambdaBasicExecutionRole": _LOGS,
        "AWSLambdaDynamoDBExecutionRole": (*_LOGS, *_TABLE_STREAM),
        "AWSLambdaSQSQueueExecutionRole": (*_LOGS, *_QUEUE),
        "AWSLambdaVPCAccessExecutionRole": (*_LOGS, *_NETWORK),
        "AWSXRayDaemonWriteAccess": _TRACES,
        "AmazonECSTaskExecutionRolePolicy": (*_IMAGES, *_LOGS[1:]),
        "CloudWatchLambdaInsightsExecutionRolePolicy": _LOGS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of a template.

    Args:
        stack: the path of its stack.
        logical_id: the role's logical id.
        trust: its trust policy.
        policies: the statements of all its policies.
    """

    stack: str
    logical_id: str
    trust: Document
    policies: tuple[Document, ...]


def roles_of(names: Names) -> dict[str, Role]:
    """The roles by ARN, without those with a policy that is not in a template."""
    attached: dict[str, list[Document]] = {}
    of_anybody: list[Document] = []
    managed: dict[str, Document] = {}
    for stack, logical_id, kind, properties in _resources(names):
        if kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            document = lenient(names.plain(stack, properties.get("PolicyDocument")))
            if kind == "AWS::IAM::ManagedPolicy":
                managed[names.text(stack, {"Ref": logical_id})] = document
            owners = as_list(properties.get("Roles", properties.get("RoleName")))
            for owner in (names.text(stack, each) for each in owners):
                (of_anybody if UNKNOWN in owner else attached.setdefault(owner, [])).append(document)
    found: dict[str, Role] = {}
    for stack, logical_id, kind, properties in _resources(names):
        arn = names.arn(stack, logical_id) if kind == "AWS::IAM::Role" else None
        if arn is None:
            continue
        policies = [*attached.get(arn.rpartition("/")[2], ()), *of_anybody]
        for inline in names.plain(stack, as_list(properties.get("Policies"))):
            if isinstance(inline, Mapping):
                policies.append(lenient(inline.get("PolicyDocument")))
        further = [_managed(text, managed) for text in names.plain(stack, as_list(properties.get("ManagedPolicyArns")))]
        if None in further:
            continue
        found[arn] = Role(
            stack=stack.path,
            logical_id=logical_id,
            trust=lenient(names.plain(stack, properties.get("AssumeRolePolicyDocument"))),
            policies=(*policies, *(each for each in further if each is not None)),
        )
    return found


def resource_policies_of(names: Names) -> dict[str, Document]:
    """The resource policies of keys, topics, queues, buckets and secrets, by ARN; an empty one if there is none.

    Function policies are compared as written: see `invocations`.
    """
    found: dict[str, list[Any]] = {}
    for stack, logical_id, kind, properties in _resources(names):
        arn = names.arn(stack, logical_id)
        if kind == "AWS::KMS::Key" and arn:
            found.setdefault(arn, []).extend(_statements(names.plain(stack, properties.get("KeyPolicy"))))
        elif kind in ("AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::S3::Bucket") and arn:
            found.setdefault(arn, [])
        elif kind in ATTACHED:
            owners, document = ATTACHED[kind]
            said = _statements(names.plain(stack, properties.get(document)))
            for owner in as_list(properties.get(owners)):
                found.setdefault(_as_arn(stack, kind, names.text(stack, owner)), []).extend(said)
    return {arn: lenient({"Statement": said}, wild_principals=True) for arn, said in found.items()}


def lenient(document: Any, *, wild_principals: bool = False) -> Document:
    """A policy in which conditions are true, unknown values match, and denials that may not apply are removed."""
    kept = []
    for statement in _statements(document):
        allows = statement.get("Effect") == "Allow"
        if not allows and ("Condition" in statement or UNKNOWN in str(statement)):
            continue
        said = {name: _wild(value) for name, value in statement.items() if name != "Condition"}
        if wild_principals and "Principal" in said and UNKNOWN in str(statement["Principal"]):
            said["Principal"] = "*"
        kept.append(said)
    return {"Version": "2012-10-17", "Statement": kept}


def on_any_resource(document: Document) -> Document:
    """A policy's allowed actions on any resource, without its denials."""
    kept = [
        {name: value for name, value in statement.items() if name != "NotResource"} | {"Resource": "*"}
        for statement in document["Statement"]
        if statement.get("Effect") == "Allow"
    ]
    return {"Version": "2012-10-17", "Statement": kept}


def _managed(arn: str, managed: Mapping[str, Document]) -> Document | None:
    """The statements of a managed policy; None if it is neither in a template nor in the table."""
    if arn in managed:
        # The attachment may be declared by the role, the policy, or both.
        return managed[arn]
    actions = OF_AWS.get(arn.rpartition("/")[2]) if ":iam::aws:policy/" in arn else None
    if actions is None:
        return None
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }


def _resources(names: Names) -> Iterator[tuple[NamedStack, str, str, Mapping[str, Any]]]:
    for stack in names.stacks.values():
        for logical_id, resource in stack.resources.items():
            yield stack, logical_id, str(resource.get("Type")), resource.get("Properties") or {}


def _statements(document: Any) -> list[dict[str, Any]]:
    stated = as_list(document.get("Statement")) if isinstance(document, Mapping) else []
    return [statement for statement in stated if isinstance(statement, dict)]


def _wild(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(UNKNOWN, "*")
    if isinstance(value, list):
        return [_wild(item) for item in value]
    return {name: _wild(item) for name, item in value.items()} if isinstance(value, dict) else value


def _as_arn(stack: NamedStack, kind: str, name: str) -> str:
    if kind == "AWS::S3::BucketPolicy":
        return f"arn:{stack.partition}:s3:::{name}"
    if kind == "AWS::SQS::QueuePolicy":
        return f"arn:{stack.partition}:sqs:{stack.region}:{stack.account}:{name.rpartition('/')[2]}"
    return name
