import jsii
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager

from .._key_use import through_secrets_manager
from .._resource_policy import open_to_account

_READ = ["secretsmanager:GetSecretValue"]
_DECRYPT = ["kms:Decrypt"]


class TaskSecret(ecs.Secret):
    """A whole secret for a variable of a task; the secret and its key may be in another stack.

    The CDK's own class adds the task's execution role to the key's policy: a key in an earlier stack would then depend
    on a later stack. This class adds all permissions to the role's policy.
    """

    def __init__(self, secret: secretsmanager.ISecret) -> None:
        super().__init__()
        self._secret = secret

    @property
    def arn(self) -> str:
        """The ARN that the task definition contains."""
        return self._secret.secret_arn

    @property
    def has_field(self) -> bool:
        """False: the whole secret is the value."""
        return False

    @jsii.member(jsii_name="grantRead")
    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows the role that starts the task to read it."""
        secret, key = self._secret, self._secret.encryption_key
        granted = iam.Grant.add_to_principal(grantee=grantee, actions=_READ, resource_arns=[secret.secret_arn])
        open_to_account(secret, secret.secret_arn, grantee, _READ, "*")
        if key is not None:
            of_key = iam.Grant.add_to_principal(
                grantee=grantee,
                actions=_DECRYPT,
                resource_arns=[key.key_arn],
                conditions=through_secrets_manager(secret),
            )
            open_to_account(key, key.key_arn, grantee, _DECRYPT, "*")
            granted = granted.combine(of_key)
        return granted
