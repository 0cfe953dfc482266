"""What a task needs before it can start: routes, endpoints, rules and permissions that are made in the same app."""

from collections.abc import Sequence

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Dependable, DependencyGroup, IConstruct


def wait_for_way_to_aws(
    service: ecs.FargateService,
    *,
    vpc: ec2.IVpc,
    vpc_subnets: ec2.SubnetSelection,
    security_groups: Sequence[ec2.ISecurityGroup],
) -> None:
    """Makes CloudFormation create `service` after its tasks' way to ECR, S3 and CloudWatch Logs.

    Tasks that start before it cannot pull their image, and the circuit breaker counts each as a failure: it would end
    the first deployment of a stack that makes its network too. Endpoints may be declared after the service, in the
    stack of the service or of the VPC. What is imported is there already.
    """
    resource = service.node.find_child("Service")
    subnets = vpc.select_subnets(
        availability_zones=vpc_subnets.availability_zones,
        one_per_az=vpc_subnets.one_per_az,
        subnet_filters=vpc_subnets.subnet_filters,
        subnet_group_name=vpc_subnets.subnet_group_name,
        subnets=vpc_subnets.subnets,
        subnet_type=vpc_subnets.subnet_type,
    )
    endpoints = DependencyGroup()
    Dependable.implement(endpoints, _Endpoints(service, vpc))
    resource.node.add_dependency(subnets.internet_connectivity_established, endpoints, *security_groups)
    execution_role = service.task_definition.execution_role
    if execution_role is not None:
        resource.node.add_dependency(execution_role)


class _Endpoints(Dependable):
    """The endpoints of a VPC, which are looked up at synthesis."""

    def __init__(self, service: ecs.FargateService, vpc: ec2.IVpc) -> None:
        super().__init__()
        self._service = service
        self._vpc = vpc
        self._found: list[IConstruct] | None = None

    @property
    def dependency_roots(self) -> list[IConstruct]:
        if self._found is None:
            stacks = {stack.node.path: stack for stack in (Stack.of(self._service), Stack.of(self._vpc))}
            self._found = [root for stack in stacks.values() for root in self._of_stack(stack)]
        return self._found

    def _of_stack(self, stack: Stack) -> list[IConstruct]:
        roots: list[IConstruct] = []
        for construct in stack.node.find_all():
            # Another stack's endpoints would make this one wait for it, and perhaps it for this one.
            if not isinstance(construct, ec2.CfnVPCEndpoint) or Stack.of(construct) is not stack:
                continue
            if construct.vpc_id != self._vpc.vpc_id:
                continue
            roots.append(construct)
            endpoint = construct.node.scope
            if isinstance(endpoint, ec2.InterfaceVpcEndpoint):
                # Its rules may be resources of their own.
                roots += [group for group in endpoint.connections.security_groups if _is_of(group, stack)]
        return roots


def _is_of(group: ec2.ISecurityGroup, stack: Stack) -> bool:
    resource = group.node.default_child
    return isinstance(resource, CfnResource) and Stack.of(group) is stack
