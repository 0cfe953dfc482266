"""Flags alarms that are looser than before, no longer notify, or are new and have no action."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.judges.flagged import flag, what
from cdk_review.reference_text import as_list, number_of, shown, text_of

ALARMS = {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
# How sensitive a statistic is to a few bad values.
SEES = ("Minimum", "p10", "p50", "Average", "p90", "p95", "p99", "p99.9", "Maximum")
# From the most sensitive.
MISSING = ("breaching", "missing", "ignore", "notBreaching")


def alarm_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags of all alarms of a stack; alarms that only scale are checked with scaling."""
    used = _names_used(stack.after)
    for change in stack.changes:
        if change.type not in ALARMS:
            continue
        if change.before is None:
            logical_id = change.logical_id
            if not _actions(change.now) and not _is_used(logical_id, change.now, used):
                yield flag(
                    change,
                    "silenced",
                    "low",
                    f"The new alarm {logical_id} has no action: nobody is notified when it fires",
                )
            continue
        if change.after is None:
            continue
        yield from _silenced(change)
        if only_scales(change.was, stack.before) and only_scales(change.now, stack.after):
            continue
        yield from _loosened(change)


def _silenced(change: Change) -> Iterator[Flag]:
    subject = what(change)
    if change.was.get("ActionsEnabled", True) is not False and change.now.get("ActionsEnabled", True) is False:
        yield flag(change, "silenced", "critical", f"{subject}: its actions are switched off")
    lost = [text for text in _actions(change.was) if text not in _actions(change.now)]
    if lost:
        left = len(_actions(change.now))
        yield flag(
            change,
            "silenced",
            "critical" if not left else "high",
            f"{subject} no longer acts on {', '.join(lost[:3])}" + ("" if left else ": it has no action left"),
        )
    for name, when in (("OKActions", "it is over"), ("InsufficientDataActions", "there are no data")):
        gone = [text_of(item) for item in as_list(change.was.get(name)) if item not in as_list(change.now.get(name))]
        if gone:
            yield flag(change, "silenced", "low", f"{subject} no longer reports that {when}")
    suppressor = "ActionsSuppressor"
    if change.now.get(suppressor) is not None and change.was.get(suppressor) is None:
        yield flag(change, "silenced", "high", f"{subject} is suppressed by {text_of(change.now[suppressor])}")


def _loosened(change: Change) -> Iterator[Flag]:
    subject = what(change)
    was, now = change.was, change.now
    findings: list[tuple[str, str]] = []
    before, after = number_of(was.get("Threshold")), number_of(now.get("Threshold"))
    operator = str(now.get("ComparisonOperator", ""))
    if operator != was.get("ComparisonOperator") and was.get("ComparisonOperator") is not None:
        if {operator, was.get("ComparisonOperator")} <= {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold"}:
            if operator == "GreaterThanThreshold" and before == after:
                findings.append(("low", f"fires above {shown(after)}, no longer at it"))
        else:
            findings.append(("high", f"compares by {operator}, was {was['ComparisonOperator']}"))
    if before is not None and after is not None and before != after:
        higher_is_looser = operator.startswith("Greater")
        outer = operator.endswith("UpperThreshold") or "LessThanLowerOrGreater" in operator
        if (after > before) == (higher_is_looser or outer):
            findings.append(
                ("high", f"fires {'above' if higher_is_looser else 'below'} {shown(after)} instead of {shown(before)}")
            )
    elif before is not None and after is None and was.get("Threshold") != now.get("Threshold"):
        findings.append(("medium", f"its threshold was {shown(before)} and is {shown(now.get('Threshold'))}"))
    findings += _slower(was, now)
    old_missing, new_missing = (str(side.get("TreatMissingData", "missing")) for side in (was, now))
    if old_missing in MISSING and new_missing in MISSING and MISSING.index(old_missing) < MISSING.index(new_missing):
        severity = "high" if old_missing == "breaching" else "low"
        findings.append((severity, f"treats missing data as {new_missing}, was {old_missing}"))
    findings += _of_metric(was, now)
    if change.type.endswith("CompositeAlarm") and text_of(was.get("AlarmRule")) != text_of(now.get("AlarmRule")):
        findings.append(_of_rule(text_of(was.get("AlarmRule")), text_of(now.get("AlarmRule"))))
    for severity, finding in findings:
        yield flag(change, "loosened", severity, f"{subject} {finding}")


def _slower(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str]]:
    old_period, new_period = _period(was), _period(now)
    old_of, new_of = (number_of(side.get("EvaluationPeriods", 1)) or 1 for side in (was, now))
    old_at, new_at = (number_of(side.get("DatapointsToAlarm")) or of for side, of in ((was, old_of), (now, new_of)))
    if old_at * old_period < new_at * new_period:
        yield (
            "medium",
            f"needs {new_at * new_period / 60:g} bad minutes instead of {old_at * old_period / 60:g} "
            f"({new_at:g} of {new_of:g} datapoints, was {old_at:g} of {old_of:g})",
        )
    elif old_at / old_of < new_at / new_of and old_at * old_period <= new_at * new_period and old_of >= new_of:
        yield "low", f"needs {new_at:g} of {new_of:g} datapoints, was {old_at:g} of {old_of:g}"


def _period(alarm: dict[str, Any]) -> float:
    periods = [number_of(alarm.get("Period"))]
    for metric in as_list(alarm.get("Metrics")):
        if isinstance(metric, dict):
            stat = metric.get("MetricStat")
            periods.append(number_of(stat.get("Period")) if isinstance(stat, dict) else number_of(metric.get("Period")))
    return max((period for period in periods if period is not None), default=60.0)


def _of_metric(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str]]:
    old, new = (str(side.get("Statistic") or side.get("ExtendedStatistic") or "") for side in (was, now))
    if old != new and old in SEES and new in SEES and str(now.get("ComparisonOperator", "")).startswith("Greater"):
        if SEES.index(new) < SEES.index(old):
            yield "high", f"watches the {new}, was the {old}: a few bad values among many hide in it"
    elif old and new and old != new:
        yield "medium", f"watches the {new}, was the {old}"
    for name in ("Namespace", "MetricName"):
        if was.get(name) and now.get(name) and was[name] != now[name]:
            yield "medium", f"watches {shown(now[name])}, was {shown(was[name])}"
    if _plain(was.get("Dimensions")) != _plain(now.get("Dimensions")):
        yield "medium", f"watches {_dimensions(now)}, was {_dimensions(was)}"
    yield from _of_parts(was, now)
    if _expressions(was) != _expressions(now):
        yield "medium", f"computes {_expressions(now) or 'one metric'}, was {_expressions(was) or 'one metric'}"


def _of_parts(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The metrics of an alarm on an expression."""
    old, new = _parts(was), _parts(now)
    for name in sorted(old.keys() & new.keys()):
        for severity, finding in _of_metric(old[name], new[name]):
            yield severity, f"{finding} (as {name})"


def _parts(alarm: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics by their id in expressions, each in the form of an alarm on one metric."""
    found = {}
    for part in as_list(alarm.get("Metrics")):
        stat = part.get("MetricStat") if isinstance(part, dict) else None
        if isinstance(stat, dict):
            metric = stat.get("Metric")
            own = metric if isinstance(metric, dict) else {}
            compared = {"Statistic": stat.get("Stat"), "ComparisonOperator": alarm.get("ComparisonOperator")}
            found[text_of(part.get("Id"))] = own | compared
    return found


def _of_rule(was: str, now: str) -> tuple[str, str]:
    lost = [name for name in _alarms_of(was) if name not in _alarms_of(now)]
    if lost:
        return "high", f"no longer watches {', '.join(lost)}"
    if now.count(" AND ") > was.count(" AND "):
        return "high", f"fires by {shown(now)}, was {shown(was)}"
    return "medium", f"fires by {shown(now)}, was {shown(was)}"


def _alarms_of(rule: str) -> list[str]:
    return re.findall(r"(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*\"?([^\"()]+?)\"?\s*\)", rule)


def _plain(value: Any) -> str:
    items = [json.dumps(item, sort_keys=True) for item in as_list(value)]
    return ",".join(sorted(items))


def _dimensions(alarm: dict[str, Any]) -> str:
    named = [
        f"{item.get('Name')}={text_of(item.get('Value'))}"
        for item in as_list(alarm.get("Dimensions"))
        if isinstance(item, dict)
    ]
    return ", ".join(sorted(named)) or "all of it"


def _expressions(alarm: dict[str, Any]) -> str:
    return "; ".join(
        str(metric["Expression"])
        for metric in as_list(alarm.get("Metrics"))
        if isinstance(metric, dict) and metric.get("Expression")
    )


def _actions(alarm: dict[str, Any]) -> list[str]:
    return [text_of(action) for action in as_list(alarm.get("AlarmActions"))]


def only_scales(alarm: dict[str, Any], resources: dict[str, dict[str, Any]]) -> bool:
    """Whether an alarm's only actions are policies of scaling."""
    kinds = [str(resources.get(_referred(action), {}).get("Type")) for action in as_list(alarm.get("AlarmActions"))]
    return bool(kinds) and all(kind.endswith("AutoScaling::ScalingPolicy") for kind in kinds)


def _referred(action: Any) -> str:
    """The logical id that an action names, or ""."""
    return text_of(action).removeprefix("${").removesuffix("}").partition(".")[0]


def _names_used(resources: dict[str, dict[str, Any]]) -> str:
    """Everything declared except the alarms' own actions: an alarm named there has a purpose."""
    return json.dumps(
        [
            resource.get("Properties")
            for resource in resources.values()
            if resource.get("Type") not in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard")
        ]
    )


def _is_used(logical_id: str, properties: dict[str, Any], used: str) -> bool:
    name = properties.get("AlarmName")
    return f'"{logical_id}"' in used or (isinstance(name, str) and name in used)
