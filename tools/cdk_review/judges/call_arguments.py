"""Flags worse arguments in a state machine's calls: the resources that it creates are not in a template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.instance_size import is_smaller
from cdk_review.judges.flagged import flag, what
from cdk_review.judges.state_machines import TYPE, machine_of
from cdk_review.reference_text import number_of, text_of

# By an argument's name, at any depth: the kind and severity of its loss, and a description.
LOST = {
    "KmsKeyId": ("encryption", "high", "the key that encrypts"),
    "VolumeKmsKeyId": ("encryption", "high", "the key that encrypts volumes"),
    "OutputKmsKeyId": ("encryption", "high", "the key that encrypts its output"),
    "AutoRollbackConfiguration": ("loosened", "high", "its automatic rollback"),
    "DeploymentConfig": ("loosened", "high", "its gradual deployment"),
    "BlueGreenUpdatePolicy": ("loosened", "medium", "its gradual deployment"),
    "DataCaptureConfig": ("logging", "medium", "data capture"),
    "VpcConfig": ("public", "medium", "its place in the VPC"),
    "StoppingCondition": ("loosened", "medium", "its limit of time"),
    "DeadLetterConfig": ("loosened", "medium", "its dead-letter queue"),
}
ON = {
    "EnableNetworkIsolation": ("public", "high", "network isolation"),
    "EnableInterContainerTrafficEncryption": ("encryption", "medium", "encryption between containers"),
    "EnableCapture": ("logging", "medium", "data capture"),
}
COUNTS = {"InitialInstanceCount": "instances", "MinCapacity": "least instances"}


def call_argument_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags of the calls of each state machine that exists before and after."""
    for change in stack.changes:
        if change.type != TYPE or not change.both:
            continue
        was, now = machine_of(change.was), machine_of(change.now)
        if was is None or now is None:
            continue
        for name in sorted(was.states.keys() & now.states.keys()):
            old, new = (_arguments(side.states[name]) for side in (was, now))
            if old != new:
                yield from _compared(change, name, old, new)


def _arguments(state: dict[str, Any]) -> Any:
    return state.get("Arguments", state.get("Parameters"))


def _compared(change: Change, state: str, old: Any, new: Any) -> Iterator[Flag]:
    subject = f"{what(change)}: {state}"
    if isinstance(old, list) and isinstance(new, list):
        for before, after in zip(old, new, strict=False):
            yield from _compared(change, state, before, after)
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    for raw, before in old.items():
        # In JSONPath, an argument from the input has the suffix ".$": "Name.$".
        name = raw.removesuffix(".$")
        after = new.get(name, new.get(f"{name}.$"))
        if name in LOST and before and not after:
            kind, severity, says = LOST[name]
            yield flag(change, kind, severity, f"{subject} loses {says} ({name})")
        elif name in ON and before is True and after is not True:
            kind, severity, says = ON[name]
            yield flag(change, kind, severity, f"{subject} loses {says}")
        elif name == "Alarms" and isinstance(before, list) and isinstance(after, list):
            lost = [text_of(item) for item in before if item not in after]
            if lost:
                yield flag(
                    change, "loosened", "high", f"{subject} is rolled back by {len(lost)} fewer alarms: {lost[0]}"
                )
        elif name in COUNTS:
            first, second = number_of(before), number_of(after)
            if first is not None and second is not None and second < first:
                yield flag(change, "capacity", "high", f"{subject}: {second:g} {COUNTS[name]} instead of {first:g}")
        elif name == "InstanceType":
            if is_smaller(text_of(after), text_of(before)):
                sentence = f"{subject} runs on {text_of(after)} instead of {text_of(before)}"
                yield flag(change, "capacity", "medium", sentence)
        elif name == "MaxRuntimeInSeconds":
            first, second = number_of(before), number_of(after)
            if first is not None and second is not None and second > 2 * first:
                yield flag(change, "cost", "medium", f"{subject} may run for {second:g} s instead of {first:g} s")
        else:
            yield from _compared(change, state, before, after)
