from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from ._acknowledgment import Acknowledgment, acknowledge
from ._managed_queue_key import explain_managed_key


def last_queue(scope: Construct, id: str) -> sqs.Queue:
    """A dead-letter queue for messages that could not be delivered. It keeps them for two weeks."""
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    acknowledge(
        queue,
        Acknowledgment(
            id="Serverless-SQSRedrivePolicy", reason="It is the dead-letter queue itself; a person reads its messages."
        ),
    )
    explain_managed_key(queue)
    return queue
