"""Is the replay right by the documented rules? A second one, written from these alone, judges it minute for minute."""

from __future__ import annotations

import dataclasses

import numpy as np

from fargate_capacity.replay.compiled import is_numba_installed
from fargate_capacity.replay.replay import Replay
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds, Metric, StepBand, StepScaling, TargetTracking
from tests.proofs import independent_replay as judge
from tests.proofs.proof import Case, Suite

_DAY = 1440


def _traffic(days: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Days, quiet weekends, surges of minutes to hours, and minutes without data."""
    chance = np.random.default_rng(seed)
    minute = np.arange(days * _DAY)
    level = 300 * (1 + 0.7 * np.sin(minute * 2 * np.pi / _DAY)) * np.where(minute // _DAY % 7 >= 5, 0.6, 1)
    for begin in np.flatnonzero(chance.random(len(minute)) < 3 / _DAY):
        level[begin : begin + int(chance.integers(3, 120))] *= chance.uniform(1.3, 5)
    requests = chance.poisson(level).astype(float)
    requests[chance.random(len(requests)) < 0.0005] = np.nan
    return requests


def compared(days: int, seed: int, *, every_20_seconds: bool) -> str:
    """Replays the same days in both ways.

    Raises:
        AssertionError: in a minute they differ.
    """
    chance = np.random.default_rng(seed)
    requests = _traffic(days, seed)
    service = judge.Service(
        cpu_seconds=1,
        skew=float(chance.uniform(1, 1.3)),
        idle=0.0213,
        start_s=float(chance.integers(28, 200)),
        drain_s=30,
        give_up_s=60,
        minimum=2,
        maximum=60,
    )
    tracking = judge.Tracking(
        target=float(chance.integers(35, 80)) + 0.137,
        out_cooldown_s=int(chance.choice([0, 60, 300])),
        in_cooldown_s=int(chance.choice([60, 300])),
        every_20_seconds=every_20_seconds,
    )
    step = judge.Step(threshold=80.137, tasks=3, cooldown_s=int(chance.choice([60, 300, 600])))
    expected = judge.replay(service, [tracking], [step], requests.tolist(), desired=5)
    replay = Replay(
        model=ServiceModel(
            vcpus=1,
            cpu_seconds=1,
            skew=service.skew,
            idle_percent=100 * service.idle,
            boot_seconds=service.start_s - 28,
            health_check_seconds=0,
            drain_seconds=service.drain_s,
        ),
        policies=(
            TargetTracking(
                target=tracking.target,
                scale_out_cooldown_s=tracking.out_cooldown_s,
                scale_in_cooldown_s=tracking.in_cooldown_s,
                metric=Metric.CPU_AVERAGE_HIGH_RESOLUTION if every_20_seconds else Metric.CPU_AVERAGE,
                high_periods=1 if every_20_seconds else 3,
            ),
            StepScaling(threshold=step.threshold, bands=(StepBand(lower=0, change=3),), cooldown_s=step.cooldown_s),
        ),
        bounds=CapacityBounds(minimum=service.minimum, maximum=service.maximum),
        desired=5,
        is_compiled=is_numba_installed(),
    )
    series = replay.feed_recorded(requests)
    minutes = [dataclasses.astuple(each)[:3] for each in expected]
    found = zip(series.desired.tolist(), series.running.tolist(), np.nan_to_num(series.failed).tolist(), strict=True)
    for minute, (one, other) in enumerate(zip(minutes, found, strict=True)):
        if not np.allclose(one, other, rtol=1e-9, atol=1e-6):
            raise AssertionError(f"minute {minute}: {one} by the judge, {other} by the replay")
    scale_outs, failed = replay.totals().scale_outs, replay.totals().failed_requests
    return f"{len(requests):,} minutes alike; {scale_outs:,} scale-outs, {failed:,.0f} failed requests"


def _case(days: int, seed: int, *, every_20_seconds: bool) -> Case:
    return lambda folder: compared(days, seed, every_20_seconds=every_20_seconds)


REPLAYS = Suite(
    name="replays",
    question=(
        "Does the replay follow AWS's documented rules? A second implementation, written only from these rules, "
        "checks each minute: desired tasks, serving tasks, failed requests."
    ),
    cases={
        f"{'20 seconds' if quick else 'every minute'} seed {seed}": _case(90, seed, every_20_seconds=quick)
        for quick in (False, True)
        for seed in range(1998, 2003)
    },
    samples={"every minute": _case(7, 1998, every_20_seconds=False)},
)
