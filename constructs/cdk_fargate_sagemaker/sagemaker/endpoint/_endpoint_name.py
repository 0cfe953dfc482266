import re

from aws_cdk import Stack, Stage, Token
from constructs import Construct

from ..._checks import check_kind, refusal

_CLAIM = "cdk-fargate-sagemaker:endpoint-name"
# SageMaker's ARNs are in lower case, so a policy that names one matches a name in lower case alone.
_FORM = re.compile(r"[a-z0-9](-*[a-z0-9])*")
LONGEST_NAME = 63
"""What SageMaker allows a name of an endpoint, a configuration, a model or a job."""


def check_endpoint_name(endpoint_name: str, *, longest: int = LONGEST_NAME) -> None:
    """Refuses a name that policies cannot name.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind("endpoint_name", endpoint_name, str, "text")
    if not Token.is_unresolved(endpoint_name) and (len(endpoint_name) > longest or not _FORM.fullmatch(endpoint_name)):
        raise refusal(
            "endpoint_name",
            endpoint_name,
            f"lower-case letters, digits and inner hyphens, at most {longest} characters",
        )


def claim_endpoint_name(owner: Construct, endpoint_name: str) -> None:
    """Makes `owner` the one construct of the app that releases to the endpoint of this name.

    Endpoints of different accounts or regions may have one name. Of stacks that name no account or region it is not
    known where they go: those of one stage go to the same, and of those of others it is taken that they do not.

    Raises:
        InvalidArgumentError: another construct has it.
    """
    if Token.is_unresolved(endpoint_name):
        return
    stack, stage = Stack.of(owner), Stage.of(owner)
    where = [stack.account, stack.region]
    if stage is not None and any(Token.is_unresolved(part) for part in where):
        where.append(stage.node.path)
    claim = " ".join([endpoint_name, *where])
    # The root's metadata is in no output.
    root = owner.node.root.node
    for entry in root.metadata:
        if entry.type == _CLAIM and entry.data[0] == claim:
            raise refusal(
                "endpoint_name",
                endpoint_name,
                f"a name that nothing else releases to, as {entry.data[1]} does",
                "give another name",
            )
    root.add_metadata(_CLAIM, [claim, owner.node.path])
