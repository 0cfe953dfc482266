"""Draws the dashboards that a change touches, before and after it, with frames around the widgets that differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.judges.dashboards import TYPE, widget_name, widgets_of
from cdk_review.report import PICTURES
from fargate_capacity.auto_period import VIEWS
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.dashboards import Dashboard, find_dashboards
from fargate_capacity.fonts import drawing_settings
from fargate_capacity.input_error import InputError
from fargate_capacity.preview import dashboard_section, draw_section, file_names
from fargate_capacity.template import Template

SHOWN_VIEWS = ("1d", "4w")
# As many fit a comment that people still look through.
MOST_DASHBOARDS = 8
# Two stand side by side, and each is uploaded with every review.
SCALE = 1.0
CHANGED, REMOVED, ADDED = "#b35c00", "#b3261e", "#1f7a3d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A dashboard before and after.

    Args:
        stack: the stack's path.
        logical_id: of the dashboard.
        name: of the dashboard.
        before: by the time that is shown, the files' paths within the review's folder; empty where it is new.
        after: likewise; empty where it is removed.
        changed: the names of the widgets that are framed.
    """

    stack: str
    logical_id: str
    name: str
    before: dict[str, str]
    after: dict[str, str]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """By the numbers of the widgets before and after, the colors of their frames; and what the widgets are called."""

    before: dict[int, str]
    after: dict[int, str]
    names: tuple[str, ...]


def draw_pictures(
    stacks: tuple[StackChange, ...],
    *,
    base: Path,
    head: Path,
    output: Path,
    left_out: list[str],
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Pictures, ...]:
    """Draw each dashboard that differs, at one day and at four weeks, into a folder `pictures`.

    Both sides get the same sample series, those of the dashboard before, so that they differ where a widget does.

    Args:
        stacks: what differs.
        base: the cloud assembly before.
        head: the one after.
        output: the review's folder.
        left_out: takes a line for each dashboard or widget that cannot be drawn.
        say: is called with each dashboard's name before it is drawn.
    """
    changes = [change for stack in stacks for change in stack.changes if change.type == TYPE]
    if not changes:
        return ()
    sides = [_dashboards(folder, left_out) for folder in (base, head)]
    drawn = []
    left_out += [
        f"dashboard {change.logical_id}: {MOST_DASHBOARDS} others are drawn" for change in changes[MOST_DASHBOARDS:]
    ]
    changes = changes[:MOST_DASHBOARDS]
    names = file_names([(change.moved_to or change.logical_id, change.stack) for change in changes])
    with drawing_settings():
        for change, name in zip(changes, names, strict=True):
            ids = (change.logical_id, change.moved_to or change.logical_id)
            found = [
                dashboards.get((change.stack, logical_id))
                for (_, dashboards), logical_id in zip(sides, ids, strict=True)
            ]
            shown = next((dashboard for dashboard in found if dashboard is not None), None)
            if shown is None:
                continue
            say(shown.name)
            frames = frames_of(change)
            files: list[dict[str, str]] = []
            for side, (assembly, _), dashboard in zip(("before", "after"), sides, found, strict=True):
                colors = frames.before if side == "before" else frames.after
                files.append({})
                for view in SHOWN_VIEWS if dashboard is not None else ():
                    file = f"{PICTURES}/{name}-{view}-{side}.png"
                    if _draw(assembly, dashboard, shown, view, side, colors, output / file, left_out):
                        files[-1][view] = file
            drawn.append(
                Pictures(
                    stack=change.stack,
                    logical_id=change.logical_id,
                    name=shown.name,
                    before=files[0],
                    after=files[1],
                    changed=frames.names,
                )
            )
    return tuple(drawn)


def _draw(
    assembly: CloudAssembly | None,
    dashboard: Dashboard | None,
    sampled_as: Dashboard,
    view: str,
    side: str,
    colors: dict[int, str],
    path: Path,
    left_out: list[str],
) -> bool:
    if assembly is None or dashboard is None:
        return False
    try:
        section = dashboard_section(assembly, dashboard, view=VIEWS[view], not_drawn=left_out, sampled_as=sampled_as)
        section = replace(section, subtitle=f"{side} the change  ·  {section.subtitle}")
        widgets = len(section.dashboard.body.widgets)
        picture = draw_section(section, frames={number: color for number, color in colors.items() if number < widgets})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.png(scale=SCALE))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A body is written by hand: one of a shape that nobody thought of leaves the others, and the review.
        left_out.append(f"dashboard {dashboard.name}: {type(error).__name__}: {error}")
        return False
    return True


def _dashboards(folder: Path, left_out: list[str]) -> tuple[CloudAssembly | None, dict[tuple[str, str], Dashboard]]:
    """The dashboards of a side by stack and logical id."""
    try:
        assembly = CloudAssembly(folder)
    except InputError as error:
        left_out.append(str(error))
        return None, {}
    if not any(True for template in assembly.templates for _ in template.of_type(TYPE)):
        return assembly, {}
    try:
        found = find_dashboards(assembly, unreadable=left_out)
    except InputError:
        # None can be read, and `left_out` has why.
        return assembly, {}
    return assembly, {(_path(dashboard.template), dashboard.logical_id): dashboard for dashboard in found}


def _path(template: Template) -> str:
    """As a review names the stack: a nested one by its parent's path and its own logical id."""
    if template.parent is None:
        return template.identity
    parent, resource = template.parent
    return f"{_path(parent)}/{resource.logical_id}"


def frames_of(change: Change) -> Frames:
    """Which widgets differ. One that only moved on the dashboard does not."""
    old, new = list(enumerate(widgets_of(change.was))), list(enumerate(widgets_of(change.now)))
    for number, widget in list(old):
        same = next((pair for pair in new if _content(pair[1]) == _content(widget)), None)
        if same is not None:
            old.remove((number, widget))
            new.remove(same)
    before, after, names = {}, {}, []
    for number, widget in list(old):
        name = widget_name(widget)
        names.append(name)
        other = next((pair for pair in new if widget_name(pair[1]) == name), None)
        before[number] = REMOVED if other is None else CHANGED
        if other is not None:
            after[other[0]] = CHANGED
            new.remove(other)
    for number, widget in new:
        names.append(widget_name(widget))
        after[number] = ADDED
    if change.before is None or change.after is None:
        # All of it is new, or gone: a frame around everything says nothing.
        return Frames(before={}, after={}, names=())
    return Frames(before=before, after=after, names=tuple(names))


def _content(widget: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in widget.items() if key not in ("x", "y")}, sort_keys=True)
