"""Writes a review as one Markdown page, one screen first and the details folded, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import SEVERITIES
from cdk_review.judges.state_machines import TYPE as STATE_MACHINE
from cdk_review.judges.state_machines import states_in_words
from cdk_review.reference_text import shown
from cdk_review.review import Review

# A page longer than this is refused by GitHub as a comment (65,536 characters).
MOST_CHARACTERS = 60_000
MOST_CHANGES = 200


def write_review(review: Review, folder: Path) -> list[Path]:
    """Write review.md and review.json into a folder, which is made where it is not there."""
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
        "content_only": [
            {"stack": stack.path, "logical_id": logical_id} for stack in review.stacks for logical_id in stack.content
        ],
    }


def markdown(review: Review) -> str:
    """The content of review.md."""
    parts = [_summary(review), _flag_table(review), _cost(review), *(_of_stack(stack) for stack in review.stacks)]
    text = "\n\n".join(part for part in parts if part) + "\n"
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS].rsplit("\n", 1)[0] + "\n\n… cut here: the whole is in `review.json`.\n"
    return text


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
    shown_rows, folded = rows[:12], rows[12:]
    head = "| severity | kind | what the change does | stack |\n|---|---|---|---|\n"
    text = head + "\n".join(shown_rows)
    if folded:
        text += _folded(f"{len(folded)} more flags", head + "\n".join(folded))
    return text


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
        f"**Fixed cost**: {cost.month_after:,.2f} dollars a month, was {cost.month_before:,.2f} ({change:+,.2f}; "
        f"prices of {cost.dated}, traffic not counted)."
    )
    unpriced = sorted({charge.what for charge in cost.after if charge.month is None})
    if unpriced:
        line += f" Without a price, and not in the sum: {_cell(', '.join(unpriced[:12]))}."
    if not rows:
        return line
    title = "1 charge differs" if len(rows) == 1 else f"{len(rows)} charges differ"
    return line + _folded(title, "| resource | before | after |\n|---|---|---|\n" + "\n".join(rows))


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
    for change in stack.changes:
        if change.type == STATE_MACHINE and change.both and (words := states_in_words(change)):
            lines.append(f"\nStates of `{change.logical_id}`:\n\n```diff\n" + "\n".join(words[:80]) + "\n```")
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
    """Text that neither a table nor HTML reads as its own; templates of strangers are shown too."""
    for mark, written in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("@", "&#64;"), ("\n", " "), ("`", "'")):
        text = text.replace(mark, written)
    return text
