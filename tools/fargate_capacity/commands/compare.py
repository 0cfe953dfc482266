"""`fargate-capacity compare`: compares the policies of two cloud assemblies on the same traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fargate_capacity.commands.options import (
    TraceFile,
    TrafficOptions,
)
from fargate_capacity.commands.shown import described_price, draw, replayed, show, write


def compare_command(
    first: Annotated[Path, typer.Argument(metavar="A", help="The current cloud assembly.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The new cloud assembly.")],
    trace: TraceFile,
    *,
    given: TrafficOptions,
) -> None:
    """Compare what the policies of two cloud assemblies would have done on the same traffic."""
    questions = [given.question(folder) for folder in (first, second)]
    traffic = given.traffic(questions[0], trace)
    figures = [replayed(question, traffic, name) for name, question in zip("AB", questions, strict=True)]
    show(questions[0], traffic, figures, title=f"A: {first}   B: {second}")
    typer.echo(f"B's setting: {questions[1].described_setting()}")
    if described_price(questions[1]) != described_price(questions[0]):
        typer.echo(f"B's {described_price(questions[1])}")
    for line in questions[1].left_out():
        typer.echo(f"B, left out: {line}")
    write(questions[0], traffic, figures, output=given.output, command="compare")
    for question, each in zip(questions, figures, strict=True):
        draw(question, traffic, each, output=given.output / each.name)
