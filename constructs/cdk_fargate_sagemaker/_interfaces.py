"""Interfaces of the CDK that signatures take: their types, and checks that refuse a name, an ARN or another construct.

pyright does not accept these classes of the CDK as its interfaces: the parameters of some methods have other names in
the class, such as `Topic.add_subscription(topic_subscription)` and `ITopic.add_subscription(subscription)`.
"""

from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns

from ._checks import check_interface, plain

AnyFunction = lambda_.IFunction | lambda_.Function
AnyKey = kms.IKey | kms.Key
AnySecret = secretsmanager.ISecret | secretsmanager.Secret
AnyTopic = sns.ITopic | sns.Topic


def check_bucket(name: str, bucket: Any) -> None:
    """Refuses a value that is not a bucket.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "import it with s3.Bucket.from_bucket_name" if isinstance(bucket, str) else None
    check_interface(name, bucket, "bucket_arn", "an s3.IBucket", remedy)


def check_function(name: str, function: Any) -> None:
    """Refuses a value that is not a Lambda function.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "import it with lambda_.Function.from_function_name" if isinstance(function, str) else None
    check_interface(name, function, "function_arn", "a lambda_.IFunction", remedy)


def checked_grantee(grantee: iam.IGrantable) -> iam.IGrantable:
    """Returns the grantee; refuses a value without a principal, such as a role's name.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "import a role with iam.Role.from_role_arn" if isinstance(grantee, str) else None
    check_interface("grantee", grantee, "grant_principal", "an iam.IGrantable: a role, a function, a service", remedy)
    return grantee


def check_key(name: str, key: Any) -> None:
    """Refuses a value that is not a KMS key.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "import it with kms.Key.from_key_arn" if isinstance(key, str) else None
    check_interface(name, key, "key_arn", "a kms.IKey", remedy)


def check_secret(name: str, secret: Any) -> None:
    """Refuses a value that is not a secret. The error does not show text, which may be the secret itself.

    Raises:
        InvalidArgumentError: see above.
    """
    given, remedy = secret, None
    if isinstance(secret, str):
        given, remedy = plain("text"), "import it with secretsmanager.Secret.from_secret_name_v2"
    check_interface(name, given, "secret_arn", "a secretsmanager.ISecret", remedy)


def check_table(name: str, table: Any) -> None:
    """Refuses a value that is not a table.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "import it with dynamodb.Table.from_table_attributes" if isinstance(table, str) else None
    check_interface(name, table, "table_arn", "a dynamodb.ITable", remedy)


def check_topic(name: str, topic: Any) -> None:
    """Refuses a value that is not a topic.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "pass its topic" if hasattr(topic, "topic") else None
    if isinstance(topic, str):
        remedy = "import it with sns.Topic.from_topic_arn"
    check_interface(name, topic, "topic_arn", "an sns.ITopic", remedy)
