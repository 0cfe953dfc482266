"""Both workflows deployed and run: real functions, programs that keep SageMaker's contracts, a listener for Slack."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from boto3.dynamodb.types import TypeDeserializer

from cdk_fargate_sagemaker._packaged_function import PackagedFunction
from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    AthenaUnload,
    DynamoDbExport,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    EvaluationGate,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    ProcessingJob,
    ReviewDecisions,
    TrafficShifting,
    TrainingJob,
)
from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.fault import Fault
from moderation_rehearsal.fixed_draws import fix_draws
from tests.denied_calls import DeniedCalls
from tests.deployed_assembly import deploy
from tests.docs.aws_commands import commands_of, run_command
from tests.slack_webhook import SlackWebhook, slack_webhook
from tests.waiting import until

IMAGES = Path(__file__).parent / "images"
NIGHT = Path(__file__).parents[3] / "docs" / "roll-back-at-3-am.md"
# Every other post is a violation: those with an odd number.
GOOD = [f"post {number}" for number in range(60)]
SIDES = "every post of these tests has its side"
LONG_ENOUGH_S = 240
SCALED = [("endpoint/moderation-test/variant/primary", 3)]


@dataclass
class Deployed:
    aws: EmbeddedAws
    slack: SlackWebhook
    outputs: dict[str, str]

    def told_about(self, execution: str) -> list[dict[str, Any]]:
        """What was told about an execution, once something was; a little later, so that a second message shows too."""
        end = time.monotonic() + 60
        while not self._told_about(execution) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)
        return self._told_about(execution)

    def _told_about(self, execution: str) -> list[dict[str, Any]]:
        return [message for message in list(self.slack.told) if f":{execution}|" in json.dumps(message)]

    def start(self, name: str, texts: list[str], execution_input: str = "{}") -> str:
        self.put_posts("Bucket", texts)
        return self.begin("Workflow", name, execution_input)

    def put_posts(self, bucket: str, texts: list[str]) -> None:
        lines = "".join(json.dumps({"text": text, "label": index % 2}) + "\n" for index, text in enumerate(texts))
        self.aws.client("s3").put_object(Bucket=self.outputs[bucket], Key="posts/posts.jsonl", Body=lines.encode())

    def begin(self, workflow: str, name: str, execution_input: str) -> str:
        answer = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[workflow], name=name, input=execution_input
        )
        return str(answer["executionArn"])

    def run(self, name: str, texts: list[str], execution_input: str = "{}") -> dict[str, Any]:
        """The ended execution of the release workflow, with the states that it went through."""
        return self.ended(self.start(name, texts, execution_input))

    def roll_back(self, name: str, execution_input: str = "{}") -> dict[str, Any]:
        """The ended execution of the rollback workflow, with the states that it went through."""
        return self.ended(self.begin("Rollback", name, execution_input))

    def ended(self, arn: str) -> dict[str, Any]:
        machines = self.aws.client("stepfunctions")
        end = time.monotonic() + LONG_ENOUGH_S
        while (execution := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < end
            time.sleep(0.1)
        return {**execution, "entered": self.entered(arn)}

    def entered(self, arn: str) -> list[str]:
        pages = self.aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def wait_for(self, what: Callable[[], Any]) -> Any:
        return until(what, seconds=LONG_ENOUGH_S, longest_pause=0.1)

    def release(self, name: str, *orders: str) -> str:
        """A good release of this name, which serves from then on."""
        execution = self.run(name, [*GOOD, *orders])
        assert execution["status"] == "SUCCEEDED", execution.get("cause")
        assert self.serving() == f"moderation-test-{name}"
        return f"moderation-test-{name}"

    def records(self, table: str = "Table") -> dict[str, dict[str, Any]]:
        """The records of all releases, by their names."""
        items = self.aws.client("dynamodb").scan(TableName=self.outputs[table], ConsistentRead=True)["Items"]
        plain = [{key: TypeDeserializer().deserialize(value) for key, value in item.items()} for item in items]
        return {item["release"]: item for item in plain if item["entry"].startswith("release#")}

    def current(self) -> str:
        """The name of the release that serves, as others can read it."""
        answer = self.aws.client("ssm").get_parameter(Name="/sagemaker/moderation-test/current-release")
        return str(answer["Parameter"]["Value"])

    def left_of(self, release: str) -> list[str]:
        """Which models and endpoint configurations of a release there are."""
        sagemaker = self.aws.client("sagemaker")
        models = [model["ModelName"] for model in sagemaker.list_models(MaxResults=100)["Models"]]
        found = sagemaker.list_endpoint_configs(MaxResults=100)["EndpointConfigs"]
        return [name for name in (*models, *(entry["EndpointConfigName"] for entry in found)) if name == release]

    def scaled(self) -> list[tuple[str, int]]:
        """Which variants follow their load, and up to how many instances."""
        targets = self.aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
        return [
            (target["ResourceId"], target["MaxCapacity"])
            for target in targets["ScalableTargets"]
            if target["ResourceId"].startswith("endpoint/moderation-test/")
        ]

    def serving(self) -> str:
        endpoint = self.endpoint()
        assert endpoint["EndpointStatus"] == "InService", endpoint
        return str(endpoint["EndpointConfigName"])

    def endpoint(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.aws.client("sagemaker").describe_endpoint(EndpointName="moderation-test")
        return answer


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackWebhook]:
    with slack_webhook() as slack:
        yield slack


@pytest.fixture(scope="module")
def deployed(
    slack: SlackWebhook, tmp_path_factory: pytest.TempPathFactory, denied_calls: DeniedCalls
) -> Iterator[Deployed]:
    assembly = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(assembly))
    stack = cdk.Stack(app, "Release", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    alerts = AlertsTopic(stack, "Alerts")
    webhook = secretsmanager.Secret(stack, "Webhook")
    notifier = SlackNotifier(stack, "Slack", topic=alerts, webhook_secret=webhook)
    bucket = s3.Bucket(stack, "Data", enforce_ssl=True)
    workflow = ModelReleaseWorkflow(
        stack,
        "Workflow",
        endpoint_name="moderation-test",
        train=TrainingJob(image=ModelImage.from_asset(IMAGES / "training")),
        inference_image=ModelImage.from_asset(IMAGES / "inference"),
        data_bucket=bucket,
        alerts_topic=alerts,
        evaluate=ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0.8}, may_worsen={"auc": 0.01})),
        preprocess=ProcessingJob(image=ModelImage.from_asset(IMAGES / "processing"), arguments=["folded"]),
        traffic_shifting=TrafficShifting.all_at_once(bake=cdk.Duration.seconds(0)),
        configuration=EndpointConfiguration(
            variants=[EndpointVariant(scaling=EndpointScaling(max_instances=3, invocations_per_instance=600))]
        ),
        keep_releases=3,
    )
    # Another endpoint, whose releases start by themselves; what becomes of them nobody is told.
    arrivals = s3.Bucket(stack, "Arrivals", enforce_ssl=True)
    started = ModelReleaseWorkflow(
        stack,
        "Started",
        endpoint_name="moderation-started",
        train=TrainingJob(image=ModelImage.from_asset(IMAGES / "training")),
        inference_image=ModelImage.from_asset(IMAGES / "inference"),
        data_bucket=arrivals,
        alerts_topic=AlertsTopic(stack, "Unheard"),
        start_on_new_data=True,
    )
    # And one whose posts a query selects; nothing of it but its training is judged.
    queried = ModelReleaseWorkflow(
        stack,
        "Queried",
        endpoint_name="moderation-queried",
        train=TrainingJob(image=ModelImage.from_asset(IMAGES / "training")),
        inference_image=ModelImage.from_asset(IMAGES / "inference"),
        data_bucket=bucket,
        alerts_topic=alerts,
        source=AthenaUnload(
            query="SELECT text, label FROM reviewed WHERE decided",
            database="moderation",
            tables=["reviewed"],
            bucket=bucket,
            prefix="reviewed/",
        ),
        evaluate=None,
        check=None,
    )
    # And one whose posts are in a table, and reviewed.
    posts = dynamodb.Table(
        stack,
        "Posts",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
    )
    reviews = ReviewQueue(stack, "Reviews")
    exported = ModelReleaseWorkflow(
        stack,
        "Exported",
        endpoint_name="moderation-exported",
        train=TrainingJob(image=ModelImage.from_asset(IMAGES / "training")),
        inference_image=ModelImage.from_asset(IMAGES / "inference"),
        data_bucket=bucket,
        alerts_topic=alerts,
        source=DynamoDbExport(table=posts, reviews=ReviewDecisions(table=reviews.table)),
        start_on_new_labels=2,
    )
    starter = exported.node.find_child("Starter")
    assert isinstance(starter, PackagedFunction)
    for name, value in {
        "QueriedWorkflow": queried.state_machine.state_machine_arn,
        "Posts": posts.table_name,
        "Reviews": reviews.table.table_name,
        "ExportedWorkflow": exported.state_machine.state_machine_arn,
        "ExportedTable": exported.records.table.table_name,
        "Starter": starter.function.function_name,
        "Arrivals": arrivals.bucket_name,
        "StartedWorkflow": started.state_machine.state_machine_arn,
        "StartedTable": started.records.table.table_name,
        "Bucket": bucket.bucket_name,
        "Workflow": workflow.state_machine.state_machine_arn,
        "Rollback": workflow.rollback.state_machine.state_machine_arn,
        "Table": workflow.records.table.table_name,
        "Secret": webhook.secret_arn,
        "Notifier": notifier.function.function_name,
        "DeadLetters": notifier.dead_letter_queue.queue_url,
    }.items():
        cdk.CfnOutput(stack, f"Output{name}", value=value)
    app.synth()
    with EmbeddedAws(cloud_assembly=assembly, wait_scale=0.02) as aws:
        outputs = deploy(aws, assembly, "Release")
        secrets = aws.client("secretsmanager")
        secrets.put_secret_value(SecretId=outputs["Secret"], SecretString=slack.url)
        # By another secret, none of the violations may be among the posts to test with.
        fix_draws(secrets, SIDES)
        yield Deployed(aws=aws, slack=slack, outputs=outputs)
        assert denied_calls.unexpected(aws) == []


def test_a_first_release_that_fails_leaves_nothing(deployed: Deployed) -> None:
    execution = deployed.run("stillborn", [*GOOD, "answer: 7"])
    assert (execution["status"], execution["error"]) == ("FAILED", "ReleaseFailed")
    assert execution["entered"][-4:] == ["Check", "Roll-Back", "NotifySlackFailure", "Failed"]
    assert deployed.aws.client("sagemaker").list_endpoints()["Endpoints"] == []
    assert deployed.left_of("moderation-test-stillborn") == []
    assert deployed.scaled() == []
    with pytest.raises(deployed.aws.client("ssm").exceptions.ParameterNotFound):
        deployed.current()
    (message,) = deployed.told_about("stillborn")
    assert "no release served before" in json.dumps(message)


def test_posts_become_a_serving_endpoint_and_then_a_newer_one(deployed: Deployed) -> None:
    first = deployed.run("first", GOOD)
    assert first["status"] == "SUCCEEDED", first
    way = first["entered"]
    assert way[:5] == ["Input", "Begin", "Extract", "Preprocess", "Train"]
    assert way[way.index("Has-Current") + 1] == "Evaluate"
    describing = way.index("Endpoint-Describing-Step")
    assert way[describing + 1 : describing + 3] == ["Endpoint-Missing", "Endpoint-Creating-Step"]
    assert way[-4:] == ["Check", "Record", "Clean-Up", "Released"]
    assert deployed.serving() == deployed.current() == "moderation-test-first"
    prepared = deployed.aws.client("s3").get_object(
        Bucket=deployed.outputs["Bucket"], Key="runs/first/preprocessed/train/posts.jsonl"
    )
    assert {json.loads(line)["prepared"] for line in prepared["Body"].read().splitlines()} == {"folded"}
    told = len(deployed.slack.told)

    name = "second.of this_week-" * 4
    second = deployed.run(name, [*GOOD, "one more"], '{"started_by": "a test"}')
    assert second["status"] == "SUCCEEDED", second
    way = second["entered"]
    assert way[way.index("Has-Current") + 1] == "Score-Current-Step"
    describing = way.index("Endpoint-Describing-Step")
    assert way[describing + 1 : describing + 3] == ["Scaling-Lifting-Step", "Endpoint-Updating-Step"]
    assert way[-6:-4] == ["Scaling-Registering-Step", "Scaling-Policy-Step"]
    assert deployed.scaled() == SCALED
    serving = deployed.serving()
    assert serving.startswith("moderation-test-second-of-this-week-")
    assert len(serving) <= 63
    assert len(deployed.slack.told) == told
    record = deployed.records()[serving]
    assert (record["outcome"], record["started_by"], record["previous"]) == (
        "released",
        "a test",
        "moderation-test-first",
    )
    assert record["data_fingerprint"].startswith("sha256:")
    # The first model says 0.5 of every post, which is as good as none.
    assert (float(record["metrics"]["auc"]), float(record["current_metrics"]["auc"])) == (0.9, 0.5)

    third = deployed.run(name[:-1] + "_", GOOD)
    assert third["status"] == "SUCCEEDED", third
    assert deployed.serving() != serving


@pytest.mark.parametrize(
    ("name", "order", "state", "reason"),
    [
        ("fails", "fail: the posts make no sense", "Train", "the posts make no sense"),
        ("refused", "auc: 0.4", "Evaluation-Gate", "auc is 0.4, needed at least 0.8"),
        ("unreadable", "answer: 7", "Check", "it must be a probability from 0 to 1 as a string"),
    ],
)
def test_a_release_that_fails_is_rolled_back_and_told_once(
    deployed: Deployed, name: str, order: str, state: str, reason: str
) -> None:
    good = deployed.release(f"before-{name}")
    execution = deployed.run(name, [*GOOD, order])
    assert (execution["status"], execution["error"]) == ("FAILED", "ReleaseFailed")
    assert execution["entered"][-4:] == [state, "Roll-Back", "NotifySlackFailure", "Failed"]
    assert execution["cause"].startswith(f"{state}: ")
    assert deployed.serving() == deployed.current() == good
    assert deployed.left_of(f"moderation-test-{name}") == []
    assert deployed.scaled() == SCALED
    record = deployed.records()[f"moderation-test-{name}"]
    assert (record["outcome"], record["failure"]["state"]) == ("failed", state)
    (message,) = deployed.told_about(name)
    assert message["text"].startswith(f"moderation-test-release failed in {state}: ")
    assert reason in message["text"]
    assert good in json.dumps(message)


def test_a_model_that_is_worse_than_the_current_one_is_refused(deployed: Deployed) -> None:
    good = deployed.release("sharp", "answer: parity")
    execution = deployed.run("blunt", [*GOOD, "auc: 0.9"])
    assert execution["entered"][-4:] == ["Evaluation-Gate", "Roll-Back", "NotifySlackFailure", "Failed"]
    assert f"the current model {good} has" in execution["cause"]
    assert "on the same posts: it may fall by at most 0.01" in execution["cause"]
    assert deployed.serving() == good
    # Back to a model that any other may follow.
    assert deployed.roll_back("from-sharp")["status"] == "SUCCEEDED"


def test_a_query_selects_the_posts(deployed: Deployed) -> None:
    bucket, glue = deployed.outputs["Bucket"], deployed.aws.client("glue")
    rows = [{"text": text, "label": number % 2, "decided": number < 50} for number, text in enumerate(GOOD)]
    deployed.aws.client("s3").put_object(
        Bucket=bucket, Key="reviewed/part-0.json", Body="".join(json.dumps(row) + "\n" for row in rows).encode()
    )
    glue.create_database(DatabaseInput={"Name": "moderation"})
    glue.create_table(
        DatabaseName="moderation",
        TableInput={
            "Name": "reviewed",
            "StorageDescriptor": {
                "Location": f"s3://{bucket}/reviewed/",
                "Columns": [
                    {"Name": name, "Type": kind}
                    for name, kind in {"text": "string", "label": "int", "decided": "boolean"}.items()
                ],
                "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
            },
        },
    )
    released = deployed.ended(deployed.begin("QueriedWorkflow", "queried", "{}"))
    assert released["status"] == "SUCCEEDED", released
    assert released["entered"][:5] == ["Input", "Begin", "Unload-Step", "Extract", "Train"]
    posts = json.loads(released["output"])["posts"]
    assert posts["train"]["posts"] + posts["test"]["posts"] == 50
    assert posts["train"]["violations"] + posts["test"]["violations"] == 25

    glue.delete_table(DatabaseName="moderation", Name="reviewed")
    failed = deployed.ended(deployed.begin("QueriedWorkflow", "unqueried", "{}"))
    assert failed["entered"][-4:] == ["Unload-Step", "Roll-Back", "NotifySlackFailure", "Failed"]
    (message,) = deployed.told_about("unqueried")
    assert "moderation-queried-release failed in Unload-Step" in message["text"]
    assert "reviewed" in message["text"]


def test_a_second_release_at_once_is_refused_and_disturbs_nothing(deployed: Deployed) -> None:
    running = deployed.start("running", [*GOOD, "sleep: 3"])
    deployed.wait_for(lambda: "Train" in deployed.entered(running))
    told = len(deployed.slack.told)
    second = deployed.ended(deployed.begin("Workflow", "too-soon", "{}"))
    assert (second["status"], second["error"]) == ("FAILED", "ReleaseInProgressError")
    assert second["entered"] == ["Input", "Begin", "Refused"]
    assert "release moderation-test-running has been running since" in second["cause"]
    assert running in second["cause"]
    rollback = deployed.roll_back("too-soon-by-hand")
    assert rollback["status"] == "FAILED"
    assert deployed.ended(running)["status"] == "SUCCEEDED"
    assert deployed.serving() == "moderation-test-running"
    # Of the rollback alone: whoever starts a second release sees how it ends.
    assert [message for message in deployed.slack.told[told:] if "too-soon-by-hand" not in json.dumps(message)] == []


def test_a_release_without_posts_is_told(deployed: Deployed) -> None:
    execution = deployed.run("nothing", [""])
    assert execution["entered"] == ["Input", "Begin", "Extract", "Roll-Back", "NotifySlackFailure", "Failed"]
    (message,) = deployed.told_about("nothing")
    assert "posts.jsonl, line 1: text is" in message["text"]


def test_an_input_of_the_wrong_shape_ends_in_one_line(deployed: Deployed) -> None:
    execution = deployed.run("misshapen", GOOD, '{"started_by": 7}')
    assert execution["entered"] == ["Input", "NotifySlackFailure", "Failed"]
    assert execution["cause"] == (
        "Input: InvalidInput: started_by is of type number: it must be a string that says who or what"
    )
    assert len(deployed.told_about("misshapen")) == 1


def test_a_person_goes_back_and_forth(deployed: Deployed) -> None:
    before = deployed.release("good")
    after = deployed.release("better")
    back = deployed.roll_back("back")
    assert back["status"] == "SUCCEEDED", back
    assert back["entered"].count("Endpoint-Updating-Step") == 1
    assert deployed.serving() == deployed.current() == before
    assert deployed.records()[after]["outcome"] == "rolled_back"
    (message,) = deployed.told_about("back")
    assert f"rolled back to {before}" in message["text"]

    forth = deployed.roll_back("forth", json.dumps({"release": after, "Comment": "from the console"}))
    assert forth["status"] == "SUCCEEDED", forth
    assert deployed.serving() == deployed.current() == after

    lost = deployed.roll_back("lost", '{"release": "moderation-test-nonsense"}')
    assert (lost["status"], lost["error"]) == ("FAILED", "RollbackFailed")
    (message,) = deployed.told_about("lost")
    assert "release 'moderation-test-nonsense' is unknown: there are" in message["text"]
    assert deployed.serving() == after


class Night:
    """Somebody who does what docs/roll-back-at-3-am.md says, command by command, and looks what comes of each."""

    def __init__(self, deployed: Deployed, *, older: str, current: str) -> None:
        self.deployed, self.older, self.current = deployed, older, current
        self.execution = ""
        # An empty input goes back, or restores: each of the page's executions, and what serves after it.
        self.serves_after = iter([older, current, current, current])

    def run(self, command: str) -> str:
        """Runs a command of the page with this system's names in place of its own; returns what was run."""
        deployed = self.deployed
        service, operation = command.split()[1:3]
        getattr(self, f"before_{operation.replace('-', '_')}", lambda: None)()
        for shown, ours in {
            "moderation-prod-20261116T060000": self.current,
            "moderation-prod": "moderation-test",
            "RollbackWorkflowArn": deployed.outputs["Rollback"],
            "EXECUTION": self.execution,
            "CONFIGURATION": self.older if "update-endpoint" in command else self.current,
            "RULE": self.rule(),
        }.items():
            command = command.replace(shown, ours)
        answer = run_command(command, deployed.aws.client)
        getattr(self, f"after_{operation.replace('-', '_')}")(answer)
        return f"{service} {operation}"

    def rule(self) -> str:
        rules = self.deployed.aws.client("events").list_rules()["Rules"]
        return str(next(rule["Name"] for rule in rules if "Stopped" in rule["Name"]))

    def delete_endpoint(self) -> None:
        sagemaker = self.deployed.aws.client("sagemaker")
        sagemaker.delete_endpoint(EndpointName="moderation-test")
        sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="moderation-test", WaiterConfig={"Delay": 1})

    def after_start_execution(self, answer: dict[str, Any]) -> None:
        self.execution = answer["executionArn"]
        ended = self.deployed.ended(self.execution)
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        assert self.deployed.serving() == self.deployed.current() == next(self.serves_after)
        assert self.deployed.scaled() == SCALED

    def after_list_state_machines(self, answer: Any) -> None:
        assert ["moderation-test-rollback", self.deployed.outputs["Rollback"]] in answer

    def after_describe_execution(self, answer: Any) -> None:
        assert answer[0] == "SUCCEEDED"
        assert json.loads(answer[1])["target"]["release"] == self.current

    def after_describe_endpoint(self, answer: Any) -> None:
        assert answer == ["InService", self.current]
        # Now somebody deletes it by mistake: the page's next section.
        self.delete_endpoint()

    def after_get_parameter(self, answer: Any) -> None:
        assert answer == self.current

    def before_create_endpoint(self) -> None:
        # It was restored; where the workflow does not get through, it is still gone.
        records = self.deployed.records()
        # The older one was left by name before; the current one is not marked.
        assert [records[name]["outcome"] for name in (self.older, self.current)] == ["rolled_back", "released"]
        name = self.execution.rpartition(":")[2]
        (message,) = self.deployed.told_about(name)
        assert f"rolled back to {self.current}" in message["text"]
        assert "the current release was restored and no release is marked as bad; an older one needs its name" in str(
            message
        )
        self.delete_endpoint()

    def after_create_endpoint(self, answer: Any) -> None:
        assert answer["EndpointArn"].endswith("/moderation-test")

    def after_wait(self, answer: Any) -> None:
        assert self.deployed.serving() == self.current

    def before_stop_execution(self) -> None:
        self.execution = self.deployed.begin("Rollback", "stopped-at-night", "{}")

    def after_stop_execution(self, answer: Any) -> None:
        assert self.deployed.ended(self.execution)["status"] == "ABORTED"

    def after_list_endpoint_configs(self, answer: Any) -> None:
        assert {self.older, self.current} & {name for name, _ in answer}

    def after_update_endpoint(self, answer: Any) -> None:
        self.deployed.wait_for(lambda: self.deployed.endpoint()["EndpointStatus"] == "InService")
        assert self.deployed.serving() == self.older

    def after_deregister_scalable_target(self, answer: Any) -> None:
        assert self.deployed.scaled() == []

    def after_list_rules(self, answer: Any) -> None:
        assert self.rule() in {rule["Name"] for rule in answer["Rules"]}

    def after_disable_rule(self, answer: Any) -> None:
        events = self.deployed.aws.client("events")
        assert events.describe_rule(Name=self.rule())["State"] == "DISABLED"
        events.enable_rule(Name=self.rule())


def test_the_page_for_the_night_does_what_it_says(deployed: Deployed) -> None:
    older, current = deployed.release("before-night"), deployed.release("night")
    night = Night(deployed, older=older, current=current)
    ran = [night.run(command) for command in commands_of(NIGHT.read_text(encoding="utf-8"))]
    assert len(ran) == 17
    # The page ends with another release in service than the records say: a name puts that right.
    assert deployed.roll_back("after-night", json.dumps({"release": current}))["status"] == "SUCCEEDED"
    assert deployed.serving() == deployed.current() == current


def test_a_release_that_a_person_stops_is_rolled_back_and_told_once(deployed: Deployed) -> None:
    good = deployed.release("before-stopped")
    arn = deployed.start("stopped", [*GOOD, "sleep: 60"])
    deployed.wait_for(lambda: "Train" in deployed.entered(arn))
    deployed.aws.client("stepfunctions").stop_execution(executionArn=arn, error="Mistake", cause='the "wrong" posts')
    (message,) = deployed.told_about("stopped")
    assert message["text"].startswith("moderation-test-release ended as ABORTED")
    assert deployed.records()["moderation-test-stopped"]["outcome"] == "stopped"
    job = deployed.aws.client("sagemaker").describe_training_job(TrainingJobName="moderation-test-stopped")
    assert job["TrainingJobStatus"] == "Stopped"
    assert deployed.serving() == deployed.current() == good
    deployed.release("after-stopped")


def test_a_release_that_is_stopped_while_its_model_serves_is_rolled_back(deployed: Deployed) -> None:
    good = deployed.release("before-late")
    deployed.aws.inject(Fault(state="Check", kind="abort"))
    execution = deployed.run("late", GOOD)
    assert (execution["status"], execution["entered"][-1]) == ("ABORTED", "Check")
    (message,) = deployed.told_about("late")
    assert good in json.dumps(message)
    assert deployed.serving() == deployed.current() == good
    assert deployed.left_of("moderation-test-late") == []
    deployed.release("after-late")


def test_only_the_last_releases_are_kept(deployed: Deployed) -> None:
    releases = [deployed.release(f"kept-{number}") for number in range(4)]
    assert deployed.left_of(releases[0]) == []
    for release in releases[1:]:
        assert deployed.left_of(release) == [release, release]


def test_new_posts_start_a_release(deployed: Deployed) -> None:
    machines = deployed.aws.client("stepfunctions")

    def executions() -> list[str]:
        found = machines.list_executions(stateMachineArn=deployed.outputs["StartedWorkflow"])["executions"]
        return [execution["executionArn"] for execution in found]

    assert executions() == []
    deployed.put_posts("Arrivals", GOOD)
    (arn,) = deployed.wait_for(executions)
    execution = deployed.ended(arn)
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (record,) = deployed.records("StartedTable").values()
    assert (record["execution"], record["started_by"]) == (arn, "new posts")
    # What the release itself writes into the bucket starts no other.
    assert executions() == [arn]


def test_posts_of_a_table_and_what_reviewers_said_become_a_release_and_new_labels_the_next(deployed: Deployed) -> None:
    table = deployed.aws.client("dynamodb")
    for number, text in enumerate(GOOD):
        item = {"id": {"S": str(number)}, "text": {"S": text}, "label": {"N": str(number % 2)}}
        table.put_item(TableName=deployed.outputs["Posts"], Item=item)

    def review(text: str, label: int, at: str) -> None:
        item = {"post": {"S": text}, "entry": {"S": "post"}, "text": {"S": text}, "label": {"N": str(label)}}
        table.put_item(TableName=deployed.outputs["Reviews"], Item=item | {"decided": {"S": at}})

    def trained_with(run: str) -> dict[str, int]:
        key = f"runs/{run}/train/posts.jsonl"
        body = deployed.aws.client("s3").get_object(Bucket=deployed.outputs["Bucket"], Key=key)["Body"].read()
        return {post["text"]: post["label"] for post in map(json.loads, body.splitlines())}

    review("post 1", 0, "2026-01-01T00:00:00+00:00")
    first = deployed.ended(deployed.begin("ExportedWorkflow", "exported", "{}"))
    assert first["status"] == "SUCCEEDED", first.get("cause")
    names = ["Export-Starting-Step", "Export-Wait", "Export-Describing-Step", "Exported"]
    way = list(dict.fromkeys(first["entered"]))
    assert way[2:11] == [*names, *(f"Reviews-{name}" for name in names), "Extract"]
    record = deployed.records("ExportedTable")["moderation-exported-exported"]
    assert (record["new_labels"], record["posts"]["reviews"]["changed"]) == (1, 1)
    before = trained_with("exported") | {"post 1": 0}
    assert set(before) <= set(GOOD)

    # A day on which nothing is counted yet: what comes now is after the export.
    functions, today = deployed.aws.client("lambda"), record["labels_as_of"][:10]

    def look() -> dict[str, Any]:
        answer = functions.invoke(FunctionName=deployed.outputs["Starter"], Payload=b"{}")
        told: dict[str, Any] = json.loads(answer["Payload"].read())
        return told

    assert look() == {"new_labels": 0, "started": None, "reason": "a release starts at 2"}
    later = f"{record['labels_as_of'][:-1]}+00:00".replace(today[:4], str(int(today[:4]) + 1))
    new = [f"reviewed {number}" for number in range(9)]
    for number, text in enumerate(new):
        review(text, number % 2, later)
    counters = {"post": {"S": f"day#{today}"}, "entry": {"S": "reviewer#hana"}, "fine": {"N": "5"}}
    table.put_item(TableName=deployed.outputs["Reviews"], Item=counters | {"violation": {"N": "4"}})
    started = look()
    assert started["new_labels"] == 9
    second = deployed.ended(started["started"])
    assert second["status"] == "SUCCEEDED", second.get("cause")
    record = deployed.records("ExportedTable")[f"moderation-exported-{second['name']}"]
    reviewed = record["posts"]["reviews"]
    assert (record["new_labels"], record["started_by"], reviewed["labels"]) == (9, "9 new labels", 10)
    assert (reviewed["added"] + reviewed["held_back"], reviewed["that_day"]) == (9, 9)
    assert trained_with(second["name"]).keys() - before.keys() < set(new)
    assert look()["new_labels"] == 0


def test_an_alert_that_slack_refuses_is_kept(deployed: Deployed) -> None:
    functions, queues = deployed.aws.client("lambda"), deployed.aws.client("sqs")
    name, queue = deployed.outputs["Notifier"], deployed.outputs["DeadLetters"]
    # The embedded CloudFormation leaves a function's queue out, and its topics deliver without retries: both
    # are made up for here. That the template declares the queue is for another test.
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": arn})
    event = {"Records": [{"Sns": {"Message": "nobody hears this"}}]}
    deployed.slack.status = 404
    try:
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
        end = time.monotonic() + 60
        kept: list[Any] = []
        while not kept and time.monotonic() < end:
            kept = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
    finally:
        deployed.slack.status = 200
    (message,) = kept
    assert "nobody hears this" in message["Body"]
    assert len([told for told in deployed.slack.told if "nobody hears this" in json.dumps(told)]) == 3
