"""Faults of the deployed release and rollback workflows: each state, each fault, what must hold afterwards.

Several endpoints are deployed side by side, and cases run on them at the same time; each test then looks at one case.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from botocore.exceptions import ClientError

from cdk_fargate_sagemaker.monitoring import EndpointAlarms
from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    AthenaUnload,
    EndpointConfiguration,
    EndpointMetrics,
    EndpointScaling,
    EndpointVariant,
    InputChannel,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    ProcessingJob,
    ReviewDecisions,
    TrafficShifting,
    TrainingJob,
    TransformJob,
)
from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.fault import Fault, Kind
from examples.data_quality_check import DataQuality
from tests.constructs.sagemaker.faults.release_cases import STATES as RELEASE_STATES
from tests.constructs.sagemaker.faults.rollback_cases import STATES as ROLLBACK_STATES
from tests.denied_calls import DeniedCalls
from tests.deployed_assembly import deploy
from tests.slack_webhook import SlackWebhook, slack_webhook
from tests.waiting import until

PROGRAM = Path(__file__).parent / "program"
PROJECT = Path(__file__).parents[4]
PAGE = PROJECT / "docs" / "release-faults.md"
# So slow may the machine be; nothing waits for it where it is not.
DEADLINE_S = 120.0
WAIT_SCALE = 0.002
STACK = "Faults"
LANES = "abcd"
# One to go back to, and one to go back from.
GOOD_RELEASES = 2

POSTS = [f"{'bad' if number % 2 else 'fine'} post {number}" for number in range(40)]

FAULTS = (
    "throttling",
    "access denied",
    "service error",
    "job fails",
    "job never ends",
    "endpoint Failed",
    "update rolls back",
    "alarm fires",
    "check disagrees",
    "archive changed",
    "file missing",
    "function times out",
    "abort",
)
INJECTED: dict[str, Kind] = {
    "throttling": "throttling",
    "access denied": "access_denied",
    "service error": "service_error",
    "function times out": "function_timeout",
    "abort": "abort",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault in a state of a machine (`release` or `rollback`).

    `orders` are what programs of the release do wrong, `also` a fault of another state that leads there, `gone` says
    that the endpoint is missing (or `failed`) before. `serves` is what has to answer afterwards: the `old` release, the
    `new` one, or `nothing`. `told` is the state that the alert names, `put_back` that it says what serves again;
    `outcome` is what the record says of the release.
    """

    machine: str
    state: str
    fault: str
    told: str = ""
    status: str = "FAILED"
    serves: str = "old"
    outcome: str | None = "failed"
    orders: dict[str, str] = field(default_factory=dict)
    also: tuple[str, Kind] | None = None
    gone: str = ""
    alerts: int = 1
    put_back: bool = False

    @property
    def id(self) -> str:
        return f"{self.machine}-{self.state}-{self.fault}".replace(" ", "_")

    @property
    def by_hand(self) -> bool:
        """Whether a person starts the rollback; a release is started otherwise, whose rollback may be what fails."""
        return self.machine == "rollback" and self.also is None

    @property
    def ends_at(self) -> str:
        """The state at which what is started goes wrong."""
        return self.state if self.also is None else self.also[0]


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackWebhook]:
    with slack_webhook() as slack:
        yield slack


@dataclass
class Lane:
    """One endpoint with its two workflows, on which one case at a time runs."""

    name: str
    aws: EmbeddedAws
    slack: SlackWebhook
    outputs: dict[str, str]
    orders: Path
    runs: int = 0
    _bad_minutes: list[float] = field(default_factory=list)
    _requests: int = 1

    # ---- doing -----------------------------------------------------------------------------------------------------

    def order(self, orders: dict[str, str]) -> None:
        """What programs do wrong from now on. In one step, as they may be reading."""
        part = self.orders / "orders.part"
        part.write_text(json.dumps(orders))
        part.replace(self.orders / "orders.json")

    def start(self, machine: str, name: str, given: dict[str, Any] | None = None) -> str:
        answer = self.client("stepfunctions").start_execution(
            stateMachineArn=self.machine(machine), name=name, input=json.dumps(given or {})
        )
        return str(answer["executionArn"])

    def ended(self, arn: str) -> dict[str, Any]:
        machines = self.client("stepfunctions")
        found: dict[str, Any] = wait_for(
            lambda: (found := machines.describe_execution(executionArn=arn))["status"] != "RUNNING" and found,
            f"{arn} goes on",
        )
        return found

    def release(self, name: str) -> dict[str, Any]:
        return self.ended(self.start("release", name))

    def quiet(self) -> None:
        """Waits until no execution runs and nobody holds the endpoint."""
        machines = self.client("stepfunctions")

        def still() -> bool:
            return not any(
                machines.list_executions(stateMachineArn=self.machine(machine), statusFilter="RUNNING")["executions"]
                for machine in ("release", "rollback")
            )

        wait_for(still, f"{self.name}: executions go on")

    def raise_alarm(self) -> None:
        """Every request of the last minutes has ended in 5xx."""
        self._bad_minutes = [time.time() - 60 * minute for minute in range(5)]
        self._put_errors(self._bad_minutes, share=1)

    def end_alarm(self) -> None:
        """So many were answered well in the same minutes that those do not count."""
        self._put_errors(self._bad_minutes, share=0)

    def _put_errors(self, minutes: list[float], *, share: int) -> None:
        # Whatever was put into the same minutes before, the average is the last share's.
        self._requests *= 1000
        self.client("cloudwatch").put_metric_data(
            Namespace="AWS/SageMaker",
            MetricData=[
                {
                    "MetricName": "Invocation5XXErrors",
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": self.name},
                        {"Name": "VariantName", "Value": "primary"},
                    ],
                    "Timestamp": minute,
                    "StatisticValues": {
                        "SampleCount": self._requests,
                        "Sum": self._requests * share,
                        "Minimum": share,
                        "Maximum": share,
                    },
                }
                for minute in minutes
            ],
        )

    def let_the_mark_end(self) -> None:
        """Five minutes have gone since a workflow looked at the endpoint."""
        self.client("cloudwatch").set_alarm_state(
            AlarmName=self.alarm("updating"), StateValue="OK", StateReason="no mark any more"
        )

    def remove_endpoint(self, *, failed: bool) -> None:
        """A person deletes the endpoint; `failed`: and makes another, which fails."""
        sagemaker = self.client("sagemaker")
        sagemaker.delete_endpoint(EndpointName=self.name)
        wait_for(lambda: self.endpoint() is None, "the endpoint is still there")
        if failed:
            self.order({"serve": "exit", "model": self.current()})
            sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.current())
            wait_for(lambda: (self.endpoint() or {}).get("EndpointStatus") == "Failed", "the endpoint does not fail")
            self.order({})

    # ---- looking ---------------------------------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def machine(self, machine: str) -> str:
        return self.outputs[f"{self.name.replace('-', '')}{machine}"]

    def alarm(self, which: str) -> str:
        return self.outputs[f"{self.name.replace('-', '')}{which}"]

    def told_by_alarm(self, least: int = 0) -> list[str]:
        """What the endpoint's alarms have told, when all that was published before has arrived."""
        wait_for(lambda: len(self.slack.about(self.alarm("degraded"))) >= least, f"{self.name}: no alarm tells")
        mark = f"end-{self.name}-{time.monotonic_ns()}"
        self.client("sns").publish(TopicArn=self.outputs["topic"], Message=f":{mark}|")
        wait_for(lambda: self.slack.about(mark), "the last message does not arrive")
        return self.slack.about(self.alarm("degraded"))

    def endpoint(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.client("sagemaker").describe_endpoint(EndpointName=self.name)
        except ClientError:
            return None
        return found

    def serving(self) -> str:
        """The model that answers a real invocation, as it should."""
        runtime = self.client("sagemaker-runtime")
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=self.name, ContentType="application/json", Body=json.dumps({"text": "bad post"})
            )
        except ClientError as fault:
            return f"nothing ({fault.response['Error']['Message']})"
        right = json.loads(answer["Body"].read()) == {"predictions": "0.900000"}
        return str(answer["CustomAttributes"]).removeprefix("model=") + ("" if right else ", which answers wrongly")

    def trained(self, release: str) -> Callable[[], bool]:
        """Asks whether a release's training job is complete."""
        sagemaker = self.client("sagemaker")

        def complete() -> bool:
            try:
                job = sagemaker.describe_training_job(TrainingJobName=release)
            except ClientError:
                return False
            return bool(job["TrainingJobStatus"] == "Completed")

        return complete

    def written(self, key: str) -> Callable[[], bool]:
        """Asks whether an object is there."""
        store, bucket = self.client("s3"), self.outputs["bucket"]
        return lambda: "Contents" in store.list_objects_v2(Bucket=bucket, Prefix=key)

    def modelled(self, release: str) -> Callable[[], bool]:
        """Asks whether a release's model was made, as it is after its archive was copied."""
        sagemaker = self.client("sagemaker")
        return lambda: bool(sagemaker.list_models(NameContains=release)["Models"])

    def current(self) -> str:
        parameter = f"/sagemaker/{self.name}/current-release"
        return str(self.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"])

    def entries(self) -> list[dict[str, Any]]:
        items = self.client("dynamodb").query(
            TableName=self.outputs[f"{self.name.replace('-', '')}table"],
            KeyConditionExpression="endpoint = :endpoint",
            ExpressionAttributeValues={":endpoint": {"S": self.name}},
        )["Items"]
        return [{key: next(iter(value.values())) for key, value in item.items()} for item in items]

    def left_behind(self, entries: list[dict[str, Any]]) -> list[str]:
        """Jobs that go on, and models and configurations of which none of the `entries` records a good release."""
        sagemaker = self.client("sagemaker")
        left = []
        for kind in ("Training", "Processing", "Transform"):
            listed = getattr(sagemaker, f"list_{kind.lower()}_jobs")(NameContains=f"{self.name}-")
            left += [
                f"{kind} job {job[f'{kind}JobName']} is {job[f'{kind}JobStatus']}"
                for job in listed[f"{kind}JobSummaries"]
                if job[f"{kind}JobStatus"] in ("InProgress", "Stopping")
            ]
        good = {
            entry["release"]
            for entry in entries
            if entry.get("outcome") in ("released", "rolled_back") and "cleaned" not in entry
        }
        models = {item["ModelName"] for item in sagemaker.list_models(NameContains=f"{self.name}-")["Models"]}
        configurations = {
            item["EndpointConfigName"]
            for item in sagemaker.list_endpoint_configs(NameContains=f"{self.name}-")["EndpointConfigs"]
        }
        left += [f"model {name}" for name in sorted(models - good)]
        return left + [f"endpoint configuration {name}" for name in sorted(configurations - good)]

    def forget_hash(self) -> str:
        """Makes a good release that is not the current one look as if it was recorded before hashes were."""
        release = self.other_release()
        record = record_of(release, self.entries())
        assert record is not None
        assert record["archive_sha256"]
        self.client("dynamodb").update_item(
            TableName=self.outputs[f"{self.name.replace('-', '')}table"],
            Key={"endpoint": {"S": self.name}, "entry": {"S": record["entry"]}},
            UpdateExpression="REMOVE archive_sha256",
        )
        return release

    def told_about(self, execution: str) -> list[str]:
        """What was told about an execution, once something was."""
        return list(wait_for(lambda: self.slack.about(execution), f"nothing is told about {execution}"))

    def settled(self) -> bool:
        return (self.endpoint() or {}).get("EndpointStatus") == "InService"

    def other_release(self) -> str:
        """A good release that is not the current one."""
        current = self.current()
        return next(
            str(entry["release"])
            for entry in self.entries()
            if entry.get("outcome") in ("released", "rolled_back")
            and "cleaning" not in entry
            and entry["release"] != current
        )

    def failed_attempts(self, arn: str, state: str) -> tuple[list[str], bool]:
        """The errors of the attempts at a task, and whether one succeeded in the end."""
        events = self.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)["events"]
        errors, inside, succeeded = [], False, False
        for event in events:
            if "stateEnteredEventDetails" in event:
                inside = event["stateEnteredEventDetails"]["name"] == state
            elif inside and event["type"] == "TaskFailed":
                errors.append(event["taskFailedEventDetails"].get("error", ""))
            elif inside and event["type"] == "TaskSucceeded":
                succeeded = True
        return errors, succeeded


def record_of(release: str, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((entry for entry in entries if entry.get("release") == release and "outcome" in entry), None)


def wait_for(question: Callable[[], Any], otherwise: str) -> Any:
    # Each question costs both sides milliseconds, and many lanes ask.
    return until(question, seconds=DEADLINE_S, longest_pause=0.5, otherwise=otherwise)


# ---- cases -----------------------------------------------------------------------------------------------------------


@dataclass
class Matrix:
    """Runs cases on lanes, and keeps what was wrong with each."""

    lanes: list[Lane]
    slack: SlackWebhook
    problems: dict[str, list[str]] = field(default_factory=dict)
    told: list[tuple[str, str, int]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, all_series: Iterable[list[list[Case]]], prepare: Callable[[Lane], None]) -> None:
        """Begins to run the series, in this order, on whichever lane is free."""
        waiting: queue.Queue[list[list[Case]]] = queue.Queue()
        for series in all_series:
            waiting.put(series)

        def work(lane: Lane) -> None:
            try:
                prepare(lane)
                with contextlib.suppress(queue.Empty):
                    while not self.failures:
                        self._run(Series(lane, waiting.get_nowait()))
            except BaseException as failure:
                self.failures.append(failure)
                raise

        self.threads += [threading.Thread(target=work, args=(lane,), name=lane.name) for lane in self.lanes]
        for thread in self.threads:
            thread.start()

    def problems_of(self, case: Case) -> list[str]:
        """What was wrong with a case, once it has been run."""
        while case.id not in self.problems and any(thread.is_alive() for thread in self.threads):
            time.sleep(0.05)
        if self.failures and case.id not in self.problems:
            raise self.failures[0]
        return self.problems[case.id]

    def end(self) -> None:
        """Returns when nothing runs any more."""
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def alerts_on_top(self) -> list[str]:
        """What was told too often, or by an alarm although a workflow tells; once all has ended it would be here."""
        self.end()
        found = [f"{lane.name}: {told}" for lane in self.lanes for told in lane.told_by_alarm()]
        for case, name, wanted in self.told:
            alerts = self.slack.about(name)
            if len(alerts) != wanted:
                found.append(f"{case}: {len(alerts)} alerts instead of {wanted}: {alerts}")
        return found

    def _run(self, series: Series) -> None:
        for run in series.runs():
            for case in run.cases:
                self.told.append((case.id, run.name, case.alerts))
                self.problems[case.id] = run.problems_of(case)


# Why a state and a fault do not meet. The other faults meet every state.
WHY_NOT = {
    "job fails": ("a", "the state runs no job"),
    "job never ends": ("b", "the state waits for no job and for no endpoint"),
    "endpoint Failed": ("c", "the state makes no endpoint; an update that fails rolls back"),
    "update rolls back": ("d", "the state updates no endpoint"),
    "alarm fires": ("e", "no alarm can roll back an update in this state"),
    "check disagrees": ("f", "the state is no check"),
    "archive changed": ("g", "the state compares no archive with its record"),
    "file missing": ("h", "the state reads no file of a model"),
    "function times out": ("i", "the state calls no function"),
}


def table(cases: list[Case], problems: dict[str, list[str]]) -> str:
    """States and faults as a table in Markdown, with what came out, and why nothing did where nothing could."""
    rows = ["| state | " + " | ".join(FAULTS) + " |", "|---" * (len(FAULTS) + 1) + "|"]
    found = {(case.state, case.fault): "**failed**" if problems[case.id] else "passed" for case in cases}
    missing = set()
    for state in dict.fromkeys(case.state for case in cases):
        cells = []
        for fault in FAULTS:
            if (state, fault) not in found:
                missing.add(fault)
            cells.append(found.get((state, fault)) or f"– ({WHY_NOT[fault][0]})")
        rows.append(f"| `{state}` | " + " | ".join(cells) + " |")
    rows.append("")
    rows += [f"({mark}) {reason}  " for fault, (mark, reason) in WHY_NOT.items() if fault in missing]
    return "\n".join(rows)


def written(page: str, part: str, content: str) -> str:
    """The page with this content between the marks of one of its parts."""
    before, mark, rest = page.partition(f"<!-- {part} -->")
    _, end, after = rest.partition(f"<!-- /{part} -->")
    assert mark, part
    assert end, part
    return f"{before}{mark}\n{content}\n{end}{after}"


@pytest.fixture
def page_says_so(request: pytest.FixtureRequest, matrix: Matrix) -> Callable[[str], bool]:
    """Whether a part of the page shows its results; WRITE_FAULT_MATRIX=1 makes it do so."""

    def check(part: str) -> bool:
        matrix.end()
        shown = table([Case(**case) for case in request.module.PARTS[part]], matrix.problems)
        print(f"\n{part}\n\n{shown}\n")
        if os.environ.get("WRITE_FAULT_MATRIX"):
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), part, shown), encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        return written(page, part, shown) == page

    return check


LONGEST_SERIES = 4
"""How many releases that fail are at most followed by one release without a fault."""


def in_series(cases: Iterable[Case]) -> list[list[list[Case]]]:
    """Series of runs, each run with its cases: a release that fails early is started again by one that fails later.

    Throttling passes by itself, so one run is throttled in every state on its way; other faults have a run each. Alone
    is whatever begins or leaves another system than releases that fail: an endpoint that is gone, and throttling. What
    has to wait for a time limit comes first: the others run meanwhile.
    """
    alone: list[list[list[Case]]] = []
    releases: list[Case] = []
    rollbacks: list[Case] = []
    throttled: dict[Any, list[Case]] = {}
    for case in cases:
        if case.fault == "throttling":
            throttled.setdefault((case.machine, case.also, case.gone), []).append(case)
        elif case.gone:
            alone.append([[case]])
        else:
            (rollbacks if case.by_hand else releases).append(case)
    # A rollback that fails late has gone over to its release: nothing could go back to that again.
    found = [*dealt(releases, RELEASE_STATES, LONGEST_SERIES), *dealt(rollbacks, ROLLBACK_STATES, 2), *alone]
    found.sort(key=lambda series: not any(case.fault == "job never ends" for run in series for case in run))
    return found + [[run] for run in throttled.values()]


def dealt(cases: list[Case], states: Sequence[str], longest: int) -> list[list[list[Case]]]:
    """The cases in series of at most `longest` runs, each of which ends at a state after that of the run before it."""
    ordered = sorted(cases, key=lambda case: states.index(case.ends_at))
    count = -(-len(ordered) // longest)
    return [[[case] for case in ordered[first::count]] for first in range(count)]


class Damage:
    """Replaces an object by `content`, or deletes it, once `after` holds; `mend` puts it back as it was.

    Without a key nothing happens. What a failed release has made is gone by then, and stays so. A state that `holding`
    names is throttled until the object is damaged: it is the one that must not be over before.
    """

    def __init__(
        self,
        lane: Lane,
        key: str = "",
        *,
        content: bytes | None = None,
        after: Callable[[], bool] | None = None,
        holding: str = "",
    ) -> None:
        self._aws, self._s3, self._bucket = lane.aws, lane.client("s3"), lane.outputs["bucket"]
        machine = f"{lane.name}-release"
        self._holds = [Fault(state=holding, kind="throttling", machine=machine, times=None)] if holding else []
        self._key, self._content, self._after = key, content, after
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wait)
        self._kept: bytes | None = None

    def begin(self) -> None:
        """Does it now, or starts to wait for its time."""
        if self._key and self._after is None:
            self._kept = self._s3.get_object(Bucket=self._bucket, Key=self._key)["Body"].read()
            self._do()
        elif self._key:
            for hold in self._holds:
                self._aws.inject(hold)
            self._thread.start()

    def mend(self) -> None:
        self._over.set()
        self._aws.withdraw(*self._holds)
        if self._thread.ident is not None:
            self._thread.join()
        if self._kept is not None:
            self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=self._kept, ChecksumAlgorithm="SHA256")

    def _wait(self) -> None:
        assert self._after is not None
        while not self._over.wait(0.02):
            if self._after():
                self._do()
                return

    def _do(self) -> None:
        if self._content is None:
            self._s3.delete_object(Bucket=self._bucket, Key=self._key)
        else:
            self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=self._content)
        self._aws.withdraw(*self._holds)


@dataclass
class Run:
    """One run of a machine with the faults of its cases. `target` is the release that it makes or goes back to."""

    lane: Lane
    name: str
    cases: list[Case]
    target: str
    old: str = ""
    arn: str = ""
    problems: list[str] = field(default_factory=list)
    attempts: dict[str, list[str]] = field(default_factory=dict)

    def problems_of(self, case: Case) -> list[str]:
        """What was wrong with one of the cases."""
        return self.problems + self.attempts.get(case.id, [])

    def go(self) -> None:
        """Runs, and looks at what that leaves."""
        lane, case = self.lane, self.cases[0]
        self.old = lane.current()
        faults = [self._fault(one) for one in self.cases if one.fault in INJECTED]
        if case.also is not None:
            state, kind = case.also
            faults.append(Fault(state=state, kind=kind, machine=f"{lane.name}-release", times=None))
        if case.gone:
            lane.remove_endpoint(failed=case.gone == "failed")
        damage = self._damage(case, self.target)
        try:
            lane.order(case.orders | {"model": self.target})
            for fault in faults:
                lane.aws.inject(fault)
            damage.begin()
            self.arn = self.start(self.name)
            if case.orders.get("serve") == "hang":
                self._let_go_when_given_up(self.arn)
            if case.fault == "alarm fires":
                self._let_go_in_alarm()
            execution = lane.ended(self.arn)
            if case.fault == "alarm fires":
                lane.end_alarm()
            if case.alerts:
                wait_for(lambda: lane.slack.about(self.name), f"{case.id}: no alert")
            lane.quiet()
            if case.serves != "nothing":
                wait_for(lane.settled, f"{case.id}: the endpoint goes on changing")
        finally:
            lane.aws.withdraw(*faults)
            lane.order({})
            damage.mend()
        self.problems += self._common_problems(case, execution)
        self.attempts = {one.id: self._attempt_problems(one) for one in self.cases}

    def start(self, name: str) -> str:
        """Starts what it runs, by another name where it is to be started again."""
        if self.cases[0].by_hand:
            return self.lane.start("rollback", name, {"release": self.target})
        return self.lane.start("release", name)

    def started_again_by(self, later: Run) -> None:
        """Looks whether a later run has passed the state at which this one ended."""
        state = self.cases[0].ends_at
        errors, passed = self.lane.failed_attempts(later.arn, state)
        if not passed:
            self.problems.append(f"started again, {state} does not succeed: {errors}")

    def recorded(self, entries: list[dict[str, Any]]) -> None:
        """Looks at the record, which may be closed only when another run begins."""
        case = self.cases[0]
        self.problems += self._record_problems(case, record_of(self.old if case.by_hand else self.target, entries))

    def _damage(self, case: Case, release: str) -> Damage:
        lane, kept = self.lane, f"models/{release}/output/model.tar.gz"
        if case.state == "Data-Quality" and case.fault in ("check disagrees", "file missing"):
            posts = f"runs/{self.name}/train/posts.jsonl"
            alike = b"".join(b'{"text": "bad post %d", "label": 1}\n' % number for number in range(20))
            content = alike if case.fault == "check disagrees" else None
            return Damage(lane, posts, content=content, after=lane.written(posts), holding="Data-Quality")
        if case.fault not in ("archive changed", "file missing"):
            return Damage(lane)
        if case.state == "Inputs-Finding-Step":
            return Damage(lane, f"pretrained/{lane.name}/weights")
        if case.state == "Archive-Copying-Step":
            return Damage(lane, f"runs/{self.name}/trained/{release}/output/model.tar.gz", after=lane.trained(release))
        changed = b"another model" if case.fault == "archive changed" else None
        if case.machine == "release":
            modelled = lane.modelled(release)
            return Damage(lane, kept, content=changed, after=modelled, holding="EndpointConfig-Step")
        return Damage(lane, kept, content=changed)

    def _fault(self, case: Case) -> Fault:
        return Fault(
            state=case.state,
            kind=INJECTED[case.fault],
            machine=f"{self.lane.name}-{case.machine}",
            # A function does its work before its time is over; throttling passes.
            when="after" if case.fault == "function times out" else "before",
            times=1 if case.fault in ("throttling", "abort") else None,
        )

    def _let_go_when_given_up(self, arn: str) -> None:
        """A container that never starts holds the endpoint until it ends; nothing can update it before."""
        lane, machines = self.lane, self.lane.client("stepfunctions")

        def given_up() -> bool:
            if machines.describe_execution(executionArn=arn)["status"] != "RUNNING":
                return True
            events = machines.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=3)["events"]
            return "Roll-Back" in json.dumps(events, default=str)

        wait_for(given_up, f"{arn} does not give up")
        lane.order({})

    def _let_go_in_alarm(self) -> None:
        """The new container starts when an alarm of the endpoint fires, so that the update meets it."""
        lane = self.lane
        wait_for(lambda: (lane.endpoint() or {}).get("EndpointStatus") == "Updating", "the endpoint is not updated")
        lane.raise_alarm()
        lane.order({})

    def _common_problems(self, case: Case, execution: dict[str, Any]) -> list[str]:
        lane, found = self.lane, []
        if execution["status"] != case.status:
            found.append(f"ended as {execution['status']}: {execution.get('error')}: {execution.get('cause')}")
        serving = lane.serving()
        wanted = {"old": self.old, "new": self.target, "nothing": "nothing"}[case.serves]
        if serving.partition(" ")[0] != wanted:
            found.append(f"{serving} serves, not {wanted}")
        if case.fault == "alarm fires" and "configured for auto rollback" not in execution.get("cause", ""):
            found.append(f"no alarm took the update back: {execution.get('cause')}")
        alerts = lane.slack.about(self.name)
        if len(alerts) > case.alerts:
            found.append(f"{len(alerts)} alerts instead of {case.alerts}: {alerts}")
        for alert in alerts:
            if case.told not in alert:
                found.append(f"the alert does not say {case.told}: {alert}")
            if case.put_back and f"*Rolled back to*\n{self.old}" not in alert:
                found.append(f"the alert does not say that {self.old} serves again: {alert}")
        return found + lane.left_behind(lane.entries())

    def _record_problems(self, case: Case, record: dict[str, Any] | None) -> list[str]:
        outcome = "rolled_back" if case.by_hand else case.outcome
        if record is None or outcome is None:
            return [] if (record is None) == (outcome is None) else [f"the record is {record}"]
        if record["outcome"] != outcome:
            return [f"the record says {record['outcome']}, not {outcome}: {record.get('failure')}"]
        said = json.dumps(record.get("failure", {}))
        if outcome in ("failed", "stopped") and case.told not in said:
            return [f"the record does not say {case.told}: {said}"]
        return []

    def _attempt_problems(self, case: Case) -> list[str]:
        """Of a state that was throttled: it has to have been tried again, with success."""
        if case.fault != "throttling" or (case.machine == "rollback" and case.also is not None):
            return []
        errors, succeeded = self.lane.failed_attempts(self.arn, case.state)
        return [] if len(errors) == 1 and succeeded else [f"attempts: {errors}, then success: {succeeded}"]


@dataclass
class Series:
    """Runs on one lane, each started after the one before it failed; after the last one comes one without a fault.

    What is wrong with that one, or found after it, is a problem of each of the runs.
    """

    lane: Lane
    cases: list[list[Case]]

    def runs(self) -> list[Run]:
        """Runs all, and returns them with their problems."""
        done: list[Run] = []
        since = 0
        for cases in self.cases:
            self.lane.runs += 1
            name = f"{self.lane.name[-1]}x{self.lane.runs}"
            run = Run(self.lane, name, cases, target="")
            try:
                run.target = self.lane.other_release() if cases[0].by_hand else f"{self.lane.name}-{name}"
                run.go()
                if done[since:]:
                    done[-1].started_again_by(run)
                done.append(run)
            except (AssertionError, ClientError) as failure:
                # Told of these runs alone; the lane goes on.
                done.append(run)
                for each in done[since:]:
                    each.problems.append(f"{cases[0].id}: {failure}")
                since = len(done)
        if done[since:]:
            self._end(done[since:])
        return done

    def _end(self, runs: list[Run]) -> None:
        """Starts the last run once more, without its fault, which has to succeed."""
        lane, last = self.lane, runs[-1]
        found: list[str] = []
        try:
            again = lane.ended(last.start(f"{last.name}again"))
            lane.quiet()
            served = last.target if last.cases[0].by_hand else f"{lane.name}-{last.name}again"
            if again["status"] != "SUCCEEDED":
                found.append(f"starting again ended as {again['status']}: {again.get('error')}: {again.get('cause')}")
            elif (serving := lane.serving()) != served or lane.current() != served:
                found.append(f"started again, {serving} serves and {lane.current()} is recorded, not {served}")
            entries = lane.entries()
            found += lane.left_behind(entries)
            for run in runs:
                run.recorded(entries)
        except (AssertionError, ClientError) as failure:
            found.append(str(failure))
        for run in runs:
            run.problems += found


# ---- deployment ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lanes(
    slack: SlackWebhook, tmp_path_factory: pytest.TempPathFactory, denied_calls: DeniedCalls
) -> Iterator[list[Lane]]:
    """The endpoints, deployed side by side. A lane more is less time and more CPU: it has functions of its own."""
    names = [f"lane-{letter}" for letter in LANES]
    assembly, orders = tmp_path_factory.mktemp("assembly"), tmp_path_factory.mktemp("orders")
    for name in names:
        (orders / name).mkdir()
    synthesise(assembly, names, orders)
    with EmbeddedAws(cloud_assembly=assembly, wait_scale=WAIT_SCALE, sparse_answers=True) as aws:
        outputs = deploy(aws, assembly, STACK)
        aws.client("secretsmanager").put_secret_value(SecretId=outputs["secret"], SecretString=slack.url)
        lines = "".join(json.dumps({"text": text, "label": int(text.startswith("bad"))}) + "\n" for text in POSTS)
        aws.client("s3").put_object(Bucket=outputs["bucket"], Key="posts/posts.jsonl", Body=lines.encode())
        for name in names:
            aws.client("s3").put_object(Bucket=outputs["bucket"], Key=f"pretrained/{name}/weights", Body=b"pretrained")
        make_table(aws.client("glue"), f"s3://{outputs['bucket']}/posts/")
        yield [Lane(name=name, aws=aws, slack=slack, outputs=outputs, orders=orders / name) for name in names]
        assert denied_calls.unexpected(aws) == []


def make_table(glue: Any, location: str) -> None:
    columns = [{"Name": "text", "Type": "string"}, {"Name": "label", "Type": "int"}]
    serialised = {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}
    storage = {"Location": location, "Columns": columns, "SerdeInfo": serialised}
    glue.create_database(DatabaseInput={"Name": "faults"})
    glue.create_table(DatabaseName="faults", TableInput={"Name": "posts", "StorageDescriptor": storage})


def synthesise(assembly: Path, names: list[str], orders: Path) -> None:
    app = cdk.App(outdir=str(assembly))
    stack = cdk.Stack(app, STACK, synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    alerts = AlertsTopic(stack, "Alerts")
    webhook = secretsmanager.Secret(stack, "Webhook")
    SlackNotifier(stack, "Slack", topic=alerts, webhook_secret=webhook)
    bucket = s3.Bucket(stack, "Data", enforce_ssl=True)
    image = ModelImage.from_asset(PROGRAM)
    reviews = ReviewDecisions(table=ReviewQueue(stack, "Reviews").table)
    quality = lambda_.Function(
        stack,
        "Quality",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_asset(str(PROJECT / "examples" / "data_quality")),
        timeout=cdk.Duration.minutes(1),
    )
    bucket.grant_read(quality, "runs/*/train/*")
    outputs = {"bucket": bucket.bucket_name, "secret": webhook.secret_arn, "topic": alerts.topic_arn}
    for name in names:
        folder, key = str(orders / name), name.replace("-", "")
        scaling = EndpointScaling(max_instances=2, invocations_per_instance=1000)
        configuration = EndpointConfiguration(variants=(EndpointVariant(scaling=scaling),))
        alarms = EndpointAlarms(
            stack,
            f"{name.title()}Alarms",
            endpoint=EndpointMetrics(endpoint_name=name, configuration=configuration),
            alerts_topic=alerts,
            # So slow may the machine be: errors are what is tried.
            model_latency=cdk.Duration.minutes(5),
        )
        workflow = ModelReleaseWorkflow(
            stack,
            name.title(),
            endpoint_name=name,
            inference_image=image,
            data_bucket=bucket,
            alerts_topic=alerts,
            source=AthenaUnload(
                query="SELECT text, label FROM posts",
                database="faults",
                tables=["posts"],
                bucket=bucket,
                prefix="posts/",
                reviews=reviews,
            ),
            preprocess=[
                DataQuality(function=quality, least_rows=8, least_percent_of_a_label=20),
                ProcessingJob(image=image, max_runtime=cdk.Duration.minutes(1), environment={"ORDERS": folder}),
            ],
            train=TrainingJob(
                image=image,
                max_runtime=cdk.Duration.minutes(1),
                hyperparameters={"orders": folder},
                channels=[InputChannel(name="pretrained", prefix=f"pretrained/{name}/", remedy="upload it")],
            ),
            evaluate=ModelEvaluation(score_current=TransformJob(max_runtime=cdk.Duration.minutes(1))),
            configuration=configuration,
            traffic_shifting=TrafficShifting.all_at_once(
                bake=cdk.Duration.seconds(0), rollback_alarms=alarms.guardrail_alarms
            ),
            inference_environment={"ORDERS": folder},
            keep_releases=3,
            # Much longer than an update takes, on a slow machine too: polls are scaled, an update is not.
            poll_interval=cdk.Duration.minutes(1),
            in_service_within=cdk.Duration.hours(3),
        )
        outputs |= {
            f"{key}release": workflow.state_machine.state_machine_arn,
            f"{key}rollback": workflow.rollback.state_machine.state_machine_arn,
            f"{key}table": workflow.records.table.table_name,
            f"{key}degraded": alarms.degraded.alarm_name,
            f"{key}updating": alarms.updating.alarm_name,
        }
    for name, value in outputs.items():
        cdk.CfnOutput(stack, f"Output{name}", value=value)
    app.synth()


@pytest.fixture(scope="module")
def all_series(request: pytest.FixtureRequest) -> list[list[list[Case]]]:
    """The cases of the module as they are run: all, or where `-k` selects nothing but tests of cases, those cases."""
    chosen = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = [item for item in chosen if item.module is request.module]
    of_cases: list[Any] = [
        item.callspec.params["case"] for item in chosen if hasattr(item, "callspec") and "case" in item.callspec.params
    ]
    return in_series(of_cases if len(of_cases) == len(chosen) else all_cases(request.module))


@pytest.fixture(scope="module")
def matrix(all_series: list[list[list[Case]]], lanes: list[Lane], slack: SlackWebhook) -> Iterator[Matrix]:
    """All cases of the module, being run."""
    made = Matrix(lanes=lanes, slack=slack)

    def prepare(lane: Lane) -> None:
        for number in range(GOOD_RELEASES):
            # Lanes share a bucket, in which a run has its execution's name.
            ended = lane.release(f"{lane.name[-1]}good{number}")
            assert ended["status"] == "SUCCEEDED", f"{ended.get('error')}: {ended.get('cause')}"

    made.start(all_series, prepare)
    yield made
    made.end()


def all_cases(module: Any) -> list[Case]:
    return [Case(**case) for part in module.PARTS.values() for case in part]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        # As they are run, so that a test waits for little more than its own case.
        cases = [case for series in in_series(all_cases(metafunc.module)) for run in series for case in run]
        metafunc.parametrize("case", cases, ids=[case.id for case in cases])
