"""Do tests fail where code is wrong? Each mutant of the chosen files has to fail one of that file's tests."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from tests.proofs.mutants.mutant import PROJECT, Mutant, mutants_of
from tests.proofs.mutants.trial import Trial
from tests.proofs.proof import Suite

EQUIVALENT = Path(__file__).parent / "equivalent_mutants.toml"
_LIBRARY = "constructs/cdk_fargate_sagemaker"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A file and its tests; `cuts` is the folder above which no conftest.py is needed.

    `constructs`: the tests use the CDK, whose kernel takes one process at a time.
    `share`: of its mutants, where all take too long. They are drawn by their names, so that a mutant stays in or out of
    the sample as long as its line stays, whatever else changes in the file.
    """

    file: str
    tests: tuple[str, ...]
    cuts: str | None = None
    constructs: bool = False
    share: float = 1.0

    def mutants(self) -> list[Mutant]:
        """Those that are tried."""
        return drawn(mutants_of(self.file), self.share)

    def trial(self, mutants: list[Mutant]) -> Trial:
        """What has to be run for these of its mutants."""
        return Trial(
            file=self.file,
            sources=[mutant.source for mutant in mutants],
            arguments=[*self.tests, *([f"--confcutdir={self.cuts}"] if self.cuts else [])],
            at_once=1 if self.constructs else os.cpu_count() or 1,
        )


def _logic(package: str, module: str, *tests: str, share: float = 1.0) -> Chosen:
    folder = f"tests/constructs/{package}"
    return Chosen(
        file=f"{_LIBRARY}/{package}/{module}.py",
        tests=tuple(f"{folder}/{test}.py" for test in tests),
        cuts=folder,
        share=share,
    )


def _alarms(module: str, share: float) -> Chosen:
    return Chosen(
        file=f"{_LIBRARY}/monitoring/{module}.py",
        tests=(f"tests/constructs/monitoring/test_{module}.py",),
        cuts="tests/constructs",
        constructs=True,
        share=share,
    )


# Those of the estimates whose inputs are few posts; the others measure how often an interval holds, in seconds.
_ESTIMATES = tuple(
    f"tests/tools/review_threshold/test_estimates.py::test_{test}"
    for test in (
        "an_interval_is_wilsons",
        "a_sampled_post_counts_for_all_it_stands_for",
        "the_judged_stand_for_the_rest_of_their_band_alone",
        "unsure_ones_and_those_not_judged_yet_say_nothing_of_their_own",
        "no_recall_without_a_sample_or_with_nothing_judged",
        "what_was_flagged_counts_whichever_threshold_it_was",
        "shares_are_shares_and_a_higher_threshold_loads_less",
        "everything_flagged_finds_everything",
    )
)
_BOUNDS = "tests/constructs/review_estimates/test_review_estimates.py::test_"
_EVALUATOR = "tests/lambda/test_model_evaluator.py::test_"


CHOSEN = {
    "step scaling": _logic("scaling_decisions", "step_scaling", "test_step_scaling", "test_capacity_decision"),
    "target tracking": _logic("scaling_decisions", "target_tracking", "test_target_tracking", "test_capacity_decision"),
    "flag rule": Chosen(file="container/api/moderation/decision.py", tests=("tests/container/api/test_decision.py",)),
    "VPC placement": Chosen(
        file=f"{_LIBRARY}/sagemaker/machines/vpc_placement.py",
        tests=("tests/constructs/sagemaker/test_vpc_placement.py",),
        constructs=True,
    ),
    "floor plan": _logic("floor_decisions", "floor_plan", "test_floor_forecast", "test_floor_decision"),
    "floor forecast": _logic("floor_decisions", "floor_forecast", "test_floor_forecast", share=0.2),
    "floor decision": _logic("floor_decisions", "floor_decision", "test_floor_decision", share=0.2),
    "review estimates": Chosen(
        file=f"{_LIBRARY}/review_estimates/estimates.py",
        tests=(
            *_ESTIMATES,
            f"{_BOUNDS}the_bound_of_recall_joins_those_of_what_is_found_and_of_what_is_missed",
            f"{_BOUNDS}bounds_say_nothing_where_nothing_was_judged",
        ),
        cuts="tests/tools/review_threshold",
        share=0.06,
    ),
    "review bounds": Chosen(
        file=f"{_LIBRARY}/review_estimates/exact_bounds.py",
        tests=(
            f"{_BOUNDS}bounds_are_clopper_and_pearsons",
            f"{_BOUNDS}the_incomplete_beta_function_is_scipys",
            f"{_BOUNDS}bounds_say_nothing_where_nothing_was_judged",
        ),
        cuts="tests/constructs/review_estimates",
        share=0.12,
    ),
    "release gate": Chosen(
        file=f"{_LIBRARY}/sagemaker/stages/evaluation_gate.py",
        tests=("tests/constructs/sagemaker/test_evaluation_gate.py",),
        cuts="tests/constructs/sagemaker",
        constructs=True,
        share=0.25,
    ),
    "AUC intervals": Chosen(
        file="lambda/model_evaluator/auc_interval.py",
        tests=(
            f"{_EVALUATOR}intervals_are_wilsons_and_students_of_the_fewest_posts",
            f"{_EVALUATOR}of_one_violation_nothing_is_known",
            f"{_EVALUATOR}of_equal_scores_half_count_for_either_kind_of_post",
            f"{_EVALUATOR}chance_is_not_shown_to_be_better_than_chance",
            f"{_EVALUATOR}metrics_are_those_of_scikit_learn",
            f"{_EVALUATOR}a_drop_has_the_variance_of_delong",
        ),
        share=0.08,
    ),
    "endpoint alarms": _alarms("endpoint_alarms", share=0.1),
    "workflow alarms": _alarms("workflow_alarms", share=0.12),
    "service alarms": _alarms("service_alarms", share=0.12),
}


def drawn(mutants: list[Mutant], share: float) -> list[Mutant]:
    """A sample of so large a share, the same in each run: a larger share has all that a smaller one has."""
    return [mutant for mutant in mutants if _place(mutant) < share]


def _place(mutant: Mutant) -> float:
    """A number from 0 to 1 by its name alone."""
    return int.from_bytes(hashlib.sha256("\n".join(mutant.name).encode()).digest()[:4]) / 2**32


def equivalent(file: str) -> dict[tuple[str, str, str], str]:
    """The reason of each reviewed mutant of a file, by its name."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {
        (entry["file"], entry["before"], entry["after"]): entry["reason"] for entry in entries if entry["file"] == file
    }


def judged(mutants: list[Mutant], killed: list[bool], reviewed: dict[tuple[str, str, str], str]) -> str:
    """What was found, in one line.

    Raises:
        AssertionError: a mutant survives that is not reviewed, or one was reviewed that dies or is none.
    """
    survivors = [mutant for mutant, dead in zip(mutants, killed, strict=True) if not dead]
    unknown = [str(mutant) for mutant in survivors if mutant.name not in reviewed]
    alive = {mutant.name for mutant in survivors}
    stale = [f"`{before}` → `{after}`" for file, before, after in reviewed if (file, before, after) not in alive]
    assert not unknown, f"{len(unknown)} of {len(mutants)} mutants survive: {'; '.join(unknown)}"
    assert not stale, f"{EQUIVALENT.name} has mutants that are none or die: {'; '.join(stale)}"
    counts = Counter(killed)
    return f"{len(mutants)} mutants: {counts[True]} killed, {counts[False]} equivalent"


def tried(chosen: Chosen, folder: Path, mutants: list[Mutant]) -> list[bool]:
    """Whether each of the mutants is killed."""
    trial = folder / "trial.json"
    trial.write_text(json.dumps(dataclasses.asdict(chosen.trial(mutants))), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.proofs.mutants.trial", str(trial)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.strip().splitlines()[-1])
    outcomes: list[bool] = json.loads(ran.stdout.splitlines()[-1])
    return outcomes


def _every_mutant(folder: Path, *, name: str) -> str:
    chosen = CHOSEN[name]
    mutants = chosen.mutants()
    killed = tried(chosen, folder, mutants)
    outcomes = zip(mutants, killed, strict=True)
    (folder / "survivors.txt").write_text("".join(f"{mutant}\n" for mutant, dead in outcomes if not dead))
    found = judged(mutants, killed, equivalent(chosen.file))
    return found if chosen.share == 1 else f"{found}; a sample of {len(mutants_of(chosen.file))}"


def _handful(folder: Path) -> str:
    """Six of a file, spread over its lines, none of them reviewed."""
    chosen = CHOSEN["step scaling"]
    reviewed = equivalent(chosen.file)
    mutants = [mutant for mutant in mutants_of(chosen.file) if mutant.name not in reviewed]
    mutants = mutants[:: len(mutants) // 6 + 1]
    return judged(mutants, tried(chosen, folder, mutants), {})


MUTANTS = Suite(
    name="mutants",
    question="Do tests fail where code is wrong? Each file is changed in one place at a time by mutmut's operators (an "
    "operator, a number, a condition, an argument left out); one of the file's own tests has to fail. A mutant that "
    "survives has to be in `tests/proofs/mutants/equivalent_mutants.toml`, with the reason why it does the same as the "
    "code. Texts, types and refusals' wording are not changed. Where all mutants of a file take too long, a sample is "
    "tried, the same in each run: a hash of the lines that differ draws it. The result says of how many.",
    cases={name: functools.partial(_every_mutant, name=name) for name in CHOSEN},
    samples={"six mutants": _handful},
)
