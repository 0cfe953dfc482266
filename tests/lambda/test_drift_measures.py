"""Drift is measured with the false alarms that are stated, and found where there is some."""

import datetime
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

BINS = 29
FALSE_DAYS = 1_000


@pytest.fixture(scope="module")
def drifts() -> Iterator[ModuleType]:
    """The pure half, which needs no AWS."""
    folder = str(Path(__file__).parents[2] / "lambda" / "drift_measures")
    sys.path.insert(0, folder)
    yield importlib.import_module("distribution_drift")
    sys.path.remove(folder)


def counts(least: int = 0) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(least, 500), min_size=1, max_size=BINS)


@settings(deadline=None, max_examples=50)
@given(fine=counts(), violation=counts(), served=counts(), share=st.none() | st.floats(0, 1))
def test_bounds_are_around_the_drift_and_within_0_and_1(
    drifts: ModuleType, fine: Any, violation: Any, served: Any, share: Any
) -> None:
    found = drifts.drift({"fine": fine, "violation": violation}, served, violation_share=share)
    nothing_validated = sum(fine) + sum(violation) == 0 if share is None else False
    lacks = share is not None and ((share < 1 and not sum(fine)) or (share > 0 and not sum(violation)))
    if nothing_validated or lacks or not sum(served):
        assert found is None
        return
    assert 0 <= found.at_least <= found.low <= found.value <= found.high <= 1 + 1e-9
    assert found.posts == sum(served)


@settings(deadline=None, max_examples=50)
@given(both=counts(least=1), times=st.integers(1, 50))
def test_the_same_shares_do_not_differ_and_nothing_in_common_differs_by_all(
    drifts: ModuleType, both: Any, times: Any
) -> None:
    validated = {"fine": both, "violation": [0]}
    assert drifts.drift(validated, [times * count for count in both]).value == pytest.approx(0)
    apart = drifts.drift(validated, [0] * len(both) + [7])
    assert apart.value == pytest.approx(1)
    # More posts are surer, of either kind.
    more = {"fine": [times * count for count in both], "violation": [0]}
    assert drifts.drift(more, [0] * len(both) + [7]).at_least >= apart.at_least
    assert drifts.drift(validated, [0] * len(both) + [7 * times]).at_least >= apart.at_least


@settings(deadline=None, max_examples=50)
@given(fine=counts(least=1), violation=counts(least=1), served=counts(least=1))
def test_labels_are_weighted_by_the_share_of_violations(
    drifts: ModuleType, fine: Any, violation: Any, served: Any
) -> None:
    validated = {"fine": fine, "violation": violation}
    as_they_are = sum(violation) / (sum(fine) + sum(violation))
    assert drifts.drift(validated, served, violation_share=as_they_are).value == pytest.approx(
        drifts.drift(validated, served).value
    )
    assert drifts.drift(validated, fine, violation_share=0).value == pytest.approx(0)
    assert drifts.drift(validated, violation, violation_share=1).value == pytest.approx(0)


def shifted(distance: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two distributions over bins, each half of what it could be, that differ by so much at one bin in the middle."""
    before, after = np.zeros(BINS), np.zeros(BINS)
    before[[0, 20]] = 0.5
    after[[0, 20]] = 0.5 - distance, 0.5 + distance
    return before, after


@pytest.mark.parametrize(("validated", "served"), [(30, 100), (200, 1000), (2000, 200)])
def test_an_alarm_is_false_no_more_often_than_is_stated(drifts: ModuleType, validated: int, served: int) -> None:
    """Days at exactly the maximum, by a fixed seed: at most 5 of 1,000 where one is stated, and at most 50 beyond 95 %.

    At one bin, with shares of a half, chance moves the difference most.
    """
    chance = np.random.default_rng(17)
    maximum = 0.2
    before, after = shifted(maximum)
    false = beyond = 0
    for _ in range(FALSE_DAYS):
        profile = {"fine": chance.multinomial(validated, before).tolist(), "violation": [0]}
        found = drifts.drift(profile, chance.multinomial(served, after).tolist())
        false += found.at_least > maximum
        beyond += not found.low <= maximum <= found.high
    assert false <= 5
    assert beyond <= 0.05 * FALSE_DAYS


def test_without_drift_no_day_alarms(drifts: ModuleType) -> None:
    chance = np.random.default_rng(18)
    usual = chance.dirichlet(np.ones(BINS))
    for _ in range(FALSE_DAYS):
        profile = {"fine": chance.multinomial(300, usual).tolist(), "violation": chance.multinomial(60, usual).tolist()}
        assert drifts.drift(profile, chance.multinomial(1000, usual).tolist()).at_least == 0


@pytest.mark.parametrize(
    ("validated", "served", "distance"), [(300, 1000, 0.45), (1200, 1000, 0.35), (5000, 5000, 0.3)]
)
def test_drift_beyond_the_maximum_is_found(drifts: ModuleType, validated: int, served: int, distance: float) -> None:
    """What the docs state: so far from the validation posts it is found on nine days of ten, at a maximum of 20 %."""
    chance = np.random.default_rng(19)
    before, after = shifted(distance)
    found = [
        drifts.drift(
            {"fine": chance.multinomial(validated, before).tolist(), "violation": [0]},
            chance.multinomial(served, after).tolist(),
        ).at_least
        > 0.2
        for _ in range(100)
    ]
    assert sum(found) >= 90


@pytest.fixture
def function(load_function: Callable[[str], ModuleType]) -> ModuleType:
    return load_function("drift_measures")


def day(**kinds: dict[int, int]) -> dict[str, Any]:
    return {kind: Counter(kinds.get(kind, {})) for kind in ("score", "length", "unseen", "stage")}


def test_whole_days_are_taken_until_there_are_enough_posts(function: ModuleType) -> None:
    validated = {kind: {"fine": [50, 50], "violation": [0, 0]} for kind in ("score", "length")}
    few, many = {0: 300, 1: 300}, {0: 1000}
    found = function.drifts(validated, [day(score=few, length=many), day(score=few), day(score={1: 9999})], None)
    assert found["score"].posts == 1200
    assert found["score"].value == pytest.approx(0)
    assert (found["length"].posts, found["length"].value) == (1000, pytest.approx(0.5))
    # Nothing of the validation posts' vocabulary is known.
    assert found.keys() == {"score", "length"}
    assert function.drifts(validated, [day()] * 7, None) == {}


class Tables:
    """Plays DynamoDB for the function's queries; the embedded AWS has its own test."""

    def __init__(self, current: str | None, records: list[dict[str, Any]], counts: dict[tuple[str, str], Any]) -> None:
        self.current, self.records, self.counts = current, records, counts

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {} if self.current is None else {"Item": {"release": {"S": self.current}}}

    def get_paginator(self, _: str) -> "Tables":
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        values = request["ExpressionAttributeValues"]
        if ":endpoint" in values:
            yield {"Items": self.records}
            return
        model = values[":model"]["S"].removesuffix("#")
        found = self.counts.get((values[":day"]["S"].removeprefix("served#"), model), {})
        yield {"Items": [{name: {"N": str(count)} for name, count in found.items()}]}


@pytest.mark.parametrize("current", [None, "without-profile", "record-gone"])
def test_without_anything_to_compare_with_there_is_no_figure(
    function: ModuleType, monkeypatch: pytest.MonkeyPatch, current: str | None
) -> None:
    for name in ("TABLE_NAME", "RELEASES_TABLE", "ENDPOINT_NAME", "METRIC_NAMESPACE"):
        monkeypatch.setenv(name, "x")
    records = [{"release": {"S": "without-profile"}, "model": {"S": "without-profile"}}]
    monkeypatch.setattr(function, "client", lambda service: Tables(current, records, {}))
    assert function.handler({}, None) == {}


def test_a_release_is_compared_with_its_own_posts_alone(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release before served other posts, and was validated on others."""
    for name in ("TABLE_NAME", "RELEASES_TABLE", "ENDPOINT_NAME", "METRIC_NAMESPACE"):
        monkeypatch.setenv(name, "x")
    yesterday = str(datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1))
    today = str(datetime.datetime.now(datetime.UTC).date())

    def record(name: str, bins: list[int]) -> dict[str, Any]:
        listed = {"L": [{"N": str(count)} for count in bins]}
        none = {"L": [{"N": "0"} for _ in bins]}
        return {
            "release": {"S": name},
            "model": {"S": name},
            "validation": {"M": {"score": {"M": {"fine": listed, "violation": none}}}},
        }

    records = [record("new", [0, 500]), record("old", [500, 0])]
    counts = {
        (yesterday, "new"): {"score:01": 2000, "expires": 9},
        (yesterday, "old"): {"score:00": 5000},
        # Not a whole day yet.
        (today, "new"): {"score:00": 5000},
    }
    monkeypatch.setattr(function, "put", lambda *_, **__: None)
    for current in ("new", "old"):
        tables = Tables(current, records, counts)
        monkeypatch.setattr(function, "client", lambda service, tables=tables: tables)
        measures = function.handler({}, None)
        assert measures["ScoreDrift"] == pytest.approx(0)
        assert json.dumps(measures)
    # What the new one serves now is what the old one was validated on.
    counts[(yesterday, "new")] = {"score:00": 2000}
    monkeypatch.setattr(function, "client", lambda service: Tables("new", records, counts))
    assert function.handler({}, None)["ScoreDriftAtLeast"] > 80
