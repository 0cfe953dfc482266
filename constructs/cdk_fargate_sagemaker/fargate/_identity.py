"""Which resource a construct stands for, whether two stand for the same, and where it is."""

from typing import Any

from aws_cdk import Stage, Token
from constructs import Construct, IConstruct

from .._checks import plain, refusal
from .._construct_tree import stack_of
from ._service_target_groups import referred

# What a look-up gives until the CDK's command has asked AWS, whatever is looked up; of another region, too. AWS's own
# ARNs have app, net or gwy instead of its "application".
_NOT_LOOKED_UP = "/application/my-load-balancer/"


def identity(arn: str, *kinds: type[Construct]) -> str | None:
    """What distinguishes one resource from another.

    The ARN, or the path of the construct that it is an attribute of; None where it is not known at synthesis.
    """
    if not Token.is_unresolved(arn):
        return None if _NOT_LOOKED_UP in arn else arn
    target = referred(arn)
    return target.node.path if isinstance(target, kinds) else None


def balancer_arn_of(listener_arn: str) -> str | None:
    """The ARN of the load balancer that a listener's ARN names; None for a token."""
    if Token.is_unresolved(listener_arn) or ":listener/app/" not in listener_arn:
        return None
    return listener_arn.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def check_place(scope: Construct, name: str, construct: Any, arn: str, remedy: str) -> None:
    """Refuses what is known to be of another region or account than the stack of `scope`.

    Args:
        scope: the construct that asks.
        name: of the argument.
        construct: the argument.
        arn: its ARN, which says more about an imported resource than its environment does.
        remedy: what to do; `{}` stands for where the argument is.

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
    """Who in the app claimed `resource` before; None, and it is now the claim of `owner`.

    The root's metadata is in no output.
    """
    root: IConstruct = owner.node.root
    for entry in root.node.metadata:
        if entry.type == kind and entry.data["resource"] == resource:
            path: str = entry.data["owner"]
            return path
    root.node.add_metadata(kind, {"resource": resource, "owner": owner.node.path})
    return None


def placed(name: str, construct: IConstruct, *, region: str | None = None, account: str | None = None) -> str:
    """`name`, which is one of its region and account, so that it is distinct in the app.

    Of stacks that name no account or region it is not known where they go: those of one stage go to the same, and of
    those of others it is taken that they do not.
    """
    stack, stage = stack_of(construct), Stage.of(construct)
    where = [account or stack.account, region or stack.region]
    if stage is not None and any(map(Token.is_unresolved, where)):
        where.append(stage.node.path)
    return " ".join([name, *where])


def exported_arn(construct: IConstruct, arn: str) -> str | None:
    """What distinguishes an ARN that is imported by the name of an export; None for any other."""
    resolved = stack_of(construct).resolve(arn)
    export = resolved.get("Fn::ImportValue") if isinstance(resolved, dict) else None
    return placed(export, construct) if isinstance(export, str) else None
