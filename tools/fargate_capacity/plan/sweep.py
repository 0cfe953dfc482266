"""Many settings over one trace, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from fargate_capacity.plan.setting import Setting
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.replay.compiled import is_worth_compiling
from fargate_capacity.traffic.trace import Trace

# Four weeks: what a call costs is spread over enough minutes.
SWEEP_BLOCK_MINUTES = 40_320


def sweep(
    scenario: Scenario,
    settings: Sequence[Setting],
    trace: Trace,
    *,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda done: None,
) -> list[Simulation]:
    """Each setting's simulation, in order.

    Args:
        scenario: the service and its guardrail.
        settings: what is compared.
        trace: the traffic.
        jobs: threads; only the compiled loop runs without the interpreter's lock and gains by more than one.
        advance: is told of each block of each thread.
    """
    is_compiled = is_worth_compiling(trace.minutes * len(settings))
    shares = [settings[job :: max(jobs, 1)] for job in range(max(jobs, 1))]
    with ThreadPoolExecutor(max_workers=len(shares)) as pool:
        parts = list(pool.map(lambda share: _share(scenario, share, trace, is_compiled, advance), shares))
    found: list[Simulation | None] = [None] * len(settings)
    for job, part in enumerate(parts):
        found[job :: len(shares)] = part
    return [each for each in found if each is not None]


def _share(
    scenario: Scenario,
    settings: Sequence[Setting],
    trace: Trace,
    is_compiled: bool,
    advance: Callable[[str], None],
) -> list[Simulation]:
    replays = [scenario.replay(setting, trace, is_compiled=is_compiled) for setting in settings]
    moment = trace.start
    begin = 0
    for block in trace.blocks(SWEEP_BLOCK_MINUTES):
        advance(f"{moment:%Y-%m-%d}")
        deploying = scenario.deployments.flags(moment, len(block))
        for replay in replays:
            replay.feed(block, deploying=deploying)
        begin += len(block)
        moment = trace.start + timedelta(minutes=begin)
    return [
        Simulation(setting=setting, totals=replay.totals()) for setting, replay in zip(settings, replays, strict=True)
    ]
