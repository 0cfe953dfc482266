"""Options that several subcommands have are declared once, and the parts of the tool depend one way."""

import ast
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from fargate_capacity.commands import options
from fargate_capacity.commands.options import TrafficOptions, with_grouped_options

FOLDER = Path(options.__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    width: Annotated[int, typer.Option(help="Of the box.")] = 3
    tall: Annotated[bool, typer.Option("--tall")] = False


def test_a_group_of_options_is_an_option_per_field() -> None:
    seen: list[tuple[str, Sizes, int]] = []

    def pack(name: str, *, weight: int = 1, sizes: Sizes) -> None:
        """Pack a box."""
        seen.append((name, sizes, weight))

    app = typer.Typer()
    app.command()(with_grouped_options(pack))
    for words in (["book"], ["book", "--tall", "--width", "7", "--weight", "2"]):
        assert CliRunner().invoke(app, words).exit_code == 0
    assert seen == [("book", Sizes(), 1), ("book", Sizes(width=7, tall=True), 2)]
    assert list(inspect.signature(with_grouped_options(pack)).parameters) == ["name", "weight", "width", "tall"]
    assert CliRunner().invoke(app, ["book", "--width", "much"]).exit_code == 2


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="--time-zone: got 'Mars/Base', allowed: a name of the IANA database"):
        TrafficOptions(time_zone="Mars/Base").traffic(None, Path("requests.csv"))  # type: ignore[arg-type]


def test_what_is_planned_knows_nothing_of_how_it_is_reported() -> None:
    known = {
        (path.relative_to(FOLDER).parts[0], module.split(".")[1])
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (module := node.module or "").startswith("fargate_capacity.")
    }
    order = ("traffic", "replay", "declared", "plan", "report", "commands")
    wrong = {(one, other) for one, other in known if one in order and other in order[order.index(one) + 1 :]}
    assert wrong == set()
    assert ("report", "plan") in known
