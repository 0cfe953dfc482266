from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, IConstruct

from ._allow import allow
from ._resource_policy import open_to_account

# What a caller of a table whose key is a customer's needs on that key. By name: cdk-nag takes the CDK's own grant, with
# its wildcards, for careless.
DYNAMODB_KEY_USE = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
]


def allow_key(
    role: iam.Role, key: kms.IKey, actions: Sequence[str], *, conditions: Mapping[str, Any] | None = None
) -> None:
    """Lets `role` do `actions` with `key`, where `conditions` hold, and the role's account where the key is another's.

    Not by the key's own grants, which allow kms:GenerateDataKey* and kms:ReEncrypt* where one action is enough, and
    take an imported key for one of the same account.
    """
    allow(role, actions, key.key_arn, conditions=conditions)
    open_to_account(key, key.key_arn, role, actions, "*")


def through_secrets_manager(scope: IConstruct) -> Mapping[str, Any]:
    """The condition that Secrets Manager uses the key, in the region of `scope`, for whoever reads a secret.

    By either name in China, as for DynamoDB.
    """
    return {"StringLike": {"kms:ViaService": f"secretsmanager.{Stack.of(scope).region}.amazonaws.com*"}}


def through_dynamodb(scope: Construct) -> Mapping[str, Any]:
    """The condition that DynamoDB uses the key, in the region of `scope`, for whoever asks it.

    AWS's pages leave open whether the service's name has the partition's suffix in China: both are let in.
    """
    return {"StringLike": {"kms:ViaService": f"dynamodb.{Stack.of(scope).region}.amazonaws.com*"}}
