"""What a rehearsal finds wrong with a system that does not do what it is there for."""

import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from cdk_rehearsal.display import Display
from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.later_releases import LaterReleases
from moderation_rehearsal.report import ModerationReport
from moderation_rehearsal.sample_posts import Post
from moderation_rehearsal.slack_receiver import SlackReceiver
from moderation_rehearsal.stack_outputs import StackOutputs

POSTS = [Post(text=f"post {number}", label=number % 2) for number in range(40)]
TESTED = POSTS[::4]
SUCCEED = {"Evaluation-Gate": {"Type": "Succeed"}}
FAIL = {"Type": "Fail", "Error": "ReleaseFailed", "Cause": "Evaluation-Gate: auc is 0.5"}


@pytest.fixture
def slack() -> Iterator[SlackReceiver]:
    receiver = SlackReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def later(
    embedded_aws: EmbeddedAws, bucket: str, endpoint: str, api: Any, slack: SlackReceiver
) -> Callable[..., LaterReleases]:
    """The later releases of a system whose release workflow has these states, and whose ML API is a stand-in."""

    def make(states: dict[str, Any]) -> LaterReleases:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
        machine = embedded_aws.client("stepfunctions").create_state_machine(
            name=f"machine-{uuid.uuid4().hex[:8]}",
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::123456789012:role/workflow",
        )["stateMachineArn"]
        first = f"first-{uuid.uuid4().hex[:8]}"
        lines = "".join(json.dumps({"text": post.text, "label": post.label}) + "\n" for post in TESTED)
        embedded_aws.client("s3").put_object(Bucket=bucket, Key=f"runs/{first}/test/posts.jsonl", Body=lines.encode())
        return LaterReleases(
            clients=embedded_aws.client,
            outputs=StackOutputs(
                slack_webhook_secret_name="",
                data_bucket_name=bucket,
                posts_prefix=f"{first}/",
                release_workflow_arn=machine,
                endpoint_name=endpoint,
                cluster_name="",
                service_name="",
                rollback_workflow_arn=machine,
            ),
            display=Display(Console(file=io.StringIO())),
            report=ModerationReport(engine="process", environment="dev"),
            slack=slack,
            api_port=api.server.server_port,
            posts=POSTS,
            asked=POSTS,
            first_execution=f"arn:aws:states:us-east-1:123456789012:execution:release:{first}",
            seed=1,
            alive=lambda: embedded_aws.running,
        )

    return make


def _refused() -> dict[str, Any]:
    return {"Evaluation-Gate": {"Type": "Pass", "Next": "Roll-Back"}, "Roll-Back": FAIL}


def test_an_update_that_changes_nothing_is_found(later: Any) -> None:
    with pytest.raises(StepError, match="the endpoint goes on serving first-"):
        later(SUCCEED).update()


def test_a_gate_that_lets_everything_pass_is_found(later: Any) -> None:
    with pytest.raises(StepError, match="the execution ended SUCCEEDED, failing state None; it has to fail in Eval"):
        later(SUCCEED).refuse()


def test_a_request_that_fails_meanwhile_is_found(later: Any, api: Any) -> None:
    api.answer["fallback"] = "deadline"
    releases = later(_refused())
    with pytest.raises(StepError, match="requests failed: answered without the endpoint: deadline"):
        releases.refuse()
    load = releases.report.refused_release.load
    assert (load.failed, load.models) == (load.requests, {})


@pytest.mark.parametrize("count", [1, 2])
def test_an_alert_too_many_is_found(later: Any, slack: SlackReceiver, count: int, monkeypatch: Any) -> None:
    releases = later(_refused())
    serving = releases.clients("sagemaker").describe_endpoint(EndpointName=releases.outputs.endpoint_name)
    # Slack is told while the execution is followed, as the workflow's topic would.
    follow = LaterReleases._follow

    def told(self: LaterReleases, run: Any) -> None:
        follow(self, run)
        slack.messages.extend(["refused"] * count)

    monkeypatch.setattr(LaterReleases, "_follow", told)
    if count == 1:
        releases.refuse()
        run = releases.report.refused_release
        assert (run.failed_state, run.alerts) == ("Evaluation-Gate", ["refused"])
        assert run.before == run.after == serving["EndpointConfigName"]
        assert run.reason.endswith("Evaluation-Gate: auc is 0.5")
    else:
        with pytest.raises(StepError, match="Slack got 2 messages of it instead of 1"):
            releases.refuse()


def test_posts_to_test_with_keep_their_labels(later: Any, embedded_aws: EmbeddedAws, bucket: str) -> None:
    releases = later(SUCCEED)
    with pytest.raises(StepError):
        releases.refuse()
    key = f"{releases.outputs.posts_prefix}posts.jsonl"
    body = embedded_aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    uploaded = {post["text"]: post["label"] for post in map(json.loads, body.splitlines())}
    assert [uploaded[post.text] for post in TESTED] == [post.label for post in TESTED]
    assert sum(uploaded.values()) == sum(post.label for post in POSTS)
    assert uploaded != {post.text: post.label for post in POSTS}
