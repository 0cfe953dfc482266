from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdk_fargate_sagemaker.scaling_decisions import latency_ratio

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CHANGED = datetime(2026, 11, 9, tzinfo=UTC)


def hours(since: Any, until: Any, *, latency: float = 0.1, requests: int = 100) -> dict[datetime, Any]:
    count = round((until - since) / HOUR)
    return {since + index * HOUR: (latency * requests, requests) for index in range(count)}


def ratio(known: Any, *, now: Any, back: Any, changed_at: datetime = CHANGED) -> Any:
    return latency_ratio(known.get, changed_at=changed_at, now=now, back=back)


def test_compares_hours_since_the_change_with_the_same_hours_before() -> None:
    known = hours(CHANGED - 2 * DAY, CHANGED) | hours(CHANGED, CHANGED + 2 * DAY, latency=0.12)
    assert ratio(known, now=CHANGED + 2 * DAY, back=2 * DAY) == pytest.approx(1.2)


def test_never_compares_with_hours_after_the_change() -> None:
    known = hours(CHANGED - 2 * DAY, CHANGED) | hours(CHANGED, CHANGED + 9 * DAY, latency=0.12)
    assert ratio(known, now=CHANGED + 9 * DAY, back=2 * DAY) == pytest.approx(1.2)


def test_weighs_by_requests_and_leaves_out_hours_without_a_counterpart() -> None:
    known = hours(CHANGED - 2 * DAY, CHANGED) | hours(CHANGED, CHANGED + 2 * DAY)
    # A rush that nothing before it is like.
    del known[CHANGED - DAY]
    known[CHANGED + DAY] = (9_000.0, 1000.0)
    assert ratio(known, now=CHANGED + 2 * DAY, back=2 * DAY) == pytest.approx(1)


def test_is_not_known_of_fewer_than_24_hours() -> None:
    known = hours(CHANGED - 23 * HOUR, CHANGED) | hours(CHANGED, CHANGED + 7 * DAY)
    assert ratio(known, now=CHANGED + 7 * DAY, back=7 * DAY) is None
    known |= hours(CHANGED - 24 * HOUR, CHANGED)
    assert ratio(known, now=CHANGED + 7 * DAY, back=7 * DAY) == pytest.approx(1)


def test_a_service_younger_than_a_week_is_compared_as_soon_as_its_own_days_come_round() -> None:
    began = CHANGED - 2 * DAY
    known = hours(began, CHANGED + 7 * DAY)
    assert ratio(known, now=began + 7 * DAY + 23 * HOUR, back=7 * DAY) is None
    assert ratio(known, now=began + 8 * DAY, back=7 * DAY) == pytest.approx(1)


def test_counts_whole_hours_only() -> None:
    changed = CHANGED + timedelta(minutes=20)
    known = hours(CHANGED - 2 * DAY, CHANGED + HOUR) | hours(CHANGED + HOUR, CHANGED + 2 * DAY, latency=0.2)
    assert ratio(known, now=CHANGED + 2 * DAY, back=2 * DAY, changed_at=changed) == pytest.approx(2)


def test_hours_without_requests_are_no_hours() -> None:
    known = hours(CHANGED - 2 * DAY, CHANGED, requests=0) | hours(CHANGED, CHANGED + 2 * DAY)
    assert ratio(known, now=CHANGED + 2 * DAY, back=2 * DAY) is None
