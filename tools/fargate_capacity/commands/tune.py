"""`fargate-capacity tune`: replays the target tuner on given traffic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from fargate_capacity.commands.options import (
    Assembly,
    TraceFile,
    TrafficOptions,
)
from fargate_capacity.commands.shown import draw, replayed, show, write
from fargate_capacity.declared.declared_tuner import DeclaredTuner, declared_tuner
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.question import Question
from fargate_capacity.plan.tuning import Tuning, tune
from fargate_capacity.progress import PatientProgress
from fargate_capacity.replay.guardrail import GuardedMetric, Guardrail
from fargate_capacity.scaling_decisions import Action, ObservationPeriod, TunerSettings

_MOST_CHANGES = 15
# The construct's default.
_CEILING = 65.0


def tune_command(
    assembly: Assembly,
    trace: TraceFile,
    *,
    ceiling: Annotated[float | None, typer.Option(help="The highest target, percent.")] = None,
    step: Annotated[float | None, typer.Option(help="Points that a step adds.")] = None,
    observation: Annotated[
        ObservationPeriod | None, typer.Option(help="How long a target is observed before the next step.")
    ] = None,
    cool_off_days: Annotated[float | None, typer.Option(help="How long no step is made after a revert.")] = None,
    final_margin: Annotated[
        float | None, typer.Option(help="Points below the last target that held, once a target is given up.")
    ] = None,
    attempts: Annotated[int | None, typer.Option(help="How often a target may fail before it is given up.")] = None,
    latency_ratio: Annotated[
        float | None,
        typer.Option(help="Latency divided by that of the same hours before; a higher ratio reverts the step."),
    ] = None,
    given: TrafficOptions,
) -> None:
    """Replay the target tuner on the traffic: every step, every revert, and the result.

    Settings that are not given are those of the service's tuner; without one, the tuner's defaults. The guardrail is
    the alarms that the stack gives the tuner; without a tuner, a minute beyond the limit.
    """
    question = given.question(assembly)
    traffic = given.traffic(question, trace)
    try:
        given_settings: dict[str, Any] = {
            "ceiling": ceiling,
            "step": step,
            "observation": observation,
            "cool_off": None if cool_off_days is None else timedelta(days=cool_off_days),
            "final_margin": final_margin,
            "attempts": attempts,
            "max_latency_ratio": latency_ratio,
        }
        declared = declared_tuner(
            question.assembly,
            question.service.stack_identity,
            question.scenario.model,
            service=question.service.name,
        )
        settings = replace(
            declared.settings if declared else TunerSettings(ceiling=_CEILING),
            **{name: value for name, value in given_settings.items() if value is not None},
        )
    except ValueError as error:
        raise InputError(f"tune: {error}") from None
    question, watched = _guarded(question, declared)
    with PatientProgress("replaying the tuner", total=2 * (traffic.minutes // 1440 + 1)) as progress:
        tuning = tune(question.scenario, question.setting, traffic, settings, advance=progress.begin)
        other = tune(question.scenario.by_other_reading, question.setting, traffic, settings, advance=progress.begin)
    tuned = replace(question, setting=question.setting.with_target(tuning.final_target))
    figures = [
        replayed(question, traffic, "untuned"),
        question.figures("while tuning", tuning.simulation, other=other.simulation),
        replayed(tuned, traffic, "with the final target"),
    ]
    show(question, traffic, figures, title=f"{question.setting.target:g} % tuned to {tuning.final_target:g} %")
    beyond = question.calibration.beyond(tuning.final_target) if question.calibration else None
    if beyond:
        typer.echo(f"warning: {beyond}")
    for line in watched:
        typer.echo(line)
    if other.final_target != tuning.final_target:
        typer.echo(f"by the other reading of AWS's documentation it is tuned to {other.final_target:g} %")
    typer.echo(_described_saving(question, tuning))
    for decision in tuning.decisions:
        typer.echo(f"{decision.at:%Y-%m-%d %H:%M}  {decision.action:7} {decision.target:g} %  {decision.why}")
    decisions = [
        {"at": each.at.isoformat(), "action": each.action, "from": each.origin, "to": each.target, "why": each.why}
        for each in tuning.decisions
    ]
    more = {
        "final_target": tuning.final_target,
        "final_target_by_other_reading": other.final_target,
        "saved_task_hours": tuning.saved_task_hours,
        "watched": watched,
        "decisions": decisions,
        "warnings": [beyond] if beyond else [],
    }
    write(question, traffic, figures, output=given.output, command="tune", more=more)
    # The marks of a year of steps would hide the graph.
    shows_steps = len(tuning.decisions) <= _MOST_CHANGES
    changes = [
        (each.at, f"{each.action} {each.target:g} %")
        for each in tuning.decisions
        if shows_steps or each.action is not Action.STEP
    ]
    draw(tuned, traffic, figures[1], output=given.output, changes=changes)


def _guarded(question: Question, declared: DeclaredTuner | None) -> tuple[Question, list[str]]:
    """The question with the alarms of the stack's tuner as its guardrail, and a description of them."""
    guardrail, alarms = question.scenario.guardrail, declared.guardrail.alarms if declared else ()
    left_out = [f"left out: {line}" for line in (declared.guardrail.left_out if declared else ())]
    if not alarms:
        return question, [*left_out, "guardrail: a minute beyond the limit, for want of a tuner's alarms"]
    latencies = [alarm.threshold for alarm in alarms if alarm.metric is GuardedMetric.LATENCY]
    limit = guardrail.latency_seconds if guardrail else min(latencies, default=question.scenario.model.give_up_seconds)
    guarded = replace(question.scenario, guardrail=Guardrail(latency_seconds=limit, alarms=alarms))
    described = "; ".join(alarm.described() for alarm in alarms)
    return replace(question, scenario=guarded), [f"guardrail: the alarms that are deployed: {described}", *left_out]


def _described_saving(question: Question, tuning: Tuning) -> str:
    saved = tuning.saved_task_hours
    money = ""
    if question.price is not None:
        task_hour = question.price.task_hour(
            vcpus=question.service.vcpus,
            memory_mib=question.service.memory_mib,
            storage_gib=question.service.storage_gib,
        )
        money = f", {'-' if saved < 0 else ''}${abs(saved) * task_hour:,.2f} on demand"
    return f"saved so far: {saved:,.1f} task-hours{money}, against the same hours before the first step"
