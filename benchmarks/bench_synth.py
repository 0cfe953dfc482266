"""Times `cdk synth` through the real CLI, alternating between the apps that are compared.

Prints two tables: the reference system against an empty app; and 1, 10 and 50 services made with this library against
the same resources written with the CDK's own classes, with the time that one more service adds. The minimum CPU time of
all processes is shown too, because other load affects it less, and the number of calls to JavaScript per additional
service, which no load affects. Run it with `make bench-synth`.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

PROJECT = Path(__file__).parents[1]
APPS = Path(__file__).parent / "synth_apps"
CDK = PROJECT / "node_modules/.bin/cdk"
SERVICES = (1, 10, 50)
LARGEST_RATIO_TO_EMPTY = 2.5
LARGEST_RATIO_TO_PLAIN = 1.3

# Runs an app and prints how many requests went to the JavaScript side.
COUNT_CALLS = """
import runpy, sys
from jsii._kernel.providers import process
send, calls = process._NodeProcess.send, 0
def counted(*arguments):
    global calls
    calls += 1
    return send(*arguments)
process._NodeProcess.send = counted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(calls)
"""

App = tuple[Path, tuple[str, ...]]


@dataclass(frozen=True)
class Taken:
    """The measurements of all runs of an app."""

    seconds: float
    cpu_seconds: float


def synth(app: App, output: Path) -> Taken:
    program, arguments = app
    command: list[str | Path] = [CDK, "synth", "--quiet", "--app", " ".join([sys.executable, program.name, *arguments])]
    before, start = cpu_seconds(), time.perf_counter()
    result = subprocess.run([*command, "--output", output], cwd=program.parent, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"cdk synth of {program} failed:\n{result.stdout}{result.stderr}")
    return Taken(seconds=time.perf_counter() - start, cpu_seconds=cpu_seconds() - before)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(apps: dict[str, App], runs: int, folder: Path) -> dict[str, Taken]:
    """The median time and the minimum CPU time of each app, after one run that warms the caches."""
    taken: dict[str, list[Taken]] = {name: [] for name in apps}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cdk synth", total=(runs + 1) * len(apps))
        for run in range(runs + 1):
            for name, app in apps.items():
                one = synth(app, folder / "cdk.out")
                if run:
                    taken[name].append(one)
                progress.advance(task)
    return {
        name: Taken(
            seconds=statistics.median(one.seconds for one in of_app),
            cpu_seconds=min(one.cpu_seconds for one in of_app),
        )
        for name, of_app in taken.items()
    }


def compare_with_empty_app(runs: int, folder: Path) -> None:
    found = measure({"empty app": (APPS / "empty.py", ()), "reference system": (PROJECT / "app.py", ())}, runs, folder)
    table = Table(title=f"cdk synth, median of {runs}", title_justify="left")
    for column in ("app", "s", "ratio"):
        table.add_column(column, justify="left" if column == "app" else "right")
    for name, taken in found.items():
        table.add_row(name, f"{taken.seconds:.2f}", f"{taken.seconds / found['empty app'].seconds:.2f}")
    Console().print(table)
    print(f"wanted: at most {LARGEST_RATIO_TO_EMPTY}\n")


def compare_with_plain_cdk(runs: int, folder: Path) -> None:
    kinds = {"library": APPS / "library_services.py", "plain CDK": APPS / "plain_services.py"}
    resources = {kind: resource_types(program, folder / kind) for kind, program in kinds.items()}
    if resources["library"] != resources["plain CDK"]:
        sys.exit(
            f"the apps differ: {resources['library'] - resources['plain CDK']} in one, "
            f"{resources['plain CDK'] - resources['library']} in the other"
        )
    apps: dict[str, App] = {
        f"{kind} {count}": (program, (str(count),)) for count in SERVICES for kind, program in kinds.items()
    }
    found = measure(apps, runs, folder)
    table = Table(title=f"cdk synth of services, median of {runs}, the same resources", title_justify="left")
    for column in (
        "services",
        "library s",
        "plain CDK s",
        "ratio",
        "library CPU s",
        "plain CPU s",
        "ratio",
        "library s a service more",
        "plain s a service more",
    ):
        table.add_column(column, justify="right")
    for before, count in zip((None, *SERVICES), SERVICES, strict=False):
        library, plain = (found[f"{kind} {count}"] for kind in kinds)
        more = [""] * 2
        if before:
            added = (found[f"{kind} {count}"].seconds - found[f"{kind} {before}"].seconds for kind in kinds)
            more = [f"{seconds / (count - before):.3f}" for seconds in added]
        table.add_row(
            str(count),
            *(f"{taken.seconds:.2f}" for taken in (library, plain)),
            f"{library.seconds / plain.seconds:.2f}",
            *(f"{taken.cpu_seconds:.2f}" for taken in (library, plain)),
            f"{library.cpu_seconds / plain.cpu_seconds:.2f}",
            *more,
        )
    Console().print(table)
    print(f"wanted: at most {LARGEST_RATIO_TO_PLAIN}, and as much for each service more")
    each = ", ".join(f"{kind} {calls_a_service(program, folder / kind)}" for kind, program in kinds.items())
    print(f"calls to the JavaScript side that a service more takes: {each}")


def calls_a_service(program: Path, output: Path) -> int:
    """The number of calls per additional service: of the third, after one-time calls."""
    counted = [
        int(
            subprocess.run(
                [sys.executable, "-c", COUNT_CALLS, program, str(count)],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "CDK_OUTDIR": str(output)},
            ).stdout
        )
        for count in (2, 3)
    ]
    return counted[1] - counted[0]


def resource_types(program: Path, output: Path) -> Counter[str]:
    """The number of resources of each type in one service."""
    subprocess.run([sys.executable, program, "1"], check=True, env={**os.environ, "CDK_OUTDIR": str(output)})
    template = json.loads((output / "Service0.template.json").read_text())
    return Counter(resource["Type"] for resource in template["Resources"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each app")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        compare_with_empty_app(runs, Path(name))
        compare_with_plain_cdk(runs, Path(name))


if __name__ == "__main__":
    main()
