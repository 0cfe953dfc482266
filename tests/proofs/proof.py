"""What a suite of proofs is, and how its cases are run: each once for a commit, resumed where it was stopped."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCUMENT = PROJECT / "docs" / "proofs.md"
RESULTS = PROJECT / "build" / "proofs"
MARKER = "<!-- results -->\n"

Case = Callable[[Path], str]
"""Does its work in a folder of its own and returns what it found, in one line. Raises where the proof fails."""


class ProofError(Exception):
    """What was to be proved is not so."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """`sample` names a case that takes less than a minute: the gate runs it."""

    name: str
    question: str
    cases: Mapping[str, Case]
    samples: Mapping[str, Case]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`finding` is what the case returned, or the error with which it failed."""

    case: str
    state: str
    passed: bool
    finding: str
    seconds: float


def state_of_the_project() -> str:
    """The commit, and a mark of what was changed since: a result counts for that state alone."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    # What the results themselves change is no change of what was proved.
    changed = _git("status", "--porcelain", "--untracked-files=all", "--", ".", ":!docs/proofs.md")
    return f"{commit}, changed" if changed else commit


def prove(suite: Suite, *, state: str, show: Callable[[str], None] = print) -> list[Result]:
    """Runs the cases that have not passed for `state` yet. A failed one does not keep the next from running."""
    path = RESULTS / f"{suite.name}.json"
    # Of a project with changes nobody knows whether they are the same ones.
    known = {} if state.endswith("changed") else _read(path)
    results = []
    for name, case in suite.cases.items():
        before = known.get(name)
        if before is not None and before.passed and before.state == state:
            show(f"{suite.name}: {name}: passed before: {before.finding}")
            results.append(before)
            continue
        results.append(run(suite, name, case, state=state, show=show))
        known[name] = results[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([dataclasses.asdict(result) for result in known.values()], indent=1) + "\n")
    return results


def run(suite: Suite, name: str, case: Case, *, state: str, show: Callable[[str], None] = print) -> Result:
    """One case, in `build/proofs/<suite>/<first letters of its words>`: the path of a socket has 107 characters."""
    show(f"{suite.name}: {name}")
    folder = RESULTS / suite.name / "".join(word[0] for word in name.split())
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        finding, passed = case(folder), True
    except Exception as error:
        finding, passed = f"{type(error).__name__}: {error}".splitlines()[0], False
    seconds = round(time.monotonic() - started, 1)
    show(f"{suite.name}: {name}: {'passed' if passed else 'FAILED'} in {seconds:g} s: {finding}")
    return Result(case=name, state=state, passed=passed, finding=finding, seconds=seconds)


def record(suite: Suite, results: list[Result], *, date: str, state: str, document: Path = DOCUMENT) -> None:
    """Puts the suite's last result into the document, in place of the one before."""
    text = document.read_text(encoding="utf-8")
    head, _, sections = text.partition(MARKER)
    kept = [
        section
        for section in sections.split("\n## ")
        if section.strip() and not section.removeprefix("## ").startswith(f"{suite.name}\n")
    ]
    section = "\n".join(
        [
            f"{suite.name}\n",
            f"{suite.question}\n",
            f"Last run on {date}, at {state}, in {sum(result.seconds for result in results) / 60:.0f} minutes:\n",
            "| case | result | found | seconds |",
            "|---|---|---|---:|",
            *(
                f"| {result.case} | {'passed' if result.passed else '**failed**'} | {_cell(result.finding)} | "
                f"{result.seconds:.0f} |"
                for result in results
            ),
            "",
        ]
    )
    everything = sorted(part.removeprefix("## ").strip() for part in [*kept, section])
    document.write_text(head + MARKER + "".join(f"\n## {part}\n" for part in everything), encoding="utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _read(path: Path) -> dict[str, Result]:
    if not path.exists():
        return {}
    return {found["case"]: Result(**found) for found in json.loads(path.read_text())}


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True)
    return ran.stdout.strip()
