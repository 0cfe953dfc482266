"""Changes that no single resource shows: conditions, mappings, loops, nested stacks, stages, several stacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cdk_review.assembly import read_assembly
from cdk_review.flag import Flag
from cdk_review.review import Review, review
from fargate_capacity.input_error import InputError
from tests.tools.cdk_review.shop import arn, ref, write_assembly

TABLE = {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {"TableName": "orders"}}
COUNT = "AWS::ApplicationAutoScaling::ScalableTarget"


def reviewed(tmp_path: Path, base: dict[str, Any], head: dict[str, Any]) -> Review:
    sides = [write_assembly(tmp_path / name, stacks) for name, stacks in (("base", base), ("head", head))]
    return review(*map(read_assembly, sides))


def kinds(flags: tuple[Flag, ...]) -> set[tuple[str, str]]:
    return {(flag.kind, flag.logical_id) for flag in flags}


def of(**sections: Any) -> dict[str, Any]:
    return {"shop": sections}


def counted(value: Any, **sections: Any) -> dict[str, Any]:
    properties = {"MinCapacity": value, "MaxCapacity": 10}
    return of(Resources={"Count": {"Type": COUNT, "Properties": properties}}, **sections)


SIZES = {"Fn::FindInMap": ["Sizes", "production", "least"]}
BY_REGION = {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "least"]}


def loop(*names: str, **properties: Any) -> dict[str, Any]:
    body = {"Queue${Name}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": ref("Name"), **properties}}}
    return of(Resources={"Fn::ForEach::Queues": ["Name", list(names), body]})


def on_condition(text: str) -> dict[str, Any]:
    condition = {"Fn::Equals": [ref("Stage"), text]}
    return of(Conditions={"IsProduction": condition}, Resources={"Orders": TABLE | {"Condition": "IsProduction"}})


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "a mapping's value": (
        counted(SIZES, Mappings={"Sizes": {"production": {"least": 4}}}),
        counted(SIZES, Mappings={"Sizes": {"production": {"least": 1}}}),
        "capacity",
        "Count",
    ),
    "a condition": (on_condition("production"), on_condition("prod"), "removed", "IsProduction"),
    "a loop with one name less": (loop("jobs", "mail"), loop("jobs"), "removed", "Queuemail"),
    "a loop's setting": (
        loop("jobs", MessageRetentionPeriod=1209600),
        loop("jobs", MessageRetentionPeriod=60),
        "retention",
        "Queuejobs",
    ),
    "a table in another stack": (
        {"data": {"Resources": {"Orders": TABLE}}, "shop": {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}},
        {"data": {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}, "shop": {"Resources": {"Orders": TABLE}}},
        "removed",
        "Orders",
    ),
    "a stack with another name": (
        {"shop": {"Resources": {"Orders": TABLE}}},
        {"store": {"Resources": {"Orders": TABLE}}},
        "removed",
        "shop",
    ),
    "a resource of another type": (
        of(Resources={"Orders": TABLE}),
        of(Resources={"Orders": TABLE | {"Type": "AWS::DynamoDB::GlobalTable"}}),
        "replaced",
        "Orders",
    ),
}
HARMLESS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a mapping in place of a number": (
        counted(4),
        counted(SIZES, Mappings={"Sizes": {"production": {"least": 4}}}),
    ),
    "a mapping's other value": (
        counted(SIZES, Mappings={"Sizes": {"production": {"least": 4}, "test": {"least": 2}}}),
        counted(SIZES, Mappings={"Sizes": {"production": {"least": 4}, "test": {"least": 1}}}),
    ),
    "a value by region": (
        counted(BY_REGION, Mappings={"Sizes": {"us-east-1": {"least": 4}}}),
        counted(BY_REGION, Mappings={"Sizes": {"us-east-1": {"least": 4}, "eu-west-1": {"least": 4}}}),
    ),
    "a loop in place of two": (
        of(
            Resources={
                f"Queue{name}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
                for name in ("jobs", "mail")
            }
        ),
        loop("jobs", "mail"),
    ),
    "a condition that nothing is made on": (
        of(Conditions={"Is": {"Fn::Equals": ["a", "b"]}}, Resources={"Orders": TABLE}),
        of(Conditions={"Is": {"Fn::Equals": ["a", "c"]}}, Resources={"Orders": TABLE}),
    ),
    "a parameter's default": (
        of(Parameters={"Size": {"Type": "Number", "Default": 1}}, Resources={"Orders": TABLE}),
        of(Parameters={"Size": {"Type": "Number", "Default": 2}}, Resources={"Orders": TABLE}),
    ),
    "rules, transforms and metadata": (
        of(Resources={"Orders": TABLE}),
        of(Resources={"Orders": TABLE | {"Metadata": {"cfn-lint": {}}}}, Metadata={"a": 1}, Rules={}),
    ),
    "dependencies in another order": (
        of(Resources={"Orders": TABLE | {"DependsOn": ["Jobs", "Mail"]}}),
        of(Resources={"Orders": TABLE | {"DependsOn": ["Mail", "Jobs"]}}),
    ),
    "a new stack": (
        {"shop": {"Resources": {"Orders": TABLE}}},
        {"shop": {"Resources": {"Orders": TABLE}}, "board": {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_flags_what_the_template_changes(case: str, tmp_path: Path) -> None:
    base, head, kind, logical_id = BAD[case]

    assert (kind, logical_id) in kinds(reviewed(tmp_path, base, head).flags)


@pytest.mark.parametrize("case", HARMLESS)
def test_flags_nothing_that_stays(case: str, tmp_path: Path) -> None:
    assert reviewed(tmp_path, *HARMLESS[case]).flags == ()


def with_nested(folder: Path, content: str, **queue: Any) -> Path:
    """A stage, `assembly-live`, whose stack has a nested one."""
    inner = folder / "assembly-live"
    asset = {"S3Key": f"{content * 64}.json"}
    parent = {
        "Resources": {
            "Nested": {
                "Type": "AWS::CloudFormation::Stack",
                "Metadata": {"aws:asset:path": "nested.json"},
                "Properties": {"TemplateURL": {"Fn::Sub": "https://s3.amazonaws.com/assets/" + asset["S3Key"]}},
            }
        }
    }
    write_assembly(inner, {"shop": parent})
    jobs = {"Type": "AWS::SQS::Queue", "Properties": queue}
    (inner / "nested.json").write_text(json.dumps({"Resources": {"Jobs": jobs}}))
    manifest = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-live"}}
    (folder / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": {"live": manifest}}))
    return folder


def test_sees_into_a_nested_stack_of_a_stage(tmp_path: Path) -> None:
    base = with_nested(tmp_path / "base", "a", RedrivePolicy={"maxReceiveCount": 3, "deadLetterTargetArn": arn("F")})
    other = with_nested(tmp_path / "other", "b", RedrivePolicy={"maxReceiveCount": 3, "deadLetterTargetArn": arn("F")})
    head = with_nested(tmp_path / "head", "c")

    assert review(read_assembly(base), read_assembly(other)).flags == ()
    (flag,) = review(read_assembly(base), read_assembly(head)).flags
    assert (flag.kind, flag.stack, flag.logical_id) == ("loosened", "shop/Nested", "Jobs")


def test_reads_the_folder_of_a_stage_by_itself(tmp_path: Path) -> None:
    folder = with_nested(tmp_path / "out", "a")

    assert list(read_assembly(folder / "assembly-live")) == list(read_assembly(folder))


def test_needs_no_tree_and_takes_a_newer_schema(tmp_path: Path) -> None:
    folder = write_assembly(tmp_path / "out", {"shop": {"Resources": {"Orders": TABLE}}}, version="999.1.0")

    assert list(read_assembly(folder)) == ["shop"]


def truncated(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:40])


def short_form(folder: Path) -> None:
    (folder / "shop.template.json").write_text("Resources:\n  Orders:\n    Type: !Sub AWS::SQS::Queue\n")


def without_artifacts(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"version": "48.0.0"}')


def of_lists(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"version": "48.0.0", "artifacts": {"shop": ["aws:cloudformation:stack"]}}')


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncated, "cannot be read as JSON"),
        (short_form, "cannot be read as JSON"),
        (without_artifacts, "no stack in its manifest.json"),
        (of_lists, "no stack in its manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text(""), "cannot be read as JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "allowed: a JSON object"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe\x00"), "cannot be read as JSON"),
        (lambda folder: (folder / "shop.template.json").unlink(), "cannot be read as JSON"),
        (lambda folder: (folder / "shop.template.json").write_text("null"), "allowed: a JSON object"),
        (shutil.rmtree, "nothing there"),
    ],
)
def test_refuses_a_spoilt_assembly_in_one_line(spoil: Any, words: str, tmp_path: Path) -> None:
    folder = write_assembly(tmp_path / "out", {"shop": {"Resources": {"Orders": TABLE}}})
    spoil(folder)

    with pytest.raises(InputError, match=words) as refused:
        read_assembly(folder)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("resources", [None, [], {"Orders": None}, {"Orders": {}}, {"Orders": {"Type": 1}}])
def test_compares_odd_templates(resources: Any, tmp_path: Path) -> None:
    found = reviewed(tmp_path, {"shop": {"Resources": {"Orders": TABLE}}}, {"shop": {"Resources": resources}})

    assert {flag.kind for flag in found.flags} <= {"removed", "replaced", "retention"}
