import gzip
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from review_threshold.input_error import InputError
from review_threshold.reviewed_posts import read_export


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


NESTED = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json.gz", gzip.compress(item(1, 0.5, "fine").encode())[:-9], "a.json.gz, line 1: the gzip file is cut off"),
        ("a.json.gz", b"{}", "a.json.gz, line 1: not gzip, as its name says"),
        ("a.json", gzip.compress(b"{}"), "a.json: this is gzip: let its name end in .gz"),
        ("a.json", item(1, 0.5, "fine").encode("utf-16"), "a.json, line 1: not UTF-8 but UTF-16"),
        ("a.json", b"\xff\xff", "a.json, line 1: not UTF-8"),
        ("a.json", NESTED.encode(), "a.json, line 1: brackets in brackets without end"),
        ("a.json", b'{"Item": 5}', "a.json, line 1: there is no Item"),
        ("a.json", b'{"Item": {"entry": "post"}}', "a.json, line 1: entry has no S"),
        ("a.json", item(1, 0.5, "MARKED").encode(), "a.json, line 1: a verdict is none of violation, fine, unsure"),
        ("a.json", item(1, 0.5, None, weight={"N": "MARKED"}).encode(), "a.json, line 1: weight is no number"),
        ("a.json", item(1, 0.5, None, weight={"N": "1e999"}).encode(), "a.json, line 1: weight is no number"),
        ("a.json", item(1, 0.5, None, weight={"N": "9" * 5000}).encode(), "a.json, line 1: weight is no number"),
        ("a.json", item(1, 0.5, None, weight={"S": "MARKED"}).encode(), "a.json, line 1: weight has no N"),
        ("a.json", item(1, 0.5, None, received={"S": "MARKED"}).encode(), "a.json, line 1: received is no time"),
        ("a.json", item(1, 0.5, None, received={"S": "2026-13-01"}).encode(), "a.json, line 1: received is no time"),
        ("a.json", item(1, 0.5, None, received={"S": 5}).encode(), "a.json, line 1: received is no time"),
        ("a.json", b"", "a.json holds no post with a probability"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError) as fault:
        read_export(file)
    said = str(fault.value)
    assert said.startswith(f"{tmp_path}/{message}")
    assert "\n" not in said
    assert "MARKED" not in said


def test_an_export_that_is_cut_off_ends_the_command_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "part.json.gz"
    file.write_bytes(gzip.compress(item(1, 0.5, "fine").encode() * 1000)[:-9])
    done = run(file, "--threshold=0.5")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{file}, line 1: the gzip file is cut off: copy it again\n"


def test_two_exports_are_not_one(export: Path) -> None:
    first = export / "AWSDynamoDB" / "01700000000000-abc"
    shutil.copytree(first, export / "AWSDynamoDB" / "01800000000000-abc")
    with pytest.raises(InputError, match=r"holds 2 exports: give one of them, as .*/01800000000000-abc$"):
        read_export(export)
    assert len(read_export(first)) == len(read_export(first / "data")) == 400


def test_a_part_of_an_export_is_not_the_whole(export: Path) -> None:
    whole = export / "AWSDynamoDB" / "01700000000000-abc"
    (whole / "manifest-summary.json").write_text('{"itemCount": 402}')
    assert len(read_export(export)) == 400
    (whole / "data" / "part1.json.gz").unlink()
    with pytest.raises(InputError, match="holds 201 items of 402: copy the export again, with all its files"):
        read_export(export)


def test_fails_when_the_curve_cannot_be_written(export: Path) -> None:
    (export / "file").write_text("")
    done = run(export, "--threshold=0.5", "--output", export / "file" / "curve.png")
    assert done.returncode == 1
    assert "curve.png, which cannot be written: " in done.stderr
    assert done.stderr.count("\n") == 1
