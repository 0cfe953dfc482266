import json
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.cloud_assembly import environment, require_known_types
from cdk_rehearsal.step_failure import InvalidInputError
from tests.tools.cdk_rehearsal.any_app import QUEUE, write_assembly

ANY = "aws://unknown-account/unknown-region"
KNOWN = {"AWS::SQS::Queue", "AWS::CloudFormation::Stack"}


def of(assembly: Path) -> tuple[str, str]:
    return environment(assembly, account="123456789012", region="us-east-1")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (ANY, ("123456789012", "us-east-1")),
        ("aws://unknown-account/eu-west-1", ("123456789012", "eu-west-1")),
        ("aws://210987654321/ap-northeast-1", ("210987654321", "ap-northeast-1")),
    ],
)
def test_what_the_app_leaves_open_is_the_embedded_aws(tmp_path: Path, asked: str, found: tuple[str, str]) -> None:
    assert of(write_assembly(tmp_path, ("Shop", asked, {"Q": QUEUE}))) == found


def test_fails_when_stacks_are_of_several_environments(tmp_path: Path) -> None:
    other = "aws://unknown-account/eu-west-1"
    write_assembly(tmp_path, ("Shop", ANY, {"Q": QUEUE}), ("Stage/Far", other, {"Q": QUEUE}))
    with pytest.raises(InvalidInputError, match=r"of 2 environments, 123456789012/us-east-1 \(Shop, …\), .*eu-west-1"):
        of(tmp_path)


def test_types_that_are_known_or_custom_pass(tmp_path: Path) -> None:
    resources = {"Q": QUEUE, "C": {"Type": "Custom::Thing"}, "CDKMetadata": {"Type": "AWS::CDK::Metadata"}}
    require_known_types(write_assembly(tmp_path, ("Shop", ANY, resources)), KNOWN)


def refused(assembly: Path) -> str:
    with pytest.raises(InvalidInputError) as caught:
        require_known_types(assembly, KNOWN)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_fails_when_a_type_is_lacking_with_the_resources_that_have_it(tmp_path: Path) -> None:
    things = {f"T{number}": {"Type": "AWS::Acme::Thing"} for number in range(5)}
    write_assembly(tmp_path, ("Shop", ANY, things), ("Prod/Far", ANY, {"B": {"Type": "AWS::Acme::Box"}}))
    message = refused(tmp_path)
    assert "AWS::Acme::Box (Far/B); AWS::Acme::Thing (Shop/T0, Shop/T1, Shop/T2 and 2 more)" in message
    assert "nothing was deployed" in message


def test_fails_when_a_nested_stack_has_it(tmp_path: Path) -> None:
    nested: dict[str, Any] = {"Type": "AWS::CloudFormation::Stack", "Metadata": {"aws:asset:path": "inner.json"}}
    write_assembly(tmp_path, ("Shop", ANY, {"Inner": nested}))
    (tmp_path / "inner.json").write_text(json.dumps({"Resources": {"T": {"Type": "AWS::Acme::Thing"}}}))
    assert "AWS::Acme::Thing (Shop/Inner/T)" in refused(tmp_path)


def test_what_a_transform_rewrites_is_not_looked_at(tmp_path: Path) -> None:
    write_assembly(tmp_path, ("Shop", ANY, {"F": {"Type": "AWS::Serverless::Function"}}))
    assert "AWS::Serverless::Function" in refused(tmp_path)
    template = json.loads((tmp_path / "Shop.template.json").read_text())
    (tmp_path / "Shop.template.json").write_text(json.dumps({**template, "Transform": "AWS::Serverless-2016-10-31"}))
    require_known_types(tmp_path, KNOWN)
