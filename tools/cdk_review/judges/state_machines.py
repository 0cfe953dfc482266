"""Flags state machines that handle fewer errors than before; lists their states and transitions before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.judges.flagged import flag, what
from cdk_review.reference_text import as_list, json_of, number_of, shown, text_of

TYPE = "AWS::StepFunctions::StateMachine"
LIMITS = ("TimeoutSeconds", "HeartbeatSeconds")
# The tolerated failures of a distributed Map; by default none.
TOLERATED = ("ToleratedFailurePercentage", "ToleratedFailureCount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A state machine's definition, with nested states flattened.

    Args:
        states: the states by name, nested ones as `Parallel[0]/Name` or `Map/Name`.
        transitions: source state, target state, and reason.
        starts: the states at which the machine and its nested ones begin.
    """

    states: dict[str, dict[str, Any]]
    transitions: frozenset[tuple[str, str, str]]
    starts: frozenset[str]
    limit: float | None

    def reachable(self) -> set[str]:
        """The states that an execution can reach."""
        found, open_ends = set(self.starts), list(self.starts)
        while open_ends:
            here = open_ends.pop()
            for source, target, _ in self.transitions:
                if source == here and target not in found:
                    found.add(target)
                    open_ends.append(target)
        return found


def definition_of(properties: dict[str, Any]) -> dict[str, Any] | None:
    """The definition of a state machine, or None if it is not in the template or not JSON."""
    definition = properties.get("Definition")
    if not isinstance(definition, dict):
        definition = json_of(properties.get("DefinitionString"))
    return definition if isinstance(definition, dict) else None


def machine_of(properties: dict[str, Any]) -> Machine | None:
    """A state machine with nested states flattened; None if its definition is not in the template or not JSON."""
    definition = definition_of(properties)
    if definition is None:
        return None
    states: dict[str, dict[str, Any]] = {}
    transitions: set[tuple[str, str, str]] = set()
    starts: set[str] = set()
    _collect(definition, "", states, transitions, starts)
    return Machine(
        states=states,
        transitions=frozenset(transitions),
        starts=frozenset(starts),
        limit=number_of(definition.get("TimeoutSeconds")),
    )


def _collect(
    definition: dict[str, Any],
    prefix: str,
    states: dict[str, dict[str, Any]],
    transitions: set[tuple[str, str, str]],
    starts: set[str],
    parent: str | None = None,
) -> None:
    begin = definition.get("StartAt")
    if isinstance(begin, str):
        if parent is None:
            starts.add(f"{prefix}{begin}")
        else:
            transitions.add((parent, f"{prefix}{begin}", "begins"))
    own = definition.get("States")
    for name, state in own.items() if isinstance(own, dict) else []:
        if not isinstance(state, dict):
            continue
        full = f"{prefix}{name}"
        states[full] = state
        for key, why in (("Next", "next"), ("Default", "otherwise")):
            if isinstance(state.get(key), str):
                transitions.add((full, f"{prefix}{state[key]}", why))
        for choice in as_list(state.get("Choices")):
            if isinstance(choice, dict) and isinstance(choice.get("Next"), str):
                transitions.add((full, f"{prefix}{choice['Next']}", "by a rule"))
        for catch in as_list(state.get("Catch")):
            if isinstance(catch, dict) and isinstance(catch.get("Next"), str):
                transitions.add((full, f"{prefix}{catch['Next']}", f"on {', '.join(_errors(catch))}"))
        for number, branch in enumerate(as_list(state.get("Branches"))):
            if isinstance(branch, dict):
                _collect(branch, f"{full}[{number}]/", states, transitions, starts, full)
        for key in ("ItemProcessor", "Iterator"):
            if isinstance(state.get(key), dict):
                _collect(state[key], f"{full}/", states, transitions, starts, full)


def state_machine_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags of each state machine that exists before and after."""
    for change in stack.changes:
        if change.type != TYPE or not change.both:
            continue
        was, now = machine_of(change.was), machine_of(change.now)
        if was is not None and now is not None:
            yield from _flags(change, was, now)


def _flags(change: Change, was: Machine, now: Machine) -> Iterator[Flag]:
    subject = what(change)
    if was.limit is not None and (now.limit is None or now.limit > 2 * was.limit):
        yield flag(
            change, "catch", "medium", f"{subject} may run for {shown(now.limit)} s instead of {shown(was.limit)} s"
        )
    renamed = _renamed(was, now)
    for name in sorted(was.states.keys() - now.states.keys() - renamed.keys()):
        yield flag(change, "removed", "high", f"{subject} loses the state {name}")
    cut_off = (was.reachable() & now.states.keys()) - now.reachable()
    for name in sorted(cut_off):
        yield flag(change, "removed", "high", f"{subject} no longer reaches the state {name}")
    for name in sorted(was.states):
        after = now.states.get(renamed.get(name, name))
        if after is not None:
            for severity, finding in _of_state(was.states[name], after, renamed):
                yield flag(change, "catch", severity, f"{subject}: {name} {finding}")


def _renamed(was: Machine, now: Machine) -> dict[str, str]:
    """Equal states with another name."""
    gone = {name: state for name, state in was.states.items() if name not in now.states}
    come = {name: state for name, state in now.states.items() if name not in was.states}
    found: dict[str, str] = {}
    for name, state in gone.items():
        own = {key: value for key, value in state.items() if key not in ("Next", "Catch", "Comment")}
        for other, candidate in come.items():
            theirs = {key: value for key, value in candidate.items() if key not in ("Next", "Catch", "Comment")}
            if own == theirs and other not in found.values():
                found[name] = other
                break
    return found


def _of_state(was: dict[str, Any], now: dict[str, Any], renamed: dict[str, str]) -> Iterator[tuple[str, str]]:
    # States refer to each other without the path of their nested machine.
    others = {old.rpartition("/")[2]: new.rpartition("/")[2] for old, new in renamed.items()}
    old, new = _handled(was, "Catch"), _handled(now, "Catch")
    lost = sorted(error for error in old if error not in new and "States.ALL" not in new)
    if lost:
        yield "critical" if not new else "high", f"no longer catches {', '.join(lost)}"
    for error in sorted(old.keys() & new.keys()):
        before_next = old[error].get("Next")
        if others.get(str(before_next), before_next) != new[error].get("Next"):
            yield "high", f"goes to {new[error].get('Next')} on {error}, no longer to {old[error].get('Next')}"
    tried, retried = _handled(was, "Retry"), _handled(now, "Retry")
    given_up = sorted(error for error in tried if error not in retried and "States.ALL" not in retried)
    if given_up:
        yield "high" if not retried else "medium", f"no longer retries {', '.join(given_up)}"
    for error in sorted(tried.keys() & retried.keys()):
        before, after = (number_of(side[error].get("MaxAttempts", 3)) for side in (tried, retried))
        if before is not None and after is not None and after < before:
            yield "medium", f"retries {error} {after:g} times instead of {before:g}"
    for limit in LIMITS:
        before, after = number_of(was.get(limit)), number_of(now.get(limit))
        if before is not None and (after is None or after > 2 * before):
            yield (
                "medium",
                f"has no {limit} any more" if after is None else f"has {limit} {after:g} instead of {before:g}",
            )
    for limit in TOLERATED:
        before, after = (number_of(side.get(limit, 0)) for side in (was, now))
        if before is not None and after is not None and after > before:
            yield "high", f"goes on though items fail: {limit} {after:g} instead of {before:g}"
    before_type, after_type = was.get("Type"), now.get("Type")
    if before_type == "Task" and after_type in ("Pass", "Succeed"):
        yield "high", f"no longer does anything: it was a Task, and is a {after_type}"
    if before_type == "Fail" and (after_type == "Succeed" or (after_type == "Pass" and now.get("End") is True)):
        yield "high", f"no longer fails the execution: it was a Fail, and is a {after_type}"
    if before_type == "Choice" and after_type == "Choice":
        fewer = len(as_list(was.get("Choices"))) - len(as_list(now.get("Choices")))
        if fewer > 0:
            yield "high", f"checks {fewer} fewer of its rules"


def _handled(state: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    return {
        error: handler for handler in as_list(state.get(key)) if isinstance(handler, dict) for error in _errors(handler)
    }


def _errors(handler: dict[str, Any]) -> list[str]:
    return [text_of(error) for error in as_list(handler.get("ErrorEquals"))]


def marks_of(change: Change) -> tuple[dict[str, str], dict[str, str]]:
    """The marks of differing top-level states, before and after."""
    was, now = ((definition_of(side) or {}).get("States") for side in (change.was, change.now))
    was, now = (side if isinstance(side, dict) else {} for side in (was, now))
    changed = {name: "changed" for name in was if name in now and was[name] != now[name]}
    before = changed | {name: "removed" for name in was if name not in now}
    return before, changed | {name: "added" for name in now if name not in was}


def states_in_words(change: Change) -> list[str]:
    """States and transitions added and removed, one line each, for the report."""
    was, now = machine_of(change.was), machine_of(change.now)
    if was is None or now is None:
        return []
    lines = [f"+ state {name}" for name in sorted(now.states.keys() - was.states.keys())]
    lines += [f"- state {name}" for name in sorted(was.states.keys() - now.states.keys())]
    for sign, transitions in (("+", now.transitions - was.transitions), ("-", was.transitions - now.transitions)):
        lines += [f"{sign} {source} → {target} ({why})" for source, target, why in sorted(transitions)]
    for name in sorted(was.states.keys() & now.states.keys()):
        old, new = was.states[name], now.states[name]
        differs = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        if differs:
            lines.append(f"~ state {name}: {', '.join(differs)}")
    return lines
