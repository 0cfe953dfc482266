"""The queue deployed with its dashboard: the ML API's own store fills it, reviewers decide, the function measures."""

import importlib
import json
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import RemovalPolicy

from cdk_fargate_sagemaker.monitoring import ReviewDashboard
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_rehearsal.embedded_aws import EmbeddedAws
from review_threshold.review_estimates import ReviewEstimates
from review_threshold.reviewed_posts import parse
from tests.deployed_assembly import deploy

API = Path(__file__).parents[3] / "container" / "api"


def deployed(aws: EmbeddedAws, folder: Path) -> dict[str, str]:
    """The outputs of a stack with a queue of two parts and its dashboard."""
    app = cdk.App(outdir=str(folder))
    name = f"reviews-{uuid.uuid4().hex[:12]}"
    files = f"files-{name}"
    stack = cdk.Stack(app, name, synthesizer=cdk.CliCredentialsStackSynthesizer(file_assets_bucket_name=files))
    reviews = ReviewQueue(stack, "Reviews", shards=2, removal_policy=RemovalPolicy.DESTROY)
    board = ReviewDashboard(stack, "Monitor", reviews=reviews, dashboard_name=name)
    for key, value in {
        "Table": reviews.table.table_name,
        "Function": reviews.measuring_function.function_name,
        "Dashboard": board.dashboard.dashboard_name,
    }.items():
        cdk.CfnOutput(stack, key, value=value)
    app.synth()
    return deploy(aws, folder, name)


@pytest.fixture
def api_module(embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    if str(API) not in sys.path:
        sys.path.append(str(API))
    return importlib.import_module


def drawn_on(aws: EmbeddedAws, dashboard: str) -> dict[str, float]:
    """The latest value of each metric that the dashboard draws, by its name; without one it is not in."""
    body = json.loads(aws.client("cloudwatch").get_dashboard(DashboardName=dashboard)["DashboardBody"])
    values = {}
    for widget in body["widgets"]:
        for namespace, name, key, value, *_ in [row for row in widget["properties"]["metrics"] if row[0] == "Reviews"]:
            points = aws.client("cloudwatch").get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=[{"Name": key, "Value": value}],
                StartTime=datetime.now(UTC) - timedelta(days=2),
                EndTime=datetime.now(UTC) + timedelta(minutes=5),
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
            if points:
                values[name] = max(points, key=lambda point: point["Timestamp"])["Maximum"]
    return values


def decided_on(aws: EmbeddedAws, table: str, day: date) -> float:
    (point,) = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Reviews",
        MetricName="Decisions",
        Dimensions=[{"Name": "table", "Value": table}],
        StartTime=datetime.combine(day, time(0), UTC),
        EndTime=datetime.combine(day + timedelta(days=1), time(0), UTC),
        Period=86_400,
        Statistics=["Maximum"],
    )["Datapoints"]
    return float(point["Maximum"])


def test_decisions_become_the_figures_that_the_dashboard_draws(
    embedded_aws: EmbeddedAws, tmp_path: Path, api_module: Callable[[str], Any]
) -> None:
    outputs = deployed(embedded_aws, tmp_path)
    dynamodb = embedded_aws.client("dynamodb")
    table = dynamodb.describe_table(TableName=outputs["Table"])["Table"]
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in table["GlobalSecondaryIndexes"]
    }
    assert indexes == {"queue": ["queue", "priority"], "oldest": ["queue", "received"]}
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"

    def measured(event: str = "{}") -> dict[str, float]:
        answer = embedded_aws.client("lambda").invoke(FunctionName=outputs["Function"], Payload=event.encode())
        assert "FunctionError" not in answer, answer["Payload"].read()
        return drawn_on(embedded_aws, outputs["Dashboard"])

    # What is not known is no figure.
    assert measured() == {"Waiting": 0, "OldestAge": 0, "Decisions": 0, "Reviewers": 0}
    assert measured('{"look": "daily"}').keys().isdisjoint({"PrecisionAtMost", "RecallAtMost"})

    settings = {
        "table": outputs["Table"],
        "region": "us-east-1",
        "shards": 2,
        "lease_seconds": 600,
        "ttl_days": None,
        "daily_quota": 100_000,
        "decisions_a_minute": 6000,
    }
    store = api_module("reviews.store").ReviewStore(**settings)
    verdict, post = api_module("reviews.entry").Verdict, api_module("reviews.post").ReviewPost
    began = datetime.now(UTC)

    def keep(text: str, probability: float | None, *, flagged: bool, age: timedelta, second: bool = False) -> None:
        priority = (probability or 1.0) if flagged else 0.995
        kept = post(
            text=text,
            probability=probability,
            model="moderation-7",
            received=(began - age).isoformat(timespec="milliseconds"),
            flagged=flagged,
            weight=1.0 if flagged else 100 / 3,
            priority=priority,
            second=second,
        )
        assert store.keep(kept)

    for number in range(9):
        keep(f"flagged {number}", 0.91 - number / 1000, flagged=True, age=timedelta(hours=1), second=number < 4)
    keep("never judged", 0.55, flagged=True, age=timedelta(days=3))
    for number in range(6):
        keep(f"sample {number}", 0.12, flagged=False, age=timedelta(days=1))
    store.write_tally()
    store.write_tally()

    def decide(reviewer: str, entry: Any, said: str) -> Any:
        return store.decide(reviewer=reviewer, post=entry.post, lease=entry.lease, verdict=verdict(said), reason="")

    said = {"flagged 0": "fine", "flagged 3": "unsure", "flagged 8": "fine", "sample 5": "violation"}
    for entry in store.take(reviewer="hana", count=15):
        decide("hana", entry, said.get(entry.text, "fine" if "sample" in entry.text else "violation"))
    for entry in store.take(reviewer="ken", count=4):
        again = decide("ken", entry, "unsure" if entry.text == "flagged 3" else "violation")
    # Ken takes one back, and says the same again.
    decide("ken", store.undo(reviewer="ken", post=again.post, decision=2), str(again.verdict))

    # What was decided after yesterday's last measurement; without a probability it says nothing of the flag.
    keep("flagged by policy", None, flagged=True, age=timedelta(days=2))
    yesterday = began - timedelta(days=1)
    earlier = api_module("reviews.store").ReviewStore(**settings, clock=yesterday.timestamp)
    (entry,) = earlier.take(reviewer="mei", count=1)
    earlier.decide(reviewer="mei", post=entry.post, lease=entry.lease, verdict=verdict("fine"), reason="")

    figures = measured()
    assert decided_on(embedded_aws, outputs["Table"], yesterday.date()) == 1
    assert figures["Waiting"] == 1
    assert figures["OldestAge"] == pytest.approx(3 * 86_400, abs=600)
    assert figures["Decisions"] == 19
    # Hana made 15 and Ken 4, too few for a share or a mean; nobody but Hana had severe posts: flagged 1 and 2, and 4 to
    # 7, of more than 0.9.
    burden = {name: value for name, value in figures.items() if name.startswith(("Reviewer", "Decision", "Severe"))}
    assert burden.pop("DecisionSecondsMedian") == burden.pop("DecisionSecondsP90") == burden.pop("DecisionSecondsMost")
    severe = pytest.approx(100 * 6 / 15)
    assert burden == {
        "Decisions": 19,
        "Reviewers": 2,
        "ReviewerDecisionsMedian": 4,
        "ReviewerDecisionsP90": 15,
        "ReviewerDecisionsMost": 15,
        "SeverePercentMedian": severe,
        "SeverePercentP90": severe,
        "SeverePercentMost": severe,
    }
    # By hand: of nine flagged that were judged seven are violations, one is not, and one is unsure, so of ten 8.75; of
    # six sampled, which stand for 200, one is.
    assert figures["Precision"] == pytest.approx(87.5)
    assert figures["Recall"] == pytest.approx(100 * 8.75 / (8.75 + 200 / 6))
    # Three of four pairs agree, where 7 of 16 would by chance.
    assert figures["Agreement"] == pytest.approx((3 / 4 - 7 / 16) / (1 - 7 / 16))
    # The posts themselves say the same.
    items = [
        json.dumps({"Item": item})
        for page in dynamodb.get_paginator("scan").paginate(TableName=outputs["Table"])
        for item in page["Items"]
    ]
    estimates = ReviewEstimates(list(parse(items, "scan")))
    assert figures["Agreement"] == pytest.approx(estimates.agreement()[0])
    for name, estimate in (("Precision", estimates.flag_precision()), ("Recall", estimates.flag_recall())):
        assert estimate is not None
        assert figures[name] == pytest.approx(100 * estimate.value)
        assert figures[f"{name}Low"] < figures[name] < figures[f"{name}High"]
        assert (figures[f"{name}Low"], figures[f"{name}High"]) == pytest.approx(
            (100 * estimate.low, 100 * estimate.high)
        )

    # What alarms judge the model by is of the seven whole days before: half of what was flagged yesterday is fine.
    today = datetime.now(UTC).date()
    for ago, violations, fine in ((0, 9000, 0), (1, 500, 500), (8, 9000, 0)):
        cell = {"stored": violations + fine, "violation": violations, "fine": fine}
        counts = {f"flagged:0.975:1:{kind}": {"N": str(count)} for kind, count in cell.items()}
        key = {"post": {"S": f"received#{today - timedelta(days=ago)}"}, "entry": {"S": "stored#15"}}
        dynamodb.put_item(TableName=outputs["Table"], Item={**key, **counts})
    bounds = measured('{"look": "daily"}')
    assert 50 < bounds["PrecisionAtMost"] < 57
    assert bounds["RecallAtMost"] <= 100
