"""A scaled service in the embedded AWS, with everything around it that the tuner's function looks at."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.scaled_service import Killed, ScaledService, with_counted_calls

# The embedded AWS keeps two weeks of metrics.
BEGAN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=9)
HOUR = timedelta(hours=1)


@dataclass
class Invocation:
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class TunedService(ScaledService):
    """The service, and the function that tunes it."""

    table_key = "tuner"

    def __init__(self, aws: EmbeddedAws, function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.function = function
        super().__init__(aws, monkeypatch)

    @property
    def parameter_name(self) -> str:
        return f"/{self.name}/target-percent"

    def scale(self) -> None:
        self.client("application-autoscaling").register_scalable_target(**self.resource, MinCapacity=1, MaxCapacity=9)
        self.put_policy(60)
        self.client("ssm").put_parameter(Name=self.parameter_name, Value="60", Type="String")
        self.client("cloudwatch").put_metric_alarm(
            AlarmName=self.name,
            Namespace="Test",
            MetricName=self.name,
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            # What a test sets stays.
            TreatMissingData="ignore",
        )
        self.set_alarm("OK")
        self.put_dashboard()

    def configure(self, **settings: Any) -> None:
        defaults = {
            "ceiling": 65,
            "step": 1,
            "observation": "two_days",
            "cool_off_seconds": 7 * 86_400,
            "final_margin": 2,
            "attempts": 2,
            "max_latency_ratio": 1.25,
            "task_hour_price": 0.05,
            "currency": "$",
            "dry_run": False,
        }
        self.set_environment(
            {**defaults, **settings},
            POLICY_NAME="cpu",
            PARAMETER_NAME=self.parameter_name,
            GUARDRAILS=json.dumps([self.name]),
            LOAD_BALANCER=f"app/{self.name}/1",
            DASHBOARD_NAME=self.name,
        )

    # What happens around it

    def put_policy(self, target: float) -> None:
        self.client("application-autoscaling").put_scaling_policy(
            **self.resource,
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": target,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                "ScaleOutCooldown": 61,
                "ScaleInCooldown": 301,
            },
        )

    def put_dashboard(self) -> None:
        graph = {
            "metrics": [["AWS/ECS", "CPUUtilization"]],
            "view": "timeSeries",
            "annotations": {
                "horizontal": [
                    {"value": 60, "label": "target: 60", "color": "#2ca02c"},
                    [{"value": 60, "label": "headroom"}, {"value": 80}],
                    {"value": 80, "label": "adds 3 tasks: 80"},
                ],
                "vertical": [{"value": "2026-11-01T00:00:00Z", "label": "larger tasks"}],
            },
        }
        body = {
            "widgets": [
                {"type": "metric", "properties": graph},
                {"type": "metric", "properties": {"metrics": [["AWS/ECS", "CPUUtilization"]]}},
                {"type": "metric", "properties": {"view": "singleValue", "metrics": []}},
                {"type": "text", "properties": {"markdown": "hello"}},
            ]
        }
        self.client("cloudwatch").put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(body))

    def set_alarm(self, value: str) -> None:
        self.client("cloudwatch").set_alarm_state(AlarmName=self.name, StateValue=value, StateReason="test")

    def guard_by_composite(self) -> None:
        """Its guardrail is any of two alarms from now on: its own, and one on the hottest task's CPU."""
        cloudwatch = self.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=f"{self.name}-cpu",
            Namespace="AWS/ECS",
            MetricName="CPUUtilization",
            Dimensions=self.dimensions,
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=10,
            Threshold=95,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="ignore",
        )
        arn = cloudwatch.describe_alarms(AlarmNames=[f"{self.name}-cpu"])["MetricAlarms"][0]["AlarmArn"]
        cloudwatch.put_composite_alarm(
            AlarmName=f"{self.name}-degraded", AlarmRule=f'(ALARM("{arn}") OR ALARM({self.name}))'
        )
        self.monkeypatch.setenv("GUARDRAILS", json.dumps([f"{self.name}-degraded"]))

    def fire(self, *suffixes: str) -> None:
        """These alarms, by the end of their names, are in ALARM."""
        for suffix in suffixes:
            self.client("cloudwatch").set_alarm_state(
                AlarmName=f"{self.name}{suffix}", StateValue="ALARM", StateReason="test"
            )

    def report_metrics(self, since: datetime, until: datetime, *, latency: float = 0.1, skipped: int = 0) -> None:
        """A datapoint an hour of CPU and of latency, the first `skipped` hours of CPU left out."""
        self.report_cpu(since + skipped * HOUR, until)
        self.report_latency(since, until, latency=latency)

    def report_cpu(self, since: datetime, until: datetime) -> None:
        """A datapoint an hour, which counts as a minute of one task."""
        self._report("AWS/ECS", "CPUUtilization", self.dimensions, 50.0, since, until)

    def report_latency(self, since: datetime, until: datetime, *, latency: float = 0.1) -> None:
        """One request an hour."""
        dimensions = [{"Name": "LoadBalancer", "Value": f"app/{self.name}/1"}]
        self._report("AWS/ApplicationELB", "TargetResponseTime", dimensions, latency, since, until)

    def _report(
        self,
        namespace: str,
        name: str,
        dimensions: list[dict[str, str]],
        value: float,
        since: datetime,
        until: datetime,
    ) -> None:
        hours = [since + index * HOUR for index in range(round((until - since) / HOUR))]
        data = [{"MetricName": name, "Dimensions": dimensions, "Timestamp": hour, "Value": value} for hour in hours]
        self.put_data(namespace, data)

    # The function

    def invoke(self, operation: str, event: dict[str, Any]) -> dict[str, Any]:
        payload = {"operation": operation, "event": event, "started": event.get("time", BEGAN.isoformat())}
        result: dict[str, Any] = self.function.handler(payload, Invocation())
        return result

    def run(self, at: datetime, **event: Any) -> dict[str, Any]:
        """One execution of the state machine."""
        given = {"time": at.isoformat(), **event}
        decision = self.invoke("look", given)
        if decision["pending"]:
            self.invoke("apply", given)
        self.invoke("report", given)
        return decision

    def alarm_event(self, at: datetime, *, suffix: str = "") -> dict[str, Any]:
        return {
            "detail-type": "CloudWatch Alarm State Change",
            "detail": {
                "alarmName": f"{self.name}{suffix}",
                "state": {"value": "ALARM", "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%f+0000")},
            },
        }

    def answer_with(self, client: str, operation: str, part: Callable[[Any], dict[str, Any]], **members: Any) -> None:
        """Changes what AWS answers one of the function's clients from now on, in what `part` picks of the answer."""
        getattr(self.function.CLIENTS, client).meta.events.register(
            f"after-call.*.{operation}", lambda parsed, **_: part(parsed).update(members)
        )

    # What is left of it

    @property
    def policy(self) -> dict[str, Any]:
        (policy,) = self.client("application-autoscaling").describe_scaling_policies(**self.resource)["ScalingPolicies"]
        configuration: dict[str, Any] = policy["TargetTrackingScalingPolicyConfiguration"]
        return configuration

    @property
    def targets(self) -> tuple[float, float, float]:
        """In the policy, in the parameter, and in the record."""
        parameter = self.client("ssm").get_parameter(Name=self.parameter_name)["Parameter"]["Value"]
        return self.policy["TargetValue"], float(parameter), self.state["live"]

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.item("state")["state"]["S"])
        return state

    def item(self, entry: str) -> dict[str, Any]:
        key = {"tuner": {"S": self.resource["ResourceId"]}, "entry": {"S": entry}}
        item: dict[str, Any] = self.client("dynamodb").get_item(TableName=self.name, Key=key, ConsistentRead=True)[
            "Item"
        ]
        return item

    @property
    def decisions(self) -> list[tuple[str, float, float]]:
        return [
            (item["action"]["S"], float(item["origin"]["N"]), float(item["target"]["N"]))
            for item in self.decision_items()
        ]

    @property
    def widgets(self) -> list[dict[str, Any]]:
        body = self.client("cloudwatch").get_dashboard(DashboardName=self.name)["DashboardBody"]
        widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
        return widgets


@pytest.fixture
def make_tuned(
    aws: EmbeddedAws, load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], TunedService]:
    def make() -> TunedService:
        return with_counted_calls(lambda: TunedService(aws, load_function("target_tuner"), monkeypatch))

    return make


@pytest.fixture
def tuned(make_tuned: Callable[[], TunedService]) -> TunedService:
    return make_tuned()


@pytest.fixture
def began() -> datetime:
    return BEGAN


@pytest.fixture
def killed() -> type[BaseException]:
    return Killed


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed execution leased is free at once."""
    from target_tuning import tuner_table

    monkeypatch.setattr(tuner_table, "LEASE_S", -1.0)
