"""Traffic replayed against the settings before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdk_review.assembly import read_assembly
from cdk_review.report import markdown
from cdk_review.review import review
from cdk_review.traffic_replay import TrafficReplay, replay_both, replay_flags
from fargate_capacity.input_error import InputError
from tests.tools.cdk_review.shop import shop, write_assembly


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two quiet hours, then one with eight times as much."""
    path = tmp_path / "traffic.csv"
    rows = [
        f"2026-11-20T{minute // 60:02}:{minute % 60:02}:00Z,{400 if minute < 120 else 3200}" for minute in range(180)
    ]
    path.write_text("\n".join(["timestamp,requests", *rows]) + "\n")
    return path


def replayed(tmp_path: Path, trace: Path, **changes: dict[str, Any]) -> TrafficReplay:
    after = shop()
    for name, properties in changes.items():
        after["Resources"][name]["Properties"].update(properties)
    base = write_assembly(tmp_path / "base", {"shop": shop()})
    head = write_assembly(tmp_path / "head", {"shop": after})
    return replay_both(base, head, trace=trace, assume=["cpu_ms=40"], latency_limit_ms=500)


def test_replays_both_settings_with_a_range(tmp_path: Path, trace: Path) -> None:
    found = replayed(tmp_path, trace, Count={"MinCapacity": 6})

    assert found.before is not None
    assert found.after is not None
    assert found.after.task_hours.value > found.before.task_hours.value
    assert found.before.task_hours.low < found.before.task_hours.high
    assert found.before.month_dollars is not None
    assert found.requests == 120 * 400 + 60 * 3200


def test_flags_requests_that_are_beyond_the_limit_now(tmp_path: Path, trace: Path) -> None:
    flags = list(
        replay_flags(replayed(tmp_path, trace, Count={"MinCapacity": 1, "MaxCapacity": 2, "ScheduledActions": []}))
    )

    assert {flag.kind for flag in flags} == {"scaling"}
    assert any("are beyond 500 ms instead of" in flag.sentence for flag in flags)


def test_flags_nothing_where_nothing_changes(tmp_path: Path, trace: Path) -> None:
    found = replayed(tmp_path, trace)

    assert found.before == found.after
    assert list(replay_flags(found)) == []


def test_a_page_shows_the_replay(tmp_path: Path, trace: Path) -> None:
    from dataclasses import replace

    found = replayed(tmp_path, trace, Count={"MinCapacity": 3})
    side = read_assembly(tmp_path / "base")

    page = markdown(replace(review(side, side), replay=found))

    assert "| task-hours |" in page
    assert "| dollars per month, on demand |" in page
    assert "20 % less to 20 % more" in page


def test_a_new_service_is_replayed_alone(tmp_path: Path, trace: Path) -> None:
    base = write_assembly(tmp_path / "base", {"other": {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}})
    head = write_assembly(tmp_path / "head", {"shop": shop()})

    found = replay_both(base, head, trace=trace, assume=["cpu_ms=40"])

    assert found.before is None
    assert found.after is not None
    assert found.after.breached_requests is None
    assert "on one side alone" in found.left_out[0]


def test_refuses_what_cannot_be_replayed(tmp_path: Path, trace: Path) -> None:
    base = write_assembly(tmp_path / "base", {"shop": shop()})
    with pytest.raises(InputError, match="what a request costs"):
        replay_both(base, base, trace=trace)
    with pytest.raises(InputError):
        replay_both(base, base, trace=tmp_path / "none.csv", assume=["cpu_ms=40"])
