import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_fargate_sagemaker.monitoring import Change, ChangeLog, ChangeLogError

TOKYO = timezone(timedelta(hours=9))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def read_text(text: str, name: str = "changes.yaml") -> Any:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return ChangeLog.from_file(path)

    return read_text


def test_reads_yaml(read: Callable[..., Any]) -> None:
    log = read(
        "- date: 2026-11-03T09:00:00+09:00\n"
        "  label: target 50 → 51 %\n"
        "  author: 佐藤\n"
        "- date: 2026-11-01 00:00:00Z\n"
        "  label: 4\n"
    )

    assert log.changes == (
        Change(date=datetime(2026, 11, 1, tzinfo=UTC), label="4"),
        Change(date=datetime(2026, 11, 3, 9, tzinfo=TOKYO), label="target 50 → 51 %", author="佐藤"),
    )


def test_reads_json(read: Callable[..., Any]) -> None:
    entries = [{"date": "2026-11-03T09:00:00+09:00", "label": "target 😀", "author": "佐藤"}]

    assert read(json.dumps(entries, indent="\t"), "changes.json").changes == (
        Change(date=datetime(2026, 11, 3, 9, tzinfo=TOKYO), label="target 😀", author="佐藤"),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [("", "log.yaml"), ("# nothing yet\n", "log.yaml"), ("[]", "log.yaml"), ("", "log.json"), ("[]", "log.json")],
)
def test_an_empty_file_is_a_log_without_changes(read: Callable[..., Any], text: str, name: str) -> None:
    assert read(text, name) == ChangeLog()


@given(
    st.lists(
        st.builds(
            Change,
            date=st.datetimes(
                min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.timezones()
            ).map(lambda date: datetime.fromisoformat(date.isoformat())),
            label=st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip),
            author=st.none() | st.text(st.characters(codec="utf-8"), min_size=1),
        ),
        unique_by=lambda change: (change.date, change.label),
    )
)
def test_every_valid_log_is_read_back_from_json(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    path = tmp_path_factory.mktemp("log") / "changes.json"
    entries = [
        {"date": change.date.isoformat(), "label": change.label} | ({"author": change.author} if change.author else {})
        for change in changes
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")

    assert ChangeLog.from_file(path) == ChangeLog(changes=tuple(changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date: 2026-11-01T00:00:00Z", '{"date": "2026-11-01T00:00:00Z"}, allowed: a list of entries'),
        ("- target 51 %", 'entry 1: got "target 51 %", allowed: a mapping with date, label, author'),
        ("- {date: 2026-11-01T00:00:00Z, label: a, who: me}", "entry 1: got the key who, allowed: date, label, author"),
        ("- {date: 2026-11-01T00:00:00Z}", "entry 1: got no label, allowed: an entry with date and label"),
        ("- {label: a}", "entry 1: got no date, allowed: an entry with date and label"),
        ("- {date: 2026-11-01, label: a}", "entry 1: date: got 2026-11-01T00:00:00 without a zone"),
        ("- {date: 2026-11-01T09:00:00, label: a}", "entry 1: date: got 2026-11-01T09:00:00 without a zone"),
        ("- {date: yesterday, label: a}", 'entry 1: date: got "yesterday", allowed: a date and time with its zone'),
        ("- {date: 2026-02-30T00:00:00Z, label: a}", 'entry 1: date: got "2026-02-30T00:00:00Z", allowed: a date'),
        ("- {date: 2026-11-01T00:00:00Z, label: [a]}", 'entry 1: label: got ["a"], allowed: text'),
        ("- {date: 2026-11-01T00:00:00Z, label: ' '}", "entry 1: label: got an empty one, allowed: what changed"),
        ("- {date: 2026-11-01T00:00:00Z, label: a, label: b}", "got the key label twice in one entry"),
        ("- date: 2026-11-01T00:00:00Z\n label: a", "line 2: got invalid YAML"),
        (
            "- {date: 2026-11-01T00:00:00Z, label: a}\n- {date: 2026-11-01T09:00:00+09:00, label: a}",
            "entry 2: got the date and label of entry 1 again, allowed: each change once",
        ),
    ],
)
def test_fails_when_an_entry_is_not_as_it_should_be(
    read: Callable[..., Any], tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ChangeLogError) as raised:
        read(text)

    assert str(raised.value).startswith(f"{tmp_path / 'changes.yaml'}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"date": "2026-11-01T00:00:00Z", "label": true}]', "entry 1: label: got true, allowed: text"),
        ('[{"date": "2026-11-01T00:00:00Z", "label": "a", "label": "b"}]', "got the key label twice in one entry"),
        ("[{]", "line 1: got invalid JSON"),
    ],
)
def test_fails_when_a_json_entry_is_not_as_it_should_be(read: Callable[..., Any], text: str, message: str) -> None:
    with pytest.raises(ChangeLogError) as raised:
        read(text, "changes.json")

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_fails_when_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ChangeLogError, match=r"changes\.yaml: cannot be read: No such file"):
        ChangeLog.from_file(tmp_path / "changes.yaml")
    with pytest.raises(ChangeLogError) as raised:
        ChangeLog.from_file("two\nlines.yaml")
    assert "\n" not in str(raised.value)


def test_fails_when_the_file_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "changes.yaml").write_bytes("- label: 佐藤".encode("shift_jis"))

    with pytest.raises(ChangeLogError, match=r"changes\.yaml: cannot be read: it is not UTF-8"):
        ChangeLog.from_file(tmp_path / "changes.yaml")
