"""Dashboards and state machines before and after."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from cdk_review.assembly import read_assembly
from cdk_review.changes import Change, compare
from cdk_review.pictures import ADDED, CHANGED, REMOVED, Pictures, draw_pictures, frames_of
from cdk_review.report import markdown
from cdk_review.review import review
from cdk_review.state_diagram import mermaid
from tests.tools.cdk_review.shop import MACHINE, WIDGETS, shop, write_assembly

Widgets = list[dict[str, Any]]
PLACED = [
    widget | {"x": 0, "y": 6 * number, "width": 12, "height": 6}
    for number, widget in enumerate([*WIDGETS, {"type": "text", "properties": {"title": "Notes", "markdown": "none"}}])
]


def board(widgets: Widgets) -> dict[str, Any]:
    template = shop()
    template["Resources"]["Board"]["Properties"]["DashboardBody"] = json.dumps({"widgets": widgets})
    return template


def changed(mutation: Callable[[Widgets], object]) -> Widgets:
    widgets = copy.deepcopy(PLACED)
    mutation(widgets)
    return widgets


def framed(before: Widgets, after: Widgets) -> tuple[dict[int, str], dict[int, str]]:
    sides = [{"Properties": {"DashboardBody": json.dumps({"widgets": each})}} for each in (before, after)]
    frames = frames_of(
        Change(stack="shop", logical_id="Board", type="AWS::CloudWatch::Dashboard", before=sides[0], after=sides[1])
    )
    return frames.before, frames.after


def test_frames_what_differs_and_not_what_moved() -> None:
    assert framed(PLACED, PLACED) == ({}, {})
    assert framed(PLACED, changed(lambda w: w[1]["properties"].update(period=300))) == ({1: CHANGED}, {1: CHANGED})
    assert framed(PLACED, PLACED[1:]) == ({0: REMOVED}, {})
    assert framed(PLACED[1:], PLACED) == ({}, {0: ADDED})
    assert framed(PLACED, changed(lambda w: w[1].update(y=90))) == ({}, {})
    assert framed(PLACED, changed(lambda w: w[1].update(height=9))) == ({1: CHANGED}, {1: CHANGED})


def drawn(tmp_path: Path, after: dict[str, Any]) -> tuple[tuple[Pictures, ...], list[str]]:
    base = write_assembly(tmp_path / "base", {"shop": board(PLACED)})
    head = write_assembly(tmp_path / "head", {"shop": after})
    left_out: list[str] = []
    stacks = tuple(compare(read_assembly(base), read_assembly(head)))
    return draw_pictures(stacks, base=base, head=head, output=tmp_path / "review", left_out=left_out), left_out


def test_both_sides_differ_only_where_a_widget_does(tmp_path: Path) -> None:
    line = {"label": "target: 40", "value": 40}
    (pictures,), left_out = drawn(
        tmp_path, board(changed(lambda w: w[1]["properties"].update(annotations={"horizontal": [line]})))
    )

    assert left_out == []
    assert pictures.changed == ("CPU",)
    before, after = (
        matplotlib.image.imread(tmp_path / "review" / side["1d"]) for side in (pictures.before, pictures.after)
    )
    assert before.shape == after.shape
    rows = np.flatnonzero((before != after).any(axis=(1, 2)))
    # The header says which side it is; of the widgets only the second, from row 6 on, differs.
    of_widgets = rows[rows > 62]
    assert of_widgets.size
    assert (of_widgets.min() >= 62 + 6 * 50, of_widgets.max() <= 62 + 12 * 50) == (True, True)
    assert set(pictures.before) == set(pictures.after) == {"1d", "4w"}


def test_draws_no_dashboard_that_does_not_differ(tmp_path: Path) -> None:
    after = board(PLACED)
    after["Resources"]["Count"]["Properties"]["MinCapacity"] = 3

    assert drawn(tmp_path, after) == ((), [])
    assert not (tmp_path / "review").exists()


@pytest.mark.parametrize("body", ["{", '{"widgets": 3}', '{"widgets": [3, {"type": "metric", "properties": 4}]}'])
def test_a_body_that_cannot_be_drawn_is_named(body: str, tmp_path: Path) -> None:
    after = board(PLACED)
    after["Resources"]["Board"]["Properties"]["DashboardBody"] = body

    pictures, left_out = drawn(tmp_path, after)

    assert [side for each in pictures for side in each.before] == ["1d", "4w"]
    assert left_out or pictures[0].after


def test_a_page_draws_a_state_machine_before_and_after(tmp_path: Path) -> None:
    machine = copy.deepcopy(MACHINE)
    states: dict[str, Any] = machine["States"]  # type: ignore[assignment]
    states["Serve"]["Next"] = "Report"
    states["Report"] = {"Type": "Pass", "Next": "Done"}
    del states["Update"]
    after = shop()
    after["Resources"]["Machine"]["Properties"]["DefinitionString"] = json.dumps(machine)
    base = write_assembly(tmp_path / "base", {"shop": shop()})
    head = write_assembly(tmp_path / "head", {"shop": after})

    page = markdown(review(read_assembly(base), read_assembly(head)))

    before, now = (part.partition("```\n")[0] for part in page.split("```mermaid\n")[1:])
    assert "class Update removed" in before
    assert "class Report added" in now
    assert "class Serve changed" in before
    assert "class Serve changed" in now


def test_names_of_states_end_no_block() -> None:
    name = 'a"]\n```\n<img src=x>'
    drawing = mermaid({"StartAt": name, "States": {name: {"Type": "Pass", "Next": "end"}, "end": {"Type": "Succeed"}}})

    assert "`" not in drawing
    assert "<" not in drawing
    assert len(drawing.splitlines()) == 5
    assert "end_" in drawing
