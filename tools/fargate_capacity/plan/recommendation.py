"""The cheapest setting that breaches no guardrail, and why each of the others is not it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.plan.sweep import sweep
from fargate_capacity.traffic.trace import Trace

# Less is within what the model cannot tell.
_LEAST_SAVING = 0.01
_LEAST_MINUTES = 2 * 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A candidate and why it is not recommended."""

    simulation: Simulation
    cost: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What a sweep came to.

    Args:
        chosen: the setting; the current one where nothing is better.
        keeps: whether that is so.
        why: in a sentence.
        current_first, chosen_first: on the part of the trace that was searched.
        current_held_out, chosen_held_out: on the part that was not.
        rejected: all other candidates, the cheapest first.
        allowed_breach_minutes: on the searched part.
    """

    chosen: Setting
    keeps: bool
    why: str
    current_first: Simulation
    chosen_first: Simulation
    current_held_out: Simulation
    chosen_held_out: Simulation
    rejected: tuple[Rejection, ...]
    allowed_breach_minutes: int


def recommend(
    scenario: Scenario,
    candidates: Sequence[Setting],
    trace: Trace,
    *,
    cost: Callable[[Simulation], float],
    held_out: float = 0.3,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda done: None,
) -> Recommendation:
    """Searches the first part of the trace and verifies on the rest, by both readings of AWS's documentation.

    A candidate may breach in no more minutes than the current setting does: a plan is no worse than what is there.

    Args:
        scenario: the service and its guardrail.
        candidates: the current setting first.
        trace: the traffic.
        cost: what is to be least.
        held_out: the share of the trace, its end, that the search does not see.
        jobs: threads. Default: 1.
        advance: is told of each block that was replayed. Default: nobody is.

    Raises:
        InputError: no guardrail, or a trace too short to be parted.
    """
    if scenario.guardrail is None:
        raise InputError(
            "got no guardrail, allowed: --latency-limit-ms; without one the cheapest is always the slowest"
        )
    if trace.minutes < _LEAST_MINUTES:
        raise InputError(
            f"{trace.name}: got {trace.minutes} minutes, allowed: at least {_LEAST_MINUTES} to search and verify"
        )
    if not 0 < held_out < 1:
        raise InputError(f"--held-out: got {held_out:g}, allowed: a share between 0 and 1")
    searched = int(trace.minutes * (1 - held_out))
    first, rest = trace.part(0, searched), trace.part(searched, trace.minutes - searched)
    found = sweep(scenario, candidates, first, jobs=jobs, advance=advance)
    current = found[0]
    allowed = current.totals.breach_minutes
    current_cost = cost(current)
    current_rest = sweep(scenario, [current.setting], rest, jobs=1, advance=advance)[0]
    parts = (("searched", first), ("held-out", rest))
    other = scenario.by_other_reading
    current_other = [sweep(other, [current.setting], part, jobs=1)[0] for _, part in parts]

    rejected: list[Rejection] = []
    chosen: tuple[Simulation, Simulation] | None = None
    for one in sorted(found[1:], key=cost):
        one_cost = cost(one)
        why = ""
        if one.totals.breach_minutes > allowed:
            why = (
                f"beyond the guardrail in {one.totals.breach_minutes:,} minutes, the current setting in {allowed:,}; "
                f"worst {1000 * one.totals.worst_latency_s:,.0f} ms"
            )
        elif one_cost >= current_cost:
            why = f"costs {one_cost / current_cost - 1:.0%} more than the current setting"
        elif one_cost > current_cost * (1 - _LEAST_SAVING):
            why = f"saves less than {_LEAST_SAVING:.0%}"
        elif chosen is not None:
            why = f"holds, but costs {one_cost / cost(chosen[0]) - 1:.1%} more than the recommended one"
        else:
            verified = sweep(scenario, [one.setting], rest, jobs=1)[0]
            if verified.totals.breach_minutes > current_rest.totals.breach_minutes:
                why = (
                    f"held where it was searched, but not on the held-out part: beyond the guardrail in "
                    f"{verified.totals.breach_minutes:,} minutes, the current setting in "
                    f"{current_rest.totals.breach_minutes:,}"
                )
            elif cost(verified) >= cost(current_rest):
                why = "cheaper where it was searched, but not on the held-out part"
            else:
                why = _why_not_by_the_other_reading(other, one.setting, parts, current_other, cost)
                if not why:
                    chosen = one, verified
                    continue
        rejected.append(Rejection(simulation=one, cost=one_cost, why=why))

    if chosen is None:
        return Recommendation(
            chosen=current.setting,
            keeps=True,
            why=f"keep what you have: none of {len(candidates) - 1} candidates is cheaper and holds",
            current_first=current,
            chosen_first=current,
            current_held_out=current_rest,
            chosen_held_out=current_rest,
            rejected=tuple(rejected),
            allowed_breach_minutes=allowed,
        )
    saving = 1 - cost(chosen[1]) / cost(current_rest)
    return Recommendation(
        chosen=chosen[0].setting,
        keeps=False,
        why=f"the cheapest of {len(candidates)} that holds; on the held-out part it saves {saving:.0%}",
        current_first=current,
        chosen_first=chosen[0],
        current_held_out=current_rest,
        chosen_held_out=chosen[1],
        rejected=tuple(rejected),
        allowed_breach_minutes=allowed,
    )


def _why_not_by_the_other_reading(
    scenario: Scenario,
    setting: Setting,
    parts: Sequence[tuple[str, Trace]],
    current: Sequence[Simulation],
    cost: Callable[[Simulation], float],
) -> str:
    """Why a setting holds by one reading of AWS's documentation alone; nothing where it holds by both."""
    for (name, part), before in zip(parts, current, strict=True):
        found = sweep(scenario, [setting], part, jobs=1)[0]
        if found.totals.breach_minutes > before.totals.breach_minutes:
            return (
                f"rests on one reading of AWS's documentation: by the other it is beyond the guardrail in "
                f"{found.totals.breach_minutes:,} minutes of the {name} part, the current setting in "
                f"{before.totals.breach_minutes:,}"
            )
        if cost(found) >= cost(before):
            return f"rests on one reading of AWS's documentation: by the other it is no cheaper on the {name} part"
    return ""
