"""Which resource a construct represents, whether two represent the same resource, and its region and account."""

from typing import Any

from aws_cdk import Stage, Token
from constructs import Construct, IConstruct

from .._checks import plain, refusal
from .._construct_tree import stack_of
from ._service_target_groups import referred

# A part of the placeholder that every look-up returns until the `cdk` command has asked AWS. It may name another
# region. AWS's own ARNs have app, net or gwy instead of "application".
_NOT_LOOKED_UP = "/application/my-load-balancer/"


def identity(arn: str, *kinds: type[Construct]) -> str | None:
    """An identifier that distinguishes one resource from another.

    It is the ARN, or for a token the path of the construct whose attribute it is; None if synthesis knows neither.
    """
    if not Token.is_unresolved(arn):
        return None if _NOT_LOOKED_UP in arn else arn
    target = referred(arn)
    return target.node.path if isinstance(target, kinds) else None


def balancer_arn_of(listener_arn: str) -> str | None:
    """The ARN of the load balancer, derived from a listener's ARN; None for a token."""
    if Token.is_unresolved(listener_arn) or ":listener/app/" not in listener_arn:
        return None
    return listener_arn.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def check_place(scope: Construct, name: str, construct: Any, arn: str, remedy: str) -> None:
    """Refuses a resource that is known to be in another region or account than the stack of `scope`.

    Args:
        scope: the construct that takes the argument.
        name: the argument's name.
        construct: the argument.
        arn: its ARN, which is more precise for an imported resource than its environment.
        remedy: what to do; `{}` is replaced with the argument's region or account.

    Raises:
        InvalidArgumentError: see above.
    """
    if _NOT_LOOKED_UP in arn:
        return
    stack = stack_of(scope)
    parts = [] if Token.is_unresolved(arn) else arn.split(":")
    region, account = parts[3:5] if len(parts) > 5 else (construct.env.region, construct.env.account)
    for word, got, own in (("region", region, stack.region), ("account", account, stack.account)):
        if got != own and not Token.is_unresolved(got) and not Token.is_unresolved(own):
            raise refusal(
                name,
                plain(f"one of the {word} {got}"),
                f"{own}, that of the stack {stack.stack_name}",
                remedy.format(got),
            )


def claimant(owner: Construct, kind: str, resource: str) -> str | None:
    """Returns the construct that claimed `resource` before. If there is none, claims it for `owner` and returns None.

    The claims are in the root's metadata, which no output contains.
    """
    root: IConstruct = owner.node.root
    for entry in root.node.metadata:
        if entry.type == kind and entry.data["resource"] == resource:
            path: str = entry.data["owner"]
            return path
    root.node.add_metadata(kind, {"resource": resource, "owner": owner.node.path})
    return None


def placed(name: str, construct: IConstruct, *, region: str | None = None, account: str | None = None) -> str:
    """Adds region and account to `name`, which is unique within them, so that it is unique in the app.

    The account or region of a stack may be unknown. Then stacks of one stage count as in the same place, and stacks of
    different stages as in different places.
    """
    stack, stage = stack_of(construct), Stage.of(construct)
    where = [account or stack.account, region or stack.region]
    if stage is not None and any(map(Token.is_unresolved, where)):
        where.append(stage.node.path)
    return " ".join([name, *where])


def exported_arn(construct: IConstruct, arn: str) -> str | None:
    """An identifier for an ARN that is imported by the name of an export; None for any other ARN."""
    resolved = stack_of(construct).resolve(arn)
    export = resolved.get("Fn::ImportValue") if isinstance(resolved, dict) else None
    return placed(export, construct) if isinstance(export, str) else None
