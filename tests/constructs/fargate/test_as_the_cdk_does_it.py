"""A service is used as a construct of the CDK is: it has connections, is granted to, and cannot be overwritten."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.fargate import (
    RetryQueue,
    ScaledFargateService,
    ServiceVpc,
    ServiceVpcEndpoints,
    SpikeScaling,
    WebAcl,
)
from tests.constructs.read_only import public_attributes


@pytest.fixture
def web(stack: cdk.Stack, image: ecs.ContainerImage) -> ScaledFargateService:
    return ScaledFargateService(stack, "Web", vpc=ec2.Vpc(stack, "Network"), image=image)


def test_a_database_lets_the_tasks_in(stack: cdk.Stack, web: ScaledFargateService) -> None:
    database = rds.DatabaseInstance(stack, "Db", vpc=web.cluster.vpc, engine=rds.DatabaseInstanceEngine.MYSQL)

    database.connections.allow_default_port_from(web)

    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroupIngress",
        {
            "GroupId": stack.resolve(database.connections.security_groups[0].security_group_id),
            "SourceSecurityGroupId": stack.resolve(web.service_security_group.security_group_id),
        },
    )


def test_it_reaches_what_has_connections(stack: cdk.Stack, web: ScaledFargateService) -> None:
    group = ec2.SecurityGroup(stack, "Cache", vpc=web.cluster.vpc)

    web.connections.allow_to(group, ec2.Port.tcp(6379))

    Template.from_stack(stack).has_resource_properties("AWS::EC2::SecurityGroupIngress", {"FromPort": 6379})


def test_it_is_still_what_grants_go_to(stack: cdk.Stack, web: ScaledFargateService) -> None:
    bucket = s3.Bucket(stack, "Bucket")

    assert bucket.grant_read(web).success

    role = stack.resolve(web.task_definition.task_role.role_name)
    (policy,) = [
        found["Properties"]
        for found in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if "s3:GetObject*" in str(found)
    ]
    assert policy["Roles"] == [role]


def test_the_grant_of_a_queue_is_a_grant(stack: cdk.Stack) -> None:
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))

    grant = RetryQueue(stack, "Queue").grant_use(role)

    assert isinstance(grant, iam.Grant)
    grant.assert_success()


def test_nothing_can_be_overwritten(stack: cdk.Stack, web: ScaledFargateService) -> None:
    isolated = ServiceVpc(stack, "Isolated", nat_gateways=0)
    constructs = [
        web,
        SpikeScaling(stack, "Spikes", service=web),
        RetryQueue(stack, "Queue"),
        WebAcl(stack, "WebAcl", load_balancer=web.load_balancer),
        isolated,
        ServiceVpcEndpoints(stack, "Endpoints", vpc=isolated),
    ]
    for construct in constructs:
        assert public_attributes(construct) == []
        names = [name for name in dir(type(construct)) if isinstance(vars(type(construct)).get(name), property)]
        for name in names:
            with pytest.raises(AttributeError):
                setattr(construct, name, None)


def test_a_service_has_the_connections_of_its_tasks(web: ScaledFargateService) -> None:
    (group,) = web.connections.security_groups
    assert group.node.path == web.service_security_group.node.path
    assert isinstance(web.service, ecs.FargateService)
