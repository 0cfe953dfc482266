"""A scaled service in the embedded AWS, with everything around it that the floor's function looks at."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import make_queue

# Every day at this time its morning begins. What was planned for it hours ago is due by now.
MORNING = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
QUARTER = timedelta(minutes=15)


class Killed(BaseException):
    """The function's process ended between two calls."""


class KeptService:
    """The service, and the function that keeps its minimum: 4 tasks' CPU for six hours from the morning on."""

    def __init__(self, aws: EmbeddedAws, function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.function = function
        self.monkeypatch = monkeypatch
        self.name = f"web-{uuid.uuid4().hex[:8]}"
        self.resource = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{self.name}/{self.name}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self.calls = 0
        self.last_call: int | None = None
        self._build()

    def _build(self) -> None:
        self.stack = self.client("cloudformation").create_stack(
            StackName=self.name, TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
        )["StackId"]
        self.client("ecs").create_cluster(clusterName=self.name)
        self.client("ecs").register_task_definition(
            family=self.name, containerDefinitions=[{"name": "web", "image": "nginx", "memory": 128}]
        )
        self.client("ecs").create_service(
            cluster=self.name, serviceName=self.name, taskDefinition=self.name, desiredCount=0
        )
        self.set_bounds(2, 20)
        self.client("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[
                {"AttributeName": "floor", "KeyType": "HASH"},
                {"AttributeName": "entry", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "floor", "AttributeType": "S"},
                {"AttributeName": "entry", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.topic = self.client("sns").create_topic(Name=self.name)["TopicArn"]
        self.queue, queue_arn = make_queue(self.aws, self.name, takes_from=self.topic)
        self.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)
        self.client("cloudformation").get_waiter("stack_create_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 1}
        )
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Gives the function its environment, with some settings changed."""
        environment = {
            "CLUSTER_NAME": self.name,
            "SERVICE_NAME": self.name,
            "MIN_TASKS": "2",
            "MAX_TASKS": "20",
            "TABLE_NAME": self.name,
            "STACK_ARN": self.stack,
            "ALERTS_TOPIC_ARN": self.topic,
            "METRIC_NAMESPACE": "ForecastFloor",
            "SETTINGS": json.dumps(
                {
                    "utilization": 50,
                    "look_back": "days",
                    "lead_minutes": 30,
                    "time_zone": "UTC",
                    "holidays": [],
                    "dry_run": False,
                    **settings,
                }
            ),
        }
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

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
        dimensions = [{"Name": "ClusterName", "Value": self.name}, {"Name": "ServiceName", "Value": self.name}]
        data = [
            {
                "MetricName": "CPUUtilization",
                "Dimensions": dimensions,
                "Timestamp": moment,
                "Value": 5 * (400.0 if (moment - MORNING) % timedelta(days=1) < timedelta(hours=6) else 50.0),
            }
            for moment in moments
        ]
        for begin in range(0, len(data), 500):
            self.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=data[begin : begin + 500])

    def kill_before_call(self, number: int | None) -> None:
        """Ends the function before its call of that number; none of its later calls is made either."""
        self.calls, self.last_call = 0, number

    def count_call(self, **_: Any) -> None:
        self.calls += 1
        if self.last_call is not None and self.calls >= self.last_call:
            raise Killed

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
        items = self.client("dynamodb").scan(TableName=self.name, ConsistentRead=True)["Items"]
        chosen = sorted(
            (item for item in items if item["entry"]["S"].startswith("decision#")), key=lambda item: item["entry"]["S"]
        )
        return [(item["action"]["S"], item["why"]["S"]) for item in chosen]

    def told(self) -> list[dict[str, str]]:
        """Everything that the topic was told since it was last asked."""
        messages: list[dict[str, str]] = []
        while found := self.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                messages.append(json.loads(message["Body"]))
                self.client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return messages


def at(moment: datetime) -> str:
    return f"at({moment:%Y-%m-%dT%H:%M:%S})"


@pytest.fixture
def kept(aws: EmbeddedAws, load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> KeptService:
    boto3.setup_default_session()
    service = KeptService(aws, load_function("forecast_floor"), monkeypatch)
    # Clients take their session's handlers along when they are made.
    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register("before-call", service.count_call)
    return service
