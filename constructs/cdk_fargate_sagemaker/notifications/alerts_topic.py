"""The topic that every alert goes to."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from .._resource_policy import open_to_account
from .._topic_publishers import let_alarms_publish, let_rules_publish


class AlertsTopic(Construct):
    """The one topic that every alert goes to; Slack, e-mail or a pager subscribe to it.

    It is encrypted with a key of its own and takes only TLS. CloudWatch alarms of this account and EventBridge rules
    may publish; a state machine does so through its role (`grant_publish`).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        topic_name: str | None = None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        """Without `encryption_key` a key is made, and rotated every year. AWS's own `aws/sns` key would not do: its
        policy cannot let CloudWatch and EventBridge publish. The owner of an imported key has to let them: the app
        warns with the statements.
        """
        super().__init__(scope, id)
        self.encryption_key: kms.IKey = encryption_key or kms.Key(
            self, "Key", description="Encrypts alerts", enable_key_rotation=True
        )
        self.topic = sns.Topic(self, "Topic", topic_name=topic_name, master_key=self.encryption_key, enforce_ssl=True)
        let_alarms_publish(self, self.topic)
        let_rules_publish(self, self.topic)

    def grant_publish(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` publish an alert, and use the key that this takes."""
        open_to_account(
            self.encryption_key, self.encryption_key.key_arn, grantee, ["kms:Decrypt", "kms:GenerateDataKey*"], "*"
        )
        return self.topic.grant_publish(grantee)
