"""Drift as an alarm, as lines of a dashboard and as what starts a release; and found on the embedded AWS."""

import importlib
import importlib.util
import json
import random
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template
from boto3.dynamodb.types import TypeSerializer

from cdk_fargate_sagemaker.monitoring import EndpointDashboard, ModelDrift
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import LabelledData, ModelImage, ModelReleaseWorkflow, ReviewDecisions, TrainingJob
from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.constructs.construct_tree import logical_id
from tests.deployed_assembly import deploy

CONTAINER = Path(__file__).parents[3] / "container"
KINDS = {
    "Score": "score_drift",
    "Length": "length_drift",
    "Vocabulary": "vocabulary_drift",
    "FirstStage": "first_stage_drift",
}
"""The first word of each metric, and the property with its alarm."""


def release(stack: cdk.Stack, reviews: ReviewQueue) -> ModelReleaseWorkflow:
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    return ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="forum",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket(stack, "Data", removal_policy=RemovalPolicy.DESTROY),
        alerts_topic=AlertsTopic(stack, "Alerts"),
        source=LabelledData(reviews=ReviewDecisions(table=reviews.table)),
        removal_policy=RemovalPolicy.DESTROY,
    )


def alarms_of(template: Template) -> dict[str, dict[str, Any]]:
    """Those on drift, by their metric."""
    found = [one["Properties"] for one in template.find_resources("AWS::CloudWatch::Alarm").values()]
    return {one["MetricName"]: one for one in found if "Drift" in one.get("MetricName", "")}


def test_each_drift_has_an_alarm_judged_once_a_day(stack: cdk.Stack, topic: sns.ITopic) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    drift = ModelDrift(
        stack,
        "Drift",
        reviews=reviews,
        workflow=release(stack, reviews),
        alerts_topic=topic,
        max_length_drift=35,
        max_vocabulary_drift=None,
        max_first_stage_drift=10,
        violation_percent=2.5,
    )
    template = Template.from_stack(stack)
    alarms = alarms_of(template)
    assert {name: one["Threshold"] for name, one in alarms.items()} == {
        "ScoreDriftAtLeast": 20,
        "LengthDriftAtLeast": 35,
        "FirstStageDriftAtLeast": 10,
    }
    for name, one in alarms.items():
        assert "by more than the maximum of" in one["AlarmDescription"]
        chosen = ("ComparisonOperator", "Namespace", "Period", "Statistic", "TreatMissingData", "EvaluationPeriods")
        assert [one[key] for key in chosen] == ["GreaterThanThreshold", "ModelDrift", 86_400, "Maximum", "ignore", 1]
        assert one["Dimensions"] == [{"Name": "endpoint", "Value": "forum"}], name
        assert one["AlarmActions"] == one["OKActions"] == [stack.resolve(topic.topic_arn)]
    assert drift.vocabulary_drift is None
    template.has_resource_properties("AWS::Events::Rule", {"ScheduleExpression": "cron(20 0 * * ? *)"})
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "drift_measures.handler",
            "Environment": {"Variables": Match.object_like({"VIOLATION_PERCENT": "2.5", "ENDPOINT_NAME": "forum"})},
        },
    )


def test_the_function_reads_counts_and_no_post(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    drift = ModelDrift(stack, "Drift", reviews=reviews, workflow=release(stack, reviews))
    assert drift.measuring_function.role is not None
    role = logical_id(drift.measuring_function.role)
    statements = [
        statement
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "dynamodb" in str(statement["Action"])
    ]
    assert [(one["Action"], one["Condition"]) for one in statements] == [
        ("dynamodb:Query", {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["served#*"]}}),
        (
            ["dynamodb:GetItem", "dynamodb:Query"],
            {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["forum"]}},
        ),
    ]


def test_drift_starts_a_release_where_it_is_asked_to() -> None:
    app = cdk.App()
    models, services = cdk.Stack(app, "Models"), cdk.Stack(app, "Services")
    reviews = ReviewQueue(models, "Reviews")
    workflow = release(models, reviews)
    ModelDrift(services, "Drift", reviews=reviews, workflow=workflow, starts=workflow, max_score_drift=None)
    template = Template.from_stack(services)
    alarms = template.find_resources("AWS::CloudWatch::Alarm")
    started_by = set()
    for rule in template.find_resources("AWS::Events::Rule").values():
        if "EventPattern" in rule["Properties"]:
            assert rule["Properties"]["EventPattern"]["detail"] == {"state": {"value": ["ALARM"]}}
            ((arn,),) = ([one["Fn::GetAtt"] for one in rule["Properties"]["EventPattern"]["resources"]],)
            started_by.add(alarms[arn[0]]["Properties"]["MetricName"])
            (target,) = rule["Properties"]["Targets"]
            assert "ReleaseStarter" in str(target["Arn"])
    assert started_by == {"LengthDriftAtLeast", "VocabularyDriftAtLeast", "FirstStageDriftAtLeast"}


def test_an_imported_queue_will_do(stack: cdk.Stack) -> None:
    table = dynamodb.Table.from_table_name(stack, "Table", "reviews")
    reviews = ReviewQueue.from_review_queue_attributes(stack, "Imported", table=table)
    made = ReviewQueue(stack, "Reviews")
    ModelDrift(stack, "Drift", reviews=reviews, workflow=release(stack, made))
    function = Match.object_like({"Variables": Match.object_like({"TABLE_NAME": "reviews"})})
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function", {"Handler": "drift_measures.handler", "Environment": function}
    )


def test_the_dashboard_draws_drift_with_its_interval_and_maximum(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    workflow = release(stack, reviews)
    drift = ModelDrift(stack, "Drift", reviews=reviews, workflow=workflow, max_vocabulary_drift=None)
    EndpointDashboard(stack, "Monitor", endpoint=workflow, drift=drift)
    (board,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    body = stack.resolve(board["Properties"]["DashboardBody"])
    widgets = json.loads("".join(part if isinstance(part, str) else "X" for part in body["Fn::Join"][1]))["widgets"]
    drawn = {one["properties"]["title"]: one["properties"] for one in widgets if "Drift" in one["properties"]["title"]}
    of_first_stage = "Drift of the first stage's share, %"
    assert list(drawn) == ["Drift of scores, %", "Drift of lengths, %", "Drift of vocabulary, %", of_first_stage]
    for kind, properties in zip(KINDS, drawn.values(), strict=True):
        names = [row[1] for row in properties["metrics"]]
        assert names == [f"{kind}DriftHigh", f"{kind}Drift", f"{kind}DriftLow", f"{kind}DriftAtLeast"]
        lines = properties.get("annotations", {}).get("horizontal", [])
        assert [line["value"] for line in lines] == ([] if kind == "Vocabulary" else [20])


# ---- on the embedded AWS --------------------------------------------------------------------------------------------


@pytest.fixture
def deployed(embedded_aws: EmbeddedAws, tmp_path: Path) -> dict[str, str]:
    """The outputs of a stack with a queue, a workflow that released something, and what watches for drift."""
    app = cdk.App(outdir=str(tmp_path))
    name = f"drift-{uuid.uuid4().hex[:12]}"
    files = f"files-{name}"
    stack = cdk.Stack(app, name, synthesizer=cdk.CliCredentialsStackSynthesizer(file_assets_bucket_name=files))
    reviews = ReviewQueue(stack, "Reviews", removal_policy=RemovalPolicy.DESTROY)
    workflow = release(stack, reviews)
    drift = ModelDrift(stack, "Drift", reviews=reviews, workflow=workflow, metric_namespace=name)
    for key, value in {
        "Table": reviews.table.table_name,
        "Releases": workflow.records.table.table_name,
        "Function": drift.measuring_function.function_name,
        "Namespace": drift.metric_namespace,
        **{f"{kind}Alarm": getattr(drift, alarm).alarm_name for kind, alarm in KINDS.items()},
    }.items():
        cdk.CfnOutput(stack, key, value=value)
    app.synth()
    return deploy(embedded_aws, tmp_path, name)


@pytest.fixture
def api_module(embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    if str(CONTAINER / "api") not in sys.path:
        sys.path.append(str(CONTAINER / "api"))
    return importlib.import_module


@pytest.fixture
def known_trigrams(api_module: Callable[[str], Any]) -> ModuleType:
    """The inference image's; `bounded_text`, which it imports, is the same file in the API's."""
    spec = importlib.util.spec_from_file_location("known_trigrams", CONTAINER / "inference" / "known_trigrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WORDS = ["sleep", "baby", "night", "milk", "feeding", "nursery", "fever", "rash", "walk", "stroller", "crying", "tired"]
OTHER_WORDS = ["crypto", "wallet", "invest", "profit", "bitcoin", "trading", "bonus", "casino", "jackpot", "forex"]


def posts(chance: random.Random, count: int, *, words: list[str], longest: int = 12) -> list[str]:
    return [" ".join(chance.choices(words, k=chance.randint(3, longest))) for _ in range(count)]


def test_injected_drift_is_found_by_its_kind_and_nothing_without(
    embedded_aws: EmbeddedAws, deployed: dict[str, str], api_module: Callable[[str], Any], known_trigrams: ModuleType
) -> None:
    chance = random.Random(17)
    known = known_trigrams.KnownTrigrams.of(posts(chance, 500, words=[*WORDS, *OTHER_WORDS[:2]]))
    bins = api_module("post_bins")

    def scores(count: int) -> list[float]:
        return [chance.betavariate(1, 8) for _ in range(count)]

    # As training counts its validation posts, and as the ledger records a release.
    validated = posts(chance, 600, words=WORDS)
    profile: dict[str, dict[str, list[int]]] = {
        kind: {label: [0] * number for label in ("fine", "violation")} for kind, number in bins.BINS.items()
    }
    for text, probability in zip(validated, scores(600), strict=True):
        label = "violation" if chance.random() < 0.2 else "fine"
        profile["score"][label][bins.score_bin(probability)] += 1
        profile["length"][label][bins.length_bin(text)] += 1
        profile["unseen"][label][bins.unseen_bin(known.unseen_percent(text))] += 1
        profile["stage"][label][bins.stage_bin(chance.random() < 0.8)] += 1
    serializer, tables = TypeSerializer(), embedded_aws.client("dynamodb")

    def record(entry: str, **attributes: Any) -> None:
        item = {"endpoint": "forum", "entry": entry, **attributes}
        typed = {name: serializer.serialize(value) for name, value in item.items()}
        tables.put_item(TableName=deployed["Releases"], Item=typed)

    for number in range(1, 7):
        name = f"forum-{number}"
        record(f"release#2026-11-0{number}T00:00:00.000000Z#{name}", release=name, model=name, validation=profile)

    yesterday = datetime.now(UTC) - timedelta(days=1)
    store = api_module("reviews.store").ReviewStore(
        table=deployed["Table"],
        region="us-east-1",
        shards=1,
        lease_seconds=600,
        ttl_days=None,
        daily_quota=100_000,
        decisions_a_minute=6000,
        clock=yesterday.timestamp,
    )

    def serve(model: str, texts: list[str], probabilities: list[float], by_first_stage: float = 0.8) -> None:
        for text, probability in zip(texts, probabilities, strict=True):
            store.served.add(
                text,
                probability=probability,
                model=model,
                unseen_percent=known.unseen_percent(text),
                by_first_stage=chance.random() < by_first_stage,
            )

    serve("forum-1", posts(chance, 1200, words=WORDS), scores(1200))
    serve("forum-2", posts(chance, 1200, words=WORDS), [chance.betavariate(8, 1) for _ in range(1200)])
    serve("forum-3", posts(chance, 1200, words=WORDS, longest=60), scores(1200))
    serve("forum-4", posts(chance, 1200, words=[*WORDS[:4], *OTHER_WORDS]), scores(1200))
    serve("forum-5", posts(chance, 1200, words=WORDS), scores(1200), by_first_stage=0.4)
    store.write_tally()

    cloudwatch = embedded_aws.client("cloudwatch")
    alarms = {
        kind: cloudwatch.describe_alarms(AlarmNames=[deployed[f"{kind}Alarm"]])["MetricAlarms"][0] for kind in KINDS
    }
    put: dict[str, list[float]] = {kind: [] for kind in KINDS}

    def fires_while(current: str) -> set[str]:
        """The kinds of which the function finds more than the deployed alarm allows."""
        record("current", release=current)
        answer = embedded_aws.client("lambda").invoke(FunctionName=deployed["Function"], Payload=b"{}")
        measures = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, measures
        for kind in KINDS if measures else ():
            put[kind].append(measures[alarms[kind]["MetricName"]])
        return {kind for kind in KINDS if measures and put[kind][-1] > alarms[kind]["Threshold"]}

    assert fires_while("forum-1") == set()
    assert fires_while("forum-2") == {"Score"}
    assert fires_while("forum-3") == {"Length"}
    assert fires_while("forum-4") == {"Vocabulary"}
    assert fires_while("forum-5") == {"FirstStage"}
    # Another release that has served nothing yet: what those before it served is not held against it.
    assert fires_while("forum-6") == set()
    # What the alarms see of the day: its highest.
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for kind, alarm in alarms.items():
        seen = cloudwatch.get_metric_statistics(
            **{key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions", "Period")},
            StartTime=today,
            EndTime=today + timedelta(days=1),
            Statistics=[alarm["Statistic"]],
        )["Datapoints"]
        assert [point[alarm["Statistic"]] for point in seen] == [pytest.approx(max(put[kind]))]
        assert len(put[kind]) == 5
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
