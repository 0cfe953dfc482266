"""The topic that every alert goes to."""

import re

from aws_cdk import RemovalPolicy, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from .._checks import check_text, refusal
from .._interfaces import AnyKey, check_key, checked_grantee
from .._lives import check_removal_policy
from .._readable_help import CallSignature
from .._resource_policy import open_to_account
from .._topic_publishers import let_alarms_publish, let_rules_publish

# SNS's pattern for the name of a standard topic.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_NAMES = "1 to 256 letters, digits, hyphens and underscores"


class AlertsTopic(sns.Topic):
    """The one topic that every alert goes to; Slack, e-mail or a pager subscribe to it.

    It is encrypted with a key of its own and takes only TLS. CloudWatch alarms of this account and EventBridge rules
    may publish; a state machine does so through its role (`grant_publish`). It is an `sns.Topic` in everything else.

    Example:
        ```python
        alerts = AlertsTopic(self, "Alerts")
        alerts.add_subscription(subscriptions.EmailSubscription("on-call@example.com"))
        ```

    Args:
        topic_name: its name in SNS. Default: CloudFormation makes one.
        master_key: the key that encrypts alerts. The owner of an imported key must allow CloudWatch and EventBridge to
            use it; the app warns with the statements to add. AWS's own key `aws/sns` does not work, because its policy
            cannot let them publish. Default: a key beside the topic, with "Key" after the topic's id, rotated every
            year.
        removal_policy: what happens to that key when it leaves the stack. Default: it is kept.

    Raises:
        InvalidArgumentError: a name that SNS would refuse, no removal policy, or no key, as its ARN.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        topic_name: str | None = None,
        master_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        if topic_name is not None:
            check_text("topic_name", topic_name, _NAMES)
            if not Token.is_unresolved(topic_name) and not _NAME.fullmatch(topic_name):
                raise refusal("topic_name", topic_name, _NAMES)
        if master_key is not None:
            check_key("master_key", master_key)
        check_removal_policy(removal_policy)
        # The key is beside the topic, not below it: it is needed before the topic exists.
        key: kms.IKey = master_key or kms.Key(
            scope,
            f"{id}Key",
            description="Encrypts alerts",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        super().__init__(scope, id, topic_name=topic_name, master_key=key, enforce_ssl=True)
        self._encryption_key = key
        let_alarms_publish(self, self)
        let_rules_publish(self, self)

    @property
    def encryption_key(self) -> kms.IKey:
        """The key that encrypts alerts: `master_key`, which this topic always has."""
        return self._encryption_key

    def grant_publish(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` publish an alert, and use the key that encrypts it."""
        key = self._encryption_key
        checked_grantee(grantee)
        open_to_account(key, key.key_arn, grantee, ["kms:Decrypt", "kms:GenerateDataKey*"], "*")
        return super().grant_publish(grantee)
