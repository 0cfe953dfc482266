"""The topic that every alert goes to."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

# CloudWatch's alarms and EventBridge's rules publish as themselves, not through a role of ours.
_PUBLISHING_SERVICES = ("cloudwatch.amazonaws.com", "events.amazonaws.com")


class AlertsTopic(Construct):
    """The one topic that every alert goes to; Slack, e-mail or a pager subscribe to it.

    It is encrypted with a key of its own and takes only TLS. CloudWatch alarms and EventBridge rules of this account
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
        policy cannot let CloudWatch and EventBridge publish.
        """
        super().__init__(scope, id)
        self.encryption_key: kms.IKey = encryption_key or kms.Key(
            self, "Key", description="Encrypts alerts", enable_key_rotation=True
        )
        self.topic = sns.Topic(self, "Topic", topic_name=topic_name, master_key=self.encryption_key, enforce_ssl=True)
        of_this_account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        for service in _PUBLISHING_SERVICES:
            principal = iam.ServicePrincipal(service)
            self.encryption_key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[principal],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],  # in a key's policy: this key
                    conditions=of_this_account,
                )
            )
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[principal],
                    actions=["sns:Publish"],
                    resources=[self.topic.topic_arn],
                    conditions=of_this_account,
                )
            )

    def grant_publish(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` publish an alert, and use the key that this takes."""
        return self.topic.grant_publish(grantee)
