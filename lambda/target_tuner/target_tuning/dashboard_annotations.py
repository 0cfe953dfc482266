"""Changes of the target as vertical lines on a dashboard, and the live target as a horizontal line.

CloudFormation owns the dashboard, and writes its own body whenever the template changes. So the tuner adds the lines to
the current body at every look and after every deployment; it does not write a body that already has them.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from botocore.exceptions import ClientError

from .surroundings import Clients
from .tuner_table import Record

_OURS = re.compile(r"target [\d.]+ → [\d.]+ % \(tuner: .*\)")
_COLORS = {"revert": "#d62728", "restore": "#7f7f7f"}
_STEP_COLOR = "#2ca02c"
_TARGET = re.compile(r"target: [\d.]+")
_HEADROOM = "headroom"


def draw(clients: Clients, dashboard: str, records: Sequence[Record], live: float) -> bool:
    """Updates the dashboard; returns whether it had to. A deleted dashboard is not made again."""
    try:
        before = json.loads(clients.metrics.get_dashboard(DashboardName=dashboard)["DashboardBody"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "DashboardNotFoundError"):
            raise
        return False
    after = annotated(before, records, live)
    if after == before:
        return False
    clients.metrics.put_dashboard(DashboardName=dashboard, DashboardBody=json.dumps(after))
    return True


def annotated(body: dict[str, Any], records: Sequence[Record], live: float) -> dict[str, Any]:
    """The body with a vertical line for each change, and with the live target in place of the declared one."""
    lines = [
        {
            "value": record.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "label": f"target {record.origin:g} → {record.target:g} % (tuner: {record.action})",
            "color": _COLORS.get(record.action, _STEP_COLOR),
        }
        for record in records
        if record.origin != record.target and not record.is_dry_run
    ]
    drawn = copy.deepcopy(body)
    for widget in drawn.get("widgets", []):
        properties = widget.get("properties", {})
        if widget.get("type") != "metric" or properties.get("view", "timeSeries") != "timeSeries":
            continue
        annotations = properties.get("annotations", {})
        others = [line for line in annotations.get("vertical", []) if not _is_ours(line)]
        if others or lines:
            annotations["vertical"] = others + lines
        else:
            annotations.pop("vertical", None)
        for line in annotations.get("horizontal", []):
            _follow(line, live)
        if annotations:
            properties["annotations"] = annotations
    return drawn


def _is_ours(line: Any) -> bool:
    return isinstance(line, dict) and bool(_OURS.fullmatch(str(line.get("label", ""))))


def _follow(line: Any, live: float) -> None:
    """Moves the target's line and the lower edge of the band above it."""
    if isinstance(line, dict) and _TARGET.fullmatch(str(line.get("label", ""))):
        line.update(value=live, label=f"target: {live:g}")
    elif isinstance(line, list) and line and line[0].get("label") == _HEADROOM:
        line[0]["value"] = live
