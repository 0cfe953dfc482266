import re

from aws_cdk import Stack, Stage, Token
from constructs import Construct

_CLAIM = "cdk-fargate-sagemaker:endpoint-name"
# SageMaker's ARNs are in lower case, so a policy that names one matches a name in lower case alone.
_FORM = re.compile(r"[a-z0-9](-*[a-z0-9]){0,62}")


def checked_endpoint_name(endpoint_name: str) -> str:
    """The name, once it is one that policies can name. Raises ValueError for any other."""
    if not Token.is_unresolved(endpoint_name) and not _FORM.fullmatch(endpoint_name):
        raise ValueError(
            f"endpoint_name is {endpoint_name!r}: use lower-case letters, digits and inner hyphens, "
            "at most 63 characters"
        )
    return endpoint_name


def claim_endpoint_name(owner: Construct, endpoint_name: str) -> None:
    """Makes `owner` the one construct of the app that releases to the endpoint of this name.

    Endpoints of different accounts or regions may have one name. Of stacks that name no account or region it is not
    known where they go: those of one stage go to the same, and of those of others it is taken that they do not.

    Raises:
        ValueError: another construct has it.
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
            raise ValueError(
                f"endpoint_name is {endpoint_name!r}: {entry.data[1]} releases to the endpoint of this name already; "
                "give another name"
            )
    root.add_metadata(_CLAIM, [claim, owner.node.path])
