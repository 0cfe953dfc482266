from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.storage import BucketEmptier
from tests.constructs.minimal.notifications import slack_notifier
from tests.constructs.wrong_inputs import WrongInput

_KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
_TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"

WRONG = [
    WrongInput(
        "a-topics-arn-for-slack", lambda stack: slack_notifier(stack, topic=_TOPIC), f"topic: got '{_TOPIC}', allowed: "
    ),
    WrongInput(
        "the-webhook-itself",
        lambda stack: slack_notifier(stack, webhook_secret="https://hooks.slack.com/services/T/B/secret"),
        "webhook_secret: got text, allowed: a secretsmanager.ISecret; import it with secretsmanager.Secret.from_",
    ),
    WrongInput(
        "a-keys-arn-for-logs",
        lambda stack: slack_notifier(stack, log_encryption_key=_KEY),
        f"log_encryption_key: got '{_KEY}', allowed: a kms.IKey; import it with kms.Key.from_key_arn",
    ),
    WrongInput(
        "blanks-in-a-topics-name",
        lambda stack: AlertsTopic(stack, "Alerts", topic_name="my alerts"),
        "topic_name: got 'my alerts', allowed: 1 to 256 letters, digits, hyphens and underscores",
    ),
    WrongInput(
        "a-publisher-by-name",
        lambda stack: AlertsTopic(stack, "Alerts").grant_publish("backup"),
        "grantee: got 'backup', allowed: an iam.IGrantable",
    ),
    WrongInput(
        "a-bucket-to-empty-by-name",
        lambda stack: BucketEmptier(stack, "Emptier", bucket="data"),
        "bucket: got 'data', allowed: an s3.Bucket of this app",
    ),
    WrongInput(
        "an-alias-for-alerts",
        lambda stack: AlertsTopic(stack, "Alerts", master_key="alias/alerts"),
        "master_key: got 'alias/alerts', allowed: a kms.IKey; import it with kms.Key.from_key_arn",
    ),
]
