"""The command as people and pull requests call it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cdk_review.assembly import read_assembly
from cdk_review.policy import parse_policy
from cdk_review.review import Review
from cdk_review.review import review as judge
from tests.tools.cdk_review.shop import shop, write_assembly


def run(*arguments: object, lint: bool = False) -> subprocess.CompletedProcess[str]:
    """The command; cfn-lint takes most of its time, and one test is enough for it."""
    command = [sys.executable, "-m", "cdk_review", *map(str, arguments), *([] if lint else ["--no-lint"])]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def changed(**changes: Any) -> dict[str, Any]:
    template = shop()
    for resource, properties in changes.items():
        template["Resources"][resource]["Properties"].update(properties)
    return template


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_assembly(tmp_path / "base", {"shop": shop()})


def test_writes_a_page_and_data(base: Path, tmp_path: Path) -> None:
    head = write_assembly(tmp_path / "head", {"shop": changed(Spike={"Threshold": 85}, Count={"MinCapacity": 1})})

    done = run(base, head, "--output", tmp_path / "review", lint=True)

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "review" / "review.md").read_text()
    data = json.loads((tmp_path / "review" / "review.json").read_text())
    assert "does so at 85 instead of 80" in page
    assert "Count: minimum 1, was 2" in page
    assert {(flag["kind"], flag["logical_id"]) for flag in data["flags"]} == {
        ("scaling", "Spike"),
        ("capacity", "Count"),
    }
    assert all(flag["kind"] in page for flag in data["flags"])
    assert data["cost"]["month_after"] < data["cost"]["month_before"]


def test_an_unchanged_app_has_no_flag(base: Path, tmp_path: Path) -> None:
    done = run(base, base, "--output", tmp_path / "review", "--fail-on", "low,cost>0%")

    assert (done.returncode, "nothing to flag" in done.stdout) == (0, True)
    assert json.loads((tmp_path / "review" / "review.json").read_text())["flags"] == []


@pytest.fixture(scope="module")
def loosened(tmp_path_factory: pytest.TempPathFactory) -> Review:
    """An alarm that fires later, and a dashboard more."""
    template = changed(Slow={"Threshold": 5})
    template["Resources"]["More"] = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": "{}"}}
    folder = tmp_path_factory.mktemp("loosened")
    sides = [write_assembly(folder / name, {"shop": side}) for name, side in (("a", shop()), ("b", template))]
    return judge(*map(read_assembly, sides))


@pytest.mark.parametrize(
    ("policy", "fails"),
    [
        ("replacement", False),
        ("alarm-loosened", True),
        ("permission-widened", False),
        ("cost>10%", False),
        ("cost>0.1%", True),
        ("loosened", True),
        ("critical", False),
        ("medium,replacement", True),
    ],
)
def test_fails_by_the_policy(policy: str, loosened: Review, *, fails: bool) -> None:
    failures = parse_policy(policy).failures(loosened.flags, cost_rise_percent=loosened.cost.rise_percent)

    assert bool(failures) is fails


def test_a_policy_that_fails_is_status_2(base: Path, tmp_path: Path) -> None:
    head = write_assembly(tmp_path / "head", {"shop": changed(Slow={"Threshold": 5})})

    done = run(base, head, "--output", tmp_path / "review", "--fail-on", "medium,replacement")

    assert (done.returncode, done.stderr) == (2, "cdk-review: fails on loosened: 1 flag\n")


def test_a_page_shows_names_of_strangers_as_text(base: Path, tmp_path: Path) -> None:
    template = changed(Slow={"Threshold": 5, "MetricName": "<img src=x>|@everyone `"})
    head = write_assembly(tmp_path / "head", {"shop": template})

    run(base, head, "--output", tmp_path / "review")

    page = (tmp_path / "review" / "review.md").read_text()
    assert "<img" not in page
    assert "@everyone" not in page


def test_a_stack_of_one_side_is_compared_with_nothing(base: Path, tmp_path: Path) -> None:
    head = write_assembly(tmp_path / "head", {"shop": shop(), "new": {"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}})

    assert "nothing to flag" in run(base, head, "--output", tmp_path / "there").stdout
    assert "The stack new is removed" in run(head, base, "--output", tmp_path / "back").stdout


def test_a_nested_stack_is_judged_too(tmp_path: Path) -> None:
    for side, threshold in (("base", 0.5), ("head", 5)):
        folder = write_assembly(
            tmp_path / side,
            {
                "shop": {
                    "Resources": {
                        "Inner": {
                            "Type": "AWS::CloudFormation::Stack",
                            "Properties": {"TemplateURL": "https://x/" + ("a" if side == "base" else "b") * 64},
                            "Metadata": {"aws:asset:path": "inner.nested.template.json"},
                        }
                    }
                }
            },
        )
        (folder / "inner.nested.template.json").write_text(json.dumps(changed(Slow={"Threshold": threshold})))

    run(tmp_path / "base", tmp_path / "head", "--output", tmp_path / "review")

    flags = json.loads((tmp_path / "review" / "review.json").read_text())["flags"]
    assert [(flag["stack"], flag["logical_id"]) for flag in flags] == [("shop/Inner", "Slow")]


def test_refuses_what_is_no_assembly_in_one_line(base: Path, tmp_path: Path) -> None:
    old = write_assembly(tmp_path / "old", {"shop": shop()}, version="0.36.0")
    broken = write_assembly(tmp_path / "broken", {"shop": shop()})
    (broken / "shop.template.json").write_text("{")
    empty = write_assembly(tmp_path / "empty", {})
    (tmp_path / "file").write_text("")
    refused = {
        tmp_path / "nothing": "nothing there",
        tmp_path: "no manifest.json in it",
        tmp_path / "file": "a file",
        old: "schema version 0.36.0",
        broken: "cannot be read as JSON",
        empty: "no stack in its manifest.json",
    }
    for folder, words in refused.items():
        done = run(base, folder, "--output", tmp_path / "review")
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
        assert words in done.stderr
    assert not (tmp_path / "review").exists()


def test_refuses_words_it_does_not_know_in_one_line(base: Path) -> None:
    assert "fail-on: got everything, allowed: replacement" in run(base, base, "--fail-on", "everything").stderr
    assert "got no two sides" in run(base).stderr
    assert "beside --git" in run(base, "--git", "main").stderr


def test_a_manifest_names_no_file_elsewhere(base: Path, tmp_path: Path) -> None:
    manifest = json.loads((base / "manifest.json").read_text())
    manifest["artifacts"]["shop"]["properties"]["templateFile"] = "../../etc/secret.json"
    (base / "manifest.json").write_text(json.dumps(manifest))

    done = run(base, base, "--output", tmp_path / "review")

    assert "allowed: files within the cloud assembly" in done.stderr
