"""The tables of the page on costs are what their command prints."""

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_the_page_shows_what_the_command_prints() -> None:
    page = (PROJECT / "docs" / "what-it-costs.md").read_text(encoding="utf-8")
    found = re.search(r"^python (docs/serving_costs\.py.*)$", page, flags=re.MULTILINE)
    assert found
    command = [sys.executable, *found[1].split()]
    printed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    tables = [table for table in printed.split("\n\n") if table.strip()]
    assert len(tables) == 2
    for table in tables:
        assert table.strip() in page


def test_other_figures_change_what_is_printed() -> None:
    command = [sys.executable, "docs/serving_costs.py", "--cpu-ms", "student=1", "--usd-a-post", "0.01"]
    printed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert "| student | ml.m5.large | 2,000 | 83.95 | 0.03 |" in printed
    assert "| a service at $0.01 a post | 0.01 | 8,395 |" in printed
