"""The releases after the first: one under load, one refused, one rolled back, and a manual rollback."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cdk_rehearsal.display import Display
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.archive_swap import ArchiveCopy, ArchiveSwap
from moderation_rehearsal.load import Load
from moderation_rehearsal.report import ModerationReport, WorkflowReport
from moderation_rehearsal.sample_posts import Post
from moderation_rehearsal.slack_receiver import SlackReceiver
from moderation_rehearsal.stack_outputs import StackOutputs
from moderation_rehearsal.workflow_execution import WorkflowExecution

_REFUSED_ARCHIVE = "rehearsal/refused/model.tar.gz"
_EXECUTION_SECONDS = 600.0
_ANSWER_SECONDS = 30.0
_ALERT_SECONDS = 20.0
_ECHO_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Run:
    """`told` is how many messages Slack had got before."""

    report: WorkflowReport
    execution: WorkflowExecution
    load: Load
    told: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaterReleases:
    """Each step raises StepError if the system does not behave as required.

    Args:
        clients: creates a boto3 client for a service name.
        posts: all posts; the first release was trained on some of them.
        asked: the posts that the clients send.
        first_execution: the ARN of the first release's execution.
        alive: returns False once the embedded AWS has ended.
    """

    clients: Callable[[str], Any]
    outputs: StackOutputs
    display: Display
    report: ModerationReport
    slack: SlackReceiver
    api_port: int
    posts: Sequence[Post]
    asked: Sequence[Post]
    first_execution: str
    seed: int
    alive: Callable[[], bool]

    def update(self) -> None:
        """A release with more posts replaces the first one while clients continue to send posts."""
        upload_posts(self.clients("s3"), self.outputs, self.posts)
        with self._under_load(self.outputs.release_workflow_arn, "second") as run:
            self.report.second_release = run.report
            self._follow(run)
            run.execution.require_success()
            self._require_another_model(run)
        self._require_every_answer(run)
        self._require_messages(run, 0)
        self.display.result(f"{run.report.before} → {run.report.after}; {_said(run.report)}")

    def refuse(self) -> None:
        """The gate refuses a release of posts from which nothing can be learnt."""
        upload_posts(self.clients("s3"), self.outputs, self._shuffled())
        self.display.note("the labels of the posts to train with are shuffled")
        with self._under_load(self.outputs.release_workflow_arn, "shuffled") as run:
            self.report.refused_release = run.report
            with ArchiveCopy(self.clients, execution=run.execution.name, to=self._refused_archive):
                self._follow(run)
            self._require_failure(run, state="Evaluation-Gate")
        self._require_every_answer(run)
        self._require_messages(run, 1)
        self.display.result(f"refused, {run.report.after} serves; {_said(run.report)}; 1 alert")

    def put_back(self) -> None:
        """A release that serves another model than the evaluated one is detected and rolled back."""
        upload_posts(self.clients("s3"), self.outputs, self.posts)
        refused = self.report.refused_release
        assert refused is not None, "the refused release comes first"
        self.display.note("once it is trained, its model's archive in S3 is replaced by the refused release's")
        with self._under_load(self.outputs.release_workflow_arn, "swapped") as run:
            self.report.put_back_release = run.report
            with ArchiveSwap(self.clients, execution=run.execution.name, archive=self._refused_archive) as swap:
                self._follow(run)
            if swap.swapped is None:
                raise StepError(f"no archive was there to be replaced: {run.execution.why()}")
            self._require_failure(run, state="Check")
        self._require_every_answer(run)
        self._require_messages(run, 1)
        self.display.result(f"put back, {run.report.after} serves; {_said(run.report)}; 1 alert")

    @property
    def _refused_archive(self) -> str:
        """The location of a copy of the refused release's model: the workflow deletes its own."""
        return f"s3://{self.outputs.data_bucket_name}/{_REFUSED_ARCHIVE}"

    def roll_back(self) -> None:
        """Starts the rollback workflow manually with an empty input: the first release serves again."""
        workflow = self.outputs.rollback_workflow_arn
        assert workflow is not None, "these steps are for an app with a rollback workflow"
        with self._under_load(workflow, "by-hand") as run:
            self.report.rollback = run.report
            self._follow(run)
            run.execution.require_success()
            self._require_another_model(run)
        wanted = self.report.second_release.before if self.report.second_release else None
        if run.report.after != wanted:
            raise StepError(f"the endpoint serves {run.report.after}; the release before the current one is {wanted}")
        self._require_every_answer(run)
        self._require_messages(run, 1)
        self._require_outcomes()
        self.display.result(f"{run.report.before} → {run.report.after}; {_said(run.report)}; 1 message")

    @contextlib.contextmanager
    def _under_load(self, workflow: str, purpose: str) -> Iterator[_Run]:
        before, told = self._serving(), len(self.slack.messages)
        with Load(self.asked, port=self.api_port) as load:
            _until(lambda: load.report().requests, _ANSWER_SECONDS)
            began = time.monotonic()
            execution = WorkflowExecution(self.clients("stepfunctions"), workflow, purpose=purpose)
            report = WorkflowReport(execution_arn=execution.arn, before=before, states=execution.states)
            try:
                yield _Run(report, execution, load, told)
            finally:
                report.status, report.failed_state = execution.status, execution.failed_state
                report.seconds = round(time.monotonic() - began, 2)
                report.load = load.report()

    def _follow(self, run: _Run) -> None:
        run.execution.follow(timeout_seconds=_EXECUTION_SECONDS, alive=self.alive, on_state=self.display.state)
        run.report.after = self._serving()

    def _require_another_model(self, run: _Run) -> None:
        """Waits for the first answer of a model that did not answer before the execution."""
        if run.report.after == run.report.before:
            raise StepError(f"the endpoint goes on serving {run.report.before}")
        if not _until(lambda: len(run.load.models) > 1, _ANSWER_SECONDS):
            raise StepError(f"the endpoint has {run.report.after}, but all answers are {_models(run.load.models)}'s")

    def _require_failure(self, run: _Run, *, state: str) -> None:
        run.report.reason = run.execution.why()
        if run.execution.status != "FAILED" or run.execution.failed_state != state:
            raise StepError(
                f"the execution ended {run.execution.status}, failing state {run.execution.failed_state}; it has to "
                f"fail in {state}: {run.report.reason}"
            )
        if run.report.after != run.report.before:
            raise StepError(f"the endpoint serves {run.report.after}, and served {run.report.before} before")
        self.display.note(run.report.reason)

    def _require_every_answer(self, run: _Run) -> None:
        load = run.report.load
        assert load is not None
        if load.failed or not load.requests:
            raise StepError(f"{load.failed} of {load.requests} requests failed: {'; '.join(load.failures)}")

    def _require_messages(self, run: _Run, count: int) -> None:
        """Requires exactly this number of messages: a duplicate would come shortly after the first."""
        _until(lambda: len(self.slack.messages) - run.told >= max(1, count), _ALERT_SECONDS if count else _ECHO_SECONDS)
        if count:
            time.sleep(_ECHO_SECONDS)
        run.report.alerts = self.slack.messages[run.told :]
        for message in run.report.alerts:
            self.display.note(f"Slack: {message}")
        if len(run.report.alerts) != count:
            raise StepError(f"Slack got {len(run.report.alerts)} messages of it instead of {count}")

    def _require_outcomes(self) -> None:
        """Checks the recorded outcome of each rehearsed release."""
        table = self.outputs.releases_table_name
        if table is None:
            return
        runs = (self.report.second_release, self.report.refused_release, self.report.put_back_release)
        wanted = {self.first_execution: "released"} | {
            run.execution_arn: outcome
            for run, outcome in zip(runs, ("rolled_back", "failed", "failed"), strict=True)
            if run is not None
        }
        pages = self.clients("dynamodb").get_paginator("scan").paginate(TableName=table)
        records = [item for page in pages for item in page["Items"] if "outcome" in item]
        found = {item["execution"]["S"]: item["outcome"]["S"] for item in records}
        self.report.release_outcomes = {item["release"]["S"]: item["outcome"]["S"] for item in records}
        for execution, outcome in wanted.items():
            if found.get(execution) != outcome:
                raise StepError(f"the record of {execution} says {found.get(execution)}; it has to say {outcome}")

    def _shuffled(self) -> list[Post]:
        """The posts with the labels of the first release's training posts shuffled."""
        kept = self._held_out_texts()
        labels = [post.label for post in self.posts if post.text not in kept]
        random.Random(self.seed).shuffle(labels)  # nosec B311  # seeded
        remaining = iter(labels)
        return [post if post.text in kept else dataclasses.replace(post, label=next(remaining)) for post in self.posts]

    def _held_out_texts(self) -> set[str]:
        """The first release's test posts; none if its workflow stores them elsewhere."""
        key = f"runs/{self.first_execution.rpartition(':')[2]}/test/posts.jsonl"
        try:
            answer = self.clients("s3").get_object(Bucket=self.outputs.data_bucket_name, Key=key)
        except ClientError:
            return set()
        return {json.loads(line)["text"] for line in answer["Body"].read().decode().splitlines() if line.strip()}

    def _serving(self) -> str:
        """The endpoint configuration in service. Raises StepError unless the endpoint is in service."""
        name = self.outputs.endpoint_name
        described = self.clients("sagemaker").describe_endpoint(EndpointName=name)
        if described["EndpointStatus"] != "InService":
            reason = described.get("FailureReason", "no reason given")
            raise StepError(f"endpoint {name} is {described['EndpointStatus']}: {reason}")
        serving: str = described["EndpointConfigName"]
        return serving


def upload_posts(s3: Any, outputs: StackOutputs, posts: Sequence[Post]) -> None:
    """Replaces the posts uploaded before."""
    lines = (json.dumps(dataclasses.asdict(post), ensure_ascii=False) for post in posts)
    s3.put_object(
        Bucket=outputs.data_bucket_name,
        Key=f"{outputs.posts_prefix.rstrip('/')}/posts.jsonl",
        Body="\n".join(lines).encode(),
    )


def _until(question: Callable[[], Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _said(report: WorkflowReport) -> str:
    load = report.load
    assert load is not None
    return (
        f"{load.requests:,} requests in {load.seconds:.1f} s, {load.failed} failed, answered by {_models(load.models)}"
    )


def _models(models: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in models.items()) or "none"
