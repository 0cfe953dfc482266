from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from ._acknowledgment import Acknowledgment, acknowledge

# 64 characters, each one of 62, are 381 bits; HMAC-SHA256 uses 256.
_CHARACTERS = 64


def draw_secret(
    scope: Construct, id: str, *, description: str, encryption_key: kms.IKey, removal_policy: RemovalPolicy
) -> secretsmanager.Secret:
    """A secret of random characters from Secrets Manager, the key of draws that must be unpredictable.

    It is not an HMAC key of KMS: a program that draws reads the secret once, but would call and pay KMS for each post.
    """
    secret = secretsmanager.Secret(
        scope,
        id,
        description=description,
        encryption_key=encryption_key,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=_CHARACTERS, exclude_punctuation=True
        ),
        removal_policy=removal_policy,
    )
    kept = "A new value changes choices that are not made yet. A person replaces it when somebody may know the old one."
    acknowledge(
        secret,
        Acknowledgment(id="AwsSolutions-SMG4", reason=kept),
        Acknowledgment(id="NIST.800.53.R5-SecretsManagerRotationEnabled", reason=kept),
    )
    return secret
