"""The subcommands that replay traffic, by name."""

from __future__ import annotations

import typer

from fargate_capacity.commands.calibrate import calibrate_command
from fargate_capacity.commands.compare import compare_command
from fargate_capacity.commands.fetch import fetch_command
from fargate_capacity.commands.options import with_grouped_options
from fargate_capacity.commands.recommend import recommend_command
from fargate_capacity.commands.saved import saved_command
from fargate_capacity.commands.simulate import simulate_command
from fargate_capacity.commands.tune import tune_command


def register(app: typer.Typer) -> None:
    """Adds the subcommands to the command."""
    for name, command in (
        ("simulate", simulate_command),
        ("compare", compare_command),
        ("recommend", recommend_command),
        ("tune", tune_command),
        ("calibrate", calibrate_command),
        ("fetch", fetch_command),
        ("saved", saved_command),
    ):
        app.command(name)(with_grouped_options(command))
