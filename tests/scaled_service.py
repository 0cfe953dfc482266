"""A scaled service in the embedded AWS, and what functions that change its scaling find around it."""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import boto3
import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import make_queue


class Killed(BaseException):
    """The function's process ended between two calls."""


class ScaledService:
    """A service with a stack, a table and a topic of its name; a subclass declares how it scales."""

    table_key: ClassVar[str]
    """The name of the table's partition key."""

    def __init__(self, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.monkeypatch = monkeypatch
        self.name = f"web-{uuid.uuid4().hex[:8]}"
        self.resource = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{self.name}/{self.name}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self.dimensions = [{"Name": "ClusterName", "Value": self.name}, {"Name": "ServiceName", "Value": self.name}]
        self.calls = 0
        self._last_call: int | None = None
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
        self.scale()
        keys = {self.table_key: "HASH", "entry": "RANGE"}
        self.client("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        self.topic = self.client("sns").create_topic(Name=self.name)["TopicArn"]
        self.queue, queue_arn = make_queue(self.aws, self.name, takes_from=self.topic)
        self.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)
        self.client("cloudformation").get_waiter("stack_create_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 1}
        )
        self.configure()

    def scale(self) -> None:
        """Declares the scaling of the service, and what its function watches."""
        raise NotImplementedError

    def configure(self, **settings: Any) -> None:
        """Gives the function its environment, with some settings changed."""
        raise NotImplementedError

    def set_environment(self, settings: dict[str, Any], **further: str) -> None:
        """Sets the function's variables: those of each function, its settings, and further ones."""
        environment = {
            "CLUSTER_NAME": self.name,
            "SERVICE_NAME": self.name,
            "TABLE_NAME": self.name,
            "STACK_ARN": self.stack,
            "ALERTS_TOPIC_ARN": self.topic,
            "SETTINGS": json.dumps(settings),
            **further,
        }
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def put_data(self, namespace: str, data: Sequence[dict[str, Any]]) -> None:
        """Publishes data points, as many per call as CloudWatch accepts."""
        for begin in range(0, len(data), 500):
            self.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data[begin : begin + 500])

    def kill_before_call(self, number: int | None) -> None:
        """Ends the function before its call of that number; none of its later calls is made either."""
        self.calls, self._last_call = 0, number

    def count_call(self, **_: Any) -> None:
        self.calls += 1
        if self._last_call is not None and self.calls >= self._last_call:
            raise Killed

    def decision_items(self) -> list[dict[str, Any]]:
        """The recorded decisions, by their time."""
        items = self.client("dynamodb").scan(TableName=self.name, ConsistentRead=True)["Items"]
        decisions = [item for item in items if item["entry"]["S"].startswith("decision#")]
        return sorted(decisions, key=lambda item: str(item["entry"]["S"]))

    def notified(self) -> list[dict[str, str]]:
        """The messages on the topic since the last call."""
        messages: list[dict[str, str]] = []
        while found := self.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                messages.append(json.loads(message["Body"]))
                self.client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return messages


_Service = TypeVar("_Service", bound=ScaledService)


def with_counted_calls(make: Callable[[], _Service]) -> _Service:
    """Makes a service whose function's calls to AWS are counted."""
    # Clients take their session's handlers along when they are made.
    boto3.setup_default_session()
    service = make()
    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register("before-call", service.count_call)
    return service
