from aws_cdk import aws_iam as iam

from ._acknowledgment import Acknowledgment, acknowledge


def acknowledge_inline_policy(role: iam.IRole | iam.Policy, *further: Acknowledgment) -> None:
    """Acknowledges why a role of this library has inline policies, and the findings in `further`."""
    acknowledge(
        role,
        Acknowledgment(
            id="NIST.800.53.R5-IAMNoInlinePolicy",
            reason="The policy belongs to this one role and is created and deleted with it; nothing else could use it.",
        ),
        *further,
    )
