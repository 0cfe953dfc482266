"""Draws the pictures of plan-capacity.md, and prints what its commands print: `python docs/draw_capacity_plan.py`.

The traffic is made up: four weeks of a shop, with a wave a day, quiet weekends, and a sale on two of its evenings.
"""

import csv
import math
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

PROJECT = Path(__file__).parents[1]
BUILD = PROJECT / "build" / "capacity-plan"
IMAGES = PROJECT / "docs" / "images"
START = datetime(2026, 10, 5, tzinfo=UTC)
DAYS = 28
SALES = ((11, 20), (24, 19))
MODEL = ("--assume", "cpu_ms=40", "--assume", "skew=1.15", "--assume", "elsewhere_ms=30", "--assume", "image_mib=300")
LIMIT = ("--latency-p95-limit-ms", "1500")


def requests(minute: int, chance: random.Random) -> int:
    day, hour = minute // 1440, minute % 1440 / 60
    wave = 1 + 0.75 * math.sin((hour - 9) / 24 * 2 * math.pi)
    count = 2400 * wave * (0.7 if day % 7 >= 5 else 1)
    for sale_day, sale_hour in SALES:
        if day == sale_day and sale_hour <= hour < sale_hour + 1:
            # It takes a quarter of an hour until everybody has heard of it.
            count *= 1 + 0.7 * min(1, (hour - sale_hour) / 0.25)
    return round(count * chance.gauss(1, 0.03))


def write_traffic(path: Path) -> None:
    chance = random.Random(1998)  # nosec B311  # seeded
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "requests"])
        for minute in range(DAYS * 1440):
            writer.writerow([(START + timedelta(minutes=minute)).isoformat(), requests(minute, chance)])


def run(*command: str, environment: dict[str, str] | None = None) -> None:
    shown = [part.removeprefix(f"{BUILD}/") for part in command]
    print(f"\n$ {' '.join(shown)}", flush=True)
    subprocess.run(command, check=True, cwd=PROJECT, env={**os.environ, "COLUMNS": "130", **(environment or {})})


def main() -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    IMAGES.mkdir(exist_ok=True)
    traffic = BUILD / "requests.csv"
    write_traffic(traffic)
    # What `cdk synth` runs, without the CDK's command around it.
    assembly = str(BUILD / "cdk.out")
    run(sys.executable, "examples/tuned_service.py", environment={"CDK_OUTDIR": assembly})
    for command, options in {
        "simulate": (),
        "recommend": ("--target", "50:80:5", "--spike-threshold", "75:90:5", "--minimum", "2,3"),
        "tune": (),
    }.items():
        output = BUILD / command
        arguments = (assembly, "--trace", str(traffic), *MODEL, *LIMIT, *options, "--output", str(output))
        run(str(Path(sys.executable).with_name("fargate-capacity")), command, *arguments)
        (picture,) = output.glob("frontier.png" if command == "recommend" else "*.png")
        shutil.copy(picture, IMAGES / f"capacity-{command}.png")
        print(f"drew docs/images/capacity-{command}.png")


if __name__ == "__main__":
    main()
