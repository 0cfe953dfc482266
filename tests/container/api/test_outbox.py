"""The outbox by itself, before receivers that are slow, at fault or hang. Times are those of its own rules."""

import logging
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.waiting import until


class FaultError(Exception):
    """What a receiver raises that takes no post."""


class Taking:
    """A receiver, which takes a post when `take` returns."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.taken: list[str] = []
        self.opens = threading.Event()
        self.opens.set()
        self.at_fault = False

    def take(self, post: str) -> None:
        self.begun.append(post)
        self.opens.wait()
        if self.at_fault:
            raise FaultError
        self.taken.append(post)


@pytest.fixture
def table() -> Taking:
    return Taking()


@pytest.fixture
def queue() -> Taking:
    return Taking()


@pytest.fixture
def lost() -> list[int]:
    return []


@pytest.fixture
def make_outbox(
    api_module: Callable[[str], ModuleType], table: Taking, queue: Taking, lost: list[int]
) -> Callable[..., Any]:
    """An outbox to `table`, and to `queue` for what waits `after_seconds`."""
    module = api_module("outbox")

    def make(after_seconds: float | None = None) -> Any:
        receivers = [module.Receiver(name="table", open=lambda: table.take, faults=(FaultError,))]
        if after_seconds is not None:
            receivers.append(
                module.Receiver(
                    name="queue", open=lambda: queue.take, faults=(FaultError,), after_seconds=after_seconds
                )
            )
        return module.Outbox(
            *receivers, characters=len, request_id=lambda post: f"id-{post.split()[0]}", lost=lost.append
        )

    return make


def later() -> float:
    return time.monotonic() + 60


def test_tells_what_was_taken_and_does_not_wait_out_a_long_deadline(
    make_outbox: Callable[..., Any], table: Taking
) -> None:
    outbox = make_outbox()
    until(lambda: outbox.put(["first"], until=later()))
    table.opens.clear()
    started = time.monotonic()
    assert outbox.put(["second"], until=later()) is False
    assert time.monotonic() - started < 30, "the wait is the outbox's own, not the deadline"
    table.opens.set()
    until(lambda: table.taken == ["first", "second"])


def test_waits_for_nothing_while_there_is_a_backlog(
    make_outbox: Callable[..., Any],
    table: Taking,
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Long enough that one wait is more than the whole test may take.
    monkeypatch.setattr(api_module("outbox"), "WAIT_SECONDS", 0.5)
    table.opens.clear()
    outbox = make_outbox()
    outbox.put([f"{number} is with a sender, or waits" for number in range(20)], until=time.monotonic())
    time.sleep(0.6)
    started = time.monotonic()
    for number in range(40):
        assert outbox.put([f"{number} more"], until=later()) is False
    assert time.monotonic() - started < 20
    table.opens.set()
    until(lambda: len(table.taken) == 60)


def test_hands_over_what_has_waited_as_long_as_it_may(
    make_outbox: Callable[..., Any], table: Taking, queue: Taking
) -> None:
    table.opens.clear()
    outbox = make_outbox(after_seconds=0.3)
    posts = [f"{number}" for number in range(12)]
    for post in posts:
        outbox.put([post], until=time.monotonic())
    # Those that the table's senders have begun are with the table.
    until(lambda: len(table.begun) + len(queue.taken) == 12)
    assert len(queue.taken) >= 8
    assert table.taken == []
    table.opens.set()
    until(lambda: sorted(table.taken + queue.taken) == sorted(posts))


def test_hands_over_at_once_while_the_table_is_at_fault(
    make_outbox: Callable[..., Any], table: Taking, queue: Taking
) -> None:
    table.at_fault = True
    outbox = make_outbox(after_seconds=3600)
    outbox.put(["a", "b"], until=later())
    until(lambda: sorted(queue.taken) == ["a", "b"])
    outbox.put(["c"], until=later())
    until(lambda: sorted(queue.taken) == ["a", "b", "c"])


def test_hands_everything_over_when_the_process_ends(
    make_outbox: Callable[..., Any],
    table: Taking,
    queue: Taking,
    lost: list[int],
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_module("outbox"), "HELD_SECONDS", 600)
    table.opens.clear()
    outbox = make_outbox(after_seconds=3600)
    outbox.put([f"{number}" for number in range(30)], until=time.monotonic())
    until(lambda: len(table.begun) == 4)
    outbox.close()
    until(lambda: len(queue.taken) == 26)
    table.opens.set()
    outbox.drain(until=later())
    assert sorted(table.taken + queue.taken, key=int) == [f"{number}" for number in range(30)]
    assert lost == []


def test_hands_over_what_a_receiver_holds_for_too_long_when_the_process_ends(
    make_outbox: Callable[..., Any], table: Taking, queue: Taking, lost: list[int]
) -> None:
    table.opens.clear()
    outbox = make_outbox(after_seconds=3600)
    outbox.put(["a", "b"], until=time.monotonic())
    until(lambda: len(table.begun) == 2)
    outbox.drain(until=later())
    assert sorted(queue.taken) == ["a", "b"]
    assert lost == []
    table.opens.set()
    until(lambda: sorted(table.taken) == ["a", "b"])
    assert outbox.put(["c"], until=later())


def test_says_which_posts_were_lost(
    make_outbox: Callable[..., Any], table: Taking, queue: Taking, lost: list[int], caplog: Any
) -> None:
    table.opens.clear()
    queue.at_fault = True
    outbox = make_outbox(after_seconds=0)
    outbox.put(["one post", "one more", "two"], until=time.monotonic())
    with caplog.at_level(logging.ERROR, logger="api"):
        logging.getLogger("api").addHandler(caplog.handler)
        outbox.drain(until=time.monotonic() + 0.5)
        logging.getLogger("api").removeHandler(caplog.handler)
    assert lost == [3]
    (line,) = [record for record in caplog.records if record.message == "posts were lost"][:1]
    assert line.fields["posts"] == 3
    assert sorted(line.fields["request_ids"]) == ["id-one", "id-two"]
    assert "more" not in str(line.fields)
    table.opens.set()


def test_is_drained_when_what_was_under_way_has_been_taken(
    make_outbox: Callable[..., Any], table: Taking, lost: list[int]
) -> None:
    table.opens.clear()
    outbox = make_outbox()
    outbox.put(["a"], until=time.monotonic())
    threading.Timer(0.3, table.opens.set).start()
    outbox.drain(until=later())
    assert table.taken == ["a"]
    assert lost == []


def test_takes_no_more_than_memory_may_hold(
    make_outbox: Callable[..., Any], table: Taking, api_module: Callable[[str], ModuleType]
) -> None:
    table.opens.clear()
    outbox = make_outbox()
    most = api_module("outbox").MOST_CHARACTERS
    outbox.put(["a" * most], until=time.monotonic())
    with pytest.raises(api_module("outbox").OutboxFullError):
        outbox.put(["b"], until=time.monotonic())
    table.opens.set()
    until(lambda: len(table.taken) == 1)
    outbox.put(["b"], until=time.monotonic())
    until(lambda: len(table.taken) == 2)
