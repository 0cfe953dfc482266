import re

from aws_cdk import Stage, Token
from constructs import Construct

from ..._checks import check_kind, refusal
from ..._construct_tree import stack_of

_CLAIM = "cdk-fargate-sagemaker:endpoint-name"
# SageMaker writes names in ARNs in lower case, so a policy matches only a name in lower case.
_FORM = re.compile(r"[a-z0-9](-*[a-z0-9])*")
LONGEST_NAME = 63
"""SageMaker's limit for the names of endpoints, configurations, models and jobs, in characters."""


def check_endpoint_name(endpoint_name: str, *, longest: int = LONGEST_NAME) -> None:
    """Refuses a name that SageMaker does not allow or that policies do not match.

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
    """Makes `owner` the only construct in the app that releases to the endpoint with this name.

    Endpoints in different accounts or regions may have the same name. Without a fixed account or region, stacks of the
    same stage are assumed to share them, and stacks of different stages are assumed not to.

    Raises:
        InvalidArgumentError: another construct releases to this name.
    """
    if Token.is_unresolved(endpoint_name):
        return
    stack, stage = stack_of(owner), Stage.of(owner)
    where = [stack.account, stack.region]
    if stage is not None and any(Token.is_unresolved(part) for part in where):
        where.append(stage.node.path)
    claim = " ".join([endpoint_name, *where])
    # The root's metadata appears in no template or other output.
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
