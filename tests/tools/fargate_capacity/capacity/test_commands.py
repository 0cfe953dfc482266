import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws

OPTIONS = ["--assume", "cpu_ms=50", "--assume", "skew=1.1", "--latency-limit-ms", "500"]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    def fargate_capacity(*arguments: Any, environment: Any = None) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "fargate_capacity", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "160", **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return fargate_capacity


@pytest.fixture
def trace(days: Callable[[int], np.ndarray[Any, np.dtype[np.float64]]], write_trace: Callable[..., Path]) -> Any:
    return write_trace([None if 700 <= minute < 710 else count for minute, count in enumerate(days(4))])


def test_simulate_writes_table_json_page_and_picture(
    run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path
) -> None:
    done = run("simulate", assembly, "--trace", trace, *OPTIONS)
    assert done.returncode == 0, done.stderr
    for expected in (
        "task-hours",
        "with a Savings Plan",
        "gaps: 1, of 10 minutes in all",
        "50 ms CPU a request",
        "2026-11-26",
    ):
        assert expected in done.stdout
    folder = tmp_path / "build" / "capacity"
    report = json.loads((folder / "simulate.json").read_text())
    assert report["how"]["traffic"]["gaps"] == [{"start": "2026-11-02T11:40:00+00:00", "minutes": 10}]
    assert report["how"]["model"]["skew"] == 1.1
    assert report["results"][0]["totals"]["missing_minutes"] == 10
    assert report["results"][0]["bill_usd"]["on_demand"] > 0
    page = (folder / "index.html").read_text()
    for title in ("Requests a minute", "CPU average", "CPU maximum", "Tasks", "target 50 %", "spike 80 %"):
        assert title in page
    assert (folder / "ApiService1A2B3C4D-replay.png").read_bytes().startswith(b"\x89PNG")


def test_a_plan_shows_its_choices_and_both_readings_of_the_documentation(
    run: Callable[..., Any],
    resources: dict[str, Any],
    write_assembly: Callable[..., Path],
    write_trace: Callable[..., Path],
) -> None:
    tracking = resources["Tracking"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    tracking |= {"ScaleInCooldown": 60, "ScaleOutCooldown": 60}
    requests = [3000] * 60 + [12_000] * 15 + [3000] * 300
    done = run("simulate", write_assembly(resources), "--trace", write_trace(requests), *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "a range reaches to the tasks that run when the alarm acts" in done.stdout
    for line in ("task-hours", "scale-outs", "on demand"):
        row = next(row for row in done.stdout.splitlines() if f"│ {line} " in row)
        assert " to " in row
    assert re.search(
        r"[\d,]+ of [\d,]+ requests failed \([\d.]+%\): they would have waited more than 60 s", done.stdout
    )
    assert "alarms 183 s behind a minute's CPU, 26 s behind that of every 20 seconds" in done.stdout
    assert "periods of" not in done.stdout


def test_says_what_longer_periods_hide(run: Callable[..., Any], assembly: Path, tmp_path: Path) -> None:
    path = tmp_path / "fives.csv"
    rows = (f"2026-11-02T{minute // 60:02d}:{minute % 60:02d}:00Z,9000" for minute in range(0, 720, 5))
    path.write_text("timestamp,requests\n" + "\n".join(rows))
    done = run("simulate", assembly, "--trace", path, *OPTIONS)
    assert "periods of 5 minutes hide what rises and falls within: breaches are at least these" in done.stdout
    done = run("simulate", assembly, "--trace", path, *OPTIONS, "--assume", "burstiness=3")
    assert "assumed 3 times as busy in one minute of each" in done.stdout


def test_says_what_no_tasks_come_to(
    run: Callable[..., Any], resources: dict[str, Any], write_assembly: Callable[..., Path], trace: Any
) -> None:
    resources["Count"]["Properties"]["MinCapacity"] = 0
    done = run("simulate", write_assembly(resources), "--trace", trace, *OPTIONS, "--assume", "queueing=fifo")
    assert done.returncode == 0, done.stderr
    assert "target tracking cannot start from 0" in done.stdout
    assert "requests served one after another" in done.stdout


def test_says_so_where_the_allowed_tasks_are_too_few(run: Callable[..., Any], assembly: Path, trace: Any) -> None:
    hint = "are saturated though all 20 tasks that are allowed were used; raise the maximum, or check cpu_ms"
    assert hint not in run("simulate", assembly, "--trace", trace, *OPTIONS).stdout
    assert hint in run("simulate", assembly, "--trace", trace, *OPTIONS, "--assume", "cpu_ms=5000").stdout


def test_compare_shows_both_on_the_same_traffic(
    run: Callable[..., Any], resources: dict[str, Any], write_assembly: Callable[..., Path], trace: Any, tmp_path: Path
) -> None:
    first = write_assembly(resources, name="a")
    changed = deepcopy(resources)
    changed["Tracking"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] = 65
    second = write_assembly(changed, name="b")
    done = run("compare", first, second, "--trace", trace, *OPTIONS)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "build" / "capacity" / "compare.json").read_text())
    here, there = (result["totals"]["task_hours"] for result in report["results"])
    assert there < here
    assert f"({there / here - 1:+.0%})" in done.stdout
    assert (tmp_path / "build" / "capacity" / "B" / "index.html").exists()


def test_recommend_says_what_and_why_not(run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path) -> None:
    done = run("recommend", assembly, "--trace", trace, "--target", "40:60:5", "--spike-threshold", "80", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "Not recommended" in done.stdout
    report = json.loads((tmp_path / "build" / "capacity" / "recommend.json").read_text())
    assert all(each["why"] for each in report["rejected"])
    assert report["tolerance"] == {"percent_of_requests": 0.5, "seconds_per_request": pytest.approx(0.3)}
    # Four days, of which the last part is held out, are nothing to choose by.
    assert report["keeps_current"]
    assert (report["sureness"], report["more_days"], report["folds"]) == (None, 6, [])
    assert {each["is_on_frontier"] for each in report["frontier"]} == {True, False}
    assert report["nothing_to_vary"] == ["--spike-threshold: nothing to vary: this is what is declared"]
    assert report["nothing_to_vary"][0] in done.stdout
    folder = tmp_path / "build" / "capacity"
    assert (folder / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert "<h2>Cost against breach on the searched part</h2>" in (folder / "index.html").read_text()
    assert report["recommended"]["policies"][0]["type"] == "TargetTracking"


def test_simulate_shows_a_floor_beside_what_is_declared(
    run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path
) -> None:
    done = run("simulate", assembly, "--trace", trace, "--floor", "25", "--floor-lead", "15", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "a floor for 25 % by the same time of the last 7 days, 15 minutes ahead" in done.stdout
    report = json.loads((tmp_path / "build" / "capacity" / "simulate.json").read_text())
    without, beside = report["results"]
    assert without["setting"]["floor"] is None
    assert beside["setting"]["floor"]["utilization"] == 25
    assert beside["totals"]["task_hours"] != without["totals"]["task_hours"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--floor", "60,70"), "got 60,70, allowed: one number; `recommend` tries several"),
        (("--floor", "120"), "--floor: utilization: got 120.0"),
        (("--floor", "60", "--floor-lead", "20"), "lead_minutes: got 20"),
        (("--floor", "60", "--floor-time-zone", "Mars"), "time_zone: got 'Mars'"),
    ],
)
def test_fails_when_a_floor_is_impossible(
    run: Callable[..., Any], assembly: Path, trace: Any, options: tuple[Any, ...], words: str
) -> None:
    done = run("simulate", assembly, "--trace", trace, *options, *OPTIONS)
    assert done.returncode == 1
    assert words in done.stderr


def test_tune_tells_each_step(run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path) -> None:
    done = run("tune", assembly, "--trace", trace, "--ceiling", "60", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "step    51 %  50 % held for 2 days" in done.stdout
    report = json.loads((tmp_path / "build" / "capacity" / "tune.json").read_text())
    assert [each["action"] for each in report["decisions"]][:1] == ["step"]


def test_a_p95_guardrail_is_the_mean_that_it_stands_for(
    run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path
) -> None:
    options = [option for option in OPTIONS if option not in ("--latency-limit-ms", "500")]
    limit = ["--latency-p95-limit-ms", "1000", "--assume", "p95_ratio=4", "--assume", "elsewhere_ms=200"]
    done = run("simulate", assembly, "--trace", trace, *options, *limit)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "build" / "capacity" / "simulate.json").read_text())
    assert report["how"]["guardrail"]["latency_seconds"] == pytest.approx(0.4)
    assert "<h1>ApiService1A2B3C4D on requests.csv</h1>" in (tmp_path / "build" / "capacity" / "index.html").read_text()


def test_fails_when_both_guardrails_are_given(run: Callable[..., Any], assembly: Path, trace: Any) -> None:
    done = run("simulate", assembly, "--trace", trace, *OPTIONS, "--latency-p95-limit-ms", "1000")
    assert (done.returncode, done.stderr) == (
        1,
        "fargate-capacity: got --latency-limit-ms and --latency-p95-limit-ms, allowed: one of them\n",
    )


def test_an_observed_service_states_the_models_error(
    run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path
) -> None:
    lines = ["timestamp,requests,cpu_average,cpu_maximum,tasks,latency_ms"]
    for row in trace.read_text().splitlines()[1:]:
        time, requests = row.split(",")
        count = float(requests)
        tasks = max(2, round(count * 0.05 / 60 / 0.45))
        cpu = 100 * count * 0.05 / 60 / tasks
        lines.append(f"{time},{count},{cpu},{1.2 * cpu},{tasks},90")
    observed = tmp_path / "observed.csv"
    observed.write_text("\n".join(lines) + "\n")
    done = run("calibrate", assembly, "--observed", observed)
    assert done.returncode == 0, done.stderr
    assert "50 ms CPU a request" in done.stdout
    error = json.loads((tmp_path / "build" / "capacity" / "calibrate.json").read_text())["error"]
    assert abs(error["task_hours_replayed"] / error["task_hours_observed"] - 1) < 0.2
    done = run("simulate", assembly, "--trace", observed, "--observed", observed)
    assert done.returncode == 0, done.stderr
    assert "error against what was observed: task-hours" in done.stdout


def test_fetch_writes_csv(run: Callable[..., Any], embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    done = run(
        "fetch", "--cluster", "c", "--service", "s", "--load-balancer", "app/x/1", environment=embedded_aws.environment
    )
    assert done.returncode == 0, done.stderr
    assert "wrote 0 minutes to observed.csv" in done.stdout
    assert (tmp_path / "observed.csv").read_text().startswith("timestamp,requests")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--assume", "cpu=5"], "--assume: got 'cpu=5', allowed: NAME=VALUE with one of cpu_ms"),
        (["--assume", "queueing=lifo"], "--assume queueing: got 'lifo', allowed: shared, fifo"),
        (["--assume", "skew=none"], "--assume skew: got 'none', allowed: a number"),
        (["--assume", "skew=0.5"], "--assume skew: got 0.5"),
        (["--service", "Web"], "--service: got 'Web', allowed: ApiService1A2B3C4D"),
        (["--region", "mars-1"], "region: got 'mars-1', allowed:"),
        (["--time-zone", "Mars/Base"], "--time-zone: got 'Mars/Base'"),
        (["--period", "0"], "--period: got 0"),
        (["--latency-limit-ms", "0"], "--latency-limit-ms: got 0"),
        (["--deployments", "absent.csv"], "absent.csv: cannot be read"),
        (["--prices", "absent.json"], "absent.json: got no price table"),
        (["--requests-column", "hits"], "got the columns timestamp, requests, allowed: timestamp and hits"),
    ],
)
def test_fails_with_one_clear_line_when(
    run: Callable[..., Any], assembly: Path, write_trace: Callable[..., Path], change: list[str], message: str
) -> None:
    done = run("simulate", assembly, "--trace", write_trace([1, 2, 3]), *OPTIONS, *change)
    assert done.returncode == 1
    assert done.stderr.startswith("fargate-capacity: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_fails_when_nothing_says_what_a_request_costs(
    run: Callable[..., Any], assembly: Path, write_trace: Callable[..., Path]
) -> None:
    done = run("simulate", assembly, "--trace", write_trace([1, 2, 3]))
    assert done.returncode == 1
    assert "got nothing that says what a request costs" in done.stderr


def test_fails_when_no_policy_can_be_replayed(
    run: Callable[..., Any],
    resources: dict[str, Any],
    write_assembly: Callable[..., Path],
    write_trace: Callable[..., Path],
) -> None:
    for name in ("Tracking", "Spike", "SpikeAlarm"):
        del resources[name]
    done = run("simulate", write_assembly(resources), "--trace", write_trace([1, 2]), *OPTIONS)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "got no policy and no scheduled action" in done.stderr


def test_deployments_suspend_scale_in(run: Callable[..., Any], assembly: Path, trace: Any, tmp_path: Path) -> None:
    spans = tmp_path / "deployments.csv"
    spans.write_text("start,end\n2026-11-02T00:00:00Z,2026-11-06T00:00:00Z\n")
    done = run("simulate", assembly, "--trace", trace, "--deployments", spans, *OPTIONS)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "build" / "capacity" / "simulate.json").read_text())
    assert report["results"][0]["totals"]["scale_ins"] == 0
    spans.write_text("start,end\n2026-11-02T00:00:00Z,2026-11-01T00:00:00Z\n")
    done = run("simulate", assembly, "--trace", trace, "--deployments", spans, *OPTIONS)
    assert "line 2: " in done.stderr
