"""Tuner and floor of one service deployed: weeks pass as fast as they can be asked, and the template comes again."""

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from rich.console import Console

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import ForecastFloor, TargetTuner
from cdk_rehearsal.display import Display
from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal import target_tuning
from moderation_rehearsal.deployed_service import DeployedService
from moderation_rehearsal.report import ModerationReport, TuningReport
from moderation_rehearsal.stack_outputs import StackOutputs
from moderation_rehearsal.target_tuning import TargetTuning
from tests.denied_calls import DeniedCalls
from tests.deployed_assembly import deploy

DAY = timedelta(days=1)
# The embedded AWS keeps two weeks of metrics.
MORNING = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""Of the floor's days: what is planned for it is due at once."""
BEGAN = MORNING - 9 * DAY


@dataclass
class Deployed:
    aws: EmbeddedAws
    folder: Path
    outputs: dict[str, str]
    template: dict[str, Any] = field(default_factory=dict)

    def deploy(self, **changes: Any) -> None:
        """Makes the stack, or updates it."""
        assembly = synthesised(self.folder / str(time.monotonic_ns()), **changes)
        self.outputs = deploy(self.aws, assembly, "Web", update=bool(self.outputs))
        self.template = json.loads((assembly / "Web.template.json").read_text())

    def report_metrics(self) -> None:
        cpu = {"ClusterName": self.outputs["Cluster"], "ServiceName": self.outputs["Service"]}
        metrics = self.aws.client("cloudwatch")
        for namespace, name, dimensions, value in (
            ("AWS/ECS", "CPUUtilization", cpu, 50.0),
            ("AWS/ApplicationELB", "TargetResponseTime", {"LoadBalancer": self.outputs["LoadBalancer"]}, 0.1),
        ):
            data = [
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": entry} for key, entry in dimensions.items()],
                    "Timestamp": BEGAN + timedelta(hours=hour),
                    "Value": value,
                }
                for hour in range(-4 * 24, 8 * 24)
            ]
            metrics.put_metric_data(Namespace=namespace, MetricData=data)

    def run(self, event: dict[str, Any]) -> dict[str, Any]:
        """The decision of one execution, started as EventBridge starts it: the event is its input."""
        machines = self.aws.client("stepfunctions")
        arn = machines.start_execution(stateMachineArn=self.outputs["Machine"], input=json.dumps(event))["executionArn"]
        end = time.monotonic() + 120
        while (execution := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < end
            time.sleep(0.1)
        assert execution["status"] == "SUCCEEDED", execution
        decision: dict[str, Any] = json.loads(execution["output"])
        return decision

    def hourly(self, at: datetime) -> dict[str, Any]:
        return self.run({"source": "aws.events", "detail-type": "Scheduled Event", "time": f"{at:%Y-%m-%dT%H:%M:%SZ}"})

    def rule(self, source: str) -> dict[str, Any]:
        """The deployed rule that starts the state machine by events of a source."""
        events = self.aws.client("events")
        names = events.list_rule_names_by_target(TargetArn=self.outputs["Machine"])["RuleNames"]
        rule: dict[str, Any]
        (rule,) = (
            each
            for each in events.list_rules()["Rules"]
            if each["Name"] in names and source in json.loads(each.get("EventPattern", "{}")).get("source", [])
        )
        assert rule["State"] == "ENABLED"
        return rule

    def is_matched(self, event: dict[str, Any]) -> bool:
        """Whether the deployed rule starts the state machine by this event."""
        events, rule = self.aws.client("events"), self.rule(event["source"])
        (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        assert target["Arn"] == self.outputs["Machine"]
        assert not {"Input", "InputPath", "InputTransformer"} & target.keys()
        answer = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))
        return bool(answer["Result"])

    @property
    def policy(self) -> dict[str, Any]:
        (policy,) = self.aws.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")[
            "ScalingPolicies"
        ]
        configuration: dict[str, Any] = policy["TargetTrackingScalingPolicyConfiguration"]
        return configuration

    @property
    def parameter(self) -> str:
        answer = self.aws.client("ssm").get_parameter(Name=self.outputs["Parameter"])
        return str(answer["Parameter"]["Value"])

    @property
    def dashboard(self) -> str:
        return str(self.aws.client("cloudwatch").get_dashboard(DashboardName="web")["DashboardBody"])

    @property
    def lines(self) -> list[str]:
        """The labels of the vertical lines on the first graph."""
        annotations = json.loads(self.dashboard)["widgets"][0]["properties"].get("annotations", {})
        return [line["label"] for line in annotations.get("vertical", [])]

    def told(self, of: str = "Told") -> list[str]:
        queue, url = self.aws.client("sqs"), self.outputs[of]
        texts: list[str] = []
        while found := queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                texts.append(message["Body"])
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return texts

    # The floor

    @property
    def scaled(self) -> dict[str, Any]:
        """The service's scalable target."""
        targets = self.aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
        (target,) = targets["ScalableTargets"]
        return {key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity")}

    @property
    def floor(self) -> dict[str, int]:
        """The floor's scheduled actions: the minimum by its time."""
        actions = self.aws.client("application-autoscaling").describe_scheduled_actions(ServiceNamespace="ecs")
        return {each["Schedule"]: each["ScalableTargetAction"]["MinCapacity"] for each in actions["ScheduledActions"]}

    def look(self, at: datetime) -> dict[str, Any]:
        """The decision of the deployed function, by the role that it was deployed with."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.outputs["FloorKeeper"], Payload=json.dumps({"time": at.isoformat()}).encode()
        )
        decision: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, decision
        return decision

    def report_mornings(self) -> None:
        """CPU of four tasks for six hours from the morning on, of half a task otherwise, on eight days."""
        dimensions = {"ClusterName": self.outputs["Cluster"], "ServiceName": self.outputs["Service"]}
        moments = [MORNING - quarter * timedelta(minutes=15) for quarter in range(1, 8 * 96)]
        data = [
            {
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": key, "Value": entry} for key, entry in dimensions.items()],
                "Timestamp": moment,
                "Value": 5 * (400.0 if (moment - MORNING) % DAY < timedelta(hours=6) else 50.0),
            }
            for moment in moments
        ]
        for begin in range(0, len(data), 500):
            self.aws.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=data[begin : begin + 500])


def synthesised(folder: Path, *, target_percent: float = 60, cooldown: int = 60, title: str = "Web") -> Path:
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Web", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    vpc = ec2.Vpc(stack, "Vpc", availability_zones=["us-east-1a", "us-east-1b"], nat_gateways=0, subnet_configuration=[
        ec2.SubnetConfiguration(name="Tasks", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
    ])  # fmt: skip
    service = ScaledFargateService(
        stack,
        "Service",
        vpc=vpc,
        image=ecs.ContainerImage.from_registry("nginx:1.29"),
        target_percent=target_percent,
        scale_out_cooldown=cdk.Duration.seconds(cooldown),
    )
    alerts = AlertsTopic(stack, "Alerts")
    told = sqs.Queue(stack, "Told")
    alerts.add_subscription(subscriptions.SqsSubscription(told, raw_message_delivery=True))
    alarm = service.metrics.response_time(95).create_alarm(
        stack,
        "Slow",
        threshold=1,
        evaluation_periods=3,
        alarm_name="slow",
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    monitor = ServiceDashboard(stack, "Monitor", service=service, dashboard_name="web")
    monitor.dashboard.add_widgets(cloudwatch.TextWidget(markdown=title))
    tuner = TargetTuner(
        stack,
        "Tuner",
        service=service,
        guardrail_alarms=[alarm],
        alerts_topic=alerts,
        dashboard=monitor,
        ceiling_percent=70,
    )
    floor_alerts = AlertsTopic(stack, "FloorAlerts")
    told_of_floor = sqs.Queue(stack, "ToldOfFloor")
    floor_alerts.add_subscription(subscriptions.SqsSubscription(told_of_floor, raw_message_delivery=True))
    floor = ForecastFloor(
        stack, "Floor", service=service, alerts_topic=floor_alerts, utilization_percent=50, dry_run=False
    )
    for name, value in {
        "Machine": tuner.state_machine.state_machine_arn,
        "Parameter": tuner.parameter_name,
        "Table": tuner.table.table_name,
        "Told": told.queue_url,
        "ToldOfFloor": told_of_floor.queue_url,
        "FloorKeeper": floor.function.function_name,
        "Cluster": service.cluster.cluster_name,
        "Service": service.service.service_name,
        "LoadBalancer": service.load_balancer.load_balancer_full_name,
    }.items():
        cdk.CfnOutput(stack, f"Output{name}", value=value)
    app.synth()
    return folder


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, denied_calls: DeniedCalls) -> Iterator[Deployed]:
    with EmbeddedAws(wait_scale=0.05) as aws:
        deployed = Deployed(aws=aws, folder=tmp_path_factory.mktemp("assemblies"), outputs={})
        deployed.deploy()
        yield deployed
        assert denied_calls.unexpected(aws) == []


def alarm_event(at: datetime) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "123456789012",
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": "us-east-1",
        "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow"],
        "detail": {
            "alarmName": "slow",
            "state": {"value": "ALARM", "reason": "…", "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.124+0000"},
            "previousState": {"value": "OK", "timestamp": "2019-10-02T16:59:48.000+0000"},
        },
    }


def test_weeks_of_tuning_survive_an_alarm_and_deployments(deployed: Deployed) -> None:
    assert (deployed.parameter, deployed.policy["TargetValue"]) == ("60", 60)
    deployed.report_metrics()
    deployed.aws.client("cloudwatch").set_alarm_state(AlarmName="slow", StateValue="OK", StateReason="test")

    # It goes up a point every two days.
    assert deployed.hourly(BEGAN)["action"] == "hold"
    for day, target in ((2, 61), (4, 62)):
        assert deployed.hourly(BEGAN + day * DAY - DAY)["action"] == "hold"
        assert deployed.hourly(BEGAN + day * DAY)["action"] == "step"
        assert (deployed.parameter, deployed.policy["TargetValue"]) == (str(target), target)

    # A guardrail alarm fires: EventBridge starts the machine by this very event.
    fired = alarm_event(BEGAN + 4 * DAY + timedelta(minutes=5))
    assert deployed.is_matched(fired)
    assert not deployed.is_matched({**fired, "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:other"]})
    assert deployed.run(fired)["action"] == "revert"
    assert (deployed.parameter, deployed.policy["TargetValue"]) == ("61", 61)
    lines = deployed.lines
    assert lines == [
        "target 60 → 61 % (tuner: step)",
        "target 61 → 62 % (tuner: step)",
        "target 62 → 61 % (tuner: revert)",
    ]
    assert [text.partition("\n")[0] for text in deployed.told()] == [
        "60 % held for 2 days.",
        "61 % held for 2 days.",
        "a guardrail alarm fired at 62 %.",
    ]

    # The same template again, and then one that changes the policy, the dashboard, and where tuning begins.
    deployed.deploy()
    assert (deployed.parameter, deployed.policy["TargetValue"]) == ("61", 61)
    deployed.deploy(target_percent=55, cooldown=90, title="Web, deployed again")
    assert (deployed.parameter, deployed.policy["TargetValue"]) == ("61", 61)
    assert deployed.policy["ScaleOutCooldown"] == 90
    assert "deployed again" in deployed.dashboard

    # What the deployment took off the dashboard is back once it says that it is over.
    assert deployed.lines == []
    (stack,) = deployed.aws.client("cloudformation").describe_stacks(StackName="Web")["Stacks"]
    over = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "CloudFormation Stack Status Change",
        "source": "aws.cloudformation",
        "account": "123456789012",
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": "us-east-1",
        "resources": [stack["StackId"]],
        "detail": {"stack-id": stack["StackId"], "status-details": {"status": "UPDATE_COMPLETE", "status-reason": ""}},
    }
    assert deployed.is_matched(over)
    assert deployed.run(over)["action"] == "hold"
    assert deployed.lines == lines
    assert "deployed again" in deployed.dashboard
    # The deployment drew the target that tuning would begin with; the tuner moved the line to the live one.
    assert '"label": "target: 61"' in deployed.dashboard
    assert "target: 55" not in deployed.dashboard
    assert deployed.told() == []


def test_an_alarm_that_fires_takes_a_step_back_by_itself(deployed: Deployed) -> None:
    assert deployed.policy["TargetValue"] == 61
    deployed.aws.client("cloudwatch").set_alarm_state(AlarmName="slow", StateValue="ALARM", StateReason="test")
    end = time.monotonic() + 120
    while not any("guardrail alarm fired at 61 %" in text for text in deployed.told()):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert (deployed.parameter, deployed.policy["TargetValue"]) == ("60", 60)


@pytest.fixture
def tuning(deployed: Deployed) -> TargetTuning:
    """The rehearsal's step on a tuner that has not looked yet."""
    forget(deployed)
    texts: list[str] = []

    def told() -> list[str]:
        texts.extend(deployed.told())
        return texts

    outputs = StackOutputs(
        slack_webhook_secret_name="",
        data_bucket_name="",
        posts_prefix="",
        release_workflow_arn="",
        endpoint_name="",
        cluster_name=deployed.outputs["Cluster"],
        service_name=deployed.outputs["Service"],
        dashboard_name="web",
        tuner_workflow_arn=deployed.outputs["Machine"],
        tuner_table_name=deployed.outputs["Table"],
        tuned_target_parameter_name=deployed.outputs["Parameter"],
    )
    clients = deployed.aws.client
    return TargetTuning(
        clients=clients,
        outputs=outputs,
        service=DeployedService(clients, cluster=outputs.cluster_name, service=outputs.service_name),
        display=Display(Console(file=io.StringIO())),
        report=ModerationReport(engine="process", environment="dev"),
        told=told,
        alive=lambda: deployed.aws.running,
    )


def forget(deployed: Deployed) -> None:
    """As if the tuner had never looked."""
    table = deployed.aws.client("dynamodb")
    for item in table.scan(TableName=deployed.outputs["Table"])["Items"]:
        table.delete_item(TableName=deployed.outputs["Table"], Key={key: item[key] for key in ("tuner", "entry")})
    deployed.told()


def test_a_rehearsal_walks_it_and_finds_what_is_wrong(
    deployed: Deployed, tuning: TargetTuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning.walk()
    report = tuning.report.tuning
    assert report is not None
    assert (report.targets, report.guardrail) == ([60, 61, 62, 61], "slow")
    assert report.decisions == ["60 % held for 2 days", "61 % held for 2 days", "a guardrail alarm fired at 62 %"]
    deployed.deploy(title="Web, once more")
    assert deployed.lines == []
    tuning.require_kept()
    assert (len(deployed.lines), report.target_after_redeploy) == (3, 61)

    monkeypatch.setattr(target_tuning, "_ALERT_SECONDS", 0)
    with pytest.raises(StepError, match=r"^Slack got no alert of: 60 % held for 2 days; 61 % held"):
        replace(tuning, told=list)._require_traces(0)
    with pytest.raises(
        StepError, match=r"^the target is 61 % and was 61 % two days before: the guardrail is \w+, not OK"
    ):
        tuning.walk()
    tuning.report.tuning = TuningReport(targets=[60, 62])
    with pytest.raises(StepError, match=r"^the tuned target was 62 %; after the deploy the parameter has 61 and the"):
        tuning.require_kept()
    with pytest.raises(StepError, match=r"^no alarm on TargetResponseTime starts the tuner"):
        replace(tuning, outputs=replace(tuning.outputs, tuner_workflow_arn="arn:aws:states:::other")).walk()


def test_a_deployment_does_not_make_the_template_hold_a_number(deployed: Deployed) -> None:
    (policy,) = (
        resource["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        for resource in deployed.template["Resources"].values()
        if resource["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
    )
    assert "resolve:ssm" in json.dumps(policy["TargetValue"])


def test_the_tuner_that_fails_says_so(deployed: Deployed) -> None:
    deployed.told()
    machines = deployed.aws.client("stepfunctions")
    arn = machines.start_execution(stateMachineArn=deployed.outputs["Machine"], input='{"time": "tomorrow"}')
    end = time.monotonic() + 120
    while (execution := machines.describe_execution(executionArn=arn["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert (execution["status"], execution["error"]) == ("FAILED", "TuningFailed")
    (text,) = deployed.told()
    assert text.startswith("Look: ")
    assert ": Invalid isoformat string: 'tomorrow'\nThe target does not change" in text


def test_the_floor_rises_before_the_morning_holds_through_a_deployment_and_yields_to_a_person(
    deployed: Deployed,
) -> None:
    deployed.report_mornings()
    deployed.told("ToldOfFloor")
    early, raised = MORNING - timedelta(hours=2), MORNING - timedelta(minutes=30)
    decision = deployed.look(early)
    assert (decision["action"], decision["floor"]) == ("plan", 2), decision
    highest = decision["highest"]
    # Four tasks' CPU at 50 %, and what the tuner's test has reported.
    assert highest in (8, 9)
    assert deployed.floor[f"at({raised:%Y-%m-%dT%H:%M:%S})"] == highest
    assert 2 in deployed.floor.values()
    assert deployed.scaled["MinCapacity"] == highest
    assert f"up to {highest}" in "\n".join(deployed.told("ToldOfFloor"))

    # A deployment that changes something else leaves it; one that puts the declared minimum back loses it for minutes.
    actions = deployed.floor
    deployed.deploy(title="Web, with a floor")
    assert deployed.floor == actions
    scaling = deployed.aws.client("application-autoscaling")
    scaling.register_scalable_target(**{**deployed.scaled, "MinCapacity": 2})
    decision = deployed.look(MORNING + timedelta(minutes=3))
    assert decision["action"] == "plan", decision
    again = MORNING + timedelta(minutes=13)
    assert deployed.floor[f"at({again:%Y-%m-%dT%H:%M:%S})"] == highest

    # The tuner goes on beside it.
    assert deployed.hourly(MORNING)["action"] in ("hold", "step")

    scaling.register_scalable_target(**{**deployed.scaled, "MinCapacity": 5})
    assert deployed.look(MORNING + timedelta(hours=1))["action"] == "yield"
    assert deployed.floor == {}
    assert "somebody set the minimum to 5" in "\n".join(deployed.told("ToldOfFloor"))
    scaling.register_scalable_target(**{**deployed.scaled, "MinCapacity": 2})
    assert deployed.look(MORNING + timedelta(hours=2))["action"] == "plan"
    assert deployed.floor


def test_parameter_and_floor_go_with_the_stack(deployed: Deployed) -> None:
    assert deployed.floor
    formation, parameters = deployed.aws.client("cloudformation"), deployed.aws.client("ssm")
    formation.delete_stack(StackName="Web")
    end = time.monotonic() + 120
    while parameters.describe_parameters()["Parameters"] or deployed.floor:
        assert time.monotonic() < end
        time.sleep(0.2)
