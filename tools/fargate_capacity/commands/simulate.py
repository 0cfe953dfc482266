"""`fargate-capacity simulate`: replays the declared policies on given traffic."""

from __future__ import annotations

from dataclasses import replace

from fargate_capacity.commands.options import (
    Assembly,
    FloorGroup,
    TraceFile,
    TrafficOptions,
)
from fargate_capacity.commands.shown import draw, replayed, show, write
from fargate_capacity.plan.figures import Figures
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.question import Question
from fargate_capacity.traffic.trace import Trace


def simulate_command(
    assembly: Assembly,
    trace: TraceFile,
    *,
    given: TrafficOptions,
    floors: FloorGroup,
) -> None:
    """Report what the declared policies would have done to tasks, latency and bill on this traffic."""
    question = given.question(assembly)
    traffic = given.traffic(question, trace)
    beside = floors.options().only(question, traffic)
    figures = [replayed(question, traffic, question.service.name), *_others(question, traffic)]
    drawn = figures[0]
    if beside is not None:
        question = replace(question, setting=question.setting.with_floor(beside))
        drawn = replayed(question, traffic, "with the floor")
        figures.append(drawn)
    show(question, traffic, figures, title="What the declared policies would have done")
    write(question, traffic, figures, output=given.output, command="simulate")
    draw(question, traffic, drawn, output=given.output)


def _others(question: Question, traffic: Trace) -> list[Figures]:
    """Replays for comparison: without the declared floor or without the stand-in for AWS's predictive scaling, and with
    the stand-in for a policy that only forecasts.
    """
    setting = question.setting
    others: dict[str, Floor | None] = {
        each.name: each.floor for each in question.predictive if each.floor and not each.policy.scales
    }
    if setting.floor is not None:
        without = "without predictive scaling" if setting.floor.approximates else "without the declared floor"
        others = {without: None, **others}
    return [
        replayed(replace(question, setting=setting.with_floor(floor)), traffic, name) for name, floor in others.items()
    ]
