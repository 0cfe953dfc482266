"""Times `cdk-review` on the reference system, in comparison with the `cdk synth` that both sides need anyway.

A clone of the last commit gets one change of cdk.json. Each way is timed in turn, run after run: from `git diff` to the
report with an empty cache, the same again with both synth results cached, and from two cloud assemblies.
The CPU time of all processes is shown too, because other load on the machine affects it less. Run it with
`make bench-review`.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

PROJECT = Path(__file__).parents[1]
MOST_SECONDS = {"git diff to report, without pictures": 30.0, "two assemblies, without pictures": 5.0}
SOURCES = ("constructs", "tools", "lambda/training_data_extractor")
CHANGE = ('"spike_threshold_percent": 80', '"spike_threshold_percent": 85')


@dataclass(frozen=True)
class Taken:
    """The measurements of all runs of a way."""

    seconds: float
    cpu_seconds: float


def cloned(folder: Path) -> Path:
    """A clone of the last commit with one uncommitted change."""
    clone = folder / "clone"
    run(["git", "clone", "--quiet", "--shared", str(PROJECT), str(clone)], folder)
    (clone / "node_modules").symlink_to(PROJECT / "node_modules", target_is_directory=True)
    settings = clone / "cdk.json"
    text = settings.read_text(encoding="utf-8")
    if CHANGE[0] not in text:
        sys.exit(f"cdk.json: no {CHANGE[0]} in it; change CHANGE in {Path(__file__).name}")
    settings.write_text(text.replace(*CHANGE, 1), encoding="utf-8")
    return clone


def run(command: list[str], cwd: Path) -> None:
    sources = os.pathsep.join(str(cwd / source) for source in SOURCES)
    environment = {**os.environ, "PYTHONPATH": sources, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{done.stdout}{done.stderr}")


def ways(clone: Path, folder: Path) -> dict[str, Callable[[], None]]:
    """The timed ways, in this order: later ones use the output of earlier ones."""
    review = [sys.executable, "-m", "cdk_review"]
    output = ["--output", str(folder / "review")]
    base, head = folder / "base", folder / "head"
    assemblies = [*review, str(base), str(head), *output]

    def from_git(*more: str) -> None:
        run([*review, "--git", "HEAD", *output, *more], clone)

    def from_nothing() -> None:
        shutil.rmtree(clone / ".git" / "cdk-review", ignore_errors=True)
        from_git("--no-pictures")

    def synth(target: Path) -> None:
        run(["cdk", "synth", "--quiet", "--no-notices", "--output", str(target)], clone)

    def before() -> None:
        run(["git", "stash", "--quiet"], clone)
        synth(base)
        run(["git", "stash", "pop", "--quiet"], clone)

    return {
        "cdk synth, the side after": lambda: synth(head),
        "cdk synth, the side before": before,
        "git diff to report, without pictures": from_nothing,
        "again, both synth results cached": lambda: from_git("--no-pictures"),
        "two assemblies, without pictures": lambda: run(
            [*review, str(base), str(head), *output, "--no-pictures"], clone
        ),
        "two assemblies, with pictures": lambda: run(assemblies, clone),
    }


def measure(timed: dict[str, Callable[[], None]], runs: int) -> dict[str, Taken]:
    """The median time and the minimum CPU time of each way."""
    taken: dict[str, list[Taken]] = {name: [] for name in timed}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cdk-review", total=runs * len(timed))
        for _ in range(runs):
            for name, way in timed.items():
                used, start = cpu_seconds(), time.perf_counter()
                way()
                taken[name].append(Taken(time.perf_counter() - start, cpu_seconds() - used))
                progress.advance(task)
    return {
        name: Taken(
            seconds=statistics.median(one.seconds for one in of_way),
            cpu_seconds=min(one.cpu_seconds for one in of_way),
        )
        for name, of_way in taken.items()
    }


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each way")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = measure(ways(cloned(folder), folder), runs)
    table = Table(title=f"the reference system, median of {runs}", title_justify="left")
    for column in ("", "s", "CPU s", "target s"):
        table.add_column(column, justify="right" if column else "left")
    for way, taken in found.items():
        wanted = f"≤ {MOST_SECONDS[way]:g}" if way in MOST_SECONDS else ""
        table.add_row(way, f"{taken.seconds:.1f}", f"{taken.cpu_seconds:.1f}", wanted)
    Console().print(table)


if __name__ == "__main__":
    main()
