"""Traffic as people have it: every form of the same minutes is the same trace."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fargate_capacity.input_error import InputError
from fargate_capacity.traffic.trace_csv import CsvColumns
from fargate_capacity.traffic.traffic_file import read_traffic

START = datetime(2026, 6, 1, tzinfo=UTC)
COUNTS = [15_000.0, 16_500.0, 900.0, 0.0, 15_250.0]
TIMES = [START + timedelta(minutes=minute) for minute in range(len(COUNTS))]


def get_metric_data() -> Any:
    newest_first = list(zip(TIMES, COUNTS, strict=True))[::-1]
    result = {
        "Id": "requests",
        "Label": "RequestCount",
        "Timestamps": [time.isoformat() for time, _ in newest_first],
        "Values": [count for _, count in newest_first],
        "StatusCode": "Complete",
    }
    cpu = {"Id": "cpu", "Label": "CPUUtilization", "Timestamps": result["Timestamps"], "Values": [50.0] * len(COUNTS)}
    return json.dumps({"MetricDataResults": [cpu, result], "Messages": []})


def get_metric_statistics() -> Any:
    shuffled = [3, 1, 4, 0, 2]
    points = [{"Timestamp": TIMES[place].isoformat(), "Sum": COUNTS[place], "Unit": "Count"} for place in shuffled]
    return json.dumps({"Label": "RequestCount", "Datapoints": points})


def prometheus() -> Any:
    values = [[time.timestamp(), str(count)] for time, count in zip(TIMES, COUNTS, strict=True)]
    result = [{"metric": {"job": "web"}, "values": values}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def console() -> str:
    rows = [f'{time:%Y/%m/%d %H:%M:%S},"{count:,.0f}"' for time, count in zip(TIMES, COUNTS, strict=True)]
    return "\n".join(["Full label,RequestCount app/web/1", "Label,RequestCount", *rows[::-1]]) + "\n"


def epoch(scale: Any) -> str:
    rows = [f"{time.timestamp() * scale:.0f},{count}" for time, count in zip(TIMES, COUNTS, strict=True)]
    return "\n".join(["timestamp,requests", *rows])


def thousands() -> str:
    rows = [f'{time.isoformat()},"{count:,.1f}"' for time, count in zip(TIMES, COUNTS, strict=True)]
    return "\n".join(["timestamp,requests", *rows])


def semicolons() -> str:
    rows = [f"{time.isoformat()};{count:.0f}" for time, count in zip(TIMES, COUNTS, strict=True)]
    return "\n".join(["timestamp;requests", *rows])


FORMS = {
    "get-metric-data": get_metric_data,
    "get-metric-statistics": get_metric_statistics,
    "query_range": prometheus,
    "console": console,
    "epoch seconds": lambda: epoch(1),
    "epoch milliseconds": lambda: epoch(1000),
    "thousands": thousands,
    "semicolons": semicolons,
}


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_minutes_is_the_same_trace(tmp_path: Path, form: Any, is_compressed: bool) -> None:
    path = tmp_path / "traffic"
    text = FORMS[form]().encode()
    path.write_bytes(gzip.compress(text) if is_compressed else text)
    trace = read_traffic(path)
    assert (trace.start, trace.minutes, trace.gaps) == (START, 5, ())
    assert np.concatenate(list(trace.blocks())).tolist() == COUNTS


def test_the_consoles_times_are_utc_and_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "graph.csv"
    path.write_text(console())
    assert "taken as UTC" in read_traffic(path).notes[0]
    trace = read_traffic(path, columns=CsvColumns(zone=ZoneInfo("Asia/Tokyo")))
    assert (trace.start, trace.notes) == (START - timedelta(hours=9), ())


def test_a_rate_is_turned_into_counts_and_seconds_are_added_up(tmp_path: Path) -> None:
    values = [[START.timestamp() + 15 * place, "10"] for place in range(12)] + [[START.timestamp() + 180, "NaN"]]
    result = [{"metric": {}, "values": values}]
    path = tmp_path / "rate.json"
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    assert read_traffic(path, is_per_second=True).block(0, 9).tolist() == [600.0] * 3
    assert read_traffic(path).block(0, 9).tolist() == [40.0] * 3


def test_the_series_of_one_prometheus_query_are_added_up(tmp_path: Path) -> None:
    result = [
        {"metric": {"pod": pod}, "values": [[START.timestamp() + 60 * place, str(count)] for place in range(3)]}
        for pod, count in (("a", 10), ("b", 5))
    ]
    path = tmp_path / "pods.json"
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    trace = read_traffic(path)
    assert (trace.block(0, 9).tolist(), trace.notes) == ([15.0] * 3, ("2 series are added up",))
    assert read_traffic(path, columns=CsvColumns(requests="b")).block(0, 9).tolist() == [5.0] * 3


def test_fails_when_several_metrics_might_be_the_requests(tmp_path: Path) -> None:
    results = [{"Id": name, "Timestamps": [START.isoformat()], "Values": [1]} for name in ("a", "b")]
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"MetricDataResults": results}))
    with pytest.raises(InputError, match=r"got 2 series \(a, b\), allowed: one; choose it with --requests-column"):
        read_traffic(path)


def test_a_period_without_a_datapoint_is_a_gap(tmp_path: Path) -> None:
    points = [{"Timestamp": (START + timedelta(minutes=5 * n)).isoformat(), "Sum": 10} for n in (0, 1, 3)]
    path = tmp_path / "sums.json"
    path.write_text(json.dumps({"Label": "RequestCount", "Datapoints": points}))
    trace = read_traffic(path)
    assert [(gap.start, gap.minutes) for gap in trace.gaps] == [(START + timedelta(minutes=10), 5)]
    assert (trace.minutes, trace.period_minutes, trace.missing_minutes) == (20, 5, 5)


def line_of(time: Any, kind: str = "h2") -> str:
    return (
        f"{kind} {time:%Y-%m-%dT%H:%M:%S.%f}Z app/web/1 192.0.2.1:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
        '"GET https://example.com:443/ HTTP/2.0" "curl" - - - "-" "-" "-" 0 - "-" "-" "-" "-" "-" "-" "-"\n'
    )


def test_counts_the_lines_of_a_folder_of_access_logs(tmp_path: Path) -> None:
    day = tmp_path / "logs" / "2026" / "06" / "01"
    day.mkdir(parents=True)
    for part, minutes in enumerate(((0, 0, 1), (1, 4, 4, 4))):
        text = "".join(line_of(START + timedelta(minutes=minute, seconds=7)) for minute in minutes)
        (day / f"part-{part}.log.gz").write_bytes(gzip.compress(text.encode()))
    (day / "README").write_text("not a log\n")
    trace = read_traffic(tmp_path / "logs")
    assert trace.start == START
    assert trace.block(0, 9).tolist() == [2, 2, 0, 0, 3]
    assert trace.notes == ("1 lines are no requests and do not count",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"Items": []}', "got JSON of another shape"),
        ("{", "cannot be read as JSON"),
        ('{"MetricDataResults": []}', "got no datapoint"),
        ('{"Label": "x", "Datapoints": [{"Timestamp": "yesterday", "Sum": 1}]}', "a datapoint that cannot be read"),
        ("Label,a,b\n2026/06/01 00:00:00,1,2\n", "got 2 series (a, b)"),
        ("\x00\x01\x02", "got the columns"),
        ("timestamp,requests\n" + "x" * 500 + ",1\n", "got the timestamp"),
        (",".join(f"a rather long column {n}" for n in range(50)) + "\n1\n", "got the columns"),
    ],
)
def test_fails_in_one_line_of_at_most_200_characters(tmp_path: Path, content: str, message: str) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    path = folder / "traffic"
    path.write_text(content)
    with pytest.raises(InputError) as raised:
        read_traffic(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(f"fargate-capacity: {raised.value}") <= 200


def test_fails_when_a_compressed_file_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv.gz"
    path.write_bytes(gzip.compress(thousands().encode())[:30])
    with pytest.raises(InputError, match="cannot be read"):
        read_traffic(path)
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.log.gz").write_bytes(gzip.compress(line_of(START).encode())[:30])
    with pytest.raises(InputError, match=r"a\.log\.gz: cannot be read"):
        read_traffic(folder)


@pytest.mark.parametrize(
    "point", ['{"Timestamp": "2026-06-01T00:00:00Z", "Unit": "Count"}', '{"Sum": 1}', "[]", "null", '"x"']
)
def test_fails_when_a_datapoint_is_none(tmp_path: Path, point: str) -> None:
    path = tmp_path / "sums.json"
    path.write_text(f'{{"Label": "RequestCount", "Datapoints": [{point}]}}')
    with pytest.raises(InputError, match="a datapoint that cannot be read"):
        read_traffic(path)


def test_fails_when_a_folder_has_no_logs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got 0 requests in 0 files, allowed: an ALB's access logs"):
        read_traffic(tmp_path)
