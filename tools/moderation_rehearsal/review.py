"""Posts arrive, reviewers decide on flagged ones, and the second release must have learnt from the decisions."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

from cdk_rehearsal.display import Display
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.local_sign_in import LocalSignIn
from moderation_rehearsal.moderation_client import Moderation, moderate
from moderation_rehearsal.report import MistakesReport, ReviewReport
from moderation_rehearsal.reviewers import REVIEWERS, Label, chromium, review_by_api, review_by_page
from moderation_rehearsal.sample_posts import Post
from moderation_rehearsal.stack_outputs import StackOutputs

SAMPLE_PERCENT = "5"
DECISIONS_A_MINUTE = "6000"


@dataclasses.dataclass(frozen=True, slots=True)
class _Reviewed:
    """A decided post as stored in the table."""

    text: str
    label: int
    probability: float
    flagged: bool

    @property
    def mistaken(self) -> bool:
        return self.flagged != bool(self.label)


@dataclasses.dataclass(slots=True, kw_only=True)
class Review:
    """Each step raises StepError if the system does not behave as required.

    Args:
        clients: creates a boto3 client for a service name.
        table: the reviewers' table.
        sent: the posts that the ML API has already answered.
        arriving: posts to send now.
    """

    clients: Callable[[str], Any]
    outputs: StackOutputs
    display: Display
    report: ReviewReport
    sign_in: LocalSignIn
    table: str
    api_port: int
    api_clients: int
    sent: Sequence[Post]
    arriving: Sequence[Post]
    _mistakes: list[_Reviewed] = dataclasses.field(default_factory=list)

    def review(self) -> None:
        """Two reviewers decide on every waiting post, according to its label.

        Each decides half: a release is refused if most labels are from one reviewer.
        """
        self._moderate(self.arriving)
        labels = {post.text: post.label for post in (*self.sent, *self.arriving)}
        report = self.report
        browser = chromium()
        report.by = "calls" if browser is None else "page"
        if browser is None:
            self.display.note("without chromium and playwright the reviewer sends the page's calls")
        # The sample of posts that were not flagged is stored shortly after the answer.
        turns, in_vain = itertools.cycle(REVIEWERS), 0
        most = -(-sum("label" not in item for item in self._posts()) // len(REVIEWERS))
        while waiting := sum("label" not in item for item in self._posts()):
            made = self._decide(browser, next(turns), most, labels.__getitem__, self._progress(waiting))
            # A post that one reviewer has taken and not decided is not shown to the other.
            in_vain = 0 if made else in_vain + 1
            if in_vain == len(REVIEWERS):
                raise StepError(f"{waiting} posts wait for a reviewer, and none is shown them")
            report.decisions += made
        items = [item for item in self._posts() if "label" in item]
        reviewed, twice = [_reviewed(item) for item in items], sum(map(_judged_twice, items))
        report.labels, report.violations = len(reviewed), sum(post.label for post in reviewed)
        wrong = [post.text for post in reviewed if post.label != labels[post.text]]
        if report.labels + twice != report.decisions or wrong:
            raise StepError(
                f"{report.decisions} decisions, {twice} of them second opinions, made {report.labels} labels, "
                f"{len(wrong)} other than the reviewers'"
            )
        self._mistakes = [post for post in reviewed if post.mistaken]
        self.display.result(
            f"{len(reviewed)} posts reviewed by {'keys on the page' if browser else 'calls'}: {report.violations} "
            f"violations, {len(reviewed) - report.violations} fine, the model was wrong about {len(self._mistakes)}"
        )

    def compare(self, execution: str) -> None:
        """Compares what the execution's release has learnt: by its record and by its model's current answers."""
        record = self._record(execution)
        reviews = record["posts"]["M"]["reviews"]["M"]
        report = self.report
        report.new_labels = int(record["new_labels"]["N"])
        report.held_back = int(reviews["held_back"]["N"])
        report.held_out_auc_before = _auc(record, "current_metrics")
        report.held_out_auc_after = _auc(record, "metrics")
        if report.new_labels != report.labels:
            raise StepError(f"the record says {report.new_labels} new labels; {report.labels} were given")
        self._compare_mistakes(execution.rpartition(":")[2])
        self.display.note(_said(report))

    def _compare_mistakes(self, run: str) -> None:
        model = f"{self.outputs.endpoint_name}-{run}"
        answers = self._moderate([Post(text=post.text, label=post.label) for post in self._mistakes])
        if others := {answer.model for answer in answers} - {model}:
            raise StepError(f"{', '.join(map(str, others))} answers; the release {model} has to")
        says_now = {answer.text: answer for answer in answers}
        learnt = self._trained_with(run)

        def both(posts: Sequence[_Reviewed]) -> tuple[MistakesReport, MistakesReport]:
            now = [says_now[post.text] for post in posts]
            return (
                MistakesReport.of([(post.label, post.probability, post.flagged) for post in posts]),
                MistakesReport.of([(answer.label, answer.probability, bool(answer.flag)) for answer in now]),
            )

        report = self.report
        report.mistakes_before, report.mistakes_after = both(self._mistakes)
        trained = [post for post in self._mistakes if post.text in learnt]
        report.mistakes_trained_with = len(trained)
        before, after = both(trained)
        if trained and not after.mean_error < before.mean_error:
            raise StepError(
                f"on the {before.posts} reviewed posts that the first model got wrong and the second one was trained "
                f"with it is no better: its mean error is {after.mean_error:.3f}, and was {before.mean_error:.3f}"
            )

    def _trained_with(self, run: str) -> set[str]:
        answer = self.clients("s3").get_object(
            Bucket=self.outputs.data_bucket_name, Key=f"runs/{run}/train/posts.jsonl"
        )
        return {json.loads(line)["text"] for line in answer["Body"].read().splitlines()}

    def _decide(
        self, browser: str | None, reviewer: str, most: int, label: Label, progress: Callable[[int], None]
    ) -> int:
        if browser is None:
            return review_by_api(self.api_port, self.sign_in, label, progress, reviewer=reviewer, most=most)
        return review_by_page(self.api_port, self.sign_in, browser, label, progress, reviewer=reviewer, most=most)

    def _moderate(self, posts: Sequence[Post]) -> list[Moderation]:
        answers = moderate(posts, port=self.api_port, clients=self.api_clients, on_answer=self._progress(len(posts)))
        if fallbacks := [answer.fallback for answer in answers if answer.fallback]:
            raise StepError(f"{len(fallbacks)} of {len(posts)} posts were answered without the endpoint")
        return answers

    def _progress(self, total: int) -> Callable[[int], None]:
        return lambda done: self.display.progress(f"{done} of {total}")

    def _posts(self) -> list[dict[str, Any]]:
        pages = self.clients("dynamodb").get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"] if item["entry"]["S"] == "post"]

    def _record(self, execution: str) -> dict[str, Any]:
        pages = (
            self.clients("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.outputs.releases_table_name,
                KeyConditionExpression="endpoint = :endpoint",
                ExpressionAttributeValues={":endpoint": {"S": self.outputs.endpoint_name}},
            )
        )
        for page in pages:
            for item in page["Items"]:
                if item.get("execution", {}).get("S") == execution and "new_labels" in item:
                    found: dict[str, Any] = item
                    return found
        raise StepError(f"no record of {execution} says how many labels were new")


def _reviewed(item: dict[str, Any]) -> _Reviewed:
    return _Reviewed(
        text=item["text"]["S"],
        label=int(item["label"]["N"]),
        probability=float(item["probability"]["N"]),
        flagged=item["flagged"]["BOOL"],
    )


def _judged_twice(item: dict[str, Any]) -> bool:
    return "first_reviewer" in item and item["decided_by"] != item["first_reviewer"]


def _auc(record: dict[str, Any], metrics: str) -> float:
    return round(float(record[metrics]["M"]["auc"]["N"]), 4)


def _said(report: ReviewReport) -> str:
    before, after = report.mistakes_before, report.mistakes_after
    assert before is not None
    assert after is not None
    said = (
        f"{report.new_labels} new labels, {report.held_back} of them held back; held-out AUC "
        f"{report.held_out_auc_before:.4f} → {report.held_out_auc_after:.4f}"
    )
    if not before.posts:
        return f"{said}; the first model was wrong about no reviewed post"
    return (
        f"{said}; of {before.posts} reviewed posts that the first model got wrong, {report.mistakes_trained_with} of "
        f"them trained with, {after.right} are right now, "
        f"mean error {before.mean_error:.2f} → {after.mean_error:.2f}"
    )
