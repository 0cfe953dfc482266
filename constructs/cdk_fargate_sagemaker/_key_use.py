from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, IConstruct

from ._allow import allow
from ._construct_tree import once, region_of
from ._resource_policy import open_to_account

# What a caller of a table with a customer managed key needs on that key. Each action is named, because cdk-nag reports
# the wildcards of the CDK's own grant.
DYNAMODB_KEY_USE = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
]
# What writing with a customer's key takes: a data key of its own, and Decrypt for the parts of a large object, for the
# checksum of one that is there, and for a topic that hands its messages on.
ENVELOPE_KEY_USE = ["kms:Decrypt", "kms:GenerateDataKey"]


def allow_key(
    role: iam.Role, key: kms.IKey, actions: Sequence[str], *, conditions: Mapping[str, Any] | None = None
) -> None:
    """Allows `role` to perform `actions` with `key`, under `conditions`; a key of another account allows its account.

    It does not use the key's own grants: they allow kms:GenerateDataKey* and kms:ReEncrypt* where one action is enough,
    and treat an imported key as one of the same account.
    """
    arn = _arn_of(key)
    allow(role, actions, arn, conditions=conditions)
    open_to_account(key, arn, role, actions, "*")


@once
def _arn_of(key: kms.IKey) -> str:
    return key.key_arn


def through_secrets_manager(scope: IConstruct) -> Mapping[str, Any]:
    """The condition that the key is used through Secrets Manager in the region of `scope`.

    It allows both names of the service in China, like `through_dynamodb`.
    """
    return {"StringLike": {"kms:ViaService": f"secretsmanager.{region_of(scope)}.amazonaws.com*"}}


def through_dynamodb(scope: Construct) -> Mapping[str, Any]:
    """The condition that the key is used through DynamoDB in the region of `scope`.

    AWS's pages do not say whether the service's name has the partition's suffix in China: both names are allowed.
    """
    return {"StringLike": {"kms:ViaService": f"dynamodb.{region_of(scope)}.amazonaws.com*"}}
