import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk.assertions import Capture, Match, Template
from constructs import Construct

from cdk_fargate_sagemaker.fargate import CpuStep, MetricStep, ScaledFargateService, SpikeScaling
from cdk_fargate_sagemaker.monitoring import FargatePrice
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.scaling_decisions import ObservationPeriod, TunerSettings
from cdk_fargate_sagemaker.tuning import Observation, TargetTuner
from tests.constructs.construct_tree import logical_id


@pytest.fixture
def make(
    stack: cdk.Stack, service: ScaledFargateService, alarm: cloudwatch.IAlarm, topic: AlertsTopic
) -> Callable[..., Any]:
    def tuner(**settings: Any) -> TargetTuner:
        return TargetTuner(
            stack, "Tuner", **{"service": service, "guardrail_alarms": [alarm], "alerts_topic": topic, **settings}
        )

    return tuner


def policy_of(template: Any) -> Any:
    (policy,) = template.find_resources("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    return policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]


def statements(template: Any, stack: cdk.Stack, tuner: Any, path: str = "Tuner/Role") -> dict[str, Any]:
    role = logical_id(tuner.node.find_child("Tuner").role)
    policies = template.find_resources("AWS::IAM::Policy").values()
    return {
        action: statement
        for policy in policies
        if policy["Properties"]["Roles"] == [{"Ref": role}]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def environment(template: Any) -> Any:
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "target_tuner.handler"}}
    ).values()
    return function["Properties"]["Environment"]["Variables"]


def test_the_policy_reads_the_parameter_that_is_made_once(make: Callable[..., Any], stack: cdk.Stack) -> None:
    make()
    template = Template.from_stack(stack)
    (live,) = template.find_resources("Custom::LiveTarget").items()
    assert live[1]["Properties"]["Name"] == "/target-tuner/Stack/Tuner"
    assert live[1]["Properties"]["Initial"] == "60"
    assert policy_of(template)["TargetValue"] == {"Fn::Join": ["", ["{{resolve:ssm:", {"Ref": live[0]}, "}}"]]}
    # CloudFormation would write it again with any change to it.
    template.resource_count_is("AWS::SSM::Parameter", 0)


def test_a_construct_id_that_no_parameter_can_have_is_spelled_otherwise(
    stack: cdk.Stack, service: ScaledFargateService, alarm: cloudwatch.IAlarm, topic: AlertsTopic
) -> None:
    scope = Construct(cdk.Stack.of(stack), "Web shop")
    tuner = TargetTuner(scope, "Tuner", service=service, guardrail_alarms=[alarm], alerts_topic=topic)
    assert tuner.parameter_name == "/target-tuner/Stack/Web-shop-Tuner"


def test_the_function_may_act_before_it_is_asked_for_the_parameter(make: Callable[..., Any], stack: cdk.Stack) -> None:
    tuner = make()
    (live,) = Template.from_stack(stack).find_resources("Custom::LiveTarget").values()
    role = tuner.node.find_child("Tuner").role
    policy = logical_id(role.node.find_child("DefaultPolicy"))
    assert policy in live["DependsOn"]


def test_the_rest_of_the_policy_is_as_it_was(
    stack: cdk.Stack, service: ScaledFargateService, make: Callable[..., Any]
) -> None:
    before = policy_of(Template.from_stack(stack))
    make()
    # A stack is synthesised once; the construct tree tells what it has become.
    policy = service.scalable_target.node.find_child("Target").node.find_child("CpuAverage").node.default_child
    assert isinstance(policy, applicationautoscaling.CfnScalingPolicy)
    after = stack.resolve(policy.target_tracking_scaling_policy_configuration)
    assert after["scaleInCooldown"] == before["ScaleInCooldown"]


def test_tunes_the_high_resolution_policy_too(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, alarm: cloudwatch.IAlarm, topic: AlertsTopic
) -> None:
    service = ScaledFargateService(stack, "Web", vpc=vpc, image=image, high_resolution=True, target_percent=40)
    TargetTuner(stack, "Tuner", service=service, guardrail_alarms=[alarm], alerts_topic=topic)
    template = Template.from_stack(stack)
    policy = policy_of(template)
    assert "resolve:ssm" in json.dumps(policy["TargetValue"])
    metric = policy["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "ECSServiceAverageCPUUtilizationHighResolution"
    # Each task reports three times a minute, and is one task.
    template.has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": {"CPU_REPORTS_A_MINUTE": "3"}}}
    )


def test_tunes_a_service_of_the_cdks_patterns(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, alarm: cloudwatch.IAlarm, topic: AlertsTopic
) -> None:
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack, "Pattern", vpc=vpc, task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    )
    count = pattern.service.auto_scale_task_count(max_capacity=9)
    count.scale_on_cpu_utilization("Cpu", target_utilization_percent=50)
    TargetTuner(stack, "Tuner", service=pattern, guardrail_alarms=[alarm], alerts_topic=topic)
    template = Template.from_stack(stack)
    assert "resolve:ssm" in json.dumps(policy_of(template)["TargetValue"])
    assert json.loads(environment(template)["SETTINGS"])["max_latency_ratio"] == 1.25
    balancer = {"Ref": logical_id(pattern.load_balancer)}
    assert environment(template)["LOAD_BALANCER"] == {
        "Fn::Select": [1, {"Fn::Split": ["loadbalancer/", balancer]}],
    }


def test_without_a_load_balancer_there_is_no_latency_to_compare(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, alarm: cloudwatch.IAlarm, topic: AlertsTopic
) -> None:
    queue = ecs_patterns.QueueProcessingFargateService(stack, "Queue", vpc=vpc, image=image, max_scaling_capacity=9)
    TargetTuner(stack, "Tuner", service=queue, guardrail_alarms=[alarm], alerts_topic=topic)
    template = Template.from_stack(stack)
    assert json.loads(environment(template)["SETTINGS"])["max_latency_ratio"] is None
    assert "LOAD_BALANCER" not in environment(template)


def test_a_guardrail_alarm_starts_it(make: Callable[..., Any], stack: cdk.Stack, alarm: cloudwatch.IAlarm) -> None:
    make(guardrail_alarms=[alarm])
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow"],
                "detail": {"state": {"value": ["ALARM"]}},
            },
            "State": "ENABLED",
        },
    )


def test_every_rule_starts_it_and_keeps_what_it_could_not_deliver(make: Callable[..., Any], stack: cdk.Stack) -> None:
    tuner = make()
    template = Template.from_stack(stack)
    rules = template.find_resources("AWS::Events::Rule").values()
    assert len(rules) == 3
    machine = {"Ref": logical_id(tuner.state_machine)}
    for rule in rules:
        (target,) = rule["Properties"]["Targets"]
        assert target["Arn"] == machine
        assert "DeadLetterConfig" in target
    template.has_resource_properties("AWS::Events::Rule", {"ScheduleExpression": "rate(1 hour)"})


def test_a_deployment_of_its_own_stack_starts_it(make: Callable[..., Any], stack: cdk.Stack) -> None:
    make()
    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": Match.object_like(
                {
                    "detail-type": ["CloudFormation Stack Status Change"],
                    "detail": {
                        "stack-id": [{"Ref": "AWS::StackId"}],
                        "status-details": {
                            "status": ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"]
                        },
                    },
                }
            )
        },
    )


def states(template: Any) -> Any:
    captured = Capture()
    template.has_resource_properties("AWS::StepFunctions::StateMachine", {"DefinitionString": captured})
    parts = captured.as_object()["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else "token" for part in parts))["States"]


def test_looks_applies_what_is_pending_and_reports(make: Callable[..., Any], stack: cdk.Stack) -> None:
    make()
    machine = states(Template.from_stack(stack))
    assert machine["Look"]["Next"] == "Pending"
    (choice,) = machine["Pending"]["Choices"]
    assert (choice["Condition"], choice["Next"]) == ("{% $decision.pending %}", "Apply")
    assert machine["Pending"]["Default"] == "Report"
    assert machine["Apply"]["Next"] == "Report"
    assert machine["Report"]["Next"] == "Done"


def test_every_step_is_repeated_while_another_execution_is_at_it_and_its_failure_is_told(
    make: Callable[..., Any], stack: cdk.Stack
) -> None:
    make()
    machine = states(Template.from_stack(stack))
    for name in ("Look", "Apply", "Report"):
        state = machine[name]
        assert state["Arguments"]["Payload"]["operation"] == name.lower()
        busy = next(retry for retry in state["Retry"] if retry["ErrorEquals"] == ["BusyError"])
        # As long as a lease that a killed execution left behind.
        waits, wait = 0.0, float(busy["IntervalSeconds"])
        for _ in range(busy["MaxAttempts"]):
            waits += wait / 2
            wait = min(wait * busy["BackoffRate"], busy["MaxDelaySeconds"])
        assert waits > 75
        assert state["Catch"][-1]["Next"] == "NotifyFailure"
    assert machine["NotifyFailure"]["Next"] == "Failed"
    assert machine["Failed"]["Error"] == "TuningFailed"


def test_a_dry_run_can_change_nothing(
    make: Callable[..., Any], stack: cdk.Stack, service: ScaledFargateService
) -> None:
    tuner = make(dry_run=True)
    template = Template.from_stack(stack)
    assert "Apply" not in states(template)
    allowed = statements(template, stack, tuner)
    assert not {"application-autoscaling:PutScalingPolicy", "cloudwatch:PutDashboard"} & allowed.keys()


def test_the_function_may_change_this_and_nothing_else(stack: cdk.Stack, tuner: TargetTuner) -> None:
    template = Template.from_stack(stack)
    allowed = statements(template, stack, tuner)
    put = allowed["application-autoscaling:PutScalingPolicy"]
    assert put["Condition"] == {
        "StringEquals": {
            "application-autoscaling:service-namespace": "ecs",
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
        }
    }
    assert "parameter/target-tuner/Stack/Tuner" in json.dumps(allowed["ssm:PutParameter"]["Resource"])
    assert "dashboard/" in json.dumps(allowed["cloudwatch:PutDashboard"]["Resource"])
    assert "alarm:TargetTracking-service/" in json.dumps(allowed["cloudwatch:PutMetricAlarm"]["Resource"])
    assert allowed["cloudformation:DescribeStacks"]["Resource"] == {"Ref": "AWS::StackId"}
    everywhere = {action for action, statement in allowed.items() if statement["Resource"] == "*"}
    assert everywhere == {
        "application-autoscaling:DescribeScalingPolicies",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    assert not [action for action in allowed if action.endswith("*")]


def test_the_function_ends_before_its_lease_does(make: Callable[..., Any], stack: cdk.Stack) -> None:
    from target_tuning.tuner_table import LEASE_S

    make()
    (function,) = (
        Template.from_stack(stack)
        .find_resources("AWS::Lambda::Function", {"Properties": {"Handler": "target_tuner.handler"}})
        .values()
    )
    assert function["Properties"]["Timeout"] < LEASE_S


def test_the_function_gets_every_setting(make: Callable[..., Any], stack: cdk.Stack) -> None:
    make(
        ceiling_percent=72,
        step_percent=0.5,
        observation=Observation.MATCHING_WEEKDAYS,
        cool_off=cdk.Duration.days(3),
        final_margin_percent=1,
        attempts=3,
        max_latency_ratio=1.1,
        price=FargatePrice(vcpu_hour=0.04, gib_hour=0.005, currency="€"),
        dry_run=True,
    )
    assert json.loads(environment(Template.from_stack(stack))["SETTINGS"]) == {
        "ceiling": 72,
        "step": 0.5,
        "observation": "matching_weekdays",
        "cool_off_seconds": 259_200,
        "final_margin": 1,
        "attempts": 3,
        "max_latency_ratio": 1.1,
        "task_hour_price": pytest.approx(0.05),
        "currency": "€",
        "dry_run": True,
    }


def test_the_function_gets_the_thresholds_of_spikes_that_are_declared_later(
    make: Callable[..., Any], stack: cdk.Stack, service: ScaledFargateService
) -> None:
    make()
    SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=79))
    assert json.loads(environment(Template.from_stack(stack))["SPIKE_THRESHOLDS"]) == [79]


def test_the_functions_own_reader_takes_what_the_construct_writes(
    make: Callable[..., Any], stack: cdk.Stack, service: ScaledFargateService
) -> None:
    from target_tuning.surroundings import Surroundings

    make()
    written = environment(Template.from_stack(stack)).items()
    surroundings = Surroundings.of({name: value if isinstance(value, str) else "token" for name, value in written})
    # Without a setting, the construct and the engine agree.
    # The function has a copy of the engine's classes.
    assert asdict(surroundings.settings) == asdict(TunerSettings(ceiling=65))
    assert surroundings.guardrails == ("slow",)


def test_the_observations_are_those_of_the_engine() -> None:
    assert [str(period) for period in Observation] == [str(period) for period in ObservationPeriod]


def test_the_record_is_kept_and_can_be_restored(make: Callable[..., Any], stack: cdk.Stack) -> None:
    make()
    template = Template.from_stack(stack)
    (table,) = template.find_resources("AWS::DynamoDB::Table").values()
    assert table["DeletionPolicy"] == "Retain"
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["DeletionProtectionEnabled"] is True


def test_the_record_goes_where_that_is_asked_for(make: Callable[..., Any], stack: cdk.Stack) -> None:
    make(removal_policy=cdk.RemovalPolicy.DESTROY)
    (table,) = Template.from_stack(stack).find_resources("AWS::DynamoDB::Table").values()
    assert table["DeletionPolicy"] == "Delete"
    assert table["Properties"]["DeletionProtectionEnabled"] is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guardrail_alarms": []}, "guardrail_alarms: got an empty list"),
        ({"ceiling_percent": 0}, "ceiling_percent: got 0, allowed: a number, 1 to 100"),
        ({"ceiling_percent": 101}, "ceiling_percent: got 101"),
        ({"step_percent": 0}, "step_percent: got 0"),
        ({"step_percent": 11}, "step_percent: got 11"),
        (
            {"cool_off": cdk.Duration.minutes(5)},
            "cool_off: got 5 minutes, allowed: a Duration of whole seconds, at least 1 hour",
        ),
        ({"final_margin_percent": -1}, "final_margin_percent: got -1"),
        ({"attempts": 0}, "attempts: got 0"),
        ({"max_latency_ratio": 1}, "max_latency_ratio: got 1"),
    ],
)
def test_fails_when_a_setting_is_out_of_range(make: Callable[..., Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", "\\(")):
        make(**settings)


def test_fails_when_there_is_no_scalable_target(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, make: Callable[..., Any]
) -> None:
    pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
        stack, "Pattern", vpc=vpc, task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    )
    with pytest.raises(ValueError, match="scalable_target: got none, allowed: the task count of the service"):
        make(service=pattern)


def test_fails_when_another_tuner_tunes_the_service(
    stack: cdk.Stack,
    make: Callable[..., Any],
    service: ScaledFargateService,
    alarm: cloudwatch.IAlarm,
    topic: AlertsTopic,
) -> None:
    make()
    with pytest.raises(ValueError, match=r"^service: got one that Stack/Tuner tunes, allowed: one tuner for a service"):
        TargetTuner(stack, "Second", service=service.service, guardrail_alarms=[alarm], alerts_topic=topic)


def test_fails_when_nothing_tracks_the_cpu(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, make: Callable[..., Any]
) -> None:
    cluster = ecs.Cluster(stack, "Cluster", vpc=vpc)
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container("web", image=image)
    other = ecs.FargateService(stack, "Other", cluster=cluster, task_definition=definition)
    count = other.auto_scale_task_count(max_capacity=3)
    with pytest.raises(ValueError, match="got 0 policies that track the average CPU on Stack/Other/TaskCount"):
        make(service=other, scalable_target=count)


def test_fails_when_the_service_is_of_another_stack(
    stack: cdk.Stack, service: ScaledFargateService, alarm: cloudwatch.IAlarm, topic: AlertsTopic
) -> None:
    other = cdk.Stack(cdk.Stage.of(stack), "Elsewhere")
    with pytest.raises(ValueError, match="service: got one of the stack Stack, allowed: one of the tuner's own"):
        TargetTuner(other, "Tuner", service=service, guardrail_alarms=[alarm], alerts_topic=topic)


def test_fails_when_the_ceiling_is_not_below_a_spike_that_is_declared_later(
    stack: cdk.Stack, make: Callable[..., Any], service: ScaledFargateService
) -> None:
    make(ceiling_percent=67)
    SpikeScaling(stack, "Spikes", service=service, steps=CpuStep(threshold_percent=80))
    with pytest.raises(RuntimeError, match="ceiling_percent: got 67, allowed: at most 66 %"):
        Template.from_stack(stack)


def test_a_spike_on_another_metric_limits_no_ceiling(
    stack: cdk.Stack, make: Callable[..., Any], service: ScaledFargateService
) -> None:
    make(ceiling_percent=67)
    metric = cloudwatch.Metric(namespace="Web", metric_name="Queue", statistic="Maximum")
    SpikeScaling(stack, "Spikes", service=service, metric=metric, steps=MetricStep(threshold=5))
    Template.from_stack(stack)


def test_fails_when_the_ceiling_is_below_the_target_that_is_declared(
    stack: cdk.Stack, make: Callable[..., Any]
) -> None:
    make(ceiling_percent=59)
    with pytest.raises(
        RuntimeError, match="ceiling_percent: got 59, allowed: at least the target that is declared, 60"
    ):
        Template.from_stack(stack)


def test_a_person_may_be_allowed_to_stop_it(make: Callable[..., Any], stack: cdk.Stack) -> None:
    tuner = make()
    user = cdk.aws_iam.User(stack, "User")
    tuner.grant_stop_and_resume(user)
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": [
                    {
                        "Action": "states:StartExecution",
                        "Effect": "Allow",
                        "Resource": {"Ref": logical_id(tuner.state_machine)},
                    }
                ]
            },
            "Users": Match.any_value(),
        },
    )
