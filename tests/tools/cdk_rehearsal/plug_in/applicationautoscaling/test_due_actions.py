from datetime import UTC, datetime

from cdk_rehearsal.plug_in.applicationautoscaling.due_actions import due_actions

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_what_is_due_comes_in_the_order_of_its_times() -> None:
    actions = [
        {"Schedule": "at(2026-06-01T11:00:00)"},
        {"Schedule": "at(2026-06-01T12:00:01)"},
        {"Schedule": "at(2026-06-01T13:30:00)", "Timezone": "Europe/Berlin"},
        {"Schedule": "at(2026-06-01T10:00:00)", "Timezone": "UTC"},
        {"Schedule": "cron(0 8 * * ? *)"},
        {"Schedule": "rate(1 hour)"},
    ]
    assert [each["Schedule"] for each in due_actions(actions, NOON)] == [
        "at(2026-06-01T10:00:00)",
        "at(2026-06-01T11:00:00)",
        "at(2026-06-01T13:30:00)",
    ]


def test_nothing_is_due_before_its_time() -> None:
    assert due_actions([{"Schedule": "at(2026-06-01T12:00:00)"}], NOON.replace(hour=11)) == []
