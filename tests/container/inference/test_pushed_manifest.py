"""What Docker pushes of an image that is built as the CDK's command line builds those for SageMaker.

Collected where `make test-containers` names an image, and so has an engine.
"""

import json
import os
import subprocess
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from cdk_fargate_sagemaker.sagemaker import ModelImage
from tests.container.registry_stand_in import registry

SAGEMAKER_TAKES = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.mark.image
def test_it_is_a_manifest_that_sagemaker_takes(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /Dockerfile\n")
    app = cdk.App(outdir=str(tmp_path / "out"))
    stack = cdk.Stack(app, "Stack")
    role = iam.Role(stack, "Puller", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    ModelImage.from_asset(folder).bind(stack, "Image", puller=role)
    app.synth()
    (asset,) = json.loads((tmp_path / "out" / "Stack.assets.json").read_text())["dockerImages"].values()
    outputs = [f"--output={output}" for output in asset["source"]["dockerOutputs"]]
    if docker("buildx", "version", check=False).returncode != 0:
        # Without its builder, Docker has no such output, and no image store that would make it necessary.
        assert "containerd" not in docker("info", "--format", "{{json .DriverStatus}}").stdout
        outputs = []
    with registry() as taken:
        tag = f"{taken.address}/model:1"
        # As `Docker.build` and `Docker.push` of the CDK's command line do, which test_deploy.py records.
        docker("build", "--tag", tag, "--platform", "linux/amd64", *outputs, ".", cwd=folder)
        try:
            docker("push", tag)
        finally:
            docker("image", "rm", "--force", tag)
        assert taken.media_types == [SAGEMAKER_TAKES]


def docker(*words: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["docker", *words],
        cwd=cwd,
        env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done
