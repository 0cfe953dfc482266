"""What takes a service takes any: each kind of service for each construct, and what each does without."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, SpikeScaling
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.tuning import TargetTuner
from tests.constructs.construct_tree import logical_id

ARN = "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
BALANCER_ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/other/50dc6c495c0c9188"


def scaled(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ScaledFargateService:
    return ScaledFargateService(stack, "Web", vpc=vpc, image=image, max_tasks=9)


def count_tasks(service: Any) -> None:
    service.auto_scale_task_count(max_capacity=9).scale_on_cpu_utilization("Cpu", target_utilization_percent=50)


def alb_pattern(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs_patterns.ApplicationLoadBalancedFargateService:
    options = ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    made = ecs_patterns.ApplicationLoadBalancedFargateService(stack, "Web", vpc=vpc, task_image_options=options)
    count_tasks(made.service)
    return made


def alb_pattern_behind_an_imported_load_balancer(
    stack: cdk.Stack, vpc: ec2.IVpc, image: Any
) -> ecs_patterns.ApplicationLoadBalancedFargateService:
    options = ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    balancer = elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack,
        "Balancer",
        load_balancer_arn=BALANCER_ARN,
        load_balancer_dns_name="web.example.com",
        security_group_id="sg-11111111",
        vpc=vpc,
    )
    made = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack, "Web", vpc=vpc, task_image_options=options, load_balancer=balancer, open_listener=False
    )
    count_tasks(made.service)
    return made


def service_of_the_alb_pattern(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> Any:
    return alb_pattern(stack, vpc, image).service


def ec2_cluster(stack: cdk.Stack, vpc: ec2.IVpc) -> ecs.Cluster:
    cluster = ecs.Cluster(stack, "Cluster", vpc=vpc)
    cluster.add_capacity("Machines", instance_type=ec2.InstanceType("m7i.large"))
    return cluster


def alb_ec2_pattern(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs_patterns.ApplicationLoadBalancedEc2Service:
    options = ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    made = ecs_patterns.ApplicationLoadBalancedEc2Service(
        stack, "Web", cluster=ec2_cluster(stack, vpc), memory_limit_mib=512, task_image_options=options
    )
    count_tasks(made.service)
    return made


def alb_pattern_of_several_target_groups(
    stack: cdk.Stack, vpc: ec2.IVpc, image: Any
) -> ecs_patterns.ApplicationMultipleTargetGroupsFargateService:
    options = ecs_patterns.ApplicationLoadBalancedTaskImageProps(image=image)
    made = ecs_patterns.ApplicationMultipleTargetGroupsFargateService(stack, "Web", vpc=vpc, task_image_options=options)
    count_tasks(made.service)
    return made


def nlb_pattern(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs_patterns.NetworkLoadBalancedFargateService:
    options = ecs_patterns.NetworkLoadBalancedTaskImageOptions(image=image)
    made = ecs_patterns.NetworkLoadBalancedFargateService(stack, "Web", vpc=vpc, task_image_options=options)
    count_tasks(made.service)
    return made


def nlb_pattern_of_several_target_groups(
    stack: cdk.Stack, vpc: ec2.IVpc, image: Any
) -> ecs_patterns.NetworkMultipleTargetGroupsFargateService:
    options = ecs_patterns.NetworkLoadBalancedTaskImageProps(image=image)
    made = ecs_patterns.NetworkMultipleTargetGroupsFargateService(stack, "Web", vpc=vpc, task_image_options=options)
    count_tasks(made.service)
    return made


def queue_pattern(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs_patterns.QueueProcessingFargateService:
    return ecs_patterns.QueueProcessingFargateService(stack, "Web", vpc=vpc, image=image, max_scaling_capacity=9)


def bare_service(stack: cdk.Stack, vpc: ec2.IVpc, image: Any, *, id: str = "Web") -> ecs.FargateService:
    definition = ecs.FargateTaskDefinition(stack, f"{id}Task")
    definition.add_container("web", image=image, port_mappings=[ecs.PortMapping(container_port=80)])
    return ecs.FargateService(
        stack, id, cluster=ecs.Cluster(stack, f"{id}Cluster", vpc=vpc), task_definition=definition
    )


def l2_of_a_listener_rule(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs.FargateService:
    service = bare_service(stack, vpc, image)
    count_tasks(service)
    balancer = elbv2.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc)
    listener = balancer.add_listener("Http", port=80, default_action=elbv2.ListenerAction.fixed_response(404))
    listener.add_targets(
        "Web",
        port=80,
        targets=[service],
        priority=1,
        conditions=[elbv2.ListenerCondition.path_patterns(["/web/*"])],
    )
    return service


def l2_on_ec2(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs.Ec2Service:
    definition = ecs.Ec2TaskDefinition(stack, "Task")
    definition.add_container("web", image=image, memory_limit_mib=512)
    service = ecs.Ec2Service(stack, "Web", cluster=ec2_cluster(stack, vpc), task_definition=definition)
    count_tasks(service)
    return service


def construct_of_ones_own(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> Any:
    class Shop(cdk.NestedStack):
        def __init__(self) -> None:
            super().__init__(stack, "Shop")
            self.service = l2_of_a_listener_rule(stack, vpc, image)

    return Shop()


def imported_by_arn(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs.IFargateService:
    return ecs.FargateService.from_fargate_service_arn(stack, "Web", ARN)


def imported_with_cluster(stack: cdk.Stack, vpc: ec2.IVpc, image: Any) -> ecs.IBaseService:
    return ecs.BaseService.from_service_arn_with_cluster(stack, "Web", ARN)


BALANCED = [
    scaled,
    alb_pattern,
    alb_pattern_behind_an_imported_load_balancer,
    alb_ec2_pattern,
    alb_pattern_of_several_target_groups,
    service_of_the_alb_pattern,
    l2_of_a_listener_rule,
    construct_of_ones_own,
]
WITHOUT_BALANCER = [nlb_pattern, nlb_pattern_of_several_target_groups, queue_pattern, l2_on_ec2]
IMPORTED = [imported_by_arn, imported_with_cluster]


@pytest.fixture
def alarm(stack: cdk.Stack) -> cloudwatch.IAlarm:
    return cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow")


@pytest.fixture
def topic(stack: cdk.Stack) -> sns.Topic:
    return sns.Topic(stack, "Topic")


def given_task_count(stack: cdk.Stack, service: str = "web") -> applicationautoscaling.ScalableTarget:
    return applicationautoscaling.ScalableTarget(
        stack,
        "Target",
        service_namespace=applicationautoscaling.ServiceNamespace.ECS,
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=f"service/shop/{service}",
        min_capacity=1,
        max_capacity=9,
    )


def said(stack: cdk.Stack) -> list[Any]:
    """The information that synthesis prints, without what to acknowledge."""
    return [
        str(entry.entry.data).partition(" [ack")[0]
        for entry in Annotations.from_stack(stack).find_info("*", Match.any_value())
    ]


def watched(alarm: cloudwatch.Alarm | None) -> Any:
    """What an alarm watches: a metric or an expression."""
    assert alarm is not None
    return alarm.metric


def guardrail(alarms: Any) -> list[Any]:
    return [alarm.node.id for alarm in alarms.guardrail_alarms]


def titles(stack: cdk.Stack) -> list[Any]:
    (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    rendered = json.dumps(dashboard["Properties"]["DashboardBody"]).replace('\\"', '"')
    return [part.partition('"')[0] for part in rendered.split('"title":"')[1:]]


@pytest.mark.parametrize("kind", [*BALANCED, *WITHOUT_BALANCER])
def test_spike_scaling_raises_the_task_count_that_it_finds(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    SpikeScaling(stack, "Spikes", service=kind(stack, vpc, image))

    template = Template.from_stack(stack)
    (target,) = template.find_resources("AWS::ApplicationAutoScaling::ScalableTarget")
    (policy,) = template.find_resources(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {"Properties": {"StepScalingPolicyConfiguration": {"Cooldown": 600}}},
    ).values()
    assert policy["Properties"]["ScalingTargetId"] == {"Ref": target}


@pytest.mark.parametrize("kind", IMPORTED)
def test_spike_scaling_of_an_imported_service_takes_the_task_count_that_is_given(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    service = kind(stack, vpc, image)
    with pytest.raises(ValueError, match=r"^scalable_target: got none, allowed: the task count of the service; "):
        SpikeScaling(stack, "Refused", service=service)
    SpikeScaling(stack, "Spikes", service=service, scalable_target=given_task_count(stack))

    Template.from_stack(stack).resource_count_is("AWS::ApplicationAutoScaling::ScalingPolicy", 1)


@pytest.mark.parametrize("kind", BALANCED)
def test_alarms_watch_everything_of_a_service_behind_an_alb(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    alarms = ServiceAlarms(stack, "Alarms", service=kind(stack, vpc, image))

    assert guardrail(alarms) == ["Latency", "ServerErrors", "UnhealthyHosts", "CpuSaturated", "TaskFailures"]
    assert alarms.at_maximum is not None
    assert said(stack) == []


@pytest.mark.parametrize("kind", WITHOUT_BALANCER)
def test_alarms_say_what_they_do_without_where_no_alb_is_known(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    alarms = ServiceAlarms(stack, "Alarms", service=kind(stack, vpc, image))

    assert guardrail(alarms) == ["CpuSaturated", "TaskFailures"]
    assert alarms.at_maximum is not None
    assert said(stack) == [
        "no load balancer known: latency, 5xx and unhealthy hosts have no alarm; pass load_balancer and target_group"
    ]


@pytest.mark.parametrize("kind", IMPORTED)
def test_alarms_say_what_they_do_without_for_an_imported_service(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    alarms = ServiceAlarms(stack, "Alarms", service=kind(stack, vpc, image))

    assert guardrail(alarms) == ["CpuSaturated", "TaskFailures"]
    assert said(stack) == [
        "no load balancer known: latency, 5xx and unhealthy hosts have no alarm; pass load_balancer and target_group",
        "no task count known: a service at its maximum has no alarm; pass scalable_target",
    ]


@pytest.mark.parametrize("kind", IMPORTED)
def test_alarms_of_an_imported_service_take_what_is_given(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    balancer = elbv2.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc)
    listener = balancer.add_listener("Http", port=80)
    group = listener.add_targets("Targets", port=80)
    alarms = ServiceAlarms(
        stack,
        "Alarms",
        service=kind(stack, vpc, image),
        target_group=group,
        scalable_target=given_task_count(stack),
    )

    # A target group of this app brings its load balancer.
    assert len(guardrail(alarms)) == 5
    assert alarms.at_maximum is not None
    assert said(stack) == []


def test_the_service_of_a_scaled_service_is_as_good_as_itself(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = ScaledFargateService(stack, "Web", vpc=vpc, image=image, high_resolution=True, max_tasks=9)
    SpikeScaling(stack, "Spikes", service=service.service, period=cdk.Duration.seconds(20))
    alarms = ServiceAlarms(stack, "Alarms", service=service.service)

    # With three reports a minute and task.
    assert watched(alarms.at_maximum).expression == "reports / 3"


def test_a_load_balancer_alone_leaves_unhealthy_hosts_unknown(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    balancer = elbv2.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc)
    alarms = ServiceAlarms(
        stack,
        "Alarms",
        service=imported_by_arn(stack, vpc, image),
        load_balancer=balancer,
        scalable_target=given_task_count(stack),
    )

    assert guardrail(alarms) == ["Latency", "ServerErrors", "CpuSaturated", "TaskFailures"]
    assert said(stack) == ["no target group known: unhealthy hosts have no alarm; pass target_group"]


@pytest.mark.parametrize("kind", BALANCED)
def test_a_dashboard_draws_everything_of_a_service_behind_an_alb(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    ServiceDashboard(stack, "Monitor", service=kind(stack, vpc, image))

    assert titles(stack) == [
        "Requests a minute",
        "CPU maximum, %",
        "Running tasks",
        "CPU average, %",
        "Response time, s",
        "Server errors, %",
        "Unhealthy hosts",
        "Requests a minute and task",
        "Requests a minute and task, 15 months",
    ]
    assert said(stack) == []


@pytest.mark.parametrize("kind", [*WITHOUT_BALANCER, *IMPORTED])
def test_a_dashboard_says_what_it_does_without_where_no_alb_is_known(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    ServiceDashboard(stack, "Monitor", service=kind(stack, vpc, image))

    assert titles(stack) == ["CPU maximum, %", "Running tasks", "CPU average, %"]
    lines = ["no task count known: the target, the least and the most tasks have no line; pass scalable_target"]
    assert said(stack) == [
        "no load balancer known: requests, response time, server errors and unhealthy hosts have no widget; pass "
        "load_balancer and target_group",
        *(lines if kind in IMPORTED else []),
    ]


@pytest.mark.parametrize("kind", [*BALANCED, *WITHOUT_BALANCER])
def test_a_tuner_tunes_the_target_that_it_finds(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any, alarm: cloudwatch.IAlarm, topic: sns.Topic
) -> None:
    TargetTuner(stack, "Tuner", service=kind(stack, vpc, image), guardrail_alarms=[alarm], alerts_topic=topic)

    template = Template.from_stack(stack)
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "target_tuner.handler"}}
    ).values()
    is_balanced = kind in BALANCED
    assert ("LOAD_BALANCER" in function["Properties"]["Environment"]["Variables"]) == is_balanced
    missing = "no load balancer known: latency is left to the guardrail alarms; pass load_balancer"
    assert said(stack) == ([] if is_balanced else [missing])


def test_the_spikes_of_a_service_that_the_cdk_made_are_read_wherever_they_matter(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, alarm: cloudwatch.IAlarm, topic: sns.Topic
) -> None:
    service = alb_pattern(stack, vpc, image)
    ServiceDashboard(stack, "Monitor", service=service)
    TargetTuner(stack, "Tuner", service=service, guardrail_alarms=[alarm], alerts_topic=topic)
    SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=82, add_tasks=4))
    SpikeScaling(stack, "More", service=service, steps=CpuStep(threshold_percent=93, add_tasks=9))

    template = Template.from_stack(stack).to_json()
    (told,) = template["Metadata"].values()
    assert [spike["bands"][0]["threshold"] for spike in told["spikes"]] == [82, 93]
    rendered = json.dumps(template)
    assert "adds 4 tasks: 82" in rendered
    assert "adds 9 tasks: 93" in rendered
    assert '"SPIKE_THRESHOLDS": "[82,93]"' in rendered


@pytest.mark.parametrize("kind", IMPORTED)
def test_fails_when_a_tuner_does_not_know_the_task_count(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any, alarm: cloudwatch.IAlarm, topic: sns.Topic
) -> None:
    with pytest.raises(ValueError, match=r"^scalable_target: got none, allowed: the task count of the service; "):
        TargetTuner(stack, "Tuner", service=kind(stack, vpc, image), guardrail_alarms=[alarm], alerts_topic=topic)


def test_of_several_target_groups_the_others_are_named(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = l2_of_a_listener_rule(stack, vpc, image)
    second = elbv2.ApplicationLoadBalancer(stack, "Second", vpc=vpc)
    group = second.add_listener("Http", port=80).add_targets("More", port=80, targets=[service])
    ServiceAlarms(stack, "Alarms", service=service, stop_deployments=False)
    chosen = ServiceAlarms(stack, "Chosen", service=service, load_balancer=second, target_group=group)

    assert said(stack) == [
        "several target groups, of which Stack/Second/Http/MoreGroup is left out; pass the target_group meant"
    ]
    dimension = stack.resolve(watched(chosen.unhealthy_hosts).dimensions["LoadBalancer"])
    assert logical_id(second) not in json.dumps(dimension)
    assert "SecondHttp" in json.dumps(dimension)


def test_a_load_balancer_that_is_given_chooses_its_target_group(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = l2_of_a_listener_rule(stack, vpc, image)
    second = elbv2.ApplicationLoadBalancer(stack, "Second", vpc=vpc)
    group = second.add_listener("Http", port=80).add_targets("More", port=80, targets=[service])
    alarms = ServiceAlarms(stack, "Alarms", service=service, load_balancer=second)

    assert len(guardrail(alarms)) == 5
    name = stack.resolve(watched(alarms.unhealthy_hosts).dimensions["TargetGroup"])
    assert name == stack.resolve(group.target_group_full_name)


def test_the_two_target_groups_of_a_blue_green_deployment_are_counted_together(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = ScaledFargateService(
        stack, "Web", vpc=vpc, image=image, deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN
    )
    alarms = ServiceAlarms(stack, "Alarms", service=service.service, target_group=service.alternate_target_group)

    both = watched(alarms.unhealthy_hosts)
    assert isinstance(both, cloudwatch.MathExpression)
    assert both.expression == "FILL(one, 0) + FILL(other, 0)"


def constructs(stack: cdk.Stack, alarm: Any, topic: Any) -> dict[str, Any]:
    return {
        "SpikeScaling": lambda **props: SpikeScaling(stack, "Made", **props),
        "ServiceAlarms": lambda **props: ServiceAlarms(stack, "Made", **props),
        "ServiceDashboard": lambda **props: ServiceDashboard(stack, "Made", **props),
        "TargetTuner": lambda **props: TargetTuner(
            stack, "Made", guardrail_alarms=[alarm], alerts_topic=topic, **props
        ),
    }


FOUR = ["SpikeScaling", "ServiceAlarms", "ServiceDashboard", "TargetTuner"]


@pytest.fixture
def make(stack: cdk.Stack, alarm: cloudwatch.IAlarm, topic: sns.Topic, request: pytest.FixtureRequest) -> Any:
    return constructs(stack, alarm, topic)[request.param]


@pytest.mark.parametrize("make", FOUR, indirect=True)
def test_fails_when_the_service_is_none(make: Any, stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    with pytest.raises(
        ValueError, match=r"^service: got a Cluster, allowed: a ScaledFargateService, a service of aws_"
    ):
        make(service=ecs.Cluster(stack, "Cluster", vpc=vpc))


@pytest.mark.parametrize("make", FOUR, indirect=True)
def test_fails_when_the_task_count_is_that_of_another_service(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    other = bare_service(stack, vpc, image, id="Other").auto_scale_task_count(max_capacity=3)
    with pytest.raises(
        ValueError,
        match=r"^scalable_target: got Stack/Other/TaskCount, which is that of another service, allowed: that of "
        "Stack/Web/Service; leave it out$",
    ):
        make(service=scaled(stack, vpc, image), scalable_target=other)


@pytest.mark.parametrize("make", FOUR, indirect=True)
def test_fails_when_the_task_count_names_another_service(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    with pytest.raises(
        ValueError,
        match=r"^scalable_target: got service/shop/till, allowed: service/shop/web; pass the task count of the ",
    ):
        make(service=imported_by_arn(stack, vpc, image), scalable_target=given_task_count(stack, "till"))


@pytest.mark.parametrize("make", FOUR, indirect=True)
def test_fails_when_the_task_count_is_a_tables_capacity(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    table = dynamodb.Table(
        stack, "Table", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    )
    capacity = applicationautoscaling.ScalableTarget(
        stack,
        "Capacity",
        service_namespace=applicationautoscaling.ServiceNamespace.DYNAMODB,
        scalable_dimension="dynamodb:table:ReadCapacityUnits",
        resource_id=f"table/{table.table_name}",
        min_capacity=1,
        max_capacity=9,
    )
    with pytest.raises(
        ValueError, match=r"^scalable_target: got dynamodb, allowed: ecs, the task count of the service"
    ):
        make(service=imported_by_arn(stack, vpc, image), scalable_target=capacity)


@pytest.mark.parametrize("make", FOUR, indirect=True)
def test_fails_when_the_service_has_a_task_count_of_its_own(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    with pytest.raises(
        ValueError,
        match=r"^scalable_target: got Stack/Target, allowed: Stack/Web/Service/TaskCount, the service's own; leave it",
    ):
        make(service=alb_pattern(stack, vpc, image), scalable_target=given_task_count(stack))


@pytest.mark.parametrize("make", FOUR, indirect=True)
def test_takes_the_task_count_of_the_service_itself(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    service = scaled(stack, vpc, image)
    make(service=service, scalable_target=service.scalable_target)


BALANCING = ["ServiceAlarms", "ServiceDashboard", "TargetTuner"]


@pytest.mark.parametrize("kind", BALANCED)
@pytest.mark.parametrize("make", BALANCING, indirect=True)
def test_fails_when_the_load_balancer_is_another(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, kind: Any
) -> None:
    other = elbv2.ApplicationLoadBalancer(stack, "Other", vpc=vpc)
    with pytest.raises(
        ValueError, match=r"^load_balancer: got Stack/Other, allowed: Stack/\S+, in front of the service; leave it out$"
    ):
        make(service=kind(stack, vpc, image), load_balancer=other)


@pytest.mark.parametrize("make", ["ServiceAlarms", "ServiceDashboard"], indirect=True)
def test_fails_when_the_target_group_is_another(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    other = elbv2.ApplicationTargetGroup(stack, "Other", vpc=vpc, port=80)
    with pytest.raises(
        ValueError,
        match=r"^target_group: got Stack/Other, allowed: Stack/Web/Targets, of which the service is a target",
    ):
        make(service=scaled(stack, vpc, image), target_group=other)


@pytest.mark.parametrize("make", BALANCING, indirect=True)
def test_fails_when_the_load_balancer_is_a_network_load_balancer(
    make: Any, stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage
) -> None:
    pattern = nlb_pattern(stack, vpc, image)
    with pytest.raises(ValueError, match=r"^load_balancer: got a NetworkLoadBalancer, allowed: an application load"):
        make(service=pattern, load_balancer=pattern.load_balancer)


@pytest.mark.parametrize(
    ("region", "account", "message"),
    [
        ("eu-west-1", "123456789012", "the region us-east-1, allowed: eu-west-1, that of the stack Here; "),
        ("us-east-1", "210987654321", "the account 123456789012, allowed: 210987654321, that of the stack Here; "),
    ],
)
@pytest.mark.parametrize("kind", IMPORTED)
@pytest.mark.parametrize("id", FOUR)
def test_fails_when_the_service_is_of_another_region_or_account(
    id: Any, kind: Any, vpc: ec2.IVpc, image: ecs.ContainerImage, region: str, account: str, message: str
) -> None:
    stack = cdk.Stack(cdk.App(), "Here", env=cdk.Environment(region=region, account=account))
    alarm = cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", f"arn:aws:cloudwatch:{region}:{account}:alarm:slow")
    make = constructs(stack, alarm, sns.Topic(stack, "Topic"))[id]
    with pytest.raises(ValueError, match=rf"^service: got one of {message}make the construct in a stack of "):
        make(service=kind(stack, vpc, image))


@pytest.mark.parametrize("id", FOUR)
def test_fails_when_the_service_is_made_in_a_stack_of_another_region(id: Any, image: ecs.ContainerImage) -> None:
    app = cdk.App()
    there = cdk.Stack(app, "There", env=cdk.Environment(region="eu-west-1", account="123456789012"))
    here = cdk.Stack(app, "Here", env=cdk.Environment(region="us-east-1", account="123456789012"))
    alarm = cloudwatch.Alarm.from_alarm_arn(here, "Alarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow")
    make = constructs(here, alarm, sns.Topic(here, "Topic"))[id]
    with pytest.raises(
        ValueError, match=r"^service: got one of the region eu-west-1, allowed: us-east-1, that of the "
    ):
        make(service=scaled(there, ec2.Vpc(there, "Vpc"), image))
