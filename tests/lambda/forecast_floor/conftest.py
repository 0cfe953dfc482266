"""A scaled service in the embedded AWS, with everything around it that the floor's function looks at."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.scaled_service import ScaledService, with_counted_calls

# Every day at this time its morning begins. What was planned for it hours ago is due by now.
MORNING = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
QUARTER = timedelta(minutes=15)


class KeptService(ScaledService):
    """The service, and the function that keeps its minimum: 4 tasks' CPU for six hours from the morning on."""

    table_key = "floor"

    def __init__(self, aws: EmbeddedAws, function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.function = function
        super().__init__(aws, monkeypatch)

    def scale(self) -> None:
        self.set_bounds(2, 20)

    def configure(self, **settings: Any) -> None:
        defaults = {
            "utilization": 50,
            "look_back": "days",
            "lead_minutes": 30,
            "time_zone": "UTC",
            "holidays": [],
            "dry_run": False,
        }
        self.set_environment({**defaults, **settings}, MIN_TASKS="2", MAX_TASKS="20", METRIC_NAMESPACE="ForecastFloor")

    # What happens around it

    def set_bounds(self, minimum: int, maximum: int) -> None:
        """As a deployment does, or a person."""
        self.client("application-autoscaling").register_scalable_target(
            **self.resource, MinCapacity=minimum, MaxCapacity=maximum
        )

    def report_load(self, until: datetime = MORNING, *, days: int = 8) -> None:
        """CPU of all tasks together in the first five minutes of each quarter of an hour."""
        first = MORNING - timedelta(days=days)
        moments = [first + each * QUARTER for each in range(round((until - first) / QUARTER))]
        data = [
            {
                "MetricName": "CPUUtilization",
                "Dimensions": self.dimensions,
                "Timestamp": moment,
                "Value": 5 * (400.0 if (moment - MORNING) % timedelta(days=1) < timedelta(hours=6) else 50.0),
            }
            for moment in moments
        ]
        self.put_data("AWS/ECS", data)

    # The function

    def look(self, at: datetime, **event: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.function.handler({"time": at.isoformat(), **event}, None)
        return result

    # What is left of it

    @property
    def minimum(self) -> int:
        (target,) = self.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[self.resource["ResourceId"]]
        )["ScalableTargets"]
        return int(target["MinCapacity"])

    @property
    def actions(self) -> dict[str, int]:
        """The minimum by its time."""
        answer = self.client("application-autoscaling").describe_scheduled_actions(**self.resource)
        return {
            action["Schedule"]: action["ScalableTargetAction"]["MinCapacity"]
            for action in sorted(answer["ScheduledActions"], key=lambda each: each["Schedule"])
        }

    @property
    def records(self) -> list[tuple[str, str]]:
        return [(item["action"]["S"], item["why"]["S"]) for item in self.decision_items()]


def at(moment: datetime) -> str:
    return f"at({moment:%Y-%m-%dT%H:%M:%S})"


@pytest.fixture
def kept(aws: EmbeddedAws, load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> KeptService:
    return with_counted_calls(lambda: KeptService(aws, load_function("forecast_floor"), monkeypatch))
