"""Whether a stack can be destroyed and deployed again into the same account, whatever became of its first life."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from cdk_rehearsal.display import Display
from cdk_rehearsal.rehearsal import Rehearsal, RehearsalSettings
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.story import ModerationStory
from tests.proofs.proof import ProofError, Suite
from tests.proofs.rehearsed import rehearsed

_BEGIN = ("start", "bootstrap")
_LIVE = ("deploy", "upload", "release", "endpoint", "api", "moderate")
_POSTS = 1200
_WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}
# Both of the model's stack, whose first deployment shall fail: a name that it wants is taken.
_TAKEN = "moderation-dev-rollback"
_RUNS_ON = "runs/runs-on/"


class Account(Rehearsal):
    """An account into which the reference system is deployed as often as it takes."""

    def __init__(self, settings: RehearsalSettings, display: Display) -> None:
        self.moderation = ModerationStory(posts=_POSTS, held_out=40, releases="first")
        super().__init__(settings, display, self.moderation)


def destroyed(folder: Path) -> str:
    """With removal_policy destroy nothing of the first life is in the second one's way, or left."""
    with _account(folder) as account:
        account.walk(*_BEGIN, *_LIVE, "destroy")
        first = _require_nothing_left(account)
        account.walk("synthesise", *_LIVE, "destroy")
        second = _require_nothing_left(account)
    return f"two lives, {account.moderation.report.posts_sent} posts moderated in each; left: {first}, {second}"


def kept(folder: Path) -> str:
    """With removal_policy retain data and endpoint stay, priced and told; the second life replaces the endpoint."""
    with _account(folder, "removal_policy=retain") as account:
        account.walk(*_BEGIN, *_LIVE, "destroy")
        told = _messages_with(account, "is kept, and is billed")
        if not any("dollars per hour" in message for message in told):
            raise ProofError(f"no alert says what the endpoint costs: {account.moderation.slack.messages}")
        if account.aws.client("sagemaker").describe_endpoint(EndpointName="moderation-dev")["EndpointStatus"] != (
            "InService"
        ):
            raise ProofError("the endpoint does not serve any more")
        account.walk("synthesise", *_LIVE)
        # The first life's topic is gone, and the second one's is told of what it found.
        left_over = _messages_with(account, "what serves has no record")
        if len(left_over) != 1:
            raise ProofError(f"{len(left_over)} alerts say that what serves has no record, needed 1")
        if account.moderation.report.execution_status != "SUCCEEDED":
            raise ProofError(f"the release ended {account.moderation.report.execution_status}")
        account.walk("destroy")
        unexplained = [f"{left.kind} {left.name}" for left in account.report.left_behind if left.why is None]
        if unexplained:
            raise ProofError(f"left and not explained: {', '.join(unexplained)}")
    return f"the endpoint stayed and was priced, then replaced with one alert; {len(account.report.left_behind)} kept"


def failed_first(folder: Path) -> str:
    """The retry of a first deployment that failed succeeds, releases and moderates."""
    with _account(folder) as account:
        _fail_first_deployment(account)
        account.walk("synthesise", *_LIVE, "destroy")
        left = _require_nothing_left(account)
    return f"failed, deployed again, {account.moderation.report.posts_sent} posts moderated; left: {left}"


def failed_first_only(folder: Path) -> str:
    """The same, without the release, whose training takes the longest."""
    with _account(folder) as account:
        _fail_first_deployment(account)
        account.walk("synthesise", "deploy", "destroy")
        left = _require_nothing_left(account)
    return f"failed, deployed again and destroyed; left: {left}"


def service_only(folder: Path) -> str:
    """After only the service's stack was deleted it is deployed again, and released to and moderated with as before."""
    with _account(folder) as account:
        account.walk(*_BEGIN, *_LIVE)
        account.destroy_stacks("moderation-dev-service")
        account.walk("synthesise", *_LIVE, "destroy")
        left = _require_nothing_left(account)
    return f"the service came back, {account.moderation.report.posts_sent} posts moderated; left: {left}"


def during_release(folder: Path) -> str:
    """A release that runs, and has made an endpoint, keeps nothing from ending."""
    with _account(folder) as account:
        account.walk(*_BEGIN, *_LIVE)
        _start_release(account)
        account.walk("destroy")
        left = _require_nothing_left(account)
        if "aborted" in " ".join(account.moderation.slack.messages).lower():
            raise ProofError(
                f"an alert tells of the release that the deletion stopped: {account.moderation.slack.messages}"
            )
    return f"the stacks ended during a release; left: {left}"


def during_release_kept(folder: Path) -> str:
    """With removal_policy retain, a release that is stopped by the deletion leaves no copy of a post."""
    with _account(folder, "removal_policy=retain") as account:
        account.walk(*_BEGIN, *_LIVE)
        s3, bucket = account.aws.client("s3"), account.moderation.outputs.data_bucket_name
        _start_release(account)
        if not s3.list_object_versions(Bucket=bucket, Prefix=_RUNS_ON).get("Versions"):
            raise ProofError("the release wrote nothing before it trains")
        account.walk("destroy")
        if left := s3.list_object_versions(Bucket=bucket, Prefix=_RUNS_ON).get("Versions"):
            raise ProofError(f"the stopped release left {', '.join(sorted(version['Key'] for version in left))}")
        if account.aws.client("sagemaker").describe_endpoint(EndpointName="moderation-dev")["EndpointStatus"] != (
            "InService"
        ):
            raise ProofError("the endpoint does not serve any more")
    return f"the release was discarded, and the endpoint serves; {len(account.report.left_behind)} kept"


def _start_release(account: Account) -> None:
    """Starts a release, and waits until it trains."""
    states, workflow = account.aws.client("stepfunctions"), account.moderation.outputs.release_workflow_arn
    run = states.start_execution(stateMachineArn=workflow, name="runs-on", input="{}")["executionArn"]
    deadline = time.monotonic() + 60
    while not any(
        event.get("stateEnteredEventDetails", {}).get("name") == "Train"
        for event in states.get_execution_history(executionArn=run, maxResults=200)["events"]
    ):
        if time.monotonic() > deadline:
            raise ProofError("the release does not come to train")
        time.sleep(0.1)


SECOND_LIVES = Suite(
    name="second-lives",
    question=(
        "Can the system be destroyed, deployed again into the same account, release and moderate? The suite runs on "
        "the embedded AWS, which refuses what AWS refuses: names that exist, buckets that are not empty, tables that "
        "are protected."
    ),
    cases={
        "destroyed": destroyed,
        "kept": kept,
        "failed first deployment": failed_first,
        "only the service destroyed": service_only,
        "destroyed while a release runs": during_release,
        "kept while a release runs": during_release_kept,
    },
    samples={"failed first deployment, without a release": failed_first_only},
)


def _account(folder: Path, *context: str) -> contextlib.AbstractContextManager[Account]:
    """A fresh account, with the reference system's dev environment to be deployed into it."""
    return rehearsed(folder, Account, *context)


def _fail_first_deployment(account: Account) -> None:
    account.walk(*_BEGIN)
    states = account.aws.client("stepfunctions")
    role = "arn:aws:iam::123456789012:role/somebody-elses"
    taken = states.create_state_machine(name=_TAKEN, definition=json.dumps(_WAITS), roleArn=role)["stateMachineArn"]
    try:
        account.walk("deploy")
    except StepError:
        pass
    else:
        raise ProofError("the first deployment did not fail")
    status = account.aws.client("cloudformation").describe_stacks(StackName="moderation-dev-model")["Stacks"][0]
    if status["StackStatus"] != "ROLLBACK_COMPLETE":
        raise ProofError(f"the failed stack is {status['StackStatus']}, needed ROLLBACK_COMPLETE")
    states.delete_state_machine(stateMachineArn=taken)


def _messages_with(account: Account, words: str) -> list[str]:
    """Alerts arrive a moment after what they tell."""
    deadline = time.monotonic() + 20
    while not (found := [message for message in account.moderation.slack.messages if words in message]):
        if time.monotonic() > deadline:
            return []
        time.sleep(0.1)
    return found


def _require_nothing_left(account: Account) -> str:
    unexplained = [f"{left.kind} {left.name}" for left in account.report.left_behind if left.why is None]
    if unexplained:
        raise ProofError(f"left and not explained: {', '.join(unexplained)}")
    return f"{len(account.report.left_behind)} of AWS's own" if account.report.left_behind else "nothing"
