"""An endpoint on instances with GPUs gets the image for GPUs, and so does whatever else runs that image."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from app import compose
from stacks.settings import load_settings
from tests.stacks.conftest import CONTEXT


@pytest.mark.parametrize(("instance_type", "device"), [("ml.g5.xlarge", "gpu"), ("ml.c6i.large", "cpu")])
def test_the_image_is_for_what_the_instances_have(tmp_path: Path, instance_type: str, device: str) -> None:
    context = {**CONTEXT, "environment": "dev", "model.endpoint_instance_type": instance_type}
    app = cdk.App(context=context, outdir=str(tmp_path))
    compose(app, load_settings(context))
    app.synth()
    (manifest,) = tmp_path.glob("*-model.assets.json")
    images = json.loads(manifest.read_text())["dockerImages"].values()
    files = {image["source"].get("dockerFile") for image in images}
    assert files == {None, f"Dockerfile.{device}"}
    arguments = _transform(tmp_path)
    assert ('"TransformAmiVersion":"al2-ami-sagemaker-batch-gpu-535"' in arguments) is (device == "gpu")
    assert f'"InstanceType":"{"ml.g5.xlarge" if device == "gpu" else "ml.m5.large"}"' in arguments


def _transform(assembly: Path) -> str:
    """What a release's state machine says of the machine that scores the current model."""
    (template,) = assembly.glob("*-model.template.json")
    resources: dict[str, Any] = json.loads(template.read_text())["Resources"]
    definitions = "".join(
        part
        for resource in resources.values()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
        for part in resource["Properties"]["DefinitionString"]["Fn::Join"][1]
        if isinstance(part, str)
    )
    return definitions.partition('"TransformResources":')[2].partition("}")[0]
