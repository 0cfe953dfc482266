from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_iam as iam


def acknowledge_inline_policy(role: iam.IRole | iam.Policy, *further: Acknowledgment) -> None:
    """Says why the policies of a role that this library makes are inline, and what else is to be said about it."""
    Validations.of(role).acknowledge(
        Acknowledgment(
            id="NIST.800.53.R5-IAMNoInlinePolicy",
            reason="The policy is of this one role, made and removed with it; nothing else could use it.",
        ),
        *further,
    )
