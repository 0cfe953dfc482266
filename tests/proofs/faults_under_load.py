"""Whether a post that was answered is ever lost: the ML API under load, with faults of all that it depends on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.proofs.faulty_way import FaultyWay
from tests.proofs.proof import PROJECT, Suite

_API = PROJECT / "container" / "api"
_SETTLE_SECONDS = 120.0
_IDLE_SECONDS = 10.0
_CLIENTS = 48


class LostError(Exception):
    """A post that was answered is nowhere, or was counted twice."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """So many flagged posts a second, for so many seconds."""

    per_second: int = 60
    seconds: float = 13.0

    def __str__(self) -> str:
        return f"{self.per_second} flagged a second for {self.seconds:g} s"


@dataclass(kw_only=True)
class Sent:
    """What the clients have of their posts: texts by request id, and how long each answer took."""

    answered: dict[str, str] = field(default_factory=dict)
    unanswered: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2] * 1000 if self.seconds else 0.0


class System:
    """Tasks of the ML API, with an endpoint, a review table and a queue on ways of their own."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self._aws = aws
        self._folder = folder
        name = f"faults-{uuid.uuid4().hex[:8]}"
        port = int(aws.endpoint_url.rpartition(":")[2])
        self.endpoint = FaultyWay(answer=_score)
        self.table = FaultyWay(port=port)
        self.queue = FaultyWay(port=port)
        self.ways = {"endpoint": self.endpoint, "table": self.table, "queue": self.queue}
        self._table_name = name
        aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "post", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "post", "AttributeType": "S"},
                {"AttributeName": "entry", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self._queue_url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        self._tasks: list[Task] = []

    def start_task(self, **settings: str) -> Task:
        environment = {
            "AWS_ENDPOINT_URL": self.endpoint.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.table.url,
            "AWS_ENDPOINT_URL_SQS": self.queue.url,
            "UNSCORED_QUEUE_URL": self._queue_url,
            "REVIEW_TABLE": self._table_name,
            "REVIEW_DRAW_SECRET": "drawn by the proofs alone, and by nobody else",
            "REVIEW_SAMPLE_PERCENT": "0",
            "BREAKER_OPEN_MS": "1000",
            **settings,
        }
        task = Task(self._folder / f"task-{len(self._tasks)}.log", environment)
        self._tasks.append(task)
        return task

    def heal(self) -> None:
        for way in self.ways.values():
            way.heal()

    def stored_texts(self) -> set[str]:
        pages = self._aws.client("dynamodb").get_paginator("scan").paginate(TableName=self._table_name)
        items = [item for page in pages for item in page["Items"]]
        return {item["text"]["S"] for item in items if item["entry"]["S"] == "post"}

    def messages(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = self._aws.client("sqs").get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=names)
        return sum(int(asked["Attributes"][name]) for name in names)

    def settle(self, sent: Sent) -> float:
        """Wait until everything is stored, or nothing comes any more; the seconds until the last post was."""
        started = changed_at = time.monotonic()
        wanted, stored = set(sent.answered.values()), -1
        while time.monotonic() < started + _SETTLE_SECONDS:
            found = len(wanted & self.stored_texts())
            if found != stored:
                stored, changed_at = found, time.monotonic()
            # What a task has in its memory is on its way as well: an empty queue alone says nothing.
            idle = time.monotonic() - changed_at > _IDLE_SECONDS and self.messages() == 0
            if stored == len(wanted) or idle:
                break
            time.sleep(0.2)
        return changed_at - started

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Of every task's log."""
        found = []
        for task in self._tasks:
            for line in task.log.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    content = json.loads(line)
                    if content.get("message") == message:
                        found.append(content)
        return found

    def close(self) -> None:
        for task in self._tasks:
            task.kill()
        for way in self.ways.values():
            way.close()


class Task:
    """One task of the API: the program as its image starts it."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.stop_timeout = int(environment.get("STOP_TIMEOUT_SECONDS", "30"))
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(_API / "start_api.py")],
                cwd=_API,
                env={
                    "PATH": os.environ["PATH"],
                    "AWS_ACCESS_KEY_ID": "test",
                    "AWS_SECRET_ACCESS_KEY": "test",
                    "AWS_REGION": "us-east-1",
                    "ENDPOINT_NAME": "moderation",
                    "HOST": "127.0.0.1",
                    "PORT": str(port),
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        give_up = time.monotonic() + 60
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise LostError(f"the API does not start: {log.read_text()[-500:]}")
            time.sleep(0.05)

    def moderate(self, text: str, request_id: str) -> bool:
        """Whether the post was answered with 200."""
        body = json.dumps({"text": text}).encode()
        headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
        request = urllib.request.Request(f"{self.url}/v1/moderations", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bool(json.loads(answer.read())["flag"] == 1)
        except (OSError, urllib.error.HTTPError, ValueError):
            return False

    def workers(self) -> list[int]:
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def stop(self) -> None:
        """As ECS does: SIGTERM, and SIGKILL when the stop time-out has passed."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(self.stop_timeout)
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done to a system under load.

    breaks: how each way breaks a second after the load began, as {"table": "hanging"}.
    heals_after: the seconds of load after which all is well again; None where the faults outlive the load.
    signals: what one of two workers, or the task, gets in the middle of the load: `worker SIGKILL`, `worker SIGSTOP`
        (for three seconds), `task SIGKILL`.
    stops: whether ECS stops the task at the load's end, while the faults last.
    heals_while_stopping: the seconds after SIGTERM at which all is well again; None where nothing heals before.
    may_lose: whether posts may be lost, all of them named in the log.
    """

    breaks: dict[str, str] = field(default_factory=dict)
    heals_after: float | None = None
    signals: str = ""
    stops: bool = False
    heals_while_stopping: float | None = None
    may_lose: bool = False


def drive(system: System, load: Load, fault: Fault, *, stop_timeout: int) -> str:
    """Put load and fault on a task, let the next one settle what is left, and return what was found, in one line."""
    task = system.start_task(STOP_TIMEOUT_SECONDS=str(stop_timeout))
    _warm_up(system, task)
    sent = Sent()
    sending = threading.Thread(target=_send, args=(task, load, sent))
    sending.start()
    time.sleep(min(1.0, load.seconds / 4))
    for name, how in fault.breaks.items():
        system.ways[name].break_as(how)
    timers = []
    if fault.heals_after is not None:
        timers.append(threading.Timer(fault.heals_after, system.heal))
    if fault.signals:
        timers.append(threading.Timer(load.seconds / 3, _signal, (task, fault.signals)))
    for timer in timers:
        timer.start()
    sending.join()
    for timer in timers:
        timer.join()
    if fault.stops:
        if fault.heals_while_stopping is not None:
            timers.append(threading.Timer(fault.heals_while_stopping, system.heal))
            timers[-1].start()
        task.stop()
    system.heal()
    if fault.stops or fault.signals == "task SIGKILL":
        system.start_task(STOP_TIMEOUT_SECONDS=str(stop_timeout))
    recovery = system.settle(sent)
    return _judge(system, load, fault, sent, recovery)


def _judge(system: System, load: Load, fault: Fault, sent: Sent, recovery: float) -> str:
    stored = system.stored_texts()
    lost = {request_id for request_id, text in sent.answered.items() if text not in stored}
    named = {name for line in system.lines("posts were lost") for name in line.get("request_ids", [])}
    said_unstored = {line["request_id"] for line in system.lines("request") if line.get("stored") is False}
    counts = Counter((line["request_id"], line["place"]) for line in system.lines("late_decision"))
    twice = sum(counts.values()) - len(counts)
    latencies = [line["LateLatency"] for line in system.lines("metrics") if "LateLatency" in line]
    if not sent.answered:
        raise LostError("no post was answered: nothing was tried")
    # Killed, a process says nothing more; but of each post it said whether it had been stored.
    explained = (named if fault.stops else said_unstored) if fault.may_lose else set()
    unexplained = lost - explained
    if unexplained or twice or any(latency < 0 for latency in latencies):
        raise LostError(
            f"{len(lost)} of {len(sent.answered)} lost ({len(unexplained)} unexplained, {len(named)} in the log), "
            f"{twice} decisions counted twice, least LateLatency {min(latencies, default=0)}"
        )
    return (
        f"{load}: {len(sent.answered)} answered (p50 {sent.median_ms:.0f} ms), {len(lost)} lost"
        f"{', all named in the log' if lost else ''}, {twice} counted twice, recovered in {recovery:.0f} s"
    )


def _warm_up(system: System, task: Task) -> None:
    """Both workers have their clients: a fault is of what runs, not of what starts."""
    give_up = time.monotonic() + 60
    for number in range(40):
        task.moderate(f"warm up {number}", f"warm-{number}")
    while len([text for text in system.stored_texts() if text.startswith("warm")]) < 40:
        if time.monotonic() > give_up:
            raise LostError("without a fault the posts are not stored")
        time.sleep(0.1)


def _send(task: Task, load: Load, sent: Sent) -> None:
    began = time.monotonic()
    lock = threading.Lock()

    def one(number: int) -> None:
        time.sleep(max(0.0, began + number / load.per_second - time.monotonic()))
        text, request_id = f"post {number} {uuid.uuid4().hex}", f"load-{number}"
        started = time.monotonic()
        answered = task.moderate(text, request_id)
        seconds = time.monotonic() - started
        with lock:
            if answered:
                sent.answered[request_id] = text
                sent.seconds.append(seconds)
            else:
                sent.unanswered += 1

    with ThreadPoolExecutor(_CLIENTS) as pool:
        for number in range(int(load.per_second * load.seconds)):
            pool.submit(one, number)


def _signal(task: Task, what: str) -> None:
    whom, _, name = what.partition(" ")
    if whom == "task":
        task.kill()
        return
    (worker, *_) = task.workers()
    os.kill(worker, getattr(signal, name))
    if name == "SIGSTOP":
        time.sleep(3)
        os.kill(worker, signal.SIGCONT)


def _score(body: bytes) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-Custom-Attributes": "model=moderation-1"}
    return 200, headers, json.dumps({"predictions": "0.93"}).encode()


@contextlib.contextmanager
def system(folder: Path) -> Iterator[System]:
    """An account of its own, with everything that a task depends on."""
    with EmbeddedAws(work_folder=folder / "aws") as aws:
        made = System(aws, folder)
        try:
            yield made
        finally:
            made.close()


def _case(fault: Fault, load: Load | None = None, stop_timeout: int = 30) -> Callable[[Path], str]:
    return partial(_run, fault=fault, load=load or Load(), stop_timeout=stop_timeout)


def _run(folder: Path, *, fault: Fault, load: Load, stop_timeout: int) -> str:
    with system(folder) as made:
        return drive(made, load, fault, stop_timeout=stop_timeout)


_WHILE = 8.0  # seconds of the load during which a fault that heals lasts
_KINDS = ("slow 400 ms", "throttled", "closed", "hanging")

FAULTS_UNDER_LOAD = Suite(
    name="faults-under-load",
    question=(
        "Does the system ever lose a post that it answered, or count a decision on it twice? The suite runs real "
        "tasks of the ML API on an embedded AWS, with injected faults. Where a post can be lost, the log must have "
        "its request's id."
    ),
    cases={
        **{
            f"{way} {kind}": _case(Fault(breaks={way: kind}, heals_after=_WHILE))
            for way in ("endpoint", "table", "queue")
            for kind in _KINDS
        },
        **{f"table {kind} and the task stops": _case(Fault(breaks={"table": kind}, stops=True)) for kind in _KINDS},
        "endpoint hanging and the task stops": _case(Fault(breaks={"endpoint": "hanging"}, stops=True)),
        "table and queue slow and the task stops": _case(
            Fault(breaks={"table": "slow 400 ms", "queue": "slow 400 ms"}, stops=True)
        ),
        "everything hangs until the task is stopping": _case(
            Fault(breaks=dict.fromkeys(("endpoint", "table", "queue"), "hanging"), stops=True, heals_while_stopping=5)
        ),
        "everything hangs and the task stops": _case(
            Fault(breaks=dict.fromkeys(("endpoint", "table", "queue"), "hanging"), stops=True, may_lose=True),
            stop_timeout=10,
        ),
        "worker gets SIGKILL": _case(Fault(signals="worker SIGKILL", may_lose=True)),
        "worker gets SIGSTOP for 3 s": _case(Fault(signals="worker SIGSTOP")),
        "task gets SIGKILL": _case(Fault(signals="task SIGKILL", may_lose=True)),
        "table slow and a worker gets SIGKILL": _case(
            Fault(breaks={"table": "slow 400 ms"}, heals_after=_WHILE, signals="worker SIGKILL", may_lose=True)
        ),
    },
    samples={
        "table slow 400 ms and the task stops": _case(
            Fault(breaks={"table": "slow 400 ms"}, stops=True), Load(seconds=6), stop_timeout=15
        ),
    },
)
