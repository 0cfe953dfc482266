"""Times `cdk synth` through the real CLI, alternating between the apps that are compared.

Prints two tables: the reference system against an empty app; and 1, 10 and 50 services made with this library against
the same resources written with the CDK's own classes, with the time that one more service adds. Run it with
`make bench-synth`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
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

App = tuple[Path, tuple[str, ...]]


def synth_seconds(app: App, output: Path) -> float:
    program, arguments = app
    command: list[str | Path] = [CDK, "synth", "--quiet", "--app", " ".join([sys.executable, program.name, *arguments])]
    start = time.perf_counter()
    result = subprocess.run([*command, "--output", output], cwd=program.parent, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"cdk synth of {program} failed:\n{result.stdout}{result.stderr}")
    return time.perf_counter() - start


def medians(apps: dict[str, App], runs: int, folder: Path) -> dict[str, float]:
    """The median of each app, after one run that warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in apps}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cdk synth", total=(runs + 1) * len(apps))
        for run in range(runs + 1):
            for name, app in apps.items():
                taken = synth_seconds(app, folder / "cdk.out")
                if run:
                    seconds[name].append(taken)
                progress.advance(task)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def compare_with_empty_app(runs: int, folder: Path) -> None:
    found = medians({"empty app": (APPS / "empty.py", ()), "reference system": (PROJECT / "app.py", ())}, runs, folder)
    table = Table(title=f"cdk synth, median of {runs}", title_justify="left")
    for column in ("app", "s", "ratio"):
        table.add_column(column, justify="left" if column == "app" else "right")
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / found['empty app']:.2f}")
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
    found = medians(apps, runs, folder)
    table = Table(title=f"cdk synth of services, median of {runs}, the same resources", title_justify="left")
    for column in (
        "services",
        "library s",
        "plain CDK s",
        "ratio",
        "library s a service more",
        "plain s a service more",
    ):
        table.add_column(column, justify="right")
    for before, count in zip((None, *SERVICES), SERVICES, strict=False):
        row = [found[f"{kind} {count}"] for kind in kinds]
        added = (
            [f"{(found[f'{kind} {count}'] - found[f'{kind} {before}']) / (count - before):.3f}" for kind in kinds]
            if before
            else ["", ""]
        )
        table.add_row(str(count), *(f"{seconds:.2f}" for seconds in row), f"{row[0] / row[1]:.2f}", *added)
    Console().print(table)
    print(f"wanted: at most {LARGEST_RATIO_TO_PLAIN}, and as much for each service more")


def resource_types(program: Path, output: Path) -> Counter[str]:
    """How many resources of each type one service is."""
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
