from pathlib import Path

import numpy as np
import pytest

from fargate_capacity.csv_series import CsvSeries
from fargate_capacity.dashboard_body import Metric
from fargate_capacity.input_error import InputError

_NAN = float("nan")
_NINE = "2026-11-01T09:00:00Z"


def _metric(stat: str = "Average", period_s: int = 60) -> Metric:
    return Metric(namespace="AWS/ECS", name="CPUUtilization", stat=stat, period_s=period_s)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "series.csv"


def test_a_gap_is_a_gap(path: Path) -> None:
    path.write_text(f"timestamp,cpu\n{_NINE},-1\n2026-11-01T09:01:00Z,\n2026-11-01T18:03:00+09:00,3\n")
    series = CsvSeries(path)
    values = series.values(_metric(), "cpu", 60)
    assert values is not None
    np.testing.assert_array_equal(values[:4], [-1, _NAN, _NAN, 3])


@pytest.mark.parametrize(
    ("stat", "expected"), [("Sum", 15), ("Average", 3), ("p99", 3), ("Maximum", 5), ("Minimum", 1)]
)
def test_rows_of_one_period_are_taken_together_as_the_statistic_has_it(path: Path, stat: str, expected: float) -> None:
    rows = "".join(f"2026-11-01T09:0{minute}:00Z,{minute + 1}\n" for minute in range(5))
    path.write_text(f"timestamp,AWS/ECS/CPUUtilization/{stat}\n{rows}")
    values = CsvSeries(path).values(_metric(stat, 300), None, 300)
    assert values is not None
    assert values.tolist() == [expected]


def test_a_label_comes_before_the_name(path: Path) -> None:
    path.write_text(f"timestamp,AWS/ECS/CPUUtilization/Average,cpu,other\n{_NINE},1,2,3\n")
    series = CsvSeries(path)
    values = series.values(_metric(), "cpu", 60)
    assert values is not None
    assert values.tolist() == [2]
    assert series.columns_not_drawn == ["AWS/ECS/CPUUtilization/Average", "other"]


def test_a_metric_without_a_column_is_told(path: Path) -> None:
    path.write_text(f"timestamp,cpu\n{_NINE},1\n")
    series = CsvSeries(path)
    assert series.values(_metric(), "memory", 60) is None
    assert series.note(_metric(), "memory") == ("series.csv has no column 'memory' or 'AWS/ECS/CPUUtilization/Average'")


def test_a_coarse_file_is_drawn_at_its_own_period(path: Path) -> None:
    path.write_text(f"timestamp,cpu\n{_NINE},1\n2026-11-01T10:00:00Z,2\n2026-11-01T11:00:00Z,3\n")
    series = CsvSeries(path)
    assert series.period_s(_metric()) == 3600
    assert series.window.seconds == 3 * 3600


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "got an empty file"),
        ("time,cpu\n", "got the columns time, cpu, allowed: timestamp and one for each metric"),
        ("timestamp\n", "got no column beside timestamp"),
        ("timestamp,cpu,\n", "got a column without a name"),
        ("timestamp,cpu,cpu\n", "got the column cpu twice"),
        ("timestamp,cpu\n", "got a header and no row"),
        (f"timestamp,cpu\n{_NINE},1,2\n", "line 2: got 3 cells, allowed: 2"),
        (f"timestamp,cpu\n{_NINE},many\n", "line 2: cpu: got 'many', allowed: a number"),
        (f"timestamp,cpu\n{_NINE},nan\n", "line 2: cpu: got 'nan', allowed: a number"),
        ("timestamp,cpu\n2026-11-01 09:00,1\n", "without a zone, allowed: ISO 8601 with a zone"),
        ("timestamp,cpu\nyesterday,1\n", "line 2: timestamp: got 'yesterday'"),
        (f"timestamp,cpu\n{_NINE},1\n\n{_NINE},1\n", "line 4: timestamp: got 2026-11-01T09:00:00Z twice"),
        (f"timestamp,cpu\n{_NINE},1\n2026-11-01T08:00:00Z,1\n", "line 3: timestamp: got 2026-11-01T08:00:00Z after"),
    ],
)
def test_fails_when_the_file_is_not_as_it_should_be(path: Path, text: str, told: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        CsvSeries(path)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_fails_when_the_file_cannot_be_read(path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        CsvSeries(path)
    path.write_bytes(b"timestamp,cpu\n\xff\xfe")
    with pytest.raises(InputError, match="got no CSV in UTF-8"):
        CsvSeries(path)
