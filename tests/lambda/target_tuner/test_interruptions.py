"""Killed between any two calls, the tuner neither loses the live target nor makes a step twice."""

import itertools
import json
import random
from datetime import datetime, timedelta
from typing import Any

import pytest

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def killed_anywhere(tuned: Any, killed: Any, run: Any, recover: Any) -> int:
    """Runs it with a kill before the first call, the second, …, until a run is through; recovers after each."""
    number = 0
    while True:
        number += 1
        tuned.kill_before_call(number)
        try:
            run(number)
        except killed:
            was_killed = True
        else:
            was_killed = False
        tuned.kill_before_call(None)
        recover(number)
        if not was_killed:
            return number


@pytest.mark.usefixtures("short_lease")
def test_a_step_is_made_once_wherever_it_was_interrupted(
    tuned: Any, began: datetime, killed: type[BaseException]
) -> None:
    tuned.configure(ceiling=100, max_latency_ratio=None)
    tuned.report_metrics(began - DAY, began + 19 * DAY)
    tuned.run(began)
    # Each round is one observation; shorter ones make room for as many rounds as there are calls.
    rounds = []

    def at(number: Any) -> Any:
        return began + 2 * DAY + (number - 1) * 6 * HOUR

    def run(number: Any) -> None:
        tuned.run(at(number))

    def recover(number: Any) -> None:
        tuned.run(at(number) + HOUR)
        rounds.append(tuned.targets)
        assert len(set(tuned.targets)) == 1, (number, tuned.targets)
        assert tuned.state["pending"] is None
        assert tuned.targets[0] == 60 + number, (number, tuned.targets)
        told = [message["Subject"].partition(": ")[2] for message in tuned.notified()]
        step = f"target {59 + number} -> {60 + number} % (step)"
        # Killed after it was told and before that was noted, it is told again; it is never left untold.
        assert told in ([step], [step, step]), (number, told)
        labels = [line["label"] for line in tuned.widgets[1]["properties"]["annotations"]["vertical"]]
        assert labels == [f"target {60 + n} → {61 + n} % (tuner: step)" for n in range(number)]
        # As if the observation were over by the next round.
        age(tuned, at(number + 1) - 2 * DAY)

    calls = killed_anywhere(tuned, killed, run, recover)

    assert calls > 20
    assert [action for action, _, _ in tuned.decisions] == ["step"] * calls


@pytest.mark.usefixtures("short_lease")
def test_a_revert_is_made_once_wherever_it_was_interrupted(
    tuned: Any, began: datetime, killed: type[BaseException]
) -> None:
    tuned.configure(ceiling=100, max_latency_ratio=None)
    tuned.report_metrics(began - DAY, began + 19 * DAY)
    tuned.run(began)
    tuned.run(began + 2 * DAY)
    tuned.notified()

    def fired(number: Any) -> Any:
        return began + 3 * DAY + number * 6 * HOUR

    def run(number: Any) -> None:
        tuned.run(fired(number), **tuned.alarm_event(fired(number)))

    def recover(number: Any) -> None:
        # The state machine, or EventBridge, repeats what did not end.
        tuned.run(fired(number), **tuned.alarm_event(fired(number)))
        assert tuned.targets == (60, 60, 60), number
        assert tuned.state["pending"] is None
        told = {message["Subject"].partition(": ")[2] for message in tuned.notified()}
        assert told == {"target 61 -> 60 % (revert)"}, number
        assert tuned.decisions[-1] == ("revert", 61, 60)
        again(tuned, 61, fired(number) + HOUR)

    assert killed_anywhere(tuned, killed, run, recover) > 20


@pytest.mark.usefixtures("short_lease")
@pytest.mark.parametrize("seed", range(2))
def test_a_random_walk_with_kills_keeps_all_places_together(
    tuned: Any, began: datetime, killed: type[BaseException], seed: Any
) -> None:
    chance = random.Random(seed)
    tuned.configure(ceiling=66, max_latency_ratio=None, cool_off_seconds=86_400)
    tuned.report_metrics(began - DAY, began + 19 * DAY)
    tuned.run(began)
    now, highest = began, 60.0
    while now < began + 18 * DAY:
        now += chance.choice([HOUR, 5 * HOUR, DAY])
        event = tuned.alarm_event(now) if chance.random() < 0.15 else {}
        tuned.kill_before_call(chance.choice([None, chance.randrange(1, 30)]))
        try:
            tuned.run(now, **event)
        except killed:
            tuned.kill_before_call(None)
            tuned.run(now, **event)
        assert len(set(tuned.targets)) == 1, (seed, now, tuned.targets)
        assert 60 <= tuned.targets[0] <= min(highest + 1, 66)
        highest = max(highest, tuned.targets[0])
    changes = [(origin, target) for _, origin, target in tuned.decisions if origin != target]
    assert changes
    assert all(before[1] == after[0] for before, after in itertools.pairwise(changes))
    tuned.kill_before_call(None)


def age(tuned: Any, changed_at: Any) -> None:
    """The record, with its latest change at another time."""
    write(tuned, {**tuned.state, "changed_at": changed_at.isoformat()})


def again(tuned: Any, live: Any, changed_at: Any) -> None:
    """The record, and the target in its places, as after a step."""
    write(
        tuned,
        {
            **tuned.state,
            "live": live,
            "before": live - 1,
            "changed_at": changed_at.isoformat(),
            "cool_off_until": None,
            "taken_back": 0.0,
            "failed": None,
            "failures": 0,
        },
    )
    tuned.put_policy(live)
    tuned.client("ssm").put_parameter(Name=tuned.parameter_name, Value=f"{live:g}", Overwrite=True)


def write(tuned: Any, state: Any) -> None:

    tuned.client("dynamodb").update_item(
        TableName=tuned.name,
        Key={"tuner": {"S": tuned.resource["ResourceId"]}, "entry": {"S": "state"}},
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": json.dumps(state)}},
    )
