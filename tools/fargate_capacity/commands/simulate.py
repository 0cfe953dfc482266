"""`fargate-capacity simulate`: what the declared policies would have done on given traffic."""

from __future__ import annotations

from dataclasses import replace

from fargate_capacity.commands.options import (
    Assembly,
    FloorGroup,
    TraceFile,
    TrafficOptions,
)
from fargate_capacity.commands.shown import draw, replayed, show, write


def simulate_command(
    assembly: Assembly,
    trace: TraceFile,
    *,
    given: TrafficOptions,
    floors: FloorGroup,
) -> None:
    """Say what the declared policies would have done to tasks, latency and bill on this traffic."""
    question = given.question(assembly)
    traffic = given.traffic(question, trace)
    beside = floors.options().only(question, traffic)
    figures = [replayed(question, traffic, question.service.name)]
    if beside is not None:
        question = replace(question, setting=question.setting.with_floor(beside))
        figures.append(replayed(question, traffic, "with the floor"))
    show(question, traffic, figures, title="What the declared policies would have done")
    write(question, traffic, figures, output=given.output, command="simulate")
    draw(question, traffic, figures[-1], output=given.output)
