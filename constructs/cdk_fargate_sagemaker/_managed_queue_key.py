from aws_cdk import aws_sqs as sqs

from ._checkov_skips import skip_checkov


def explain_managed_key(
    queue: sqs.Queue,
    *,
    rather: str = "with a customer key, a sender that KMS denies would lose the messages that the queue is to keep.",
) -> None:
    """Acknowledges why a queue of this library is encrypted with SQS's own key, not with a customer managed key."""
    managed = "SQS encrypts it with its own key (SqsManagedSseEnabled), which the check passes over"
    skip_checkov(queue, {"CKV_AWS_27": f"{managed}; {rather}"})
