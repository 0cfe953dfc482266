"""Flags scaling policies that react later, add less, or conflict; describes what they do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.judges.alarms import only_scales
from cdk_review.judges.flagged import flag, what
from cdk_review.judges.properties import value_at
from cdk_review.reference_text import as_list, number_of, shown, text_of

POLICIES = {"AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::AutoScaling::ScalingPolicy"}
TRACKING = ("TargetTrackingScalingPolicyConfiguration", "TargetTrackingConfiguration")
STEPS = "StepScalingPolicyConfiguration"
# The assumed ratio of the hottest task's CPU to the average, if not measured.
ASSUMED_SKEW = 1.15
# A larger rise of a target skips values that should be tried first.
LARGE_STEP = 10


def scaling_flags(stack: StackChange, *, skew: float = ASSUMED_SKEW) -> Iterator[Flag]:
    """Flags of the policies, of the alarms that start them, and of targets that keep a step policy busy all day."""
    for change in stack.changes:
        if change.type in POLICIES and change.both:
            yield from _of_policy(change)
        if change.type in ("Custom::LiveTarget", "AWS::SSM::Parameter") and change.both:
            yield from _of_parameter(change, stack)
        if change.type == "AWS::CloudWatch::Alarm" and change.both and only_scales(change.now, stack.after):
            yield from _of_alarm(change, stack)
        if change.type == "AWS::ApplicationAutoScaling::ScalableTarget" and change.both:
            yield from _of_schedules(change)
    yield from _targets_against_thresholds(stack, skew)


def tracking_of(properties: dict[str, Any]) -> dict[str, Any] | None:
    """The configuration of a target tracking policy, or None for another policy."""
    for name in TRACKING:
        if isinstance(properties.get(name), dict):
            found: dict[str, Any] = properties[name]
            return found
    return None


def step_in_words(properties: dict[str, Any]) -> str:
    """What a step policy does: "adds 3 tasks"."""
    configuration = properties.get(STEPS, properties)
    parts = []
    for step in as_list(value_at(configuration, "StepAdjustments")):
        number = number_of(step.get("ScalingAdjustment")) if isinstance(step, dict) else None
        if number is None:
            continue
        kind = str(configuration.get("AdjustmentType", ""))
        if kind == "ExactCapacity":
            parts.append(f"sets {number:g} tasks")
        else:
            unit = "% of the tasks" if kind.startswith("Percent") else "task" if abs(number) == 1 else "tasks"
            parts.append(f"{'adds' if number > 0 else 'removes'} {abs(number):g} {unit}")
    return ", then ".join(parts) or "adds nothing"


def _of_policy(change: Change) -> Iterator[Flag]:
    subject = what(change)
    was, now = tracking_of(change.was), tracking_of(change.now)
    if was is not None and now is not None:
        yield from _of_tracking(change, was, now)
        return
    if (was is None) != (now is None):
        yield flag(change, "scaling", "high", f"{subject} is another kind of policy now")
        return
    old_most, new_most = (_largest(side) for side in (change.was, change.now))
    if old_most is not None and new_most is not None and abs(new_most) < abs(old_most):
        yield flag(
            change, "scaling", "high", f"{subject} {step_in_words(change.now)}, where it {step_in_words(change.was)}"
        )
    old_kind, new_kind = (_adjustment(side) for side in (change.was, change.now))
    if old_kind != new_kind:
        yield flag(
            change, "scaling", "high", f"{subject} {step_in_words(change.now)}, where it {step_in_words(change.was)}"
        )
    old_from, new_from = (_begins(side) for side in (change.was, change.now))
    if old_from is not None and new_from is not None and new_from > old_from:
        yield flag(
            change,
            "scaling",
            "high",
            f"{subject} does nothing until the metric is {new_from:g} beyond the threshold, was {old_from:g}",
        )
    yield from _longer(change, f"{STEPS}.Cooldown", "cooldown", "high", default=300)


def _largest(properties: dict[str, Any]) -> float | None:
    steps = as_list(value_at(properties.get(STEPS, properties), "StepAdjustments"))
    sizes = [number_of(step.get("ScalingAdjustment")) for step in steps if isinstance(step, dict)]
    return max((size for size in sizes if size is not None), key=abs, default=None)


def _adjustment(properties: dict[str, Any]) -> str:
    return text_of(value_at(properties.get(STEPS, properties), "AdjustmentType"))


def _begins(properties: dict[str, Any]) -> float | None:
    """The distance of a policy's first step from its alarm's threshold; None without steps."""
    steps = [
        step
        for step in as_list(value_at(properties.get(STEPS, properties), "StepAdjustments"))
        if isinstance(step, dict)
    ]
    # A policy that scales in has its steps below the threshold: their nearer end is the upper one.
    inward = any((number_of(step.get("ScalingAdjustment")) or 0) < 0 for step in steps)
    bound = "MetricIntervalUpperBound" if inward else "MetricIntervalLowerBound"
    return min((abs(number_of(step.get(bound)) or 0) for step in steps), default=None)


def _of_tracking(change: Change, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Flag]:
    subject = what(change)
    old, new = number_of(was.get("TargetValue")), number_of(now.get("TargetValue"))
    if old is not None and new is not None and new - old > max(LARGE_STEP, 0.2 * old if old > 100 else 0):
        yield flag(
            change,
            "scaling",
            "medium",
            f"{subject} keeps {shown(new)} instead of {shown(old)}: nothing in between was tried",
        )
    if now.get("DisableScaleIn") is True and was.get("DisableScaleIn") is not True:
        yield flag(change, "scaling", "medium", f"{subject} never scales in any more: tasks stay and are billed")
    name = next(name for name in TRACKING if name in change.now)
    yield from _longer(change, f"{name}.ScaleOutCooldown", "cooldown after scaling out", "medium", default=300)
    old_in, new_in = (number_of(side.get("ScaleInCooldown", 300)) for side in (was, now))
    if old_in is not None and new_in is not None and new_in < old_in / 2:
        yield flag(
            change, "scaling", "low", f"{subject}: scales in after {new_in:g} s instead of {old_in:g}: it may cycle"
        )
    old_metric, new_metric = (
        json.dumps(
            [side.get("PredefinedMetricSpecification"), side.get("CustomizedMetricSpecification")], sort_keys=True
        )
        for side in (was, now)
    )
    if old_metric != new_metric:
        yield flag(
            change, "scaling", "medium", f"{subject} follows another metric: {metric_of(now)}, was {metric_of(was)}"
        )


def _target(value: Any, resources: dict[str, dict[str, Any]]) -> float | None:
    """A target, or the initial value of the parameter from which it is read."""
    number = number_of(value)
    if number is not None:
        return number
    for name, resource in resources.items():
        if f"${{{name}}}" in text_of(value):
            properties = resource.get("Properties", {})
            return number_of(properties.get("Initial", properties.get("Value")))
    return None


def metric_of(tracking: dict[str, Any]) -> str:
    """The metric of a target tracking policy."""
    predefined = value_at(tracking, "PredefinedMetricSpecification.PredefinedMetricType")
    return text_of(predefined or value_at(tracking, "CustomizedMetricSpecification.MetricName") or "metric math")


def is_read_as_target(change: Change, stack: StackChange) -> bool:
    """Whether a policy reads its target from this resource."""
    name = change.moved_to or change.logical_id
    return any(
        f"${{{name}}}" in text_of((tracking_of(resource.get("Properties", {})) or {}).get("TargetValue"))
        for resource in stack.after.values()
        if resource.get("Type") in POLICIES
    )


def _of_parameter(change: Change, stack: StackChange) -> Iterator[Flag]:
    """The target in a parameter that the policy reads."""
    read = is_read_as_target(change, stack)
    old, new = (number_of(side.get("Initial", side.get("Value"))) for side in (change.was, change.now))
    if read and old is not None and new is not None and new - old > LARGE_STEP:
        sentence = f"{what(change)}: the target of scaling is {shown(new)} instead of {shown(old)}"
        yield flag(change, "scaling", "medium", f"{sentence}: nothing in between was tried")


def _longer(change: Change, path: str, says: str, severity: str, *, default: float) -> Iterator[Flag]:
    old, new = (number_of(value_at(side, path)) for side in (change.was, change.now))
    old, new = (default if value is None else value for value in (old, new))
    if new > old:
        yield flag(change, "scaling", severity, f"{what(change)}: {says} of {new:g} s instead of {old:g} s")


def _of_alarm(change: Change, stack: StackChange) -> Iterator[Flag]:
    subject = f"{what(change)}, which {does(change.now, stack) or 'scales'},"
    old, new = (number_of(side.get("Threshold")) for side in (change.was, change.now))
    out = "GreaterThan" in str(change.now.get("ComparisonOperator"))
    if old is not None and new is not None and old != new and (new > old) == out:
        yield flag(
            change,
            "scaling",
            "high" if out else "medium",
            f"{subject} does so {'at' if out else 'below'} {shown(new)} instead of {shown(old)}",
        )
    old_minutes, new_minutes = (
        (number_of(side.get("Period")) or 60)
        * (number_of(side.get("DatapointsToAlarm")) or number_of(side.get("EvaluationPeriods")) or 1)
        / 60
        for side in (change.was, change.now)
    )
    if out and new_minutes > old_minutes:
        yield flag(
            change, "scaling", "high", f"{subject} does so after {new_minutes:g} minutes instead of {old_minutes:g}"
        )
    old_stat, new_stat = (str(side.get("Statistic", "")) for side in (change.was, change.now))
    if old_stat == "Maximum" and new_stat == "Average":
        yield flag(change, "scaling", "high", f"{subject} follows the average, no longer the hottest task")


def does(alarm: dict[str, Any], stack: StackChange) -> str:
    """The action of the step policy that an alarm triggers, or "" if there is none."""
    for action in as_list(alarm.get("AlarmActions")):
        logical_id = text_of(action).removeprefix("${").removesuffix("}")
        policy = stack.after.get(logical_id, {})
        if policy.get("Type") in POLICIES:
            return step_in_words(policy.get("Properties", {}))
    return ""


def _of_schedules(change: Change) -> Iterator[Flag]:
    def by_name(side: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {
            text_of(item.get("ScheduledActionName")): item
            for item in as_list(side.get("ScheduledActions"))
            if isinstance(item, dict)
        }

    was, now = by_name(change.was), by_name(change.now)
    for name in sorted(was.keys() & now.keys()):
        for bound in ("MinCapacity", "MaxCapacity"):
            old, new = (number_of(value_at(side[name], f"ScalableTargetAction.{bound}")) for side in (was, now))
            if old is not None and (new is None or new < old):
                yield flag(
                    change,
                    "scaling",
                    "high" if bound == "MinCapacity" else "medium",
                    f"{what(change)}: the schedule {name} sets {bound} to {shown(new)} instead of {shown(old)}",
                )
        old_time, new_time = (
            f"{side[name].get('Schedule')} {side[name].get('Timezone', 'UTC')}" for side in (was, now)
        )
        if old_time != new_time:
            yield flag(
                change,
                "scaling",
                "low",
                f"{what(change)}: the schedule {name} runs at {new_time} instead of {old_time}",
            )
    for name in sorted(was.keys() - now.keys()) if len(now) >= len(was) else []:
        yield flag(change, "scaling", "high", f"{what(change)} loses the schedule {name}")


def _targets_against_thresholds(stack: StackChange, skew: float) -> Iterator[Flag]:
    """The hottest task's CPU is `skew` times the average: if target × skew ≥ threshold, steps trigger permanently."""
    before, after = _crossings(stack.before, skew), _crossings(stack.after, skew)
    for (policy, alarm), (target, threshold, worst) in sorted(after.items()):
        old = before.get((policy, alarm))
        if worst and (old is None or not old[2] or (old[0], old[1]) != (target, threshold)):
            if old is not None and old[2] and target <= old[0] and threshold >= old[1]:
                continue
            yield Flag(
                kind="scaling",
                severity="high",
                stack=stack.path,
                logical_id=policy,
                sentence=(
                    f"{policy} keeps the average at {shown(target)} %, so the hottest task is near "
                    f"{shown(round(target * skew, 1))} % (skew {skew:g}, assumed): {alarm} fires at {shown(threshold)} "
                    "%, that is all day, and its tasks stay"
                ),
                type="AWS::ApplicationAutoScaling::ScalingPolicy",
            )


def _crossings(resources: dict[str, dict[str, Any]], skew: float) -> dict[tuple[str, str], tuple[float, float, bool]]:
    """Per pair of tracking policy and step policy's alarm on one target: CPU target, threshold, and whether they
    conflict.
    """
    found: dict[tuple[str, str], tuple[float, float, bool]] = {}
    policies = {name: item for name, item in resources.items() if item.get("Type") in POLICIES}
    for name, resource in policies.items():
        tracking = tracking_of(resource.get("Properties", {}))
        target = None if tracking is None else _target(tracking.get("TargetValue"), resources)
        if tracking is None or target is None or "CPU" not in metric_of(tracking):
            continue
        for alarm_id, alarm in resources.items():
            properties = alarm.get("Properties", {})
            if alarm.get("Type") != "AWS::CloudWatch::Alarm" or "CPU" not in str(properties.get("MetricName")):
                continue
            actions = {
                text_of(action).removeprefix("${").removesuffix("}")
                for action in as_list(properties.get("AlarmActions"))
            }
            steps = [policies[action] for action in actions if action in policies]
            same = [step for step in steps if _scaled_by(step) == _scaled_by(resource)]
            threshold = number_of(properties.get("Threshold"))
            adds = any((_largest(step.get("Properties", {})) or 0) > 0 for step in same)
            if threshold is None or not adds or "Greater" not in str(properties.get("ComparisonOperator")):
                continue
            factor = skew if properties.get("Statistic") == "Maximum" else 1.0
            found[name, alarm_id] = (target, threshold, target * factor >= threshold)
    return found


def _scaled_by(policy: dict[str, Any]) -> str:
    properties = policy.get("Properties", {})
    return text_of(
        properties.get("ScalingTargetId") or properties.get("ResourceId") or properties.get("AutoScalingGroupName")
    )
