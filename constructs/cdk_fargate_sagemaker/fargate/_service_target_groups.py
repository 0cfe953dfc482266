"""The target groups of a service, in every release of the CDK that the library supports."""

from collections.abc import Iterator, Mapping
from typing import Any

from aws_cdk import Reference, Token, Tokenization
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import IConstruct

from .._construct_tree import resources_below, stack_of


def service_target_groups(service: ecs.BaseService) -> Iterator[tuple[IConstruct | None, IConstruct | None]]:
    """The resources of the target group and its alternate, per load balancer of `service`."""
    load_balancers: Any = getattr(service, "load_balancers", None)
    if load_balancers is None:
        # In older releases of the CDK the property is private; the rendered resource has it.
        yield from _rendered_target_groups(service)
        return
    for load_balancer in load_balancers:
        alternate = getattr(load_balancer.advanced_configuration, "alternate_target_group_arn", None)
        yield referred(load_balancer.target_group_arn), referred(alternate)


def referred(value: str | None) -> IConstruct | None:
    """The construct whose attribute a token represents."""
    if value is None or not Token.is_unresolved(value):
        return None
    token = Tokenization.reverse_string(value).first_token
    return token.target if isinstance(token, Reference) else None


def _rendered_target_groups(service: ecs.BaseService) -> Iterator[tuple[IConstruct | None, IConstruct | None]]:
    stack, resource = stack_of(service), service.node.default_child
    if not isinstance(resource, ecs.CfnService):
        return
    groups = {
        stack.resolve(construct.ref)["Ref"]: construct
        for construct in resources_below(stack, elbv2.CfnTargetGroup)
        if stack_of(construct) is stack
    }

    def group(arn: Any) -> IConstruct | None:
        return groups.get(arn["Ref"]) if isinstance(arn, Mapping) and "Ref" in arn else None

    for load_balancer in stack.resolve(resource.load_balancers) or ():
        turns = load_balancer.get("advancedConfiguration") or {}
        yield group(load_balancer.get("targetGroupArn")), group(turns.get("alternateTargetGroupArn"))
