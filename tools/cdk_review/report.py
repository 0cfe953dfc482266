"""Writes a review as one Markdown page, one screen first and the details folded, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import SEVERITIES
from cdk_review.judges.state_machines import TYPE as STATE_MACHINE
from cdk_review.judges.state_machines import definition_of, marks_of, states_in_words
from cdk_review.reference_text import shown
from cdk_review.review import Review
from cdk_review.settings_in_words import settings_in_words
from cdk_review.state_diagram import mermaid

if TYPE_CHECKING:
    from cdk_review.traffic_replay import Figure, TrafficReplay

# A page longer than this is refused by GitHub as a comment (65,536 characters).
MOST_CHARACTERS = 60_000
MOST_CELL = 600
# The folder for pictures, in the page's folder.
PICTURES = "pictures"
MOST_CHANGES = 200
# The number of flags and settings that are shown; the rest is folded.
FIRST_SCREEN = 12
MOST_FOLDED = 60
VIEWS_IN_WORDS = {"1d": "1 day", "4w": "4 weeks"}


def write_review(review: Review, folder: Path) -> list[Path]:
    """Write review.md and review.json into a folder, which is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / "review.md", folder / "review.json"
    page.write_text(markdown(review), encoding="utf-8")
    data.write_text(json.dumps(as_json(review), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [page, data]


def as_json(review: Review) -> dict[str, Any]:
    """The content of review.json."""
    return {
        "flags": [flag.as_json() for flag in review.flags],
        "changes": [
            {
                "stack": change.stack,
                "logical_id": change.logical_id,
                "type": change.type,
                "change": _verb(change),
                "moved_to": change.moved_to,
                "properties": list(change.properties),
            }
            for stack in review.stacks
            for change in stack.changes
        ],
        "cost": {
            "dated": review.cost.dated,
            "month_before": round(review.cost.month_before, 2),
            "month_after": round(review.cost.month_after, 2),
            "without_price": sorted({charge.what for charge in review.cost.after if charge.month is None}),
        },
        "replay": None if review.replay is None else review.replay.as_json(),
        "settings": [line for stack in review.stacks for line in settings_in_words(stack)],
        "pictures": [asdict(pictures) for pictures in review.pictures],
        "left_out": list(review.left_out),
        "content_only": [
            {"stack": stack.path, "logical_id": logical_id} for stack in review.stacks for logical_id in stack.content
        ],
    }


def markdown(review: Review) -> str:
    """The content of review.md."""
    parts = [
        _summary(review),
        _flag_table(review),
        _settings(review),
        _cost(review),
        _replay(review.replay),
        _pictures(review),
        *(_machine(change) for stack in review.stacks for change in stack.changes),
        *(_of_stack(stack) for stack in review.stacks),
        _left_out(review),
    ]
    text, dropped = "", 0
    for part in parts:
        # Only whole sections: an incomplete table or block would include the following text.
        if part and len(text) + len(part) > MOST_CHARACTERS:
            dropped += 1
        elif part:
            text += f"{part.strip()}\n\n"
    if dropped:
        text += f"{dropped} more parts are too long for this page: all changes are in `review.json`.\n"
    return text.rstrip("\n") + "\n"


def _summary(review: Review) -> str:
    changes = [change for stack in review.stacks for change in stack.changes]
    count = {
        verb: sum(_verb(change) == verb for change in changes) for verb in ("added", "removed", "changed", "moved")
    }
    content = sum(len(stack.content) for stack in review.stacks)
    counted = ", ".join(f"{number} {verb}" for verb, number in count.items() if number) or "no resource differs"
    if content:
        counted += f"; {content} with new code or image alone"
    if not review.flags:
        return f"## Review: nothing to flag\n\n{counted[0].upper()}{counted[1:]}."
    by_severity = [
        f"{sum(flag.severity == severity for flag in review.flags)} {severity}"
        for severity in SEVERITIES
        if any(flag.severity == severity for flag in review.flags)
    ]
    return f"## Review: {', '.join(by_severity)}\n\n{counted[0].upper()}{counted[1:]}."


def _flag_table(review: Review) -> str:
    if not review.flags:
        return ""
    rows = [
        f"| {flag.severity} | {flag.kind} | {_cell(flag.sentence)} | {_cell(flag.stack)} |" for flag in review.flags
    ]
    shown_rows, folded = rows[:FIRST_SCREEN], rows[FIRST_SCREEN : FIRST_SCREEN + MOST_FOLDED]
    head = "| severity | kind | what the change does | stack |\n|---|---|---|---|\n"
    text = head + "\n".join(shown_rows)
    if folded:
        more = len(rows) - FIRST_SCREEN
        left = f"\n\n{more - len(folded)} more are in `review.json`." if more > len(folded) else ""
        text += _folded(f"{more} more flags", head + "\n".join(folded) + left)
    return text


def _settings(review: Review) -> str:
    lines = [f"- {_cell(line)}" for stack in review.stacks for line in settings_in_words(stack)]
    if not lines:
        return ""
    text = "**Scaling and alarms**\n\n" + "\n".join(lines[:FIRST_SCREEN])
    folded = lines[FIRST_SCREEN : FIRST_SCREEN + 2 * MOST_FOLDED]
    return text + (_folded(f"{len(lines) - FIRST_SCREEN} more", "\n".join(folded)) if folded else "")


def _pictures(review: Review) -> str:
    parts = []
    for drawn in review.pictures:
        framed = f": framed are {', '.join(f'“{name}”' for name in drawn.changed[:8])}" if drawn.changed else ""
        title = f"**Dashboard {_cell(drawn.name)}**{_cell(framed)}"
        tables = {}
        for view, says in VIEWS_IN_WORDS.items():
            if view not in {*drawn.before, *drawn.after}:
                continue
            cells = [
                f"![{_cell(drawn.name)} {side} the change, {says}]({files[view]})" if view in files else "–"
                for side, files in (("before", drawn.before), ("after", drawn.after))
            ]
            tables[view] = f"| before, {says} | after, {says} |\n|---|---|\n| {' | '.join(cells)} |"
        opened, *folded = tables or [""]
        more = [_folded(VIEWS_IN_WORDS[view], tables[view]) for view in folded]
        parts.append("\n".join([f"{title}\n", tables.get(opened, "could not be drawn"), *more]))
    if not parts:
        return ""
    note = "Sample series, the same on both sides; frames: orange changed, green new, red removed."
    return "\n\n".join([*parts, note])


def _machine(change: Change) -> str:
    if change.type != STATE_MACHINE or not change.both:
        return ""
    words = [" ".join(line.replace("`", "'").split()) for line in states_in_words(change)]
    was, now = definition_of(change.was), definition_of(change.now)
    if not words or was is None or now is None:
        return ""
    before, after = marks_of(change)
    drawn = [
        f"{side}:\n\n```mermaid\n{mermaid(definition, marks=marks)}```"
        for side, definition, marks in (("Before", was, before), ("After", now, after))
        # GitHub draws at most 50,000 characters.
        if len(definition.get("States") or {}) <= MOST_FOLDED
    ]
    more = f"\n… and {len(words) - 80} more" if len(words) > 80 else ""
    listed = "```diff\n" + "\n".join(words[:80]) + more + "\n```"
    title = f"State machine {change.logical_id}, before and after: {len(words)} differences"
    return _folded(title, "\n\n".join([listed, *drawn]))


def _left_out(review: Review) -> str:
    lines = [f"- {_cell(line)}" for line in review.left_out[:MOST_FOLDED]]
    return "**Left out**\n\n" + "\n".join(lines) if lines else ""


def _cost(review: Review) -> str:
    cost = review.cost
    before, after = ({charge.key: charge for charge in side} for side in (cost.before, cost.after))
    rows = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and (old.month, old.what) == (new.month, new.what):
            continue
        sides = ["–" if side is None else f"{_cell(side.what)}: {_dollars(side.month)}" for side in (old, new)]
        rows.append(f"| {_cell(key[1] + key[2])} | {' | '.join(sides)} |")
    change = cost.month_after - cost.month_before
    line = (
        f"**Fixed cost**: {cost.month_after:,.2f} dollars per month, was {cost.month_before:,.2f} ({change:+,.2f}; "
        f"prices of {cost.dated}, traffic not counted)."
    )
    unpriced = sorted({charge.what for charge in cost.after if charge.month is None})
    if unpriced:
        line += f" Without a price, and not in the sum: {_cell(', '.join(unpriced[:12]))}."
    if not rows:
        return line
    title = "1 charge differs" if len(rows) == 1 else f"{len(rows)} charges differ"
    return line + _folded(title, "| resource | before | after |\n|---|---|---|\n" + "\n".join(rows))


def _replay(replay: TrafficReplay | None) -> str:
    if replay is None:
        return ""
    limit = "" if replay.limit_ms is None else f" beyond {replay.limit_ms:g} ms"
    rows = [
        (says, [getattr(side, name, None) for side in (replay.before, replay.after)], digits)
        for says, name, digits in (
            ("task-hours", "task_hours", 1),
            ("highest tasks", "highest_tasks", 0),
            (f"requests{limit}", "breached_requests", 0),
            ("minutes with requests left over", "saturated_minutes", 0),
            ("mean latency, ms", "mean_latency_ms", 0),
            ("worst minute's latency, ms", "worst_latency_ms", 0),
            ("dollars per month, on demand", "month_dollars", 2),
        )
    ]
    table = "\n".join(
        f"| {says} | {' | '.join(_figure(figure, digits) for figure in figures)} |"
        for says, figures, digits in rows
        if any(figures)
    )
    settings = "\n".join(
        f"- {name}: {_cell(side.setting)}"
        for name, side in (("before", replay.before), ("after", replay.after))
        if side is not None
    )
    lines = [settings, f"- model: {_cell(replay.model)}", *(f"- left out: {_cell(line)}" for line in replay.left_out)]
    return (
        f"**Replay** of {_cell(replay.traffic)}, for {_cell(replay.service)}\n\n"
        f"| | before | after |\n|---|---|---|\n{table}\n" + _folded("settings and model", "\n".join(lines))
    )


def _figure(figure: Figure | None, digits: int) -> str:
    if figure is None:
        return "–"
    low, value, high = (f"{number:,.{digits}f}" for number in (figure.low, figure.value, figure.high))
    return value if low == high else f"{value} ({low} to {high})"


def _dollars(month: float | None) -> str:
    return "no price" if month is None else f"{month:,.2f}"


def _of_stack(stack: StackChange) -> str:
    if not stack.changes and not stack.content:
        return ""
    lines = [
        f"- {_verb(change)} `{change.path or change.logical_id}` ({change.type}){_detail(change)}"
        for change in stack.changes
    ]
    if len(lines) > MOST_CHANGES:
        lines = [*lines[:MOST_CHANGES], f"- and {len(lines) - MOST_CHANGES} more, in review.json"]
    lines += [f"- new code or image: `{logical_id}`" for logical_id in stack.content]
    number = len(stack.changes)
    what = f"{number} resource{'s differ' if number > 1 else ' differs'}" if number else "code or images alone"
    return _folded(f"{stack.path}: {what}", "\n".join(lines))


def _detail(change: Change) -> str:
    if not change.both:
        return ""
    parts = []
    for name in change.properties[:6]:
        old, new = change.was.get(name), change.now.get(name)
        plain = not isinstance(old, dict | list) and not isinstance(new, dict | list)
        parts.append(f"{name} {shown(old)} → {shown(new)}" if plain and name in {*change.was, *change.now} else name)
    return ": " + _cell("; ".join(parts)) if parts else ""


def _verb(change: Change) -> str:
    if change.before is None:
        return "added"
    if change.after is None:
        return "removed"
    return "moved" if change.moved_to else "changed"


def _folded(title: str, text: str) -> str:
    return f"\n<details><summary>{_cell(title)}</summary>\n\n{text}\n\n</details>"


def _cell(text: str) -> str:
    """Escapes text for tables and HTML; templates are untrusted too."""
    for mark, written in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("@", "&#64;"), ("\n", " "), ("`", "'")):
        text = text.replace(mark, written)
    return text if len(text) <= MOST_CELL else f"{text[:MOST_CELL]}…"
