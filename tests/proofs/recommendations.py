"""Is whoever follows `recommend` worse off on days that it never saw? Services with random surges judge it."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np

from fargate_capacity.plan.added_breach import DEFAULT_TOLERANCE_PERCENT, Tolerance, added_breach
from fargate_capacity.plan.candidates import Grid, candidates
from fargate_capacity.plan.question import Question, ask
from fargate_capacity.plan.recommendation import recommend
from fargate_capacity.plan.simulation import Simulation
from fargate_capacity.plan.sweep import sweep_by_day
from fargate_capacity.traffic.trace import Trace
from tests.proofs.proof import PROJECT, Case, Suite

_LIMIT_MS = 500
_SEEN_DAYS, _UNSEEN_DAYS = 40, 20
_DAY = 1440
# Of what is recommended, this share may breach more than the tolerance beyond the current setting on unseen days.
_MOST_WRONG = 0.10
# Of the services in which hindsight saves so much, something is recommended in this share at least.
_HINDSIGHT_SAVING, _LEAST_RECOMMENDED = 0.10, 0.5


@dataclasses.dataclass(slots=True)
class _Count:
    """What a tolerance came to."""

    recommended: int = 0
    wrong: int = 0
    hindsight: int = 0
    recommended_in_hindsight: int = 0
    saving: float = 0.0

    def described(self) -> str:
        share = self.saving / self.recommended if self.recommended else 0.0
        return (
            f"{self.recommended} recommended, {self.wrong} of them beyond the tolerance on unseen days, which save "
            f"{share:.1%} there; hindsight saves {_HINDSIGHT_SAVING:.0%} in {self.hindsight}, recommended in "
            f"{self.recommended_in_hindsight} of these"
        )


def _shared(name: str) -> ModuleType | None:
    """A program that makes cases, from beside the project."""
    path = next(
        (each / "shared" / "cases" / f"{name}.py" for each in PROJECT.parents if (each / "shared").is_dir()), None
    )
    if path is None or not path.exists():
        return None
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _question(templates: ModuleType, folder: Path) -> Question:
    with contextlib.redirect_stdout(io.StringIO()):
        templates.main(folder / "templates")
    return ask(
        folder / "templates" / "base", service=None, assume=["cpu_ms=10"], latency_limit_ms=_LIMIT_MS, region=None
    )


def judged(folder: Path, seeds: Iterable[int], tolerances: Iterable[float]) -> dict[float, _Count] | None:
    """For each tolerance what following `recommend` came to; None where there is nothing that makes the cases."""
    traffic, templates = _shared("make_traffic"), _shared("make_templates")
    if traffic is None or templates is None:
        return None
    question = _question(templates, folder)

    def cost(simulation: Simulation) -> float:
        bill = question.bill(simulation)
        assert bill is not None
        return bill.on_demand

    tried = candidates(question.setting, Grid())
    counts = {percent: _Count() for percent in tolerances}
    for seed in seeds:
        requests = traffic.requests_of("surges", np.random.default_rng(seed), str(seed))
        assert len(requests) == (_SEEN_DAYS + _UNSEEN_DAYS) * _DAY
        trace = Trace.of([requests], name=f"surges {seed}", start=datetime(2026, 6, 1, tzinfo=UTC))
        courses = sweep_by_day(question.scenario, tried, trace)
        unseen = [course.days.between(_SEEN_DAYS, _SEEN_DAYS + _UNSEEN_DAYS) for course in courses]
        savings = [1 - float(days.task_hours.sum() / unseen[0].task_hours.sum()) for days in unseen]
        for percent, count in counts.items():
            tolerance = Tolerance(percent=percent, give_up_seconds=question.scenario.model.give_up_seconds)
            holds = [added_breach(days, unseen[0]).is_within(tolerance) for days in unseen]
            found = recommend(
                question.scenario, tried, trace.part(0, _SEEN_DAYS * _DAY), cost=cost, tolerance_percent=percent
            )
            is_hindsight = any(held and saved >= _HINDSIGHT_SAVING for held, saved in zip(holds, savings, strict=True))
            count.hindsight += is_hindsight
            if not found.keeps:
                chosen = tried.index(found.chosen)
                count.recommended += 1
                count.wrong += not holds[chosen]
                count.saving += savings[chosen]
                count.recommended_in_hindsight += is_hindsight
    return counts


def _target(seeds: range) -> Case:
    def case(folder: Path) -> str:
        counts = judged(folder, seeds, [DEFAULT_TOLERANCE_PERCENT])
        if counts is None:
            return "SKIPPED: no shared/cases above this project"
        count = counts[DEFAULT_TOLERANCE_PERCENT]
        if count.wrong > _MOST_WRONG * count.recommended:
            raise AssertionError(f"too many are wrong: {count.described()}")
        if count.recommended_in_hindsight < _LEAST_RECOMMENDED * count.hindsight:
            raise AssertionError(f"too few are recommended: {count.described()}")
        return f"{len(seeds)} services: {count.described()}"

    return case


def _other_tolerances(seeds: range) -> Case:
    def case(folder: Path) -> str:
        counts = judged(folder, seeds, [0.1, 0.2, 0.3, 0.4])
        if counts is None:
            return "SKIPPED: no shared/cases above this project"
        found = "; ".join(f"{percent:g} %: {count.described()}" for percent, count in counts.items())
        recommended = sum(count.recommended for count in counts.values())
        if sum(count.wrong for count in counts.values()) > _MOST_WRONG * recommended:
            raise AssertionError(f"too many are wrong: {found}")
        return f"{len(seeds)} services: {found}"

    return case


RECOMMENDATIONS = Suite(
    name="recommendations",
    question=(
        "Does a user who follows `recommend` have more breaches on days that it has not seen? The services have 2 to "
        f"10 tasks, a target of 50 %, 10 ms of CPU per request and a limit of {_LIMIT_MS} ms. The traffic is 60 days "
        f"of a daily wave with random surges; `recommend` never sees the last {_UNSEEN_DAYS} days. A recommendation is "
        "wrong if its breaches on these days exceed those of the current setting by more than the tolerance: "
        f"{DEFAULT_TOLERANCE_PERCENT:g} % of the requests, or the waiting time that these would have if each gave up. "
        "At most a tenth may be wrong. And `recommend` must recommend a change for half of the services in which "
        f"hindsight (one target from the same candidates that holds on these days) saves {_HINDSIGHT_SAVING:.0%}."
    ),
    cases={
        f"tolerance {DEFAULT_TOLERANCE_PERCENT:g} %": _target(range(200)),
        "smaller tolerances": _other_tolerances(range(2000, 2050)),
    },
    samples={"five services": _target(range(1000, 1005))},
)
