"""Times `cdk synth` of the reference system against an empty app, alternating, through the same CLI.

Prints the medians in seconds and their ratio. Run it with `make bench-synth`.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

PROJECT = Path(__file__).parents[1]
CDK = PROJECT / "node_modules/.bin/cdk"
LARGEST_RATIO = 2.5
EMPTY_APP = """
import aws_cdk as cdk

app = cdk.App()
cdk.Stack(app, "Empty")
app.synth()
"""


def synth_seconds(app: Path, output: Path) -> float:
    start = time.perf_counter()
    command = [CDK, "synth", "--quiet", "--app", f"{sys.executable} {app.name}", "--output", output]
    result = subprocess.run(command, cwd=app.parent, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"cdk synth of {app} failed:\n{result.stdout}{result.stderr}")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each app, after one that warms the caches")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "app.py")
        empty.write_text(EMPTY_APP)
        apps = {"empty app": empty, "reference system": PROJECT / "app.py"}
        seconds: dict[str, list[float]] = {name: [] for name in apps}
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("cdk synth", total=(runs + 1) * len(apps))
            for run in range(runs + 1):
                for name, app in apps.items():
                    taken = synth_seconds(app, Path(folder, "cdk.out"))
                    if run:
                        seconds[name].append(taken)
                    progress.advance(task)

    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    table = Table(title=f"cdk synth, {runs} runs each, alternating")
    for column in ("app", "median s", "fastest s", "ratio"):
        table.add_column(column, justify="left" if column == "app" else "right")
    for name, taken in seconds.items():
        ratio = medians[name] / medians["empty app"]
        table.add_row(name, f"{medians[name]:.2f}", f"{min(taken):.2f}", f"{ratio:.2f}")
    Console().print(table)
    ratio = medians["reference system"] / medians["empty app"]
    print(f"ratio {ratio:.2f}, wanted: at most {LARGEST_RATIO}")


if __name__ == "__main__":
    main()
