import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Token
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.sagemaker import ModelImage


def role_in(stack: cdk.Stack) -> iam.Role:
    return iam.Role(stack, "Puller", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))


def test_an_image_in_ecr_is_named_by_tag_or_digest(stack: cdk.Stack) -> None:
    repository = ecr.Repository.from_repository_name(stack, "Repository", "models")
    role = role_in(stack)
    tagged = ModelImage.from_ecr_repository(repository, "1.4.2").bind(stack, "Tagged", puller=role)
    fixed = ModelImage.from_ecr_repository(repository, "sha256:" + "0" * 64).bind(stack, "Fixed", puller=role)
    assert json.dumps(stack.resolve(tagged)).endswith('/models:1.4.2"]]}')
    assert "/models@sha256:0" in json.dumps(stack.resolve(fixed))
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with([Match.object_like({"Action": Match.array_with(["ecr:BatchGetImage"])})])
            }
        },
    )


def asset_of(tmp_path: Path, **given: Any) -> Any:
    """What the asset manifest tells the CDK's command line about an image."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile.cpu").write_text("FROM scratch\n")
    app = cdk.App(outdir=str(tmp_path / "out"))
    stack = cdk.Stack(app, "Stack")
    image = ModelImage.from_asset(folder, file="Dockerfile.cpu", **given)
    image.bind(stack, "Image", puller=role_in(stack))
    app.synth()
    (asset,) = json.loads((tmp_path / "out" / "Stack.assets.json").read_text())["dockerImages"].values()
    return asset["source"]


def test_an_image_out_of_a_folder_is_built_for_sagemakers_machines(tmp_path: Path) -> None:
    source = asset_of(tmp_path, build_args={"A": "b"})
    assert source["dockerFile"] == "Dockerfile.cpu"
    assert source["platform"] == "linux/amd64"
    assert source["dockerBuildArgs"] == {"A": "b"}


def test_its_manifest_is_of_the_kind_that_sagemaker_takes(tmp_path: Path) -> None:
    assert asset_of(tmp_path)["dockerOutputs"] == ["type=docker"]


def test_another_builder_can_be_told_otherwise(tmp_path: Path) -> None:
    assert "dockerOutputs" not in asset_of(tmp_path, outputs=[])


@pytest.mark.parametrize("tag", ["1.4.2", "latest", "_x", "sha256:" + "a" * 64, Token.as_string({"Ref": "Tag"})])
def test_a_tag_or_digest_is_taken(stack: cdk.Stack, tag: str) -> None:
    repository = ecr.Repository.from_repository_name(stack, "Repository", "models")
    assert ModelImage.from_ecr_repository(repository, tag).bind(stack, "Image", puller=role_in(stack))


def test_fails_when_there_is_no_dockerfile(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"directory: got '.*', allowed: a folder with Dockerfile\.gpu"):
        ModelImage.from_asset(tmp_path, file="Dockerfile.gpu")
