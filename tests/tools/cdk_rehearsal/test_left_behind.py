"""What a destroyed stack leaves is explained and priced, or nobody deletes it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cdk_rehearsal.left_behind import Inventory, kept_by_template

LEFT = {
    ("AWS::Logs::LogGroup", "/aws/sagemaker/Endpoints/spam"),
    ("AWS::SSM::Parameter", "/sagemaker/spam/current-release"),
    ("AWS::SageMaker::Endpoint", "spam"),
    ("AWS::SageMaker::EndpointConfig", "spam-one"),
    ("AWS::SageMaker::Model", "spam-one"),
}
SOMEBODY_ELSES = {("AWS::SageMaker::Endpoint", "other"), ("AWS::SageMaker::Model", "other-one")}


def kept(folder: Path, keep: str) -> dict[str, str]:
    """What the templates of an app with a release workflow keep."""
    end = {"Type": "Custom::EndpointEnd", "Properties": {"EndpointName": "spam", "Keep": keep}}
    (folder / "Spam.template.json").write_text(json.dumps({"Resources": {"End": end}}))
    properties = {"templateFile": "Spam.template.json"}
    stack = {"type": "aws:cloudformation:stack", "environment": "aws://unknown/unknown", "properties": properties}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"Spam": stack}}))
    made = [{"LogicalResourceId": "End", "PhysicalResourceId": "spam"}]
    pages: Any = SimpleNamespace(paginate=lambda StackName: [{"StackResourceSummaries": made}])
    return kept_by_template(
        lambda service: SimpleNamespace(get_paginator=lambda operation: pages), folder, stacks=["Spam"]
    )


@pytest.mark.parametrize("keep", ["true", "false"])
def test_what_a_release_made_is_explained_if_its_workflow_keeps_it(tmp_path: Path, keep: str) -> None:
    after = Inventory(frozenset(LEFT | SOMEBODY_ELSES))
    left = after.left_since(Inventory(frozenset()), kept=kept(tmp_path, keep))
    explained = {(found.kind, found.name) for found in left if found.why is not None and found.price is not None}
    assert {(found.kind, found.name) for found in left} == LEFT | SOMEBODY_ELSES
    assert explained == (LEFT if keep == "true" else set())
