import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest


def item(number: int, probability: float, verdict: str | None, *, flagged: bool = True, **more: object) -> str:
    fields = {
        "post": {"S": f"{number:064x}"},
        "entry": {"S": "post"},
        "text": {"S": "a post"},
        "received": {"S": f"2026-11-{1 + number % 20:02}T09:00:00.000+00:00"},
        "flagged": {"BOOL": flagged},
        "weight": {"N": "1" if flagged else "1E+2"},
        "probability": {"N": str(probability)},
        **more,
    }
    return json.dumps({"Item": fields | ({"verdict": {"S": verdict}} if verdict else {})})


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """As DynamoDB leaves it: manifests beside the data, decisions and counters among the posts."""
    chance = random.Random(3)
    lines = []
    for number in range(400):
        flagged = number % 4 > 0
        probability = round(0.5 + chance.random() / 2 if flagged else chance.random() / 2, 4)
        verdict = "violation" if chance.random() < probability**2 else "fine"
        first = {"first_verdict": {"S": verdict if number % 7 else "unsure"}} if number % 9 == 0 else {}
        lines.append(item(number, probability, verdict if number % 5 else None, flagged=flagged, **first))
    lines += [
        json.dumps({"Item": {"post": {"S": "a"}, "entry": {"S": "decision#000001"}, "verdict": {"S": "fine"}}}),
        json.dumps({"Item": {"post": {"S": "day#2026-11-23"}, "entry": {"S": "reviewer#hana"}, "fine": {"N": "1"}}}),
    ]
    data = tmp_path / "AWSDynamoDB" / "01700000000000-abc" / "data"
    data.mkdir(parents=True)
    (data.parent / "manifest-summary.json").write_text("{}")
    for part in range(2):
        with gzip.open(data / f"part{part}.json.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines[part::2]) + "\n")
    return tmp_path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "review_threshold", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("option", "ending"), [("--precision=0.6", ".png"), ("--per-day=8", ".svg")])
def test_proposes_and_draws(export: Path, tmp_path: Path, option: str, ending: str) -> None:
    drawing = tmp_path / "drawn" / f"curve{ending}"
    done = run(export, option, "--output", drawing)
    assert (done.returncode, done.stderr) == (0, "")
    said = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert list(said) == ["threshold", "precision", "recall", "load", "agreement", "wrote"]
    assert 0 < float(said["threshold"]) < 1
    if "precision" in option:
        assert float(said["precision"]) >= 0.6
    else:
        assert float(said["load"]) <= 8
    assert drawing.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --precision, --per-day and --threshold"),
        (["--precision=0.5", "--per-day=3"], "give one of --precision, --per-day and --threshold"),
        (["--precision=0.5", "--output=a.pdf"], "--output is a.pdf: give a name that ends in .png or .svg"),
        (["--per-day=0"], "no threshold flags as few as 0 posts a day: "),
    ],
)
def test_refuses_in_one_line(export: Path, arguments: list[str], message: str) -> None:
    done = run(export, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_says_which_line_is_none_of_the_table(tmp_path: Path) -> None:
    file = tmp_path / "part.json"
    file.write_text(item(1, 0.5, "fine") + "\n" + item(2, 1.5, "fine") + "\n")
    done = run(file, "--threshold=0.5")
    assert done.returncode == 1
    assert "part.json, line 2: " in done.stderr
    assert "probability is 1.5: allowed is a number from 0 to 1" in done.stderr
    assert "does not exist: give the folder of a DynamoDB export" in run(tmp_path / "none", "--threshold=0.5").stderr
