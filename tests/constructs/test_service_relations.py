"""What is given beside a service belongs to it, however it was made or imported; and each service is claimed once."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.fargate import PredictiveScaling, ScaledFargateService, ServiceMetrics, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.tuning import ForecastFloor, TargetTuner

ENV = cdk.Environment(account="111122223333", region="eu-central-1")
ELB = "arn:aws:elasticloadbalancing:eu-central-1:111122223333"
COUNT: dict[str, Any] = {"service_namespace": "ecs", "scalable_dimension": "ecs:service:DesiredCount"}


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Stack", env=ENV)


def imported(scope: Construct, id: str = "Till") -> ecs.IFargateService:
    arn = "arn:aws:ecs:eu-central-1:111122223333:service/shop/till"
    return ecs.FargateService.from_fargate_service_arn(scope, id, arn)


def made(stack: cdk.Stack, vpc: ec2.IVpc, **given: Any) -> ecs.FargateService:
    cluster = ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="shop", vpc=vpc)
    definition = ecs.FargateTaskDefinition(stack, "Task")
    image = ecs.ContainerImage.from_registry("nginx:1.29")
    definition.add_container("web", image=image, port_mappings=[ecs.PortMapping(container_port=80)])
    return ecs.FargateService(stack, "Web", cluster=cluster, task_definition=definition, **given)


def balancer(stack: cdk.Stack, name: str, elb: str = ELB) -> Any:
    return elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack, f"Imported{name}", load_balancer_arn=f"{elb}:loadbalancer/app/{name}/1", security_group_id="sg-11111111"
    )


def group(stack: cdk.Stack, elb: str = ELB, **given: Any) -> Any:
    return elbv2.ApplicationTargetGroup.from_target_group_attributes(
        stack, "Group", target_group_arn=f"{elb}:targetgroup/web/1", **given
    )


def target(stack: cdk.Stack, service: str, id: str = "Target") -> Any:
    return applicationautoscaling.ScalableTarget.from_scalable_target_attributes(
        stack, id, scalable_target_id=f"service/shop/{service}|ecs:service:DesiredCount|ecs", **COUNT
    )


def by_id(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    id = "service/shop/till|ecs:service:DesiredCount|ecs"
    one = applicationautoscaling.ScalableTarget.from_scalable_target_id(stack, "Target", id)
    return {"service": imported(stack), "scalable_target": one}


def resource_of_a_table(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    capacity = applicationautoscaling.CfnScalableTarget(
        stack,
        "Target",
        service_namespace="dynamodb",
        scalable_dimension="dynamodb:table:ReadCapacityUnits",
        resource_id="table/posts",
        min_capacity=1,
        max_capacity=9,
    )
    return {"service": imported(stack), "scalable_target": capacity}


def resource_of_another(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    other = applicationautoscaling.CfnScalableTarget(
        stack, "Target", resource_id="service/shop/desk", min_capacity=1, max_capacity=9, **COUNT
    )
    return {"service": imported(stack), "scalable_target": other}


def import_of_another(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    return {"service": made(stack, vpc, service_name="till"), "scalable_target": target(stack, "desk")}


def balancer_of_another_region(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    there = balancer(stack, "shop", ELB.replace("eu-central-1", "eu-west-1"))
    return {"service": imported(stack), "scalable_target": target(stack, "till"), "load_balancer": there}


def group_of_another_account(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    there = group(stack, ELB.replace("111122223333", "444455556666"))
    return {"service": imported(stack), "scalable_target": target(stack, "till"), "target_group": there}


def balancer_of_another_group(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    listener = elbv2.ApplicationLoadBalancer(stack, "One", vpc=vpc).add_listener("Http", port=80, open=False)
    return {
        "service": imported(stack),
        "scalable_target": target(stack, "till"),
        "target_group": listener.add_targets("Targets", port=80),
        "load_balancer": elbv2.ApplicationLoadBalancer(stack, "Other", vpc=vpc),
    }


def balancer_of_another_imported_group(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    return {
        "service": imported(stack),
        "scalable_target": target(stack, "till"),
        "target_group": group(stack, load_balancer_arns=f"{ELB}:loadbalancer/app/shop/1"),
        "load_balancer": balancer(stack, "other"),
    }


def balancer_of_another_imported_listener(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, Any]:
    service = made(stack, vpc)
    service.auto_scale_task_count(max_capacity=9)
    listener = elbv2.ApplicationListener.from_application_listener_attributes(
        stack,
        "Http",
        listener_arn=f"{ELB}:listener/app/shop/1/2",
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-11111111"),
    )
    targets = elbv2.ApplicationTargetGroup(stack, "Targets", vpc=vpc, port=80, targets=[service])
    paths = [elbv2.ListenerCondition.path_patterns(["/web/*"])]
    listener.add_target_groups("Web", target_groups=[targets], priority=1, conditions=paths)
    # The right one is taken.
    PredictiveScaling(stack, "Right", service=service, target_value=50, load_balancer=balancer(stack, "shop"))
    return {"service": service, "load_balancer": balancer(stack, "other")}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (by_id, "scalable_target: got one imported by its id alone, allowed: one whose namespace and dimension are "),
        (resource_of_a_table, "scalable_target: got dynamodb, allowed: ecs, the task count of the service; pass what "),
        (resource_of_another, "scalable_target: got service/shop/desk, allowed: service/shop/till; pass the task "),
        (import_of_another, "scalable_target: got service/shop/desk, allowed: service/shop/till; pass the task count"),
        (balancer_of_another_region, "load_balancer: got one of the region eu-west-1, allowed: eu-central-1, that of "),
        (group_of_another_account, "target_group: got one of the account 444455556666, allowed: 111122223333, that "),
        (balancer_of_another_group, "load_balancer: got Stack/Other, allowed: Stack/One, that of target_group; pass "),
        (
            balancer_of_another_imported_group,
            f"load_balancer: got Stack/Importedother, allowed: {ELB}:loadbalancer/app/shop/1, that of target_group; ",
        ),
        (
            balancer_of_another_imported_listener,
            f"load_balancer: got Stack/Importedother, allowed: {ELB}:loadbalancer/app/shop/1, in front of the service",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_fails_when_what_is_given_is_not_the_services(
    stack: cdk.Stack, vpc: ec2.IVpc, given: Callable[..., dict[str, Any]], line: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        PredictiveScaling(stack, "Made", target_value=50, **given(stack, vpc))
    assert str(refused.value).startswith(line)


def test_a_construct_that_holds_a_scaled_service_is_as_good_as_the_service(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    class Shop(Construct):
        def __init__(self) -> None:
            super().__init__(stack, "Shop")
            self.service = ScaledFargateService(self, "Web", vpc=vpc, image=image, high_resolution=True)

    # Whoever knows the ECS service alone refuses this period.
    SpikeScaling(stack, "Spikes", service=Shop(), period=cdk.Duration.seconds(20))


def test_the_bounds_of_an_imported_task_count_are_missed(stack: cdk.Stack) -> None:
    alarms = ServiceAlarms(stack, "Alarms", service=imported(stack), scalable_target=target(stack, "till"))

    assert alarms.at_maximum is None
    assert any(
        "no bounds known of Stack/Target, which is imported: a service at its maximum has no alarm; declare the task "
        "count in this app" in str(entry.data)
        for entry in alarms.node.metadata
    )


def test_fails_when_hosts_are_asked_of_a_group_imported_without_its_load_balancer(stack: cdk.Stack) -> None:
    metrics = ServiceMetrics(service=imported(stack), target_group=group(stack))
    with pytest.raises(
        InvalidArgumentError, match=r"^target_group: got one imported without its load balancer, allowed: .*; import it"
    ):
        metrics.unhealthy_hosts()


def test_what_is_not_looked_up_yet_is_not_compared(stack: cdk.Stack) -> None:
    # Every look-up has the same stand-in, of us-west-2, until the CDK's command has asked AWS.
    one, two = (
        elbv2.ApplicationLoadBalancer.from_lookup(stack, id, load_balancer_tags={"shop": id}) for id in ("One", "Two")
    )
    WebAcl(stack, "First", load_balancer=one)
    WebAcl(stack, "Second", load_balancer=two)
    ServiceDashboard(stack, "Monitor", service=imported(stack), load_balancer=two)


def test_fails_when_one_export_is_protected_twice(stack: cdk.Stack) -> None:
    def exported(scope: cdk.Stack, id: str) -> Any:
        return elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
            scope, id, load_balancer_arn=cdk.Fn.import_value("Balancer"), security_group_id="sg-11111111"
        )

    WebAcl(stack, "First", load_balancer=exported(stack, "One"))
    with pytest.raises(InvalidArgumentError, match=r"^load_balancer: got Stack/Two, which Stack/First protects"):
        WebAcl(stack, "Second", load_balancer=exported(stack, "Two"))
    # An export of another account is another one.
    there = cdk.Stack(cdk.Stage.of(stack), "There", env=cdk.Environment(account="444455556666", region="eu-central-1"))
    WebAcl(there, "First", load_balancer=exported(there, "One"))


def test_fails_when_the_load_balancer_to_protect_is_of_another_region(stack: cdk.Stack) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^load_balancer: got one of the region eu-west-1, allowed: eu-c"):
        WebAcl(stack, "Firewall", load_balancer=balancer(stack, "shop", ELB.replace("eu-central-1", "eu-west-1")))


def test_fails_when_a_service_that_is_imported_twice_has_two_floors_or_tuners(stack: cdk.Stack) -> None:
    topic = sns.Topic(stack, "Topic")
    alarm = cloudwatch.Alarm.from_alarm_arn(stack, "Slow", "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:slow")

    def given(id: str) -> dict[str, Any]:
        count = applicationautoscaling.ScalableTarget(
            stack,
            f"{id}Count",
            service_namespace=applicationautoscaling.ServiceNamespace.ECS,
            scalable_dimension="ecs:service:DesiredCount",
            resource_id="service/shop/till",
            min_capacity=1,
            max_capacity=9,
        )
        cpu = applicationautoscaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION
        count.scale_to_track_metric("Cpu", predefined_metric=cpu, target_value=50)
        return {"service": imported(stack, id), "scalable_target": count, "alerts_topic": topic}

    one, two = given("One"), given("Two")
    ForecastFloor(stack, "Floor", **one)
    TargetTuner(stack, "Tuner", guardrail_alarms=[alarm], **one)
    with pytest.raises(InvalidArgumentError, match=r"^service: got one whose floor Stack/Floor keeps, allowed: one"):
        ForecastFloor(stack, "FurtherFloor", **two)
    with pytest.raises(InvalidArgumentError, match=r"^service: got one that Stack/Tuner tunes, allowed: one tuner"):
        TargetTuner(stack, "FurtherTuner", guardrail_alarms=[alarm], **two)
