"""A service with its task count, load balancer and target group, which are found if this app declares them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol, Self, TypeAlias

from aws_cdk import Annotations, Token
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct, Dependable, IConstruct

from .._checks import check_interface, plain, refusal
from .._construct_tree import path_of, stack_of
from ._identity import balancer_arn_of, check_place, identity, placed
from ._network_checks import check_application_load_balancer
from ._scalable_target_reference import scalable_target_reference
from ._service_target_groups import referred, service_target_groups
from .scaled_fargate_service import ScaledFargateService
from .service_metrics import ServiceMetrics
from .service_scaling import ServiceScaling

_USE_THE_TASK_COUNT = "pass what service.auto_scale_task_count() returned"
_IN_FRONT = "pass the one in front of the service"
# Any other type is imported: only the resource that it scales is known.
_DECLARED_HERE = (
    applicationautoscaling.BaseScalableAttribute,
    applicationautoscaling.ScalableTarget,
    applicationautoscaling.CfnScalableTarget,
)


class OwnsService(Protocol):
    """A construct that makes a service: a `ScaledFargateService`, a pattern of `aws_ecs_patterns`, or your own."""

    @property
    def service(self) -> "OwnsService | ecs.IService":
        """The ECS service, or the construct that makes it."""
        ...


AnyService: TypeAlias = OwnsService | ecs.IService


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParts:
    """The parts of a service that scaling, alarms, dashboards and tuning use.

    Args:
        service: the ECS service.
        metrics: its metrics, with those of its load balancer and target group where these are known.
        scalable_target: its task count. None: not known.
        load_balancer: the ALB in front of it. None: not known, or it has none.
        target_group: the target group with its tasks. None: not known, or it has none.
        has_alternate_target_group: whether blue/green deployments use another target group in turn with it.
        left_out: paths of the service's other application target groups, if the caller chose none.
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
        """Takes the parts that are given, and finds the others.

        Args:
            scope: the construct that uses the service, which must be in its region and account.
            service: any service, or the construct that makes it.
            scalable_target: its task count. Default: what `auto_scale_task_count` made.
            load_balancer: the ALB in front of it. Default: that of its target group.
            target_group: the target group with its tasks. Default: the service's first application target group that
                `load_balancer` forwards to.

        Raises:
            InvalidArgumentError: a value that is not a service, a service in another region or account, or a part of
                another service.
        """
        owned = _ecs_service(service)
        # It has metrics that the service itself lacks: the CPU's resolution, and Container Insights.
        scope_of_service = service if isinstance(service, ScaledFargateService) else owned.node.scope
        maker = scope_of_service if isinstance(scope_of_service, ScaledFargateService) else None
        if not isinstance(owned, ecs.BaseService) or stack_of(owned) is not stack_of(scope):
            check_place(scope, "service", owned, owned.service_arn, "make the construct in a stack of {}")
        _check_application(scope, load_balancer, target_group)
        attached, task_count = _found(maker, owned)
        _check_load_balancer(load_balancer, attached)
        _check_target_group(target_group, attached)
        if load_balancer is not None and target_group is not None:
            _check_pair(load_balancer, target_group)
        if scalable_target is not None:
            _check_scalable_target(scalable_target, owned, task_count)

        chosen = _choose(attached, load_balancer, target_group)
        if load_balancer is None:
            load_balancer = chosen.load_balancer if chosen else _load_balancer(target_group)
        if maker is not None:
            metrics = maker.metrics
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
        """All scaling that is declared on the task count so far; none if the task count is not known."""
        return ServiceScaling.of(self.scalable_target) if self.scalable_target is not None else ServiceScaling()

    @property
    def identity(self) -> str:
        """An identifier of the service in this app, the same for each import of it."""
        service = self.service
        if isinstance(service, ecs.BaseService):
            return path_of(service)
        name, arn = _resource_id_of_service(service), service.service_arn
        if Token.is_unresolved(name):
            return path_of(service)
        if Token.is_unresolved(arn):
            return placed(name, service)
        region, account = arn.split(":")[3:5]
        return placed(name, service, region=region, account=account)

    def say_what_is_not_known(
        self,
        scope: Construct,
        *,
        load_balancer: str,
        target_group: str | None = None,
        both: str | None = None,
        scalable_target: str | None = None,
    ) -> None:
        """Adds an annotation for each part that is not known.

        Args:
            scope: the construct that works without the part, and gets the annotation.
            load_balancer: the consequence of an unknown load balancer, such as "latency has no alarm".
            target_group: the consequence of an unknown target group. Default: none, and no annotation.
            both: the consequence if both are unknown. Default: that of an unknown load balancer.
            scalable_target: the consequence of an unknown task count. Default: none, and no annotation.
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
        own = self.scalable_target
        if scalable_target is not None and own is None:
            missing["scalable-target"] = f"no task count known: {scalable_target}; pass scalable_target"
        if scalable_target is not None and own is not None and not isinstance(own, _DECLARED_HERE):
            missing["scalable-target"] = (
                f"no bounds known of {path_of(own)}, which is imported: {scalable_target}; declare the task count in "
                "this app"
            )
        for part, text in missing.items():
            Annotations.of(scope).add_info_v2(f"cdk-fargate-sagemaker:unknown-{part}", text)

    def required_scalable_target(self) -> IScalableTargetRef:
        """Returns the task count.

        Raises:
            InvalidArgumentError: the task count is not known.
        """
        if self.scalable_target is None:
            raise refusal(
                "scalable_target",
                None,
                "the task count of the service",
                "call service.auto_scale_task_count() before, or pass the one that was made elsewhere",
            )
        return self.scalable_target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attached:
    """A service's target group in this app, and the load balancer in front of it."""

    target_group: elbv2.IApplicationTargetGroup
    alternate: elbv2.IApplicationTargetGroup | None
    load_balancer: elbv2.IApplicationLoadBalancer | None


def _ecs_service(service: Any) -> ecs.IService:
    inner = service
    while not isinstance(inner, ecs.BaseService) and not hasattr(inner, "service_arn"):
        made, inner = inner, getattr(inner, "service", None)
        if inner is None or inner is made:
            raise refusal(
                "service",
                service,
                "a ScaledFargateService, a service of aws_ecs_patterns or aws_ecs, or an imported one",
            )
    owned: ecs.IService = inner
    return owned


def _check_application(scope: Construct, load_balancer: Any, target_group: Any) -> None:
    if load_balancer is not None:
        check_application_load_balancer(load_balancer, "leave it out, no other one has latency and 5xx")
        check_place(scope, "load_balancer", load_balancer, load_balancer.load_balancer_arn, _IN_FRONT)
    if target_group is not None:
        remedy = "leave it out"
        if isinstance(target_group, elbv2.NetworkTargetGroup):
            raise refusal("target_group", target_group, "an application target group", remedy)
        check_interface("target_group", target_group, "target_group_arn", "an application target group", remedy)
        check_place(scope, "target_group", target_group, target_group.target_group_arn, _IN_FRONT)


def _found(
    maker: ScaledFargateService | None, service: ecs.IService
) -> tuple[tuple[_Attached, ...], IScalableTargetRef | None]:
    """The target groups and the task count that this app declares for a service."""
    if maker is None:
        return tuple(_attached(service)), _task_count(service)
    own = _Attached(
        target_group=maker.target_group,
        alternate=maker.alternate_target_group,
        load_balancer=maker.load_balancer,
    )
    return (own,), maker.scalable_target


def _task_count(service: ecs.IService) -> IScalableTargetRef | None:
    # auto_scale_task_count() uses this id; the CDK has no other way to find the task count.
    found = service.node.try_find_child("TaskCount")
    return found if isinstance(found, _DECLARED_HERE) else None


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
    if counted is not None and any(
        got != part and not Token.is_unresolved(part)
        for got, part in zip_longest(counted.split("/"), wanted.split("/"), fillvalue="")
    ):
        shown = "/".join("<known at deployment>" if Token.is_unresolved(part) else part for part in wanted.split("/"))
        raise refusal("scalable_target", plain(counted), shown, "pass the task count of the service")


def _owner(scalable_target: IScalableTargetRef) -> ecs.BaseService | None:
    return next((scope for scope in reversed(scalable_target.node.scopes) if isinstance(scope, ecs.BaseService)), None)


def _resource_id(scalable_target: IScalableTargetRef) -> str | None:
    """The `service/<cluster>/<service>` of a scalable target; None where it is known at deployment only."""
    # An imported one has its resource id; CloudFormation's id is <resource id>|<dimension>|<namespace>.
    reference = scalable_target_reference(scalable_target)
    resource_id = None if reference is None else reference.resource_id
    resource: Any = scalable_target
    if not isinstance(resource, applicationautoscaling.CfnScalableTarget):
        resource = scalable_target.node.default_child
    if isinstance(resource, applicationautoscaling.CfnScalableTarget):
        resource_id = resource.resource_id
    return None if resource_id is None or Token.is_unresolved(resource_id) else resource_id.partition("|")[0]


def _resource_id_of_service(service: ecs.IService) -> str:
    """The `service/<cluster>/<service>` of a service, with a token for each part that is known at deployment only."""
    metrics = ServiceMetrics(service=service)
    resource, name = service.node.default_child, metrics.service_name
    if isinstance(resource, ecs.CfnService):
        # A name that was given is known now; `service_name` is always known at deployment only.
        given = stack_of(service).resolve(resource.service_name)
        name = given if isinstance(given, str) else name
    return f"service/{metrics.cluster_name}/{name}"


def _attached(service: ecs.IService) -> Iterator[_Attached]:
    if not isinstance(service, ecs.BaseService):
        return
    for resource, alternate in service_target_groups(service):
        group = _group(resource)
        if group is not None:
            yield _Attached(target_group=group, alternate=_group(alternate), load_balancer=_load_balancer(group))


def _group(resource: IConstruct | None) -> elbv2.ApplicationTargetGroup | None:
    # The resource (L1) is a child of the construct (L2).
    group = resource.node.scope if isinstance(resource, elbv2.CfnTargetGroup) else None
    return group if isinstance(group, elbv2.ApplicationTargetGroup) else None


def _listeners(
    target_group: elbv2.IApplicationTargetGroup | None,
) -> Iterator[elbv2.ApplicationListener | str]:
    """The listeners that a target group of this app is attached to, directly or by a rule; imported ones as ARNs."""
    if not isinstance(target_group, elbv2.ApplicationTargetGroup):
        return
    for root in Dependable.of(target_group.load_balancer_attached).dependency_roots:
        listener: IConstruct | None = root
        if isinstance(root, elbv2.ApplicationListenerRule):
            rule = root.node.default_child
            if not isinstance(rule, elbv2.CfnListenerRule):
                continue
            resource = referred(rule.listener_arn)
            if resource is None and rule.listener_arn is not None:
                yield rule.listener_arn
            listener = resource.node.scope if isinstance(resource, elbv2.CfnListener) else None
        if isinstance(listener, elbv2.ApplicationListener):
            yield listener


def _load_balancer(
    target_group: elbv2.IApplicationTargetGroup | None,
) -> elbv2.IApplicationLoadBalancer | None:
    """The load balancer that a target group of this app is attached to."""
    return next((one.load_balancer for one in _listeners(target_group) if not isinstance(one, str)), None)


def _balancers(one: _Attached) -> dict[str | None, str]:
    """Identifiers of a target group's load balancers (None: not known), each with a name to show."""
    if one.load_balancer is not None:
        return {_load_balancer_identity(one.load_balancer): one.load_balancer.node.path}
    arns = [balancer_arn_of(listener) for listener in _listeners(one.target_group) if isinstance(listener, str)]
    if not isinstance(one.target_group, elbv2.ApplicationTargetGroup):
        arns = [one.target_group.load_balancer_arns]
    return {None if arn is None else identity(arn): str(arn) for arn in arns or [None]}


def _check_load_balancer(given: elbv2.IApplicationLoadBalancer | None, attached: tuple[_Attached, ...]) -> None:
    if given is not None:
        known = {name: shown for one in attached for name, shown in _balancers(one).items()}
        _check_among(given, known, where="in front of the service", remedy="leave it out")


def _check_pair(load_balancer: elbv2.IApplicationLoadBalancer, target_group: elbv2.IApplicationTargetGroup) -> None:
    known = _balancers(_Attached(target_group=target_group, alternate=None, load_balancer=_load_balancer(target_group)))
    _check_among(load_balancer, known, where="that of target_group", remedy="pass the two that belong together")


def _check_among(
    given: elbv2.IApplicationLoadBalancer, known: Mapping[str | None, str], *, where: str, remedy: str
) -> None:
    if _is_none_of(_load_balancer_identity(given), known):
        raise refusal("load_balancer", plain(given.node.path), f"{' or '.join(known.values())}, {where}", remedy)


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
        if load_balancer is None or not _is_none_of(_load_balancer_identity(load_balancer), _balancers(one)):
            return one
    return None


def _has(one: _Attached, target_group: elbv2.IApplicationTargetGroup) -> bool:
    groups = [_target_group_identity(group) for group in (one.target_group, one.alternate) if group is not None]
    return _target_group_identity(target_group) in groups


def _is_none_of(given: str | None, known: Iterable[str | None]) -> bool:
    """Whether `given` certainly differs from all in `known`."""
    others = list(known)
    return bool(others) and given is not None and None not in others and given not in others


def _load_balancer_identity(load_balancer: elbv2.IApplicationLoadBalancer) -> str | None:
    return identity(load_balancer.load_balancer_arn, elbv2.CfnLoadBalancer)


def _target_group_identity(target_group: elbv2.IApplicationTargetGroup) -> str | None:
    return identity(target_group.target_group_arn, elbv2.CfnTargetGroup)


def _paths(constructs: list[Any]) -> list[str]:
    return list(dict.fromkeys(construct.node.path for construct in constructs))
