"""A service and what belongs to it: task count, load balancer, target group; found where this app declares them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

from aws_cdk import Annotations, Token
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, Dependable, IConstruct

from .._checks import check_interface, plain, refusal
from .._construct_tree import stack_of
from ._network_checks import check_application_load_balancer
from ._scalable_target_reference import scalable_target_reference
from ._service_target_groups import referred, service_target_groups
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ServiceScaling

_USE_THE_TASK_COUNT = "pass what service.auto_scale_task_count() returned"


class OwnsService(Protocol):
    """A construct that makes a service: a `ScaledFargateService`, a pattern of `aws_ecs_patterns`, one of your own."""

    @property
    def service(self) -> ecs.IService:
        """The ECS service."""
        ...


AnyService: TypeAlias = OwnsService | ecs.IService


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParts:
    """What scaling, alarms, dashboards and tuning need to know of a service.

    Args:
        service: the ECS service.
        metrics: its metrics, with those of its load balancer and target group where these are known.
        scalable_target: its task count. None: not known.
        load_balancer: the ALB in front of it. None: not known, or it has none.
        target_group: its tasks as the ALB sees them. None: not known, or it has none.
        has_alternate_target_group: whether another target group takes turns with it, at blue/green deployments.
        left_out: paths of further application target groups that it is a target of, which nobody asked for.
    """

    service: ecs.IService
    metrics: ServiceMetrics
    scalable_target: IScalableTargetRef | None
    load_balancer: elbv2.IApplicationLoadBalancer | None
    target_group: elbv2.IApplicationTargetGroup | None
    has_alternate_target_group: bool
    left_out: tuple[str, ...]

    @classmethod
    def of(
        cls,
        scope: Construct,
        service: AnyService,
        *,
        scalable_target: IScalableTargetRef | None = None,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        target_group: elbv2.IApplicationTargetGroup | None = None,
    ) -> Self:
        """Finds what is not given; what is given is taken.

        Args:
            scope: the construct that asks. The service has to be in its region and account.
            service: any service, or the construct that makes it.
            scalable_target: its task count. Default: what `auto_scale_task_count` made.
            load_balancer: the ALB in front of it. Default: that of its target group.
            target_group: its tasks as the ALB sees them. Default: the first application target group that it is a
                target of and that is one of `load_balancer`.

        Raises:
            InvalidArgumentError: no service, one of another region or account, or a part that is another service's.
        """
        owned = _ecs_service(service)
        if service is owned and isinstance(owned.node.scope, ScaledFargateService):
            # It knows more of its service than the service does: how often the CPU is published, Container Insights.
            service = owned.node.scope
        _check_place(scope, owned)
        _check_application(load_balancer, target_group)
        attached, task_count = _found(service, owned)
        _check_load_balancer(load_balancer, attached)
        _check_target_group(target_group, attached)
        if scalable_target is not None:
            _check_scalable_target(scalable_target, owned, task_count)

        chosen = _choose(attached, load_balancer, target_group)
        if load_balancer is None:
            load_balancer = chosen.load_balancer if chosen else _load_balancer(target_group)
        if isinstance(service, ScaledFargateService):
            metrics = service.metrics
        else:
            metrics = ServiceMetrics(
                service=owned,
                load_balancer=load_balancer,
                target_group=chosen.target_group if chosen else target_group,
                alternate_target_group=chosen.alternate if chosen else None,
            )
        return cls(
            service=owned,
            metrics=metrics,
            scalable_target=scalable_target or task_count,
            load_balancer=load_balancer,
            target_group=chosen.target_group if chosen else target_group,
            has_alternate_target_group=chosen is not None and chosen.alternate is not None,
            left_out=tuple(
                one.target_group.node.path
                for one in attached
                if target_group is None and chosen is not None and one is not chosen
            ),
        )

    @property
    def scaling(self) -> ServiceScaling:
        """All that was declared on the task count until now; nothing where it is not known."""
        return ServiceScaling.of(self.scalable_target) if self.scalable_target is not None else ServiceScaling()

    def say_what_is_not_known(
        self,
        scope: Construct,
        *,
        load_balancer: str,
        target_group: str | None = None,
        both: str | None = None,
        scalable_target: str | None = None,
    ) -> None:
        """Writes an annotation for each part that is not known.

        Args:
            scope: the construct that does without it, and gets the annotation.
            load_balancer: what it means that there is no load balancer, as "latency has no alarm".
            target_group: what it means that there is no target group. Default: nothing, and it is not missed.
            both: what it means that there is neither. Default: that there is no load balancer.
            scalable_target: what it means that there is no task count. Default: nothing, and it is not missed.
        """
        missing = {}
        needs_group = target_group is not None and not self.metrics.has_target_group
        if not self.metrics.has_load_balancer:
            meaning, parts = (both or load_balancer, " and target_group") if needs_group else (load_balancer, "")
            missing["load-balancer"] = f"no load balancer known: {meaning}; pass load_balancer{parts}"
        elif needs_group:
            missing["target-group"] = f"no target group known: {target_group}; pass target_group"
        if target_group is not None and self.left_out:
            others = ", ".join(self.left_out)
            missing["target-group"] = (
                f"several target groups, of which {others} is left out; pass the target_group meant"
            )
        if scalable_target is not None and self.scalable_target is None:
            missing["scalable-target"] = f"no task count known: {scalable_target}; pass scalable_target"
        for part, text in missing.items():
            Annotations.of(scope).add_info_v2(f"cdk-fargate-sagemaker:unknown-{part}", text)

    def required_scalable_target(self) -> IScalableTargetRef:
        """The task count.

        Raises:
            InvalidArgumentError: it is not known.
        """
        if self.scalable_target is None:
            raise refusal(
                "scalable_target",
                None,
                "the task count of the service",
                "call service.auto_scale_task_count() before, or pass the one that was made elsewhere",
            )
        return self.scalable_target


def identity(arn: str, *kinds: type[Construct]) -> str | None:
    """What distinguishes one resource from another.

    The ARN, or the path of the construct that it is an attribute of; None where it is known at deployment only.
    """
    if not Token.is_unresolved(arn):
        return arn
    target = referred(arn)
    return target.node.path if isinstance(target, kinds) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attached:
    """A target group of this app that a service is a target of, and the load balancer that it is attached to."""

    target_group: elbv2.ApplicationTargetGroup
    alternate: elbv2.ApplicationTargetGroup | None
    load_balancer: elbv2.IApplicationLoadBalancer | None


def _ecs_service(service: Any) -> ecs.IService:
    inner = getattr(service, "service", service)
    if not isinstance(inner, ecs.BaseService) and not hasattr(inner, "service_arn"):
        raise refusal(
            "service", service, "a ScaledFargateService, a service of aws_ecs_patterns or aws_ecs, or an imported one"
        )
    owned: ecs.IService = inner
    return owned


def _check_place(scope: Construct, service: ecs.IService) -> None:
    stack = stack_of(scope)
    if isinstance(service, ecs.BaseService) and stack_of(service) is stack:
        return
    arn = service.service_arn
    parts = [] if Token.is_unresolved(arn) else arn.split(":")
    region, account = parts[3:5] if len(parts) > 5 else (service.env.region, service.env.account)
    for name, got, own in (("region", region, stack.region), ("account", account, stack.account)):
        if got != own and not Token.is_unresolved(got) and not Token.is_unresolved(own):
            raise refusal(
                "service",
                plain(f"one of the {name} {got}"),
                f"{own}, that of the stack {stack.stack_name}",
                f"make the construct in a stack of {got}",
            )


def _check_application(load_balancer: Any, target_group: Any) -> None:
    if load_balancer is not None:
        check_application_load_balancer(load_balancer, "leave it out, no other one has latency and 5xx")
    if target_group is not None:
        remedy = "leave it out"
        if isinstance(target_group, elbv2.NetworkTargetGroup):
            raise refusal("target_group", target_group, "an application target group", remedy)
        check_interface("target_group", target_group, "target_group_arn", "an application target group", remedy)


def _found(service: AnyService, owned: ecs.IService) -> tuple[tuple[_Attached, ...], IScalableTargetRef | None]:
    """The target groups and the task count that this app declares for a service."""
    if not isinstance(service, ScaledFargateService):
        return tuple(_attached(owned)), _task_count(owned)
    own = _Attached(
        target_group=service.target_group,
        alternate=service.alternate_target_group,
        load_balancer=service.load_balancer,
    )
    return (own,), service.scalable_target


def _task_count(service: ecs.IService) -> IScalableTargetRef | None:
    # The id that auto_scale_task_count() gives it; there is no other way to ask for it.
    found = service.node.try_find_child("TaskCount")
    kinds = (applicationautoscaling.BaseScalableAttribute, applicationautoscaling.ScalableTarget)
    return found if isinstance(found, kinds) else None


def _check_scalable_target(
    given: IScalableTargetRef, service: ecs.IService, task_count: IScalableTargetRef | None
) -> None:
    reference = scalable_target_reference(given)
    if reference is None:
        raise refusal("scalable_target", given, "the task count of the service", _USE_THE_TASK_COUNT)
    namespace, dimension = reference.service_namespace, reference.scalable_dimension
    for got, allowed in ((namespace, "ecs"), (dimension, "ecs:service:DesiredCount")):
        if got != allowed and not Token.is_unresolved(got):
            raise refusal(
                "scalable_target", plain(got), f"{allowed}, the task count of the service", _USE_THE_TASK_COUNT
            )
    owner = _owner(given)
    if owner is not None and isinstance(service, ecs.BaseService):
        if owner.node.path != service.node.path:
            raise refusal(
                "scalable_target",
                plain(f"{given.node.path}, which is that of another service"),
                f"that of {service.node.path}",
                "leave it out",
            )
        return
    if task_count is not None and given.node.path != task_count.node.path:
        raise refusal(
            "scalable_target", plain(given.node.path), f"{task_count.node.path}, the service's own", "leave it out"
        )
    counted, wanted = _resource_id(given), _resource_id_of_service(service)
    if counted is not None and wanted is not None and counted != wanted:
        raise refusal("scalable_target", plain(counted), wanted, "pass the task count of the service")


def _owner(scalable_target: IScalableTargetRef) -> ecs.BaseService | None:
    return next((scope for scope in reversed(scalable_target.node.scopes) if isinstance(scope, ecs.BaseService)), None)


def _resource_id(scalable_target: IScalableTargetRef) -> str | None:
    """The `service/<cluster>/<service>` of a scalable target; None where it is known at deployment only."""
    # The id of an imported one, or that of CloudFormation: <resource id>|<dimension>|<namespace>.
    reference = scalable_target_reference(scalable_target)
    resource_id = None if reference is None else reference.resource_id
    resource = scalable_target.node.default_child
    if isinstance(resource, applicationautoscaling.CfnScalableTarget):
        resource_id = resource.resource_id
    return None if resource_id is None or Token.is_unresolved(resource_id) else resource_id.partition("|")[0]


def _resource_id_of_service(service: ecs.IService) -> str | None:
    metrics = ServiceMetrics(service=service)
    resource_id = f"service/{metrics.cluster_name}/{metrics.service_name}"
    return None if Token.is_unresolved(resource_id) else resource_id


def _attached(service: ecs.IService) -> Iterator[_Attached]:
    if not isinstance(service, ecs.BaseService):
        return
    for resource, alternate in service_target_groups(service):
        group = _group(resource)
        if group is not None:
            yield _Attached(target_group=group, alternate=_group(alternate), load_balancer=_load_balancer(group))


def _group(resource: IConstruct | None) -> elbv2.ApplicationTargetGroup | None:
    # The L1 is the L2's child.
    group = resource.node.scope if isinstance(resource, elbv2.CfnTargetGroup) else None
    return group if isinstance(group, elbv2.ApplicationTargetGroup) else None


def _load_balancer(
    target_group: elbv2.IApplicationTargetGroup | None,
) -> elbv2.IApplicationLoadBalancer | None:
    """That which a target group of this app is attached to, through a listener or one of its rules."""
    if not isinstance(target_group, elbv2.ApplicationTargetGroup):
        return None
    for root in Dependable.of(target_group.load_balancer_attached).dependency_roots:
        listener: IConstruct | None = root
        if isinstance(root, elbv2.ApplicationListenerRule):
            rule = root.node.default_child
            resource = referred(rule.listener_arn) if isinstance(rule, elbv2.CfnListenerRule) else None
            listener = resource.node.scope if isinstance(resource, elbv2.CfnListener) else None
        if isinstance(listener, elbv2.ApplicationListener):
            return listener.load_balancer
    return None


def _check_load_balancer(given: elbv2.IApplicationLoadBalancer | None, attached: tuple[_Attached, ...]) -> None:
    known = [one.load_balancer for one in attached if one.load_balancer is not None]
    if given is not None and _is_none_of(_load_balancer_identity(given), map(_load_balancer_identity, known)):
        raise refusal(
            "load_balancer",
            plain(given.node.path),
            f"{' or '.join(_paths(known))}, in front of the service",
            "leave it out",
        )


def _check_target_group(given: elbv2.IApplicationTargetGroup | None, attached: tuple[_Attached, ...]) -> None:
    known = [group for one in attached for group in (one.target_group, one.alternate) if group is not None]
    if given is not None and _is_none_of(_target_group_identity(given), map(_target_group_identity, known)):
        raise refusal(
            "target_group",
            plain(given.node.path),
            f"{' or '.join(_paths(known))}, of which the service is a target",
            "leave it out",
        )


def _choose(
    attached: tuple[_Attached, ...],
    load_balancer: elbv2.IApplicationLoadBalancer | None,
    target_group: elbv2.IApplicationTargetGroup | None,
) -> _Attached | None:
    for one in attached:
        if target_group is not None and not _has(one, target_group):
            continue
        if load_balancer is None or one.load_balancer is None:
            return one
        if _load_balancer_identity(load_balancer) in (None, _load_balancer_identity(one.load_balancer)):
            return one
    return None


def _has(one: _Attached, target_group: elbv2.IApplicationTargetGroup) -> bool:
    groups = [_target_group_identity(group) for group in (one.target_group, one.alternate) if group is not None]
    return _target_group_identity(target_group) in groups


def _is_none_of(given: str | None, known: Iterable[str | None]) -> bool:
    """Whether it is certain to be another."""
    others = list(known)
    return bool(others) and given is not None and None not in others and given not in others


def _load_balancer_identity(load_balancer: elbv2.IApplicationLoadBalancer) -> str | None:
    return identity(load_balancer.load_balancer_arn, elbv2.CfnLoadBalancer)


def _target_group_identity(target_group: elbv2.IApplicationTargetGroup) -> str | None:
    return identity(target_group.target_group_arn, elbv2.CfnTargetGroup)


def _paths(constructs: list[Any]) -> list[str]:
    return list(dict.fromkeys(construct.node.path for construct in constructs))
