"""What a plan says of templates with one thing that is easy to overlook."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.tuning import TargetTuner
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.declared_tuner import declared_tuner
from fargate_capacity.declared.scaled_service import find_service
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.candidates import Grid, candidates
from fargate_capacity.plan.question import ask
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import bounds_changes, simulate
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import Adjustment, CapacityBounds, StepScaling
from fargate_capacity.traffic.trace import Trace

STAGE = {
    "Parameters": {"Stage": {"Type": "String", "Default": "dev"}, "Size": {"Type": "String"}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]},
        "IsLarge": {"Fn::Equals": [{"Ref": "Size"}, "large"]},
        "IsHere": {"Fn::And": [{"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}, {"Condition": "IsDev"}]},
        "IsEither": {"Fn::Or": [{"Condition": "IsLarge"}, {"Condition": "IsHere"}]},
        "IsNeither": {"Fn::And": [{"Condition": "IsLarge"}, {"Condition": "IsProd"}]},
        "IsBig": {"Fn::Equals": [{"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "big"]}, "yes"]},
    },
    "Mappings": {"Sizes": {"dev": {"big": "yes", "least": 3}}},
}


@pytest.fixture
def find(resources: dict[str, Any], tmp_path: Path) -> Callable[..., Any]:
    """The service of these resources, in a template that has more than resources."""

    def found(wanted: Any = None, **more: Any) -> Any:
        (tmp_path / "Shop.template.json").write_text(json.dumps({"Resources": resources, **more}))
        artifact = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/us-east-1",
            "properties": {"templateFile": "Shop.template.json"},
        }
        (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"Shop": artifact}}))
        return find_service(CloudAssembly(tmp_path), wanted)

    return found


@pytest.mark.parametrize(
    ("condition", "minimum"),
    [("IsProd", 2), ("IsDev", 6), ("IsHere", 6), ("IsEither", 6), ("IsNeither", 2), ("IsBig", 6)],
)
def test_the_branch_that_a_condition_takes_is_read(
    resources: dict[str, Any], find: Callable[..., Any], condition: str, minimum: int
) -> None:
    resources["Count"]["Properties"]["MinCapacity"] = {"Fn::If": [condition, 6, 2]}
    service = find(**STAGE)
    assert service.bounds.minimum == minimum
    assert service.unmodelled == ()


def test_a_condition_that_only_the_deployment_knows_is_named(
    resources: dict[str, Any], find: Callable[..., Any]
) -> None:
    resources["Count"]["Properties"]["MinCapacity"] = {"Fn::If": ["IsLarge", 6, 2]}
    (line,) = find(**STAGE).unmodelled
    assert line == "Count: the condition IsLarge is known at the deployment only, and taken as true"


def test_parameters_and_mappings_give_numbers(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["Count"]["Properties"]["MinCapacity"] = {"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "least"]}
    assert find(**STAGE).bounds.minimum == 3


def test_what_is_not_deployed_is_not_replayed(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["Spike"]["Condition"] = resources["SpikeAlarm"]["Condition"] = "IsProd"
    service = find(**STAGE)
    assert [type(policy).__name__ for policy in service.policies] == ["TargetTracking"]
    assert service.unmodelled == ()


def test_a_property_without_a_value_is_not_there(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["Count"]["Properties"]["ScheduledActions"] = {
        "Fn::If": ["IsProd", [{"Schedule": "rate(1 day)"}], {"Ref": "AWS::NoValue"}]
    }
    assert find(**STAGE).scheduled == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ActionsEnabled": False}, "its actions are off"),
        ({"ActionsEnabled": "false"}, "its actions are off"),
        (
            {"Dimensions": [{"Name": "ServiceName", "Value": "another"}, {"Name": "ClusterName", "Value": "c"}]},
            "watches another service, another",
        ),
        ({"Dimensions": [{"Name": "ClusterName", "Value": "c"}]}, "watches a whole cluster"),
        ({"ThresholdMetricId": "band", "Threshold": None}, "a band of anomaly detection"),
        ({"Statistic": "Minimum"}, "watches something else"),
        ({"Period": 10}, "a period of 10 seconds"),
        ({"Threshold": {"Fn::GetAtt": ["Custom", "Limit"]}}, "Threshold: got ${Custom.Limit}"),
        ({"ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold"}, "ComparisonOperator: got LessThanLower"),
    ],
)
def test_an_alarm_that_does_not_act_is_left_out_and_said(
    resources: dict[str, Any], find: Callable[..., Any], changes: dict[str, Any], reason: str
) -> None:
    properties = resources["SpikeAlarm"]["Properties"]
    properties |= {name: value for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            del properties[name]
    service = find()
    assert not any(isinstance(policy, StepScaling) for policy in service.policies)
    (line,) = service.unmodelled
    assert line.startswith("Spike: its alarm SpikeAlarm: ")
    assert reason in line


def test_fails_when_a_task_has_no_size_that_there_is(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["Tasks"]["Properties"]["Cpu"] = 10**30
    with pytest.raises(InputError, match=r"Cpu of its task definition: got .* vCPUs, allowed: above 0 to 2,048"):
        find()


def test_fails_when_a_service_would_have_more_tasks_than_anybody_runs(
    resources: dict[str, Any], find: Callable[..., Any]
) -> None:
    resources["Count"]["Properties"]["MaxCapacity"] = 10**30
    with pytest.raises(InputError, match=r"MaxCapacity: got 10{30}, allowed: below"):
        find()


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::GetAtt": ["ApiService1A2B3C4D", "Name"]},
        {"Fn::GetAtt": "ApiService1A2B3C4D.Name"},
        {"Fn::Sub": "${ApiService1A2B3C4D.Name}"},
        {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "ApiService1A2B3C4D"}]}]},
    ],
)
def test_an_alarm_of_the_service_itself_acts(
    resources: dict[str, Any], find: Callable[..., Any], value: dict[str, Any]
) -> None:
    resources["SpikeAlarm"]["Properties"]["Dimensions"] = [
        {"Name": "ServiceName", "Value": value},
        {"Name": "ClusterName", "Value": {"Ref": "Cluster"}},
    ]
    assert any(isinstance(policy, StepScaling) for policy in find().policies)


@pytest.mark.parametrize(
    ("adjustment", "change", "words"),
    [("PercentChangeInCapacity", 50, "+50 % of the tasks at 80 %"), ("ExactCapacity", 9, "exactly 9 tasks at 80 %")],
)
def test_a_share_of_the_tasks_is_not_varied_as_tasks(
    resources: dict[str, Any], find: Callable[..., Any], adjustment: str, change: int, words: str
) -> None:
    resources["Spike"]["Properties"]["StepScalingPolicyConfiguration"] |= {
        "AdjustmentType": adjustment,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": change}],
    }
    service = find()
    setting = Setting(bounds=service.bounds, policies=service.policies)
    assert words in setting.described()
    changes = {
        band.change
        for each in candidates(setting, Grid())
        for policy in each.policies
        if isinstance(policy, StepScaling)
        for band in policy.bands
    }
    assert changes == {change}
    spike = setting.policies[1]
    assert isinstance(spike, StepScaling)
    assert spike.adjustment is not Adjustment.CHANGE_IN_CAPACITY


def schedule(resources: Any, cron: Any, **more: Any) -> None:
    action = {"ScheduledActionName": "day", "Schedule": cron, "Timezone": "Europe/Berlin", **more}
    resources["Count"]["Properties"]["ScheduledActions"] = [
        action | {"ScalableTargetAction": {"MinCapacity": 6}},
        {"Schedule": "cron(0 20 ? * MON-FRI *)", "Timezone": "UTC", "ScalableTargetAction": {"MinCapacity": 2}},
    ]


def test_a_schedule_that_cannot_be_read_is_left_out_and_the_others_act(
    resources: dict[str, Any], find: Callable[..., Any]
) -> None:
    schedule(resources, "cron(0 8 ? * SAT-SUN *)")
    service = find()
    assert [action.minimum for action in service.scheduled] == [2]
    (line,) = service.unmodelled
    assert line.startswith("Count, day: schedule: got 'SAT-SUN'")


def test_a_schedule_acts_from_its_start_on(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    schedule(resources, "rate(1 hour)", StartTime="2027-01-01T00:00:00Z")
    service = find()
    start = datetime(2026, 6, 1, tzinfo=UTC)
    changes = bounds_changes(service.bounds, service.scheduled, start, start + timedelta(days=7))
    assert {change.bounds.minimum for change in changes} == {2}


def test_what_a_schedule_came_to_before_the_traffic_holds_at_its_first_minute(
    resources: dict[str, Any], find: Callable[..., Any]
) -> None:
    schedule(resources, "cron(0 8 ? * MON-FRI *)")
    service = find()
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    first, *_ = bounds_changes(service.bounds, service.scheduled, start, start + timedelta(hours=1))[-1:]
    assert (first.minute, first.bounds) == (0, CapacityBounds(minimum=6, maximum=20))


def test_suspended_scaling_does_nothing(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    schedule(resources, "rate(1 hour)")
    resources["Count"]["Properties"]["SuspendedState"] = {
        "ScheduledScalingSuspended": True,
        "DynamicScalingOutSuspended": True,
    }
    service = find()
    assert (service.policies, service.scheduled) == ((), ())
    assert len(service.unmodelled) == 4


def test_a_property_that_is_not_understood_is_named(resources: dict[str, Any], find: Callable[..., Any]) -> None:
    resources["ApiService1A2B3C4D"]["Properties"]["VolumeConfigurations"] = [{"Name": "disk"}]
    resources["Count"]["Properties"]["Burst"] = 3
    assert set(find().unmodelled) == {
        "ApiService1A2B3C4D: VolumeConfigurations is not understood",
        "Count: Burst is not understood",
    }


@pytest.mark.parametrize(
    ("service", "task", "reason"),
    [
        ({"LaunchType": "EC2"}, {}, "launch type EC2"),
        ({"LaunchType": "EXTERNAL"}, {}, "launch type EXTERNAL"),
        ({}, {"RequiresCompatibilities": ["EC2"]}, "launch type EC2"),
        ({}, {"NetworkMode": "bridge"}, "launch type EC2"),
        ({"CapacityProviderStrategy": [{"CapacityProvider": "own", "Weight": 1}]}, {}, "capacity provider own"),
    ],
)
def test_a_task_that_is_not_on_fargate_has_no_price(
    resources: dict[str, Any],
    assembly_of: Callable[..., Path],
    service: dict[str, Any],
    task: dict[str, Any],
    reason: str,
) -> None:
    resources["ApiService1A2B3C4D"]["Properties"] |= service
    resources["Tasks"]["Properties"] |= task
    question = ask(assembly_of(resources), service=None, assume=["cpu_ms=10"])
    assert question.price is None
    assert reason in (question.unpriced or "")


def test_a_region_without_a_price_has_task_hours_alone(
    resources: dict[str, Any], assembly_of: Callable[..., Path]
) -> None:
    question = ask(assembly_of(resources, region="mars-1"), service=None, assume=["cpu_ms=10"])
    assert question.price is None
    assert "mars-1" in (question.unpriced or "")


def test_storage_is_read_and_priced(
    resources: dict[str, Any], assembly_of: Callable[..., Path], trace_of: Callable[..., Trace]
) -> None:
    plain = ask(assembly_of(resources, name="plain"), service=None, assume=["cpu_ms=10"])
    resources["Tasks"]["Properties"]["EphemeralStorage"] = {"SizeInGiB": 120}
    large = ask(assembly_of(resources, name="large"), service=None, assume=["cpu_ms=10"])
    simulated = simulate(plain.scenario, plain.setting, trace_of([60.0] * 60))
    dear, cheap = large.bill(simulated), plain.bill(simulated)
    assert dear is not None
    assert cheap is not None
    more = dear.on_demand - cheap.on_demand
    assert more == pytest.approx(100 * 0.000111 * simulated.totals.task_hours)
    resources["Tasks"]["Properties"]["RuntimePlatform"]["CpuArchitecture"] = "X86_64"
    unknown = ask(assembly_of(resources, name="x86", region="eu-west-1"), service=None, assume=["cpu_ms=10"])
    assert any("100 GiB of ephemeral storage have no price" in line for line in unknown.left_out())


def test_what_predictive_scaling_lacks_and_spot_are_said(
    resources: dict[str, Any], assembly_of: Callable[..., Path]
) -> None:
    resources["Tracking"]["Properties"] = {
        "PolicyType": "PredictiveScaling",
        "ScalingTargetId": {"Ref": "Count"},
        "PredictiveScalingPolicyConfiguration": {"MetricSpecifications": []},
    }
    strategy = [{"CapacityProvider": name, "Weight": 1} for name in ("FARGATE", "FARGATE_SPOT")]
    resources["ApiService1A2B3C4D"]["Properties"]["CapacityProviderStrategy"] = strategy
    question = ask(assembly_of(resources), service=None, assume=["cpu_ms=10"])
    assert question.price is not None
    assert question.left_out()[:2] == [
        "Tracking: predictive scaling, MetricSpecifications: got 0, allowed: 1",
        "ApiService1A2B3C4D: its share on Fargate Spot is not modelled: the bill on demand is of all tasks",
    ]


def test_a_service_without_a_policy_that_can_be_replayed_stays_at_its_minimum(
    resources: dict[str, Any], assembly_of: Callable[..., Path], trace_of: Callable[..., Trace]
) -> None:
    del resources["Spike"], resources["SpikeAlarm"]
    tracking = resources["Tracking"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    tracking["PredefinedMetricSpecification"]["PredefinedMetricType"] = "ECSServiceAverageMemoryUtilization"
    question = ask(assembly_of(resources), service=None, assume=["cpu_ms=10"])
    assert "no policy is left to replay" in question.left_out()[-1]
    simulated = simulate(question.scenario, question.setting, trace_of([60_000.0] * 60))
    assert simulated.totals.highest_tasks == 2


def test_windows_has_a_price_of_its_own(resources: dict[str, Any], assembly_of: Callable[..., Path]) -> None:
    resources["Tasks"]["Properties"]["RuntimePlatform"] = {"OperatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
    question = ask(assembly_of(resources), service=None, assume=["cpu_ms=10"])
    assert question.price is not None
    assert question.price.architecture == "WINDOWS_X86_64"


@pytest.fixture
def assembly_of(write_assembly: Callable[..., Path]) -> Callable[..., Path]:
    return write_assembly


# ---- identity --------------------------------------------------------------------------------------------------------
class Shop(cdk.Stack):
    def __init__(self, scope: Any, id: str, *, minimum: int = 2, is_tuned: bool = False, **more: Any) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"), **more)
        add_service(self, minimum=minimum)
        if is_tuned:
            nested = cdk.NestedStack(self, "Inner")
            add_tuned(nested)


def add_service(scope: Any, *, minimum: Any) -> None:
    cluster = ecs.Cluster(scope, "Cluster", vpc=ec2.Vpc(scope, "Vpc", max_azs=1, nat_gateways=0))
    task = ecs.FargateTaskDefinition(scope, "Task", cpu=512, memory_limit_mib=1024)
    task.add_container("app", image=ecs.ContainerImage.from_registry("nginx"))
    service = ecs.FargateService(scope, "Web", cluster=cluster, task_definition=task, min_healthy_percent=100)
    scaling = service.auto_scale_task_count(min_capacity=minimum, max_capacity=9)
    scaling.scale_on_cpu_utilization("Cpu", target_utilization_percent=55)


def add_tuned(scope: Any) -> None:
    service = ScaledFargateService(
        scope,
        "Tuned",
        vpc=ec2.Vpc(scope, "OwnVpc", max_azs=2),
        image=ecs.ContainerImage.from_registry("nginx"),
        target_percent=58,
    )
    slow = cloudwatch.Metric(namespace="Test", metric_name="Slow").create_alarm(
        scope, "Slow", threshold=1, evaluation_periods=1
    )
    TargetTuner(scope, "Tuner", service=service, guardrail_alarms=[slow], alerts_topic=sns.Topic(scope, "Alerts"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> CloudAssembly:
    """One class deployed twice and in a stage, and a tuned service in a nested stack."""
    folder = tmp_path_factory.mktemp("many")
    app = cdk.App(outdir=str(folder))
    Shop(app, "Dev", minimum=1)
    Shop(app, "Live", minimum=3, stack_name="shop-live")
    stage = cdk.Stage(app, "Prod")
    Shop(stage, "Shop", minimum=5, is_tuned=True)
    app.synth()
    return CloudAssembly(folder)


@pytest.mark.parametrize(
    ("wanted", "minimum"),
    [
        ("Dev/Web", 1),
        ("Dev/Web/Service", 1),
        ("Live/Web", 3),
        ("shop-live/Web", 3),
        ("Live/WebService", 3),
        ("Prod/Shop/Web", 5),
        ("Prod-Shop/Web", 5),
        ("Prod/Shop/Inner/Tuned", 2),
        ("Tuned", 2),
    ],
)
def test_a_service_goes_by_its_stack_and_path(many: CloudAssembly, wanted: str, minimum: int) -> None:
    assert find_service(many, wanted).bounds.minimum == minimum


def test_fails_when_a_name_means_several_services(many: CloudAssembly) -> None:
    with pytest.raises(
        InputError, match=r"got 3 scaled services, Dev/Web/Service, Live/Web/Service, Prod/Shop/Web/Service; choose one"
    ):
        find_service(many, "Web")


def test_a_tuned_target_in_a_nested_stack_is_the_one_that_tuning_begins_with(many: CloudAssembly) -> None:
    service = find_service(many, "Prod/Shop/Inner/Tuned")
    assert [policy.target for policy in service.policies if hasattr(policy, "target")] == [58]
    model = ServiceModel(vcpus=1, cpu_seconds=0.01)
    tuner = declared_tuner(many, service.stack_identity, model, service=service.name)
    assert tuner is not None


def test_a_template_that_cannot_be_read_does_not_stop_the_others(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    folder = write_assembly(resources)
    (folder / "broken.template.json").write_text("{")
    service = find_service(CloudAssembly(folder))
    assert any("broken.template.json: cannot be read as JSON" in line for line in service.unmodelled)
