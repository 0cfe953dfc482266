"""Draws the picture of show-what-was-saved.md, and prints what its command prints: `python docs/draw_saved.py`.

The months are made up: a service of 2 tasks or more whose target was raised in steps from 12 October on, and whose
traffic grew by a fifth meanwhile.
"""

import csv
import math
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

PROJECT = Path(__file__).parents[1]
BUILD = PROJECT / "build" / "saved"
IMAGES = PROJECT / "docs" / "images"
START = datetime(2026, 8, 3, tzinfo=UTC)
SINCE = date(2026, 10, 12)
DAYS = 126
BEFORE, AFTER, DAYS_OF_STEPS = 900, 1500, 20
"""Requests per task and minute, and how many days the steps took."""


def write_months(path: Path) -> None:
    chance = random.Random(1998)  # nosec B311  # seeded
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "requests", "cpu_average", "cpu_maximum", "tasks", "latency_ms"])
        for day in range(DAYS):
            weather, spread = chance.gauss(1, 0.08), chance.gauss(1, 0.05)
            since = (START.date() + timedelta(days=day) - SINCE).days
            per_task = BEFORE + (AFTER - BEFORE) * min(max(since / DAYS_OF_STEPS, 0), 1)
            for hour in range(24):
                wave = 1 + 0.75 * math.sin((hour - 9) / 24 * 2 * math.pi)
                requests = 5000 * wave * weather * (0.7 if day % 7 >= 5 else 1) * (1 + 0.2 * day / DAYS)
                tasks = max(2, math.ceil(requests / (per_task * spread)))
                for minute in range(60):
                    time = START + timedelta(days=day, hours=hour, minutes=minute)
                    writer.writerow([time.isoformat(), f"{requests:.0f}", "", "", tasks, ""])


def main() -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    write_months(BUILD / "observed.csv")
    assembly = str(BUILD / "cdk.out")
    subprocess.run(
        [sys.executable, "examples/tuned_service.py"],
        check=True,
        cwd=PROJECT,
        env={**os.environ, "CDK_OUTDIR": assembly},
    )
    command = [str(Path(sys.executable).with_name("fargate-capacity")), "saved", assembly]
    options = ["--observed", str(BUILD / "observed.csv"), "--since", str(SINCE), "--committed", "0.25"]
    options += ["--region", "us-east-1", "--output", str(BUILD / "out")]
    subprocess.run([*command, *options], check=True, cwd=PROJECT, env={**os.environ, "COLUMNS": "120"})
    shutil.copy(BUILD / "out" / "saved.png", IMAGES / "saved.png")
    print("drew docs/images/saved.png")


if __name__ == "__main__":
    main()
