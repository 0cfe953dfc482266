import threading
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]


class Recorder:
    """A model whose probability of a post is its first number, and which can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.may_go = threading.Semaphore(0)

    def predict(self, rows: Sequence[np.ndarray]) -> list[float]:
        self.batches.append([len(row) for row in rows])
        self.entered.release()
        self.may_go.acquire()
        if any(row[0] < 0 for row in rows):
            raise ValueError("negative")
        return [float(row[0]) for row in rows]

    def let_all_go(self) -> None:
        self.may_go.release(10_000)


def _rows(*lengths: int, value: int = 1) -> list[np.ndarray]:
    return [np.full(length, value + number) for number, length in enumerate(lengths)]


def _start(queue: object, rows: list[np.ndarray], into: dict[str, object], name: str) -> threading.Thread:
    def run() -> None:
        try:
            into[name] = queue.run(rows)  # type: ignore[attr-defined]
        except ValueError as error:
            into[name] = str(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("never came true")


def test_answers_in_order_and_groups_like_lengths(load: Load) -> None:
    model = Recorder()
    model.let_all_go()
    queue = load("prediction_queue").PredictionQueue(model.predict, batch_size=3, most_waiting=1)
    assert queue.run(_rows(10, 100, 11, 95, 12, 10, 30)) == [1, 2, 3, 4, 5, 6, 7]
    assert model.batches == [[100, 95], [30], [12, 11, 10], [10]]
    assert queue.run([]) == []


def test_a_request_of_one_post_passes_one_of_many(load: Load) -> None:
    model = Recorder()
    queue = load("prediction_queue").PredictionQueue(model.predict, batch_size=1, most_waiting=5)
    answers: dict[str, object] = {}
    many = _start(queue, _rows(*[10] * 50), answers, "many")
    model.entered.acquire()
    one = _start(queue, _rows(7), answers, "one")
    _wait_for(lambda: len(queue._queue) == 2)
    model.may_go.release(3)
    one.join(timeout=30)
    assert answers == {"one": [1.0]}
    assert model.batches[:3] == [[10], [10], [7]]
    model.let_all_go()
    many.join(timeout=30)
    assert answers["many"] == [float(number + 1) for number in range(50)]


def test_waiting_requests_share_a_batch(load: Load) -> None:
    model = Recorder()
    queue = load("prediction_queue").PredictionQueue(model.predict, batch_size=4, most_waiting=9)
    answers: dict[str, object] = {}
    threads = [_start(queue, _rows(10), answers, "first")]
    model.entered.acquire()
    for number in range(4):
        threads.append(_start(queue, _rows(10 + number, value=number), answers, f"like {number}"))
    threads.append(_start(queue, _rows(90, value=9), answers, "unlike"))
    _wait_for(lambda: len(queue._queue) == 5)
    model.let_all_go()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(map(sorted, model.batches)) == [[10], [10, 11, 12, 13], [90]]
    assert answers == {"first": [1.0], **{f"like {n}": [float(n)] for n in range(4)}, "unlike": [9.0]}


def test_an_error_is_that_of_its_own_batch(load: Load) -> None:
    model = Recorder()
    queue = load("prediction_queue").PredictionQueue(model.predict, batch_size=1, most_waiting=9)
    answers: dict[str, object] = {}
    threads = [_start(queue, _rows(10), answers, "good")]
    model.entered.acquire()
    threads.append(_start(queue, _rows(10, 10, value=-5), answers, "bad"))
    threads.append(_start(queue, _rows(10), answers, "good too"))
    _wait_for(lambda: len(queue._queue) == 2)
    model.let_all_go()
    for thread in threads:
        thread.join(timeout=30)
    assert answers == {"good": [1.0], "bad": "negative", "good too": [1.0]}
    assert queue.run(_rows(3)) == [1.0]


def test_turns_away_what_has_no_place(load: Load) -> None:
    module = load("prediction_queue")
    queue = module.PredictionQueue(lambda rows: [0.0] * len(rows), batch_size=1, most_waiting=1)
    with queue.place(), queue.place(), pytest.raises(module.OverloadedError), queue.place():
        pass
    with queue.place():
        pass


def test_many_threads_get_their_own_answers(load: Load) -> None:
    queue = load("prediction_queue").PredictionQueue(
        lambda rows: [float(row[0]) for row in rows], batch_size=4, most_waiting=99
    )
    answers: dict[str, object] = {}
    threads = [_start(queue, _rows(*range(1, 20), value=100 * n), answers, str(n)) for n in range(40)]
    for thread in threads:
        thread.join(timeout=60)
    assert answers == {str(n): [float(100 * n + k) for k in range(19)] for n in range(40)}


def test_what_nobody_waits_for_is_not_predicted(load: Load) -> None:
    model = Recorder()
    module = load("prediction_queue")
    queue = module.PredictionQueue(model.predict, batch_size=1, most_waiting=30)
    gone = threading.Event()
    ended: list[str] = []

    def ask(rows: list[np.ndarray], wanted: Callable[[], bool]) -> None:
        try:
            queue.run(rows, wanted)
            ended.append("answered")
        except module.AbandonedError:
            ended.append("abandoned")

    leader = threading.Thread(target=ask, args=(_rows(10, 10, 10), lambda: not gone.is_set()))
    leader.start()
    model.entered.acquire()
    others = [threading.Thread(target=ask, args=(_rows(20, 20), lambda: not gone.is_set())) for _ in range(20)]
    honest = threading.Thread(target=ask, args=(_rows(30), lambda: True))
    for thread in (*others, honest):
        thread.start()
    _wait_for(lambda: len(queue._queue) == 22)
    gone.set()
    model.let_all_go()
    for thread in (leader, *others, honest):
        thread.join(10)
    assert sorted(ended) == ["abandoned"] * 21 + ["answered"]
    # The one that was under way, and the one that is waited for.
    assert model.batches == [[10], [30]]
