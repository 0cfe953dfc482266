"""Do tests fail where code is wrong? Each mutant of the chosen files has to fail one of that file's tests."""

from __future__ import annotations

import dataclasses
import functools
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
    """

    file: str
    tests: tuple[str, ...]
    cuts: str | None = None
    constructs: bool = False

    def trial(self, mutants: list[Mutant]) -> Trial:
        """What has to be run for these of its mutants."""
        return Trial(
            file=self.file,
            sources=[mutant.source for mutant in mutants],
            arguments=[*self.tests, *([f"--confcutdir={self.cuts}"] if self.cuts else [])],
            at_once=1 if self.constructs else os.cpu_count() or 1,
        )


def _logic(package: str, module: str, *tests: str) -> Chosen:
    folder = f"tests/constructs/{package}"
    return Chosen(
        file=f"{_LIBRARY}/{package}/{module}.py", tests=tuple(f"{folder}/{test}.py" for test in tests), cuts=folder
    )


CHOSEN = {
    "step scaling": _logic("scaling_decisions", "step_scaling", "test_step_scaling", "test_capacity_decision"),
    "target tracking": _logic("scaling_decisions", "target_tracking", "test_target_tracking", "test_capacity_decision"),
    "flag rule": Chosen(file="container/api/moderation/decision.py", tests=("tests/container/api/test_decision.py",)),
    "VPC placement": Chosen(
        file=f"{_LIBRARY}/sagemaker/machines/vpc_placement.py",
        tests=("tests/constructs/sagemaker/test_vpc_placement.py",),
        constructs=True,
    ),
}


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
    mutants = mutants_of(chosen.file)
    killed = tried(chosen, folder, mutants)
    outcomes = zip(mutants, killed, strict=True)
    (folder / "survivors.txt").write_text("".join(f"{mutant}\n" for mutant, dead in outcomes if not dead))
    return judged(mutants, killed, equivalent(chosen.file))


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
    "code. Texts, types and refusals' wording are not changed.",
    cases={name: functools.partial(_every_mutant, name=name) for name in CHOSEN},
    samples={"six mutants": _handful},
)
