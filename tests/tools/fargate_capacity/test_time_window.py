import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fargate_capacity.dashboard_body import DashboardBody, MetricWidget, read_dashboard_body
from fargate_capacity.time_window import TimeWindow, choose_window, widget_window

_DAY = timedelta(days=1)


def _body(*moments: str, **further: Any) -> DashboardBody:
    vertical = [{"value": moment} for moment in moments]
    widget = {"type": "metric", "properties": {"annotations": {"vertical": vertical}}}
    return read_dashboard_body(json.dumps({"widgets": [widget], **further}))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_it_is_as_long_as_the_dashboards_own() -> None:
    assert choose_window(_body()).seconds == 86400
    assert choose_window(_body(start="-PT3H")).seconds == 3 * 3600
    assert choose_window(_body(start="-P1W")).seconds == 7 * 86400
    assert choose_window(_body(start="whenever")).seconds == 86400


def test_it_has_the_latest_annotation_inside() -> None:
    window = choose_window(_body("2026-11-01T10:30:00Z", "2025-01-01T00:00:00Z"))
    assert _at("2026-11-01T10:30:00Z") in window
    assert _at("2025-01-01T00:00:00Z") not in window
    assert window.seconds == 86400
    assert window.end - _at("2026-11-01T10:30:00Z") < _DAY / 4


def test_it_stretches_to_take_in_annotations_that_are_near() -> None:
    near, far = "2026-10-30T10:00:00Z", "2026-10-25T10:00:00Z"
    window = choose_window(_body(far, near, "2026-11-01T10:00:00Z"))
    assert _at(near) in window
    assert _at(far) not in window
    assert window.seconds <= 3 * 86400


def test_two_moments_are_taken_as_they_are() -> None:
    window = choose_window(_body("2026-11-01T00:00:00Z", start="2026-01-01T00:00:00Z", end="2026-01-03T00:00:00Z"))
    assert window == TimeWindow(start=_at("2026-01-01T00:00:00Z"), end=_at("2026-01-03T00:00:00Z"))


def test_points_are_on_multiples_of_the_period() -> None:
    window = TimeWindow(start=_at("2026-11-01T00:02:00Z"), end=_at("2026-11-01T00:21:00Z"))
    grid = window.grid(300)
    assert [datetime.fromtimestamp(int(time), tz=UTC).minute for time in grid] == [5, 10, 15, 20]


def test_fails_when_it_ends_before_it_begins() -> None:
    with pytest.raises(ValueError, match="allowed: after the start"):
        TimeWindow(start=_at("2026-11-02T00:00:00Z"), end=_at("2026-11-01T00:00:00Z"))


def test_a_view_is_as_long_as_it_says_and_has_the_latest_annotation_inside() -> None:
    near, latest = "2026-10-30T10:00:00Z", "2026-11-01T10:30:00Z"
    window = choose_window(_body(near, latest, start="-P1W"), view=_DAY)
    assert window.seconds == 86400
    assert _at(latest) in window
    assert _at(near) not in window
    assert choose_window(_body(start="-P1W"), view=_DAY).seconds == 86400


def test_a_widget_may_show_a_time_of_its_own() -> None:
    window = TimeWindow(start=_at("2026-11-01T00:00:00Z"), end=_at("2026-11-02T00:00:00Z"))

    def shown(start: str | None) -> TimeWindow:
        properties = {} if start is None else {"start": start}
        (widget,) = read_dashboard_body(json.dumps({"widgets": [{"type": "metric", "properties": properties}]})).widgets
        assert isinstance(widget, MetricWidget)
        return widget_window(widget, window)

    assert shown(None) == window
    assert shown("-P15M") == TimeWindow(start=window.end - timedelta(days=450), end=window.end)
    assert shown("-P1M2DT5M").seconds == timedelta(days=32, minutes=5).total_seconds()


def test_a_widget_may_show_two_moments() -> None:
    window = TimeWindow(start=_at("2026-11-01T00:00:00Z"), end=_at("2026-11-02T00:00:00Z"))

    def shown(**properties: str) -> TimeWindow:
        (widget,) = read_dashboard_body(json.dumps({"widgets": [{"type": "metric", "properties": properties}]})).widgets
        assert isinstance(widget, MetricWidget)
        return widget_window(widget, window)

    first, last = _at("2026-06-01T00:00:00Z"), _at("2026-06-03T00:00:00Z")
    assert shown(start=first.isoformat(), end=last.isoformat()) == TimeWindow(start=first, end=last)
    assert shown(start="-PT3H", end=last.isoformat()) == TimeWindow(start=last - timedelta(hours=3), end=last)
    # An end before the start shows nothing that could be drawn.
    assert shown(start=last.isoformat(), end=first.isoformat()) == window
