from aws_cdk import aws_sqs as sqs

from ._checkov_skips import skip_checkov


def explain_managed_key(
    queue: sqs.Queue,
    *,
    rather: str = "with a customer key, KMS refusing a sender would lose what the queue is there to keep.",
) -> None:
    """Says why a queue of this library is encrypted with SQS's own key, rather than with a customer's."""
    managed = "SQS encrypts it with its own key (SqsManagedSseEnabled), which the check passes over"
    skip_checkov(queue, {"CKV_AWS_27": f"{managed}; {rather}"})
