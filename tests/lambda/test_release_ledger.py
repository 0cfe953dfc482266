import datetime
import io
import json
import sys
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.botocore_calls import leave_out
from tests.waiting import until

READS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}],
}
ROLE = "arn:aws:iam::123456789012:role/release"
# What an execution of the release workflow may do: go on, or end in one of the ways that matter.
BEHAVIOUR = {
    "StartAt": "How",
    "States": {
        "How": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.error", "StringEquals": "none", "Next": "Runs"},
                {"Variable": "$.error", "IsPresent": True, "Next": "Fails"},
            ],
        },
        "Runs": {"Type": "Wait", "Seconds": 7200, "End": True},
        "Fails": {"Type": "Fail", "ErrorPath": "$.error"},
    },
}


@dataclass
class Ledger:
    module: ModuleType
    aws: Any
    machine: str
    table: str
    started: list[str] = field(default_factory=list)

    def execution(self, error: str = "none") -> str:
        """A running execution, or one that has failed with `error`."""
        machines = self.aws.client("stepfunctions")
        answer = machines.start_execution(stateMachineArn=self.machine, input=json.dumps({"error": error}))
        arn = str(answer["executionArn"])
        self.started.append(arn)
        until(lambda: error == "none" or machines.describe_execution(executionArn=arn)["status"] != "RUNNING")
        return arn

    def stop(self, execution: str) -> None:
        machines = self.aws.client("stepfunctions")
        if machines.describe_execution(executionArn=execution)["status"] == "RUNNING":
            machines.stop_execution(executionArn=execution)

    def call(self, operation: str, **keys: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.module.handler({"operation": operation, **keys}, None)
        return result

    def begin(self, release: str, execution: str) -> dict[str, Any]:
        return self.call("begin_release", release=release, execution=execution, started_by="a person")

    def finish(self, release: str, execution: str, auc: float = 0.9) -> None:
        self.call(
            "finish_release",
            release=release,
            execution=execution,
            posts={
                "train": {"posts": 80},
                "fingerprint": "sha256:00",
                "sides": {"known": 100, "new": 100},
                "reviews": {"new": 7, "as_of": "2026-11-24T12:00:00.000Z"},
            },
            metrics={"auc": auc},
            current_metrics=None,
            comparison={"confidence": 0.95, "violations": 33, "auc": {"low": 0.5625}},
            validation={"score": {"fine": [7, 0], "violation": [0, 2]}},
            model_data=f"s3://bucket/models/{release}/output/model.tar.gz",
            archive_sha256="00ff",
        )

    def release(self, *names: str) -> None:
        for name in names:
            execution = self.execution()
            self.begin(name, execution)
            self.finish(name, execution)
            self.stop(execution)

    def rollback(self, execution: str, given: dict[str, Any]) -> dict[str, Any]:
        return self.call("begin_rollback", execution=execution, input=given)

    def finish_rollback(self, execution: str, plan: dict[str, Any]) -> None:
        self.call("finish_rollback", execution=execution, **plan)

    def roll_back_by_hand(self, given: dict[str, Any]) -> None:
        execution = self.execution()
        self.finish_rollback(execution, self.rollback(execution, given))
        self.stop(execution)

    def records(self) -> dict[str, dict[str, Any]]:
        return {record["release"]: record for record in self.module.ReleaseTable(self.module.client).releases()}

    def outcomes(self) -> dict[str, str]:
        return {name: record["outcome"] for name, record in self.records().items()}

    def entry(self, name: str) -> Any:
        return self.module.ReleaseTable(self.module.client).entry(name)

    def parameter(self) -> str | None:
        ssm = self.aws.client("ssm")
        try:
            return str(ssm.get_parameter(Name=f"/{self.table}/current")["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            return None


def everything_there(module: ModuleType) -> type:
    """An account in which nothing is missing: the endpoint serves the current release, each release has its resources.

    What is missing is for the tests at the end, of the function as it is.
    """

    class EverythingThere(module.ReleaseResources):  # type: ignore[misc, name-defined]
        def serves(self) -> str | None:
            current: str | None = module.ReleaseTable(module.client).current() or super().serves()
            return current

        def of(self, record: dict[str, Any]) -> Any:
            release = super().of(record)
            return replace(release, artefact=True, model=True, configuration=True)

        def make_missing(self, record: dict[str, Any]) -> list[str]:
            return []

    return EverythingThere


@pytest.fixture
def ledger(
    load_function: Callable[[str], ModuleType],
    releases_table: str,
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    machines = aws.client("stepfunctions")
    machine = machines.create_state_machine(name=releases_table, definition=json.dumps(BEHAVIOUR), roleArn=ROLE)
    monkeypatch.setenv("CURRENT_PARAMETER", f"/{releases_table}/current")
    module = load_function("release_ledger")
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "ReleaseResources", everything_there(module))
    made = Ledger(module=module, aws=aws, machine=machine["stateMachineArn"], table=releases_table)
    yield made
    for execution in made.started:
        made.stop(execution)


def test_a_release_is_recorded_and_becomes_the_current_one(ledger: Ledger) -> None:
    execution = ledger.execution()
    assert ledger.begin("one", execution) == {"current": None}
    assert ledger.outcomes() == {"one": "running"}
    assert ledger.parameter() is None
    ledger.finish("one", execution, auc=0.875)

    record = ledger.records()["one"]
    assert record["outcome"] == "released"
    assert record["started_by"] == "a person"
    assert record["execution"] == execution
    assert (record["model"], record["endpoint_configuration"]) == ("one", "one")
    assert record["metrics"] == {"auc": 0.875}
    assert record["comparison"] == {"confidence": 0.95, "violations": 33, "auc": {"low": 0.5625}}
    assert record["validation"] == {"score": {"fine": [7, 0], "violation": [0, 2]}}
    assert record["archive_sha256"] == "00ff"
    assert record["data_fingerprint"] == "sha256:00"
    assert record["posts"]["train"]["posts"] == 80
    assert (record["new_labels"], record["labels_as_of"]) == (7, "2026-11-24T12:00:00.000Z")
    assert record["entry"] == f"release#{record['started']}#one"
    assert datetime.datetime.fromisoformat(record["started"]) < datetime.datetime.fromisoformat(record["ended"])
    assert ledger.entry("current")["release"] == ledger.parameter() == "one"
    assert ledger.entry("lock") is None

    second = ledger.execution()
    assert ledger.begin("two", second) == {
        "current": {
            "release": "one",
            "endpoint_configuration": "one",
            "model": "one",
            "model_data": "s3://bucket/models/one/output/model.tar.gz",
            "archive_sha256": "00ff",
            "metrics": {"auc": 0.875},
            "labels_as_of": "2026-11-24T12:00:00.000Z",
            "sides": 100,
        }
    }
    assert ledger.records()["two"]["previous"] == "one"


def test_a_call_that_is_repeated_after_a_lost_answer_finds_its_own_work(ledger: Ledger) -> None:
    ledger.release("one")
    execution = ledger.execution()
    first = ledger.begin("two", execution)
    assert ledger.begin("two", execution) == first
    ledger.finish("two", execution)
    ended = ledger.records()["two"]
    ledger.finish("two", execution)
    assert ledger.records()["two"] == ended
    assert list(ledger.records()) == ["one", "two"]

    rollback = ledger.execution()
    plan = ledger.rollback(rollback, {})
    assert ledger.rollback(rollback, {}) == plan
    ledger.finish_rollback(rollback, plan)
    ledger.finish_rollback(rollback, plan)
    assert ledger.outcomes() == {"one": "released", "two": "rolled_back"}
    assert ledger.parameter() == "one"


def test_the_second_of_two_releases_is_refused_and_told_what_to_do(ledger: Ledger) -> None:
    first = ledger.execution()
    ledger.begin("one", first)
    since = ledger.entry("lock")["since"]
    with pytest.raises(ledger.module.ReleaseInProgressError) as refusal:
        ledger.begin("two", ledger.execution())
    assert str(refusal.value) == f"release one has been running since {since}: wait for it, or stop it: {first}"
    with pytest.raises(ledger.module.ReleaseInProgressError, match="release one has been running since"):
        ledger.rollback(ledger.execution(), {})
    assert list(ledger.records()) == ["one"]


def test_of_releases_that_begin_at_once_one_wins(ledger: Ledger) -> None:
    executions = {f"release-{number}": ledger.execution() for number in range(4)}
    gate = threading.Barrier(len(executions))
    won, refused = [], []

    def begin(release: str, execution: str) -> None:
        gate.wait()
        try:
            ledger.begin(release, execution)
            won.append(release)
        except ledger.module.ReleaseInProgressError:
            refused.append(release)

    threads = [threading.Thread(target=begin, args=item) for item in executions.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(refused)) == (1, 3)
    assert list(ledger.records()) == won
    assert ledger.entry("lock")["holder"] == executions[won[0]]


def test_the_endpoint_of_an_execution_that_has_ended_is_free(ledger: Ledger) -> None:
    ledger.begin("gone", "arn:aws:states:us-east-1:000000000000:execution:nothing:gone")
    ledger.begin("failed", ledger.execution("ReleaseFailed"))
    ledger.begin("next", ledger.execution())
    assert ledger.outcomes() == {"gone": "stopped", "failed": "failed", "next": "running"}
    assert ledger.records()["failed"]["failure"]["error"] == "ReleaseFailed"


def test_a_stopped_release_is_rolled_back_before_another_begins(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = ledger.execution()
    ledger.begin("one", stopped)
    ledger.stop(stopped)
    with pytest.raises(
        ledger.module.ReleaseInProgressError, match="release one was stopped and is about to be rolled back"
    ):
        ledger.begin("two", ledger.execution())
    # Where the rollback never starts, it is waited for no longer.
    monkeypatch.setattr(ledger.module, "ROLLBACK_STARTS_WITHIN", datetime.timedelta())
    ledger.begin("two", ledger.execution())
    assert ledger.outcomes() == {"one": "stopped", "two": "running"}


def test_a_stopped_release_is_waited_for_where_step_functions_does_not_say_when_it_stopped(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_out(monkeypatch, "stepfunctions:DescribeExecution", "stopDate")
    stopped = ledger.execution()
    ledger.begin("one", stopped)
    ledger.stop(stopped)
    with pytest.raises(ledger.module.ReleaseInProgressError, match="is about to be rolled back"):
        ledger.begin("two", ledger.execution())
    monkeypatch.setattr(ledger.module, "ROLLBACK_STARTS_WITHIN", datetime.timedelta())
    ledger.begin("two", ledger.execution())


@pytest.fixture
def serving(ledger: Ledger, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts an endpoint in service whose configuration has a name that ends as given; returns the endpoint's name."""
    ledger.aws.register_image("ledger:1", Path(__file__).parent / "program")
    sagemaker = ledger.aws.client("sagemaker")
    endpoint = ledger.table
    monkeypatch.setenv("ENDPOINT_NAME", endpoint)

    def serve(configuration: str) -> str:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz"):
            pass
        ledger.aws.client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=archive.getvalue())
        container = {"Image": "ledger:1", "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
        sagemaker.create_model(ModelName=f"{endpoint}-model", ExecutionRoleArn=ROLE, PrimaryContainer=container)
        instances = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        variant = {"VariantName": "v", "ModelName": f"{endpoint}-model"} | instances
        sagemaker.create_endpoint_config(EndpointConfigName=configuration, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=configuration)
        until(lambda: sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService")
        return endpoint

    yield serve
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_what_served_before_there_was_a_record_can_be_gone_back_to(ledger: Ledger, serving: Any) -> None:
    endpoint = serving(f"{ledger.table}-sunday")
    execution, rollback = ledger.execution(), ledger.execution()
    current = ledger.begin("one", execution)["current"]
    assert (current["release"], current["model"]) == (f"{endpoint}-sunday", f"{endpoint}-model")
    assert ledger.begin("one", execution)["current"] == current
    assert ledger.outcomes() == {f"{endpoint}-sunday": "released", "one": "running"}
    assert ledger.records()[f"{endpoint}-sunday"]["started_by"] == "found"
    plan = ledger.rollback(rollback, {"failed": {"release": "one", "execution": execution, "failure": FAILURE}})
    assert plan["target"]["endpoint_configuration"] == f"{endpoint}-sunday"
    ledger.finish_rollback(rollback, plan)
    assert ledger.parameter() == f"{endpoint}-sunday"


def lacks(what: str, ledger: Ledger, bucket: str) -> None:
    """Takes away what the found endpoint's model needs: the model, its role, its artefact or the whole bucket."""
    aws, model = ledger.aws, f"{ledger.table}-model"
    sagemaker, s3 = aws.client("sagemaker"), aws.client("s3")
    if what == "the model":
        sagemaker.delete_model(ModelName=model)
    if what == "the role":
        container = {"Image": "ledger:1", "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
        iam, role = aws.client("iam"), f"{ledger.table}-role"
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document, Path="/service-role/")["Role"]["Arn"]
        iam.put_role_policy(RoleName=role, PolicyName="reads", PolicyDocument=json.dumps(READS))
        sagemaker.delete_model(ModelName=model)
        sagemaker.create_model(ModelName=model, ExecutionRoleArn=arn, PrimaryContainer=container)
        iam.delete_role_policy(RoleName=role, PolicyName="reads")
        iam.delete_role(RoleName=role)
    if what in ("the artefact", "the bucket"):
        s3.delete_object(Bucket=bucket, Key="model.tar.gz")
    if what == "the bucket":
        s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("what", ["the model", "the role", "the artefact", "the bucket"])
def test_what_a_life_before_left_serving_is_no_current_release_and_is_told_once(
    ledger: Ledger, serving: Any, bucket: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    endpoint = serving(f"{ledger.table}-sunday")
    lacks(what, ledger, bucket)
    published = alerts(ledger, monkeypatch)

    execution = ledger.execution()
    assert ledger.begin("one", execution) == {"current": None}
    assert ledger.begin("one", execution) == {"current": None}
    failed = {"release": "one", "execution": execution, "failure": FAILURE}
    rollback = ledger.execution()
    plan = ledger.rollback(rollback, {"failed": failed})
    assert plan["target"] is None
    ledger.finish_rollback(rollback, plan)
    assert ledger.begin("two", ledger.execution()) == {"current": None}

    assert ledger.outcomes() == {"one": "failed", "two": "running"}
    (alert,) = published()
    kind = "artefact" if what == "the bucket" else what.removeprefix("the ")
    assert f"{endpoint} serves {endpoint}-sunday" in alert
    assert f"the {kind} " in alert


def test_every_variant_has_to_be_there_for_what_serves_to_be_the_current_release(
    ledger: Ledger, serving: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker, endpoint = ledger.aws.client("sagemaker"), serving(f"{ledger.table}-sunday")
    instances = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    models = (f"{endpoint}-model", f"{endpoint}-other")
    variants = [{"VariantName": model, "ModelName": model} | instances for model in models]
    container = {"Image": "ledger:1", "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
    sagemaker.create_model(ModelName=models[1], ExecutionRoleArn=ROLE, PrimaryContainer=container)
    sagemaker.delete_endpoint_config(EndpointConfigName=f"{endpoint}-sunday")
    sagemaker.create_endpoint_config(EndpointConfigName=f"{endpoint}-sunday", ProductionVariants=variants)
    sagemaker.delete_model(ModelName=models[1])
    published = alerts(ledger, monkeypatch)
    assert ledger.begin("one", ledger.execution()) == {"current": None}
    assert f"the model {models[1]} is gone" in published()[0]


def test_each_source_of_a_container_is_an_artefact(ledger: Ledger) -> None:
    def source(uri: str) -> dict[str, Any]:
        return {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}}

    described = {
        "PrimaryContainer": {"ModelDataUrl": "s3://b/1", "ModelDataSource": source("s3://b/1")},
        "Containers": [
            {"ModelDataSource": source("s3://b/2/"), "AdditionalModelDataSources": [source("s3://b/3/")]},
            {"Image": "with the model in it"},
        ],
    }
    found = sys.modules["release_resources"]._artefacts(described)
    assert sorted(found) == ["s3://b/1", "s3://b/2/", "s3://b/3/"]


def alerts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The messages that a topic gets from now on."""
    sns, sqs = ledger.aws.client("sns"), ledger.aws.client("sqs")
    topic = sns.create_topic(Name=ledger.table)["TopicArn"]
    queue = sqs.create_queue(QueueName=ledger.table)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    publishes = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**publishes, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    monkeypatch.setenv("ALERTS_TOPIC", topic)

    def published() -> list[str]:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return [message["Body"] for message in received.get("Messages", [])]

    return published


def test_fails_when_the_endpoint_serves_what_nothing_could_go_back_to(ledger: Ledger, serving: Any) -> None:
    serving(f"by-hand-{ledger.table}")
    with pytest.raises(
        ledger.module.UnknownEndpointError, match=r"serves the endpoint configuration by-hand-.*, to whi"
    ):
        ledger.begin("one", ledger.execution())
    assert (ledger.records(), ledger.entry("lock")) == ({}, None)


def test_fails_when_sagemaker_does_not_name_what_the_endpoint_serves(
    ledger: Ledger, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(f"{ledger.table}-sunday")
    leave_out(monkeypatch, "sagemaker:DescribeEndpoint", "EndpointConfigName")
    with pytest.raises(ledger.module.UnknownEndpointError, match=r"configuration \(no name\), to which no rollback"):
        ledger.begin("one", ledger.execution())


def test_a_release_that_lost_the_endpoint_records_nothing(ledger: Ledger) -> None:
    lost = ledger.execution("ReleaseFailed")
    ledger.begin("lost", lost)
    ledger.begin("next", ledger.execution())
    with pytest.raises(ledger.module.LockLostError, match="release lost is recorded as failed"):
        ledger.finish("lost", lost)
    assert ledger.parameter() is None
    assert ledger.outcomes() == {"lost": "failed", "next": "running"}


FAILURE = {"state": "Check", "error": "EndpointRefusedError", "cause": "answered by one"}


def test_a_failed_release_gives_the_endpoint_back_to_the_one_before(ledger: Ledger) -> None:
    ledger.release("one")
    execution, rollback = ledger.execution(), ledger.execution()
    ledger.begin("two", execution)
    plan = ledger.rollback(rollback, {"failed": {"release": "two", "execution": execution, "failure": FAILURE}})
    assert plan == {
        "mode": "failed",
        "failed": {"release": "two", "execution": execution},
        "target": {
            "release": "one",
            "endpoint_configuration": "one",
            "model": "one",
            "model_data": "s3://bucket/models/one/output/model.tar.gz",
            "archive_sha256": "00ff",
        },
        "failure": FAILURE,
        "note": None,
        "offer": None,
    }
    assert ledger.entry("lock")["holder"] == execution
    ledger.finish_rollback(rollback, plan)
    ledger.finish_rollback(rollback, plan)
    record = ledger.records()["two"]
    assert (record["outcome"], record["failure"], record["rolled_back_by"]) == ("failed", FAILURE, rollback)
    assert record["ended"] > record["started"]
    assert ledger.parameter() == "one"
    assert ledger.entry("lock") is None


def test_the_first_release_that_fails_leaves_nothing_current(ledger: Ledger) -> None:
    execution, rollback = ledger.execution(), ledger.execution()
    ledger.begin("one", execution)
    plan = ledger.rollback(rollback, {"failed": {"release": "one", "execution": execution, "failure": FAILURE}})
    assert plan["target"] is None
    ledger.finish_rollback(rollback, plan)
    assert ledger.outcomes() == {"one": "failed"}
    assert (ledger.entry("current"), ledger.entry("lock"), ledger.parameter()) == (None, None, None)


def test_a_release_whose_record_was_written_and_then_failed_is_rolled_back_too(ledger: Ledger) -> None:
    ledger.release("one")
    execution, rollback = ledger.execution(), ledger.execution()
    ledger.begin("two", execution)
    ledger.finish("two", execution)
    plan = ledger.rollback(rollback, {"failed": {"release": "two", "execution": execution, "failure": FAILURE}})
    assert plan["target"]["release"] == "one"
    with pytest.raises(ledger.module.ReleaseInProgressError, match="release two has been running since"):
        ledger.begin("three", ledger.execution())
    ledger.finish_rollback(rollback, plan)
    assert ledger.outcomes() == {"one": "released", "two": "failed"}
    assert ledger.parameter() == ledger.entry("current")["release"] == "one"


def test_a_failure_before_the_record_disturbs_nobody(ledger: Ledger) -> None:
    ledger.release("one")
    failed, rollback = ledger.execution(), ledger.execution()
    given = {"failed": {"release": "two", "execution": failed, "failure": FAILURE}}
    plan = ledger.rollback(rollback, given)
    assert (plan["failed"], plan["target"]["release"]) == (None, "one")
    ledger.finish_rollback(rollback, plan)
    assert ledger.parameter() == "one"

    three = ledger.execution()
    ledger.begin("three", three)
    plan = ledger.rollback(rollback, given)
    assert plan["failed"] is None
    ledger.finish_rollback(rollback, plan)
    assert ledger.entry("lock")["holder"] == three
    assert ledger.parameter() == "one"


def test_a_stopped_release_is_taken_over_and_recorded(ledger: Ledger) -> None:
    ledger.release("one")
    stopped, rollback = ledger.execution(), ledger.execution()
    ledger.begin("two", stopped)
    ledger.stop(stopped)
    plan = ledger.rollback(rollback, {"stopped": {"execution": stopped, "status": "ABORTED"}})
    assert (plan["mode"], plan["failed"]["release"], plan["target"]["release"]) == ("stopped", "two", "one")
    assert plan["failure"] == {"state": "ABORTED", "error": "ABORTED", "cause": "the execution ended as ABORTED"}
    with pytest.raises(ledger.module.ReleaseInProgressError, match="a rollback of two has been running since"):
        ledger.begin("three", ledger.execution())
    ledger.finish_rollback(rollback, plan)
    record = ledger.records()["two"]
    assert (record["outcome"], record["failure"]["error"]) == ("stopped", "ABORTED")
    ledger.begin("three", ledger.execution())


def test_nobody_waits_for_a_rollback_that_was_stopped(ledger: Ledger) -> None:
    ledger.release("one")
    stopped, rollback = ledger.execution(), ledger.execution()
    ledger.begin("two", stopped)
    ledger.stop(stopped)
    ledger.rollback(rollback, {"stopped": {"execution": stopped, "status": "ABORTED"}})
    ledger.stop(rollback)
    ledger.begin("three", ledger.execution())
    assert ledger.outcomes() == {"one": "released", "two": "stopped", "three": "running"}


@pytest.mark.parametrize("recorded", [True, False])
def test_a_stopped_release_that_had_ended_or_not_begun_is_only_told(ledger: Ledger, recorded: bool) -> None:
    ledger.release("one")
    stopped, rollback = ledger.execution(), ledger.execution()
    if recorded:
        ledger.begin("two", stopped)
        ledger.finish("two", stopped)
    ledger.stop(stopped)
    cause = {"status": "FAILED", "error": "States.Runtime", "cause": "no such variable"}
    plan = ledger.rollback(rollback, {"stopped": {"execution": stopped, **cause}})
    assert plan["failed"] is None
    assert plan["target"]["release"] == ("two" if recorded else "one")
    assert plan["failure"] == {"state": "FAILED", "error": "States.Runtime", "cause": "no such variable"}
    ledger.finish_rollback(rollback, plan)
    assert set(ledger.outcomes().values()) == {"released"}
    assert ledger.entry("lock") is None
    assert ledger.parameter() == plan["target"]["release"]


def test_a_release_that_failed_and_could_not_tell_it_is_told_with_both_reasons(ledger: Ledger) -> None:
    ledger.release("one")
    execution, first, second = ledger.execution(), ledger.execution(), ledger.execution()
    ledger.begin("two", execution)
    given = {"failed": {"release": "two", "execution": execution, "failure": FAILURE}}
    ledger.finish_rollback(first, ledger.rollback(first, given))
    ledger.stop(execution)
    stopped = {"execution": execution, "status": "FAILED", "error": "SNS.NotFound", "cause": "no such topic"}
    plan = ledger.rollback(second, {"stopped": stopped})
    assert plan["failed"] is None
    assert plan["failure"] == FAILURE | {"cause": "answered by one; then FAILED: SNS.NotFound: no such topic"}


def test_fails_when_the_stopped_release_still_runs(ledger: Ledger) -> None:
    running = ledger.execution()
    ledger.begin("one", running)
    with pytest.raises(ledger.module.InvalidRollbackError, match="still runs: stop it first"):
        ledger.rollback(ledger.execution(), {"stopped": {"execution": running, "status": "ABORTED"}})


def test_a_rollback_by_hand_goes_back_one_good_release_at_a_time(ledger: Ledger) -> None:
    ledger.release("one", "two")
    ledger.begin("bad", execution := ledger.execution())
    plan = ledger.rollback(
        rollback := ledger.execution(), {"failed": {"release": "bad", "execution": execution, "failure": FAILURE}}
    )
    ledger.finish_rollback(rollback, plan)
    ledger.release("three")

    for current in ("two", "one"):
        ledger.roll_back_by_hand({})
        assert ledger.parameter() == ledger.entry("current")["release"] == current
    assert ledger.outcomes() == {"one": "released", "two": "rolled_back", "bad": "failed", "three": "rolled_back"}
    with pytest.raises(
        ledger.module.InvalidRollbackError, match="no good release before one to go back to: there are one, two, three"
    ):
        ledger.rollback(ledger.execution(), {})

    ledger.release("four")
    ledger.roll_back_by_hand({})
    assert ledger.parameter() == "one"


def test_a_release_that_was_rolled_back_serves_again_when_it_is_named(ledger: Ledger) -> None:
    ledger.release("one", "two")
    ledger.roll_back_by_hand({})
    ledger.roll_back_by_hand({"release": "two"})
    assert ledger.parameter() == "two"
    assert ledger.outcomes() == {"one": "rolled_back", "two": "released"}
    assert "rolled_back_by" not in ledger.records()["two"]


def test_the_current_release_can_be_named_to_put_the_endpoint_right(ledger: Ledger) -> None:
    ledger.release("one", "two")
    ledger.roll_back_by_hand({"release": "two"})
    assert ledger.parameter() == "two"
    assert ledger.outcomes() == {"one": "released", "two": "released"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"release": "three"}, "release 'three' is unknown: there are one, two"),
        ({"release": "bad"}, "release bad never served, it is recorded as stopped: there are one, two"),
        ({"releas": "one"}, r'the input has releas: it must be {} or {"release": "<name>"}'),
    ],
)
def test_fails_when_there_is_no_such_release(ledger: Ledger, given: dict[str, str], message: str) -> None:
    ledger.begin("bad", "arn:aws:states:us-east-1:000000000000:execution:nothing:gone")
    ledger.release("one", "two")
    with pytest.raises(ledger.module.InvalidRollbackError, match=message) as fault:
        ledger.rollback(ledger.execution(), given)
    assert "\n" not in str(fault.value)
    assert ledger.entry("lock") is None


def test_fails_when_there_is_no_release_at_all(ledger: Ledger) -> None:
    with pytest.raises(ledger.module.InvalidRollbackError, match="no good release before the first to go back to"):
        ledger.rollback(ledger.execution(), {})


def test_fails_when_the_operation_is_unknown(ledger: Ledger) -> None:
    with pytest.raises(
        ledger.module.UnknownOperationError, match="operation is 'begin': it must be one of begin_release, "
    ):
        ledger.call("begin")


# ---- what was deleted ------------------------------------------------------------------------------------------------


@dataclass
class Account:
    """What releases of an endpoint are made of, as the function finds it. There is no endpoint."""

    ledger: Ledger
    bucket: str

    def release(self, short: str) -> str:
        """A good release, whose archive, model and configuration are there."""
        name, key = f"{self.ledger.table}-{short}", f"models/{short}/model.tar.gz"
        sagemaker = self.ledger.aws.client("sagemaker")
        self.ledger.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=b"a model")
        container = {"Image": "ledger:1", "ModelDataUrl": f"s3://{self.bucket}/{key}", "Environment": {"LENGTH": "512"}}
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[variant | {"InitialVariantWeight": 0.5, "VolumeSizeInGB": 30}],
            KmsKeyId="alias/volumes",
        )
        execution = self.ledger.execution()
        self.ledger.begin(name, execution)
        self.ledger.call(
            "finish_release",
            release=name,
            execution=execution,
            posts={},
            model_data=container["ModelDataUrl"],
            archive_sha256="00ff",
        )
        self.ledger.stop(execution)
        return name

    def described(self, name: str) -> dict[str, Any]:
        """Model and configuration, without when they were made."""
        sagemaker = self.ledger.aws.client("sagemaker")
        found = sagemaker.describe_endpoint_config(EndpointConfigName=name) | sagemaker.describe_model(ModelName=name)
        return {key: value for key, value in found.items() if key not in ("CreationTime", "ResponseMetadata")}

    def delete(self, name: str, *what: str) -> None:
        sagemaker, dynamodb = self.ledger.aws.client("sagemaker"), self.ledger.aws.client("dynamodb")
        if "configuration" in what:
            sagemaker.delete_endpoint_config(EndpointConfigName=name)
        if "model" in what:
            sagemaker.delete_model(ModelName=name)
        if "artefact" in what:
            artefact = f"models/{name.rpartition('-')[2]}/model.tar.gz"
            self.ledger.aws.client("s3").delete_object(Bucket=self.bucket, Key=artefact)
        key = {"endpoint": {"S": self.ledger.table}, "entry": {"S": self.ledger.records()[name]["entry"]}}
        if "definitions" in what:
            dynamodb.update_item(TableName=self.ledger.table, Key=key, UpdateExpression="REMOVE definitions")
        if "record" in what:
            dynamodb.delete_item(TableName=self.ledger.table, Key=key)


@pytest.fixture
def account(ledger: Ledger, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(ledger.module, "ReleaseResources", ledger.module.ReleaseResources.__base__)
    monkeypatch.setenv("ENDPOINT_NAME", ledger.table)
    return Account(ledger=ledger, bucket=bucket)


def test_without_an_endpoint_the_current_release_serves_again_and_nothing_is_marked(account: Account) -> None:
    ledger = account.ledger
    older, current = account.release("one"), account.release("two")
    rollback = ledger.execution()
    plan = ledger.rollback(rollback, {})
    assert (plan["target"]["release"], plan["mode"]) == (current, "by_hand")
    assert "the current release was restored and no release is marked as bad" in plan["note"]
    assert plan["offer"] == f'the next good release is {older}: start again with {{"release": "{older}"}}'
    ledger.finish_rollback(rollback, plan)
    assert ledger.outcomes() == {older: "released", current: "released"}
    assert ledger.parameter() == current

    ledger.roll_back_by_hand({"release": older})
    assert ledger.outcomes() == {older: "released", current: "rolled_back"}


def test_what_is_gone_is_made_again_as_it_was(account: Account) -> None:
    ledger, name = account.ledger, account.release("one")
    before = account.described(name)
    account.delete(name, "configuration", "model")
    rollback = ledger.execution()
    plan = ledger.rollback(rollback, {})
    assert account.described(name) == before
    assert "its model and endpoint configuration were gone and made again from the record" in plan["note"]
    # The answer was lost: nothing is missing any more.
    assert ledger.rollback(rollback, {})["target"] == plan["target"]


def test_a_failed_release_goes_back_to_a_configuration_that_was_deleted_meanwhile(account: Account) -> None:
    ledger, name = account.ledger, account.release("one")
    before = account.described(name)
    execution = ledger.execution()
    ledger.begin("two", execution)
    account.delete(name, "configuration")
    plan = ledger.rollback(
        ledger.execution(), {"failed": {"release": "two", "execution": execution, "failure": FAILURE}}
    )
    assert plan["target"]["release"] == name
    assert account.described(name) == before


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        (("configuration", "definitions"), "its endpoint configuration is gone, and its record does not say how"),
        (("model", "definitions"), "its model is gone, and its record does not say how to make it again"),
        (("model", "artefact"), "its artefact s3://"),
        (("model", "record"), "its model is gone, and its record too"),
        (("configuration", "record"), "is gone, and so is its endpoint configuration"),
    ],
)
def test_fails_when_the_current_release_cannot_be_made_again_and_offers_another(
    account: Account, gone: tuple[str, ...], why: str
) -> None:
    ledger = account.ledger
    older, current = account.release("one"), account.release("two")
    account.delete(current, *gone)
    with pytest.raises(ledger.module.InvalidRollbackError) as refusal:
        ledger.rollback(ledger.execution(), {})
    assert why in str(refusal.value)
    assert f'start again with {{"release": "{older}"}}' in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert ledger.entry("lock") is None
    ledger.roll_back_by_hand({"release": older})
    assert ledger.parameter() == ledger.entry("current")["release"] == older


def test_a_current_release_without_its_record_is_recorded_again(account: Account) -> None:
    ledger = account.ledger
    older, current = account.release("one"), account.release("two")
    account.delete(current, "record")
    rollback = ledger.execution()
    plan = ledger.rollback(rollback, {})
    assert plan["target"]["release"] == current
    assert f"the record of {current}, which was gone, was made again" in plan["note"]
    ledger.finish_rollback(rollback, plan)
    record = ledger.records()[current]
    assert (record["outcome"], record["started_by"], record["model"]) == ("released", "found", current)
    assert set(record["definitions"]) == {"endpoint_configuration", "model"}
    assert list(ledger.outcomes().values()) == ["released", "released"]
    assert older in ledger.outcomes()


def test_a_record_that_is_gone_locks_no_release_out(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, current = account.ledger, account.release("one")
    monkeypatch.setattr(ledger.module.ReleaseResources, "missing_of", lambda self, model: None)
    account.delete(current, "record")
    execution = ledger.execution()
    assert ledger.begin("two", execution)["current"]["release"] == current
    ledger.finish("two", execution)
    assert ledger.parameter() == ledger.entry("current")["release"] == "two"

    account.delete("two", "record")
    # Nothing of it is left: the next is compared with none.
    assert ledger.begin("three", ledger.execution()) == {"current": None}


def test_fails_when_sagemaker_does_not_make_it_again(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, name = account.ledger, account.release("one")
    account.delete(name, "configuration")
    record = ledger.records()[name]
    record["definitions"]["endpoint_configuration"]["ProductionVariants"][0]["ModelName"] = "of-nothing"
    with pytest.raises(Exception, match=f"the endpoint configuration {name} is gone and was not made again") as fault:
        ledger.module.ReleaseResources(ledger.module.client).make_missing(record)
    assert type(fault.value).__name__ == "NotMadeAgainError"


@pytest.mark.parametrize(
    ("status", "serves"),
    [
        ("InService", "m-7"),
        ("Updating", "m-7"),
        ("UpdateRollbackFailed", "m-7"),
        ("Creating", None),
        ("Deleting", None),
        ("Failed", None),
        ("OutOfService", None),
    ],
)
def test_an_endpoint_in_a_wrong_state_serves_as_little_as_none(
    account: Account, monkeypatch: pytest.MonkeyPatch, status: str, serves: str | None
) -> None:
    sagemaker = account.ledger.module.client("sagemaker")
    description = {"EndpointStatus": status, "EndpointConfigName": "m-7"}
    monkeypatch.setattr(sagemaker, "describe_endpoint", lambda EndpointName: description)
    assert account.ledger.module.ReleaseResources(account.ledger.module.client).serves() == serves
