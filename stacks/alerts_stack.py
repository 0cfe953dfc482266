import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from stacks.removal import removal_policy
from stacks.settings import Settings


class AlertsStack(cdk.Stack):
    """The topic for every alert, and the function that forwards alerts to Slack."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env, description="Moderation: alerts")
        self.alerts = AlertsTopic(self, "Alerts", removal_policy=removal_policy(settings))
        # Created with a random value: the operator sets the webhook's URL, so that no template contains it. It has no
        # fixed name: a retained secret of that name would fail the stack's second deployment.
        webhook = secretsmanager.Secret(
            self,
            "SlackWebhook",
            description="URL of the Slack incoming webhook that alerts go to",
            encryption_key=self.alerts.encryption_key,
            removal_policy=removal_policy(settings),
        )
        replaced_by_hand = "Slack issues the URL and has no API that renews it; a person replaces it."
        cdk.Validations.of(webhook).acknowledge(
            cdk.Acknowledgment(id="AwsSolutions-SMG4", reason=replaced_by_hand),
            cdk.Acknowledgment(id="NIST.800.53.R5-SecretsManagerRotationEnabled", reason=replaced_by_hand),
        )
        SlackNotifier(
            self,
            "Slack",
            topic=self.alerts,
            webhook_secret=webhook,
            log_encryption_key=self.alerts.encryption_key,
        )
        cdk.CfnOutput(self, "AlertsTopicArn", value=self.alerts.topic_arn)
        cdk.CfnOutput(self, "SlackWebhookSecretName", value=webhook.secret_name)
