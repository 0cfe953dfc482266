"""AWS's predictive scaling in a template: read, shown, and replayed by a floor that says what it stands for."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fargate_capacity.cli import app
from fargate_capacity.commands import simulate as simulate_command
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.predictive_stand_in import stand_ins
from fargate_capacity.plan.question import ask
from fargate_capacity.plan.simulation import simulate
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.traffic.trace import Trace

SCALES: dict[str, Any] = {"Mode": "ForecastAndScale"}


def predictive(metric: str = "ECSServiceCPUUtilization", target: int = 60, **configuration: Any) -> dict[str, Any]:
    pair = {"PredefinedMetricType": metric}
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyType": "PredictiveScaling",
            "ScalingTargetId": {"Ref": "Count"},
            "PredictiveScalingPolicyConfiguration": {
                "MetricSpecifications": [{"TargetValue": target, "PredefinedMetricPairSpecification": pair}],
                **configuration,
            },
        },
    }


def asked(folder: Any) -> Any:
    return ask(folder, service=None, assume=["cpu_ms=40", "skew=1.15"])


def test_one_that_scales_is_part_of_the_setting_and_says_what_it_stands_for(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    resources["Ahead"] = predictive(**SCALES, SchedulingBufferTime=1000)
    question = asked(write_assembly(resources))
    floor = question.setting.floor
    assert floor == Floor(utilization=60, lead_minutes=30, approximates="AWS's predictive scaling Ahead")
    assert question.setting.described().endswith(
        "AWS's predictive scaling Ahead, approximated by a floor for 60 % by the same time of the last 7 days, "
        "30 minutes ahead"
    )
    (line,) = question.left_out()
    assert line.startswith(
        "Ahead: predictive scaling on ECSServiceCPUUtilization for 60 %, which scales: approximated by a floor for 60 %"
    )
    assert "AWS publishes no formula" in line
    assert floor.as_json()["approximates"] == "AWS's predictive scaling Ahead"


def test_one_that_only_forecasts_changes_nothing(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    resources["Ahead"] = predictive()
    question = asked(write_assembly(resources))
    assert question.setting.floor is None
    assert "which only forecasts: approximated by a floor for 60 %" in question.left_out()[0]
    assert question.predictive[0].floor.lead_minutes == 15


def test_of_two_that_scale_the_one_that_asks_for_more_acts(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    resources["Ahead"], resources["More"] = predictive(**SCALES), predictive(target=45, **SCALES)
    assert asked(write_assembly(resources)).setting.floor.utilization == 45


def test_requests_of_a_task_are_taken_as_its_cpu(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    # 600 requests a minute of 40 ms each keep one vCPU busy for 40 % of it.
    resources["Ahead"] = predictive(metric="ALBRequestCount", target=600, **SCALES)
    assert asked(write_assembly(resources)).setting.floor.utilization == pytest.approx(40)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metric": "ECSServiceMemoryUtilization"}, "not replayed: a replay has no ECSServiceMemoryUtilization"),
        ({"metric": "ALBRequestCount", "target": 6000}, "not replayed: its target comes to 400 % CPU of a task"),
        ({"MaxCapacityBreachBehavior": "IncreaseMaxCapacity"}, "Ahead: it may raise the maximum, which stays"),
        ({"Mode": "Sometimes"}, "Ahead: predictive scaling, Mode: got Sometimes, allowed: ForecastOnly, Forecast"),
        ({"SchedulingBufferTime": 3600}, "Ahead: SchedulingBufferTime: got 3600, allowed: 0 to below 3600"),
        ({"target": {"Ref": "Late"}}, "Ahead: TargetValue: got ${Late}, allowed: a number that the templates cont"),
        (
            {"MetricSpecifications": [{"TargetValue": 5}]},
            "Ahead: predictive scaling on metrics of one's own is not m",
        ),
        ({"Patience": 3}, "Ahead: Patience is not understood"),
    ],
)
def test_what_is_not_replayed_of_it_is_said(
    resources: dict[str, Any], write_assembly: Callable[..., Path], given: dict[str, Any], said: str
) -> None:
    resources["Ahead"] = predictive(**{**SCALES, **given})
    assert any(said in line for line in asked(write_assembly(resources)).left_out())


def test_scheduled_actions_leave_no_place_for_it(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    resources["Ahead"] = predictive(**SCALES)
    action = {"Schedule": "cron(0 8 * * ? *)", "ScalableTargetAction": {"MinCapacity": 3}, "ScheduledActionName": "up"}
    resources["Count"]["Properties"]["ScheduledActions"] = [action]
    question = asked(write_assembly(resources))
    assert question.setting.floor is None
    assert "not replayed: scheduled actions set the bounds, where a floor would" in question.left_out()[0]


def test_beside_a_declared_floor_that_one_is_replayed(
    resources: dict[str, Any], write_assembly: Callable[..., Path]
) -> None:
    resources["Ahead"] = predictive(**SCALES)
    (policy,) = (each.policy for each in asked(write_assembly(resources)).predictive)
    (found,) = stand_ins([policy], ServiceModel(vcpus=1, cpu_seconds=0.04), [], has_floor=True)
    assert found.floor is None
    assert found.lines()[0].endswith("not replayed: the declared floor is, and of two a replay has one")


def test_its_tasks_run_before_the_load_of_former_days(
    resources: dict[str, Any], write_assembly: Callable[..., Path], trace_of: Callable[..., Trace]
) -> None:
    days = [9000.0 if 480 <= minute < 1080 else 300.0 for minute in range(1440)] * 6
    quiet = asked(write_assembly(resources, name="quiet"))
    resources["Ahead"] = predictive(**SCALES)
    ahead = asked(write_assembly(resources, name="ahead"))
    replayed = [simulate(one.scenario, one.setting, trace_of(days), draws=True).series for one in (quiet, ahead)]
    tasks = [series.running for series in replayed if series is not None]
    at_eight = (5 * 1440 + 478) // math.ceil(len(days) / 3000)
    assert tasks[1][at_eight] >= 9 > tasks[0][at_eight]


def test_simulate_shows_the_service_with_it_and_without(
    resources: dict[str, Any],
    write_assembly: Callable[..., Path],
    write_trace: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulate_command, "draw", lambda *given, **more: None)
    resources["Ahead"], resources["Other"] = predictive(**SCALES), predictive(target=45)
    arguments = ["simulate", str(write_assembly(resources)), "--trace", str(write_trace([60.0] * 300))]
    result = CliRunner().invoke(app, [*arguments, "--assume", "cpu_ms=40", "--output", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out/simulate.json").read_text())
    names = [each["name"] for each in report["results"]]
    assert names[1:] == ["without predictive scaling", "Other if it scaled (approximated)"]
    assert report["results"][0]["setting"]["floor"]["approximates"] == "AWS's predictive scaling Ahead"
    assert any("AWS publishes no formula" in line for line in report["how"]["not_modelled"])
