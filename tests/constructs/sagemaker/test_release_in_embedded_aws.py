"""The workflow deployed and run: real functions, programs that keep SageMaker's contracts, a listener for Slack."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from cdk_fargate_sagemaker.sagemaker import EvaluationGate, ModelImage, ModelReleaseWorkflow
from cdk_rehearsal.embedded_aws import EmbeddedAws

IMAGES = Path(__file__).parent / "images"
GOOD = [f"post {number}" for number in range(60)]


@dataclass
class Slack:
    """A listener for Slack's webhook; `status` is what it answers with."""

    port: int
    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)

    def about(self, execution: str, *, within_s: float = 20) -> list[dict[str, Any]]:
        """What was told about an execution, once something was; a little later, so that a second message shows too."""
        found = self._about(execution, within_s)
        time.sleep(1 if found else 0)
        return [message for message in self.told if f":{execution}|" in json.dumps(message)]

    def _about(self, execution: str, within_s: float) -> bool:
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if any(f":{execution}|" in json.dumps(message) for message in self.told):
                return True
            time.sleep(0.1)
        return False


@dataclass
class Deployed:
    aws: EmbeddedAws
    slack: Slack
    outputs: dict[str, str]

    def start(self, name: str, texts: list[str]) -> str:
        lines = "".join(json.dumps({"text": text, "label": index % 2}) + "\n" for index, text in enumerate(texts))
        self.aws.client("s3").put_object(Bucket=self.outputs["Bucket"], Key="posts/posts.jsonl", Body=lines.encode())
        answer = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["Workflow"], name=name, input="{}"
        )
        return str(answer["executionArn"])

    def run(self, name: str, texts: list[str]) -> dict[str, Any]:
        """The ended execution, with the states that it went through."""
        machines = self.aws.client("stepfunctions")
        arn = self.start(name, texts)
        end = time.monotonic() + 60
        while (execution := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < end
            time.sleep(0.1)
        events = machines.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
        return {**execution, "entered": entered}

    def endpoint(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.aws.client("sagemaker").describe_endpoint(EndpointName="moderation-test")
        return answer


@pytest.fixture(scope="module")
def slack() -> Iterator[Slack]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            listener.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(listener.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Slack(port=server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield listener
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def deployed(slack: Slack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    assembly = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(assembly))
    stack = cdk.Stack(app, "Release", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    alerts = AlertsTopic(stack, "Alerts")
    webhook = secretsmanager.Secret(stack, "Webhook")
    notifier = SlackNotifier(stack, "Slack", topic=alerts.topic, webhook_secret=webhook)
    bucket = s3.Bucket(stack, "Data", enforce_ssl=True)
    workflow = ModelReleaseWorkflow(
        stack,
        "Workflow",
        endpoint_name="moderation-test",
        training_image=ModelImage.from_asset(IMAGES / "training"),
        inference_image=ModelImage.from_asset(IMAGES / "inference"),
        data_bucket=bucket,
        alerts_topic=alerts.topic,
        gate=EvaluationGate(minimum_auc=0.8),
    )
    for name, value in {
        "Bucket": bucket.bucket_name,
        "Workflow": workflow.state_machine.state_machine_arn,
        "Secret": webhook.secret_arn,
        "Notifier": notifier.function.function_name,
        "DeadLetters": notifier.dead_letter_queue.queue_url,
    }.items():
        cdk.CfnOutput(stack, f"Output{name}", value=value)
    app.synth()
    with EmbeddedAws(cloud_assembly=assembly, wait_scale=0.02) as aws:
        outputs = _deploy(aws, assembly)
        aws.client("secretsmanager").put_secret_value(
            SecretId=outputs["Secret"], SecretString=f"http://127.0.0.1:{slack.port}/services/T/B/secret"
        )
        yield Deployed(aws=aws, slack=slack, outputs=outputs)


def _deploy(aws: EmbeddedAws, assembly: Path) -> dict[str, str]:
    """What the CDK's command line does with an assembly: publishes the files, then creates the stack."""
    store, formation = aws.client("s3"), aws.client("cloudformation")
    for asset in json.loads((assembly / "Release.assets.json").read_text())["files"].values():
        (destination,) = asset["destinations"].values()
        target = destination["bucketName"].replace("${AWS::AccountId}", aws.account)
        target = target.replace("${AWS::Region}", aws.region)
        if target not in {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}:
            store.create_bucket(Bucket=target)
        source = assembly / asset["source"]["path"]
        store.put_object(
            Bucket=target, Key=destination["objectKey"], Body=_zip(source) if source.is_dir() else source.read_bytes()
        )
        if source.name == "Release.template.json":
            template = f"https://s3.{aws.region}.amazonaws.com/{target}/{destination['objectKey']}"
    formation.create_stack(
        StackName="Release",
        TemplateURL=template,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    formation.get_waiter("stack_create_complete").wait(StackName="Release", WaiterConfig={"Delay": 1})
    (stack,) = formation.describe_stacks(StackName="Release")["Stacks"]
    return {output["OutputKey"].removeprefix("Output"): output["OutputValue"] for output in stack["Outputs"]}


def _zip(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return out.getvalue()


def test_posts_become_a_serving_endpoint_and_then_a_newer_one(deployed: Deployed) -> None:
    first = deployed.run("first", GOOD)
    assert first["status"] == "SUCCEEDED", first
    assert first["entered"][6:9] == ["Endpoint-Describing-Step", "Endpoint-Missing", "Endpoint-Creating-Step"]
    assert first["entered"][-2:] == ["Check", "Released"]
    assert deployed.endpoint()["EndpointConfigName"] == "moderation-test-first"

    name = "second.of this_week-" * 4
    second = deployed.run(name, [*GOOD, "one more"])
    assert second["status"] == "SUCCEEDED", second
    assert second["entered"][6:8] == ["Endpoint-Describing-Step", "Endpoint-Updating-Step"]
    serving = deployed.endpoint()
    assert serving["EndpointStatus"] == "InService"
    assert serving["EndpointConfigName"].startswith("moderation-test-second-of-this-week-")
    assert len(serving["EndpointConfigName"]) <= 63
    assert deployed.slack.told == []

    third = deployed.run(name[:-1] + "_", GOOD)
    assert third["status"] == "SUCCEEDED", third
    assert deployed.endpoint()["EndpointConfigName"] != serving["EndpointConfigName"]


@pytest.mark.parametrize(
    ("name", "order", "state", "reason"),
    [
        ("fails", "fail: the posts make no sense", "Train", "the posts make no sense"),
        ("refused", "auc: 0.4", "Evaluation-Gate", "auc is 0.4, needed at least 0.8"),
        ("unreadable", "answer: 7", "Check", "it is a probability from 0 to 1 as a string"),
    ],
)
def test_a_release_that_fails_is_told_once(deployed: Deployed, name: str, order: str, state: str, reason: str) -> None:
    execution = deployed.run(name, [*GOOD, order])
    assert (execution["status"], execution["error"]) == ("FAILED", "ReleaseFailed")
    assert execution["entered"][-3:] == [state, "NotifySlackFailure", "Failed"]
    assert execution["cause"].startswith(f"{state}: ")
    (message,) = deployed.slack.about(name)
    assert message["text"].startswith(f"moderation-test-release failed in {state}: ")
    assert reason in message["text"]


def test_a_release_without_posts_is_told(deployed: Deployed) -> None:
    execution = deployed.run("nothing", [""])
    assert execution["entered"] == ["Extract", "NotifySlackFailure", "Failed"]
    (message,) = deployed.slack.about("nothing")
    assert "posts.jsonl, line 1: text is" in message["text"]


def test_a_release_that_a_person_stops_is_told_once(deployed: Deployed) -> None:
    arn = deployed.start("stopped", [*GOOD, "sleep: 30"])
    machines = deployed.aws.client("stepfunctions")
    end = time.monotonic() + 30
    while "Train" not in json.dumps(machines.get_execution_history(executionArn=arn)["events"], default=str):
        assert time.monotonic() < end
        time.sleep(0.1)
    machines.stop_execution(executionArn=arn, error="Mistake", cause="the wrong posts")
    (message,) = deployed.slack.about("stopped")
    assert message["text"].startswith("moderation-test-release ended as ABORTED")


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
