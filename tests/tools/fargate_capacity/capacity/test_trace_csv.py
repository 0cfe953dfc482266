from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.trace_csv import CsvColumns, read_trace


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Any]:
    def write_lines(*lines: Any, header: str = "timestamp,requests") -> Any:
        path = tmp_path / "traffic.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    return write_lines


def numbers(trace: Any) -> Any:
    return np.concatenate(list(trace.blocks())).tolist()


def test_reads_requests_a_minute(write: Callable[..., Any]) -> None:
    trace = read_trace(write("2026-11-02T00:00:00Z,5", "2026-11-02T00:01:00Z,7.5"))
    assert numbers(trace) == [5, 7.5]
    assert (trace.start, trace.minutes, trace.gaps) == (datetime(2026, 11, 2, tzinfo=UTC), 2, ())


def test_spreads_a_longer_period_evenly(write: Callable[..., Any]) -> None:
    trace = read_trace(write("2026-11-02T00:00:00Z,10", "2026-11-02T00:05:00Z,20"))
    assert numbers(trace) == [2.0] * 5 + [4.0] * 5


def test_reports_gaps_and_reads_empty_cells_as_such(write: Callable[..., Any]) -> None:
    trace = read_trace(
        write(
            "2026-11-02T00:00:00Z,1",
            "2026-11-02T00:01:00Z,2",
            "2026-11-02T00:02:00Z,",
            "2026-11-02T00:05:00Z,3",
        )
    )
    assert [(gap.start.minute, gap.minutes) for gap in trace.gaps] == [(2, 3)]
    assert np.isnan(numbers(trace)).tolist() == [False, False, True, True, True, False]
    assert [(gap.start.minute, gap.minutes) for gap in trace.part(3, 3).gaps] == [(3, 2)]


def test_blocks_and_parts_are_the_trace(write: Callable[..., Any]) -> None:
    path = write(*(f"2026-11-02T{minute // 60:02}:{minute % 60:02}:00Z,{minute}" for minute in range(100)))
    trace = read_trace(path)
    assert np.concatenate(list(trace.blocks(7))).tolist() == list(range(100))
    assert numbers(trace.part(40, 20)) == list(range(40, 60))
    assert trace.part(40, 20).part(5, 2).block(0, 9).tolist() == [45, 46]


def test_other_columns_and_a_zone_by_name(write: Callable[..., Any]) -> None:
    path = write("2026-11-02 09:00,x,4", "2026-11-02 09:01,x,5", header="when,what,count")
    columns = CsvColumns(timestamp="when", requests="count", zone=ZoneInfo("Asia/Tokyo"))
    trace = read_trace(path, columns=columns)
    assert trace.start == datetime(2026, 11, 2, tzinfo=UTC)


FIRST = "2026-11-02T00:00:00Z,5"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "got no rows"),
        ((FIRST,), "got one row"),
        ((FIRST, "2026-11-02T00:02:00Z,1", "2026-11-02T00:01:00Z,1"), "line 4: .*after a later one: unsorted"),
        ((FIRST, "2026-11-02T00:01:00Z,1", "2026-11-02T00:01:00Z,1"), "line 4: .*a second time"),
        ((FIRST, "2026-11-02T00:01:00Z,-1"), "line 3: got -1 requests"),
        ((FIRST, "2026-11-02T00:01:00Z,nan"), "line 3: got nan requests"),
        ((FIRST, "2026-11-02T00:01:00Z,many"), "line 3: got 'many' requests"),
        ((FIRST, "2026-11-02T09:01:00+09:00,1"), "line 3: .*another time zone"),
        ((FIRST, "2026-11-02T00:01:00,1"), "line 3: .*without a time zone"),
        ((FIRST, "yesterday,1"), "line 3: got the timestamp 'yesterday'"),
        ((FIRST, "2026-11-02T00:01:00Z"), "line 3: got 1 columns"),
        ((FIRST, "2026-11-02T00:01:00Z,1", "2026-11-02T00:02:30Z,1"), "line 4: .*periods of 1 minutes"),
        ((FIRST, "2026-11-02T00:01:00Z,1", "2036-11-02T00:01:00Z,1"), "line 4: .*gaps of at most"),
        ((FIRST, "2026-11-02T00:00:30Z,1"), "0.5 minutes between the first two rows"),
    ],
)
def test_fails_when_the_rows_are_bad(write: Callable[..., Any], lines: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read_trace(write(*lines))
    assert "\n" not in str(raised.value)


def test_fails_when_the_columns_are_wrong(write: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"got the columns time, hits, allowed: timestamp and requests"):
        read_trace(write("1,2", header="time,hits"))


def test_fails_when_the_file_is_empty_absent_or_no_text(write: Callable[..., Any], tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(InputError, match=r"got the columns \(none\)"):
        read_trace(empty)
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(tmp_path / "absent.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"timestamp,requests\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_trace(binary)


def test_fails_when_the_period_is_impossible(write: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="--period: got 0"):
        read_trace(write(FIRST, "2026-11-02T00:01:00Z,1"), period_minutes=0)
