"""The routes, endpoints, rules and permissions of the same app that a task needs before it can start."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Dependable, DependencyGroup, IConstruct, IDependable

from .._construct_tree import once, resources_below, stack_of


def wait_for_way_to_aws(
    service: ecs.FargateService,
    *,
    vpc: ec2.IVpc,
    vpc_subnets: ec2.SubnetSelection,
    security_groups: Sequence[ec2.ISecurityGroup],
    execution_role: iam.IRole | None,
) -> None:
    """Makes CloudFormation create `service` after its tasks can reach ECR, S3 and CloudWatch Logs.

    Tasks that start earlier cannot pull their image. The circuit breaker counts each as a failure, and would end the
    first deployment of a stack that also makes its network. Endpoints may be declared after the service, in the stack
    of the service or of the VPC. Imported resources exist already.
    """
    stacks = dict.fromkeys((stack_of(service), stack_of(vpc)))
    endpoints = [_endpoints(vpc, stack) for stack in stacks]
    needed: list[IDependable] = [_routes(vpc, vpc_subnets), *endpoints, *security_groups]
    if execution_role is not None:
        needed.append(execution_role)
    service.node.find_child("Service").node.add_dependency(*needed)


# Most services of an app share one VPC and its private subnets.
@once
def private_subnets(vpc: ec2.IVpc) -> ec2.SubnetSelection | None:
    """The subnets in which tasks run by default; None if the VPC has only public subnets."""
    if vpc.private_subnets:
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED) if vpc.isolated_subnets else None


@once
def _routes_of_private_subnets(vpc: ec2.IVpc) -> IDependable:
    selection = private_subnets(vpc)
    assert selection is not None
    return vpc.select_subnets(subnet_type=selection.subnet_type).internet_connectivity_established


def _routes(vpc: ec2.IVpc, selection: ec2.SubnetSelection) -> IDependable:
    if selection is private_subnets(vpc):
        return _routes_of_private_subnets(vpc)
    return vpc.select_subnets(
        availability_zones=selection.availability_zones,
        one_per_az=selection.one_per_az,
        subnet_filters=selection.subnet_filters,
        subnet_group_name=selection.subnet_group_name,
        subnets=selection.subnets,
        subnet_type=selection.subnet_type,
    ).internet_connectivity_established


_ENDPOINTS: WeakKeyDictionary[ec2.IVpc, dict[Stack, DependencyGroup]] = WeakKeyDictionary()


def _endpoints(vpc: ec2.IVpc, stack: Stack) -> DependencyGroup:
    """The endpoints of `vpc` that `stack` makes, found at synthesis, once for all services that depend on them."""
    of_vpc = _ENDPOINTS.setdefault(vpc, {})
    if stack not in of_vpc:
        of_vpc[stack] = DependencyGroup()
        Dependable.implement(of_vpc[stack], _Endpoints(vpc, stack))
    return of_vpc[stack]


class _Endpoints(Dependable):
    def __init__(self, vpc: ec2.IVpc, stack: Stack) -> None:
        super().__init__()
        self._vpc = vpc
        self._stack = stack
        self._found: list[IConstruct] | None = None

    @property
    def dependency_roots(self) -> list[IConstruct]:
        if self._found is None:
            self._found = self._look_up()
        return self._found

    def _look_up(self) -> list[IConstruct]:
        declared = resources_below(self._stack, ec2.CfnVPCEndpoint)
        # Endpoints of a nested stack are left out: the service's stack would depend on it, and it may depend on that
        # stack.
        own = [one for one in declared if stack_of(one) is self._stack]
        roots: list[IConstruct] = []
        vpc_id = self._vpc.vpc_id if own else None
        for construct in own:
            if construct.vpc_id != vpc_id:
                continue
            roots.append(construct)
            endpoint = construct.node.scope
            if isinstance(endpoint, ec2.InterfaceVpcEndpoint):
                # Rules of a security group may be resources of their own.
                roots += [group for group in endpoint.connections.security_groups if _is_of(group, self._stack)]
        return roots


def _is_of(group: ec2.ISecurityGroup, stack: Stack) -> bool:
    resource = group.node.default_child
    return isinstance(resource, CfnResource) and stack_of(group) is stack
