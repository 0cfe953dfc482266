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
# More would be too many for a comment.
MOST_DASHBOARDS = 8
# Two pictures are side by side, and all are uploaded with every review.
SCALE = 1.0
CHANGED, REMOVED, ADDED = "#b35c00", "#b3261e", "#1f7a3d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A dashboard before and after.

    Args:
        stack: the stack's path.
        logical_id: the dashboard's logical id.
        name: the dashboard's name.
        before: paths in the review's folder by time range; empty if the dashboard is new.
        after: the same for the side after; empty if it is removed.
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
    """The frame colors by widget number, before and after, and the names of the widgets."""

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
        head: the cloud assembly after.
        output: the review's folder.
        left_out: called with a message for each dashboard or widget that cannot be drawn.
        say: called with each dashboard's name before it is drawn.
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
        # Bodies may be written by hand: one of unexpected form must not prevent the others or the review.
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
        # No dashboard can be read; `left_out` has the reason.
        return assembly, {}
    return assembly, {(_path(dashboard.template), dashboard.logical_id): dashboard for dashboard in found}


def _path(template: Template) -> str:
    """The review's name of a stack: a nested one has its parent's path and its logical id."""
    if template.parent is None:
        return template.identity
    parent, resource = template.parent
    return f"{_path(parent)}/{resource.logical_id}"


def frames_of(change: Change) -> Frames:
    """The widgets that differ. A widget that only moved on the dashboard does not count."""
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
        # The whole dashboard is new or removed: frames around every widget are useless.
        return Frames(before={}, after={}, names=())
    return Frames(before=before, after=after, names=tuple(names))


def _content(widget: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in widget.items() if key not in ("x", "y")}, sort_keys=True)
