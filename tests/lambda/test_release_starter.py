import datetime
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

TODAY = datetime.datetime.now(datetime.UTC).date()
YESTERDAY = TODAY - datetime.timedelta(days=1)
AS_OF = f"{YESTERDAY}T12:00:00.000Z"
WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 7200, "End": True}}}


@dataclass
class Starter:
    module: ModuleType
    aws: Any
    machine: str
    releases: str
    reviews: str

    def look(self) -> dict[str, Any]:
        result: dict[str, Any] = self.module.handler({"source": "aws.events"}, None)
        return result

    def fires(self, alarm: str, event: str) -> dict[str, Any]:
        given = {
            "id": event,
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "detail": {"alarmName": alarm, "state": {"value": "ALARM"}},
        }
        result: dict[str, Any] = self.module.handler(given, None)
        return result

    def put(self, table: str, **attributes: Any) -> None:
        item = {name: TypeSerializer().serialize(value) for name, value in attributes.items()}
        self.aws.client("dynamodb").put_item(TableName=table, Item=item)

    def serves(self, release: str, posts: dict[str, Any]) -> None:
        self.put(self.releases, endpoint="moderation", entry="current", release=release)
        record = {"release": release, "outcome": "released", "started": f"{YESTERDAY}T11:00:00.000000Z"}
        entry = f"release#{record['started']}#{release}"
        self.put(self.releases, endpoint="moderation", entry=entry, posts=posts, **record)

    def counts(self, day: datetime.date, reviewer: str, **verdicts: int) -> None:
        self.put(self.reviews, post=f"day#{day}", entry=f"reviewer#{reviewer}", **verdicts)

    def executions(self) -> list[dict[str, Any]]:
        machines = self.aws.client("stepfunctions")
        listed = machines.list_executions(stateMachineArn=self.machine)["executions"]
        return [machines.describe_execution(executionArn=execution["executionArn"]) for execution in listed]

    def end(self, execution: str) -> None:
        machines = self.aws.client("stepfunctions")
        machines.stop_execution(executionArn=execution)
        give_up = time.monotonic() + 60
        while machines.describe_execution(executionArn=execution)["status"] == "RUNNING":
            assert time.monotonic() < give_up
            time.sleep(0.02)


@pytest.fixture
def starter(
    load_function: Callable[[str], ModuleType], aws: Any, releases_table: str, monkeypatch: pytest.MonkeyPatch
) -> Starter:
    """The function, which wants 10 labels, with tables and a workflow of this test's own."""
    reviews = f"reviews-{uuid.uuid4().hex[:12]}"
    aws.client("dynamodb").create_table(
        TableName=reviews,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "post", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "post", "AttributeType": "S"},
            {"AttributeName": "entry", "AttributeType": "S"},
        ],
    )
    machine = aws.client("stepfunctions").create_state_machine(
        name=f"started-{uuid.uuid4().hex[:12]}",
        definition=json.dumps(WAITS),
        roleArn="arn:aws:iam::123456789012:role/release",
    )["stateMachineArn"]
    for name, value in {"REVIEW_TABLE": reviews, "RELEASE_WORKFLOW": machine, "NEW_LABELS": "10"}.items():
        monkeypatch.setenv(name, value)
    return Starter(load_function("release_starter"), aws, machine, releases_table, reviews)


def test_enough_labels_since_the_release_that_serves_start_the_next_one_once(starter: Starter) -> None:
    assert starter.look()["reason"] == "nothing serves yet: a person must start the first release"
    starter.serves("moderation-a", {"reviews": {"as_of": AS_OF, "that_day": 30}})
    starter.counts(YESTERDAY - datetime.timedelta(days=1), "hana", violation=900)
    starter.counts(YESTERDAY, "hana", violation=20, fine=13, unsure=70, undone=9)
    starter.counts(TODAY, "hana", violation=4)
    starter.counts(TODAY, "ken", fine=2)
    assert starter.look() == {"new_labels": 9, "started": None, "reason": "a release starts at 10"}
    assert starter.executions() == []

    starter.counts(TODAY, "ken", fine=3, unsure=1)
    looked = starter.look()
    (execution,) = starter.executions()
    assert (looked["new_labels"], looked["started"]) == (10, execution["executionArn"])
    assert json.loads(execution["input"]) == {"started_by": "10 new labels"}

    # While it runs, and once it has failed, more labels start nothing, until there are as many again.
    starter.put(starter.releases, endpoint="moderation", entry="lock", holder=looked["started"])
    starter.counts(TODAY, "ken", fine=30)
    assert starter.look()["reason"] == f"{looked['started']} changes the endpoint: look again when it has ended"
    starter.end(looked["started"])
    starter.counts(TODAY, "ken", fine=9)
    refused = starter.look()
    assert (refused["new_labels"], refused["started"]) == (16, None)
    assert "was started before: the next one starts 10 labels later" in refused["reason"]
    starter.counts(TODAY, "ken", fine=13)
    assert starter.look()["started"] is not None
    assert len(starter.executions()) == 2

    # Once it serves, what it was made of is not new any more.
    now = datetime.datetime.now(datetime.UTC).isoformat()
    starter.serves("moderation-b", {"reviews": {"as_of": now, "that_day": 17}})
    assert starter.look()["new_labels"] == 0


def test_an_alarm_starts_a_release_once_where_there_is_a_new_label(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A workflow that no number of labels starts.
    monkeypatch.delenv("NEW_LABELS")
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    assert starter.fires("Forum-RecallLow", first)["reason"].startswith("nothing serves yet")
    starter.serves("moderation-a", {"reviews": {"as_of": AS_OF, "that_day": 30}})
    starter.counts(YESTERDAY, "hana", violation=20, fine=10)
    assert starter.fires("Forum-RecallLow", first) == {
        "new_labels": 0,
        "started": None,
        "reason": "the model got worse, and there are no new labels to train a new one: review posts",
    }
    starter.counts(TODAY, "hana", fine=1)
    started = starter.fires("Forum-RecallLow", first)
    (execution,) = starter.executions()
    assert (started["started"], started["reason"]) == (execution["executionArn"], "the alarm Forum-RecallLow")
    assert json.loads(execution["input"]) == {"started_by": "the alarm Forum-RecallLow"}

    # EventBridge delivers an event at least once; while the release runs another alarm starts none.
    starter.put(starter.releases, endpoint="moderation", entry="lock", holder=started["started"])
    assert "changes the endpoint" in starter.fires("Forum-PrecisionLow", second)["reason"]
    starter.end(started["started"])
    assert starter.fires("Forum-RecallLow", first)["started"] is None
    assert starter.fires("Forum-PrecisionLow", second)["started"] is not None
    assert len(starter.executions()) == 2


def test_a_release_without_reviews_knows_no_label(starter: Starter) -> None:
    starter.serves("moderation-a", {"train": {"posts": 80}})
    starter.counts(YESTERDAY, "hana", violation=4)
    starter.counts(TODAY, "hana", violation=5)
    assert starter.look()["new_labels"] == 9


def test_fails_when_the_release_that_serves_is_not_on_record(starter: Starter) -> None:
    starter.put(starter.releases, endpoint="moderation", entry="current", release="moderation-lost")
    with pytest.raises(
        starter.module.NoRecordError, match="release moderation-lost serves, and the table has no record"
    ):
        starter.look()
