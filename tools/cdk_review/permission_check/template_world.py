"""The account state on which the needs of calls depend, from templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_review.judges.properties import value_at
from cdk_review.permission_check.known_names import UNKNOWN, NamedStack, Names
from cdk_review.reference_text import as_list

# The property with the KMS key, by type.
_KEYS = {
    "AWS::DynamoDB::Table": "SSESpecification.KMSMasterKeyId",
    "AWS::Lambda::Function": "KmsKeyArn",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
}


class TemplateWorld:
    """The account state that one side's templates declare, as seen from one stack.

    Args:
        names: the names of all stacks.
        stack: the stack, for account and region.
    """

    def __init__(self, names: Names, stack: NamedStack) -> None:
        self._names = names
        self._stack = stack

    @property
    def account(self) -> str:
        return self._stack.account

    @property
    def region(self) -> str:
        return self._stack.region

    @property
    def partition(self) -> str:
        return self._stack.partition

    def arn_by_id(self, logical_id: str) -> str:
        """The ARN of a resource of the stack."""
        return self._names.arn(self._stack, logical_id) or UNKNOWN

    def key_of(self, resource_arn: str) -> str | None:
        """The key that a template sets for a resource; AWS's own keys need no permission in a template."""
        found = self._names.by_arn(resource_arn)
        if found is None:
            return None
        stack, resource = found
        properties = resource.get("Properties") or {}
        if resource.get("Type") == "AWS::S3::Bucket":
            rules = as_list(value_at(properties, "BucketEncryption.ServerSideEncryptionConfiguration"))
            given = [value_at(rule, "ServerSideEncryptionByDefault.KMSMasterKeyID") for rule in rules]
            key = next((each for each in given if each is not None), None)
        else:
            key = value_at(properties, _KEYS.get(str(resource.get("Type")), ""))
        if key is None:
            return None
        text = self._names.text(stack, key)
        return None if UNKNOWN in text or "alias/aws/" in text else text

    def arn_of(self, kind: str, name: str) -> str | None:
        return self._names.key_by_alias(name) if kind == "kms:key" else None

    def described(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Describes functions and task definitions; templates alone do not determine other resources that needs depend
        on.
        """
        if kind == "lambda:function":
            arn = ":".join(name.split(":")[:7]) if name.startswith("arn:") else self._arn("lambda", f"function:{name}")
            return self._plain(arn)
        if kind == "ecs:task-definition":
            arn = name if name.startswith("arn:") else self._arn("ecs", f"task-definition/{name}")
            found = self._plain(arn) or self._plain(f"{arn}:1") or {}
            return {f"{key[:1].lower()}{key[1:]}": value for key, value in found.items()} or None
        return None

    def _arn(self, service: str, path: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{path}"

    def _plain(self, arn: str) -> dict[str, Any] | None:
        found = self._names.by_arn(arn)
        return None if found is None else dict(self._names.plain(found[0], found[1].get("Properties") or {}))

    def owner_of(self, resource_arn: str) -> str | None:
        return None

    def tags_of(self, resource_arn: str) -> Mapping[str, str]:
        return {}
