"""The account state on which the needs of a call depend, as stored by the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.world import DescribedKind, NamedKind
from cdk_rehearsal.plug_in.aws_error import AwsError
from cdk_rehearsal.plug_in.iam.deployed_resources import deployed_resources
from cdk_rehearsal.plug_in.ministack_adapter import athena, cloudformation, ecs, kms, lambda_, secretsmanager, tagging

# The property with the KMS key, by resource type.
_KEY_PROPERTIES: dict[str, tuple[str | int, ...]] = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Lambda::Function": ("KmsKeyArn",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        0,
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
}
_SAGEMAKER = {
    "sagemaker:endpoint": ("DescribeEndpoint", "EndpointName"),
    "sagemaker:endpoint-config": ("DescribeEndpointConfig", "EndpointConfigName"),
    "sagemaker:model": ("DescribeModel", "ModelName"),
}


class EmulatedWorld:
    """Reads the deployed templates: a resource that a test creates by an API call has no key here.

    Args:
        ask_sagemaker: calls an operation of SageMaker; raises AwsError.
    """

    partition = "aws"

    def __init__(self, *, account: str, region: str, ask_sagemaker: Callable[[str, dict[str, Any]], Any]) -> None:
        self.account = account
        self.region = region
        self._ask_sagemaker = ask_sagemaker

    def key_of(self, resource_arn: str) -> str | None:
        for kind, record in deployed_resources():
            if kind in _KEY_PROPERTIES and resource_arn in _arns(record):
                return self.arn_of("kms:key", str(_at(record["Properties"], _KEY_PROPERTIES[kind]) or ""))
        return None

    def arn_of(self, kind: NamedKind, name: str) -> str | None:
        found: Mapping[str, Any] | None = None
        match kind:
            case "kms:key":
                found = kms.resolve_key(name)
                return found["Arn"] if found else None
            case "secretsmanager:secret":
                found = secretsmanager.secrets.get(name)
                return found["ARN"] if found else None
            case "cloudformation:stack":
                found = cloudformation.stacks.get(name)
                return found["StackId"] if found else None
            case _:
                found = athena.executions.get(name)
                group = found.get("WorkGroup", "primary") if found else "primary"
                return f"arn:{self.partition}:athena:{self.region}:{self.account}:workgroup/{group}"

    def described(self, kind: DescribedKind, name: str) -> Mapping[str, Any] | None:
        short = name.rpartition("/")[2]
        if kind in _SAGEMAKER:
            operation, member = _SAGEMAKER[kind]
            try:
                return dict(self._ask_sagemaker(operation, {member: short}))
            except AwsError:
                return None
        if kind == "ecs:task-definition":
            answer = ecs.describe_task_definition({"taskDefinition": name})
            definition: Mapping[str, Any] | None = json.loads(answer[2]).get("taskDefinition")
            return definition
        if kind == "lambda:function":
            _, configuration, _ = lambda_.function_record(name)
            return configuration or None
        if kind == "athena:work-group":
            group: Mapping[str, Any] | None = athena.workgroups.get(short)
            return group
        for deployed, record in deployed_resources():
            if deployed == "AWS::DynamoDB::Table" and short == record["PhysicalResourceId"]:
                properties: Mapping[str, Any] = record["Properties"]
                return properties
        return None

    def owner_of(self, resource_arn: str) -> str | None:
        return None

    def tags_of(self, resource_arn: str) -> Mapping[str, str]:
        return tagging.resource_tags(resource_arn) or {}


def _arns(record: Mapping[str, Any]) -> tuple[str, ...]:
    """A log group's ARN ends in `:*` in CloudFormation, but not in IAM."""
    attributes = record.get("Attributes") or {}
    names = (record["PhysicalResourceId"], attributes.get("Arn"), attributes.get("TopicArn"))
    return tuple(str(name).removesuffix(":*") for name in names if name)


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
