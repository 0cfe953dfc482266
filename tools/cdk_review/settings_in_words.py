"""Describes every change of scaling and alarms in words, because JSON is hard to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.judges.alarms import ALARMS
from cdk_review.judges.properties import value_at
from cdk_review.judges.scaling import POLICIES, does, is_read_as_target, metric_of, step_in_words, tracking_of
from cdk_review.reference_text import as_list, number_of, shown, text_of

SCALABLE = "AWS::ApplicationAutoScaling::ScalableTarget"
SIGNS = {
    "GreaterThanThreshold": "above",
    "GreaterThanOrEqualToThreshold": "at or above",
    "LessThanThreshold": "below",
    "LessThanOrEqualToThreshold": "at or below",
}


def settings_in_words(stack: StackChange) -> list[str]:
    """One line per changed bound, target, step, cooldown, schedule and alarm."""
    return [line for change in stack.changes for line in _of_change(change, stack)]


def _of_change(change: Change, stack: StackChange) -> Iterator[str]:
    if change.type == SCALABLE:
        sides = [_bounds(side) for side in (change.was, change.now)]
    elif change.type in POLICIES:
        sides = [_policy(side) for side in (change.was, change.now)]
    elif change.type in ALARMS:
        sides = [_alarm(side) for side in (change.was, change.now)]
    elif change.both and is_read_as_target(change, stack):
        sides = [
            {"target of scaling": shown(side.get("Initial", side.get("Value")))} for side in (change.was, change.now)
        ]
    else:
        return
    was, now = sides
    name = change.logical_id
    if change.type in ALARMS and (acts := does(change.now or change.was, stack)):
        name += f" ({acts})"
    if change.before is None:
        yield f"{name} is new: {_listed(now)}"
    elif change.after is None:
        yield f"{name} is removed: {_listed(was)}"
    else:
        yield from (
            f"{name}: {key} {now.get(key, 'none')}, was {was.get(key, 'none')}"
            for key in dict.fromkeys((*was, *now))
            if was.get(key) != now.get(key)
        )


def _listed(settings: dict[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "nothing that is literal"


def _bounds(properties: dict[str, Any]) -> dict[str, str]:
    found = {
        says: shown(properties[name])
        for name, says in (("MinCapacity", "minimum"), ("MaxCapacity", "maximum"))
        if name in properties
    }
    for action in as_list(properties.get("ScheduledActions")):
        if isinstance(action, dict):
            bounds = _bounds(action.get("ScalableTargetAction") or {})
            zone = f" {action['Timezone']}" if "Timezone" in action else ""
            name = f"schedule {shown(action.get('ScheduledActionName'))}"
            found[name] = f"{_listed(bounds)} at {shown(action.get('Schedule'))}{zone}"
    return found


def _policy(properties: dict[str, Any]) -> dict[str, str]:
    tracking = tracking_of(properties)
    if tracking is not None:
        found = {"metric": metric_of(tracking)}
        for name, says, unit in (
            ("TargetValue", "target", ""),
            ("ScaleOutCooldown", "cooldown after scaling out", " s"),
            ("ScaleInCooldown", "cooldown after scaling in", " s"),
            ("DisableScaleIn", "scale-in disabled", ""),
        ):
            if name in tracking:
                found[says] = f"{shown(tracking[name])}{unit}"
        return found
    configuration = properties.get("StepScalingPolicyConfiguration", properties)
    cooldown = number_of(value_at(configuration, "Cooldown"))
    found = {"step": step_in_words(properties)} if value_at(configuration, "StepAdjustments") else {}
    return found | ({} if cooldown is None else {"cooldown": f"{cooldown:g} s"})


def _alarm(properties: dict[str, Any]) -> dict[str, str]:
    found = {}
    if "AlarmRule" in properties:
        found["rule"] = shown(properties["AlarmRule"])
    if "Threshold" in properties:
        sign = SIGNS.get(text_of(properties.get("ComparisonOperator")), text_of(properties.get("ComparisonOperator")))
        found["fires"] = f"{sign} {shown(properties['Threshold'])}"
    if "EvaluationPeriods" in properties:
        of = shown(properties["EvaluationPeriods"])
        period = f" of {shown(properties['Period'])} s" if "Period" in properties else ""
        found["after"] = f"{shown(properties.get('DatapointsToAlarm', of))} of {of} periods{period}"
    if "MetricName" in properties:
        statistic = properties.get("Statistic") or properties.get("ExtendedStatistic")
        found["metric"] = f"{shown(properties['MetricName'])} ({shown(statistic)})"
    for name, says in (("TreatMissingData", "missing data"), ("ActionsEnabled", "actions enabled")):
        if name in properties:
            found[says] = shown(properties[name])
    if "AlarmActions" in properties:
        found["actions"] = str(len(as_list(properties["AlarmActions"])))
    return found
