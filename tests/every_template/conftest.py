"""Every template of the project: the reference system, the examples, and what a release workflow can be."""

import functools
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3

from app import compose
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
)
from stacks.settings import load_settings
from tests.constructs.sagemaker.workflow_variants import VARIANTS, make_release_workflow
from tests.every_template.assembly import Assembly

PROJECT = Path(__file__).parents[2]
CONTEXT: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
FLAGS = {name: value for name, value in CONTEXT.items() if name.startswith("@aws-cdk/")}
EXAMPLES = sorted((PROJECT / "examples").glob("*.py"))

Synth = Callable[[Path], None]


def reference_system(environment: str, folder: Path) -> None:
    context = {**CONTEXT, "environment": environment}
    app = cdk.App(context=context, outdir=str(folder))
    compose(app, load_settings(context))
    app.synth()


def example(program: Path, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # What the `cdk` command says in the environment of an app's own process.
        patch.setattr(cdk, "App", functools.partial(cdk.App, outdir=str(folder), context=FLAGS))
        patch.chdir(program.parent)
        runpy.run_path(str(program), run_name="__main__")


def release_workflow(variant: str, folder: Path) -> None:
    source = folder / "image"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\n")
    image = ModelImage.from_asset(source)
    app = cdk.App(outdir=str(folder), context=FLAGS)
    stack = cdk.Stack(app, "Stack")
    make_release_workflow(stack, image, **VARIANTS[variant](stack, image))
    app.synth()


def declared_endpoint(folder: Path) -> None:
    """An endpoint of CloudFormation's with names as long as the construct takes them."""
    app = cdk.App(outdir=str(folder), context=FLAGS)
    stack = cdk.Stack(app, "Stack")
    scaling = EndpointScaling(min_instances=1, max_instances=2, invocations_per_instance=600)
    InferenceEndpoint(
        stack,
        "Endpoint",
        image=ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Image", "server"), "1"),
        model_bucket=s3.Bucket(stack, "Models"),
        model_key=f"{'k' * 1000}.tar.gz",
        endpoint_name="e" * 63,
        configuration=EndpointConfiguration(
            variants=[EndpointVariant(name=f"{letter}{'v' * 62}", scaling=scaling) for letter in ("a", "b")]
        ),
    )
    app.synth()


SYNTHS: dict[str, Synth] = {
    **{environment: functools.partial(reference_system, environment) for environment in ("dev", "prod")},
    **{program.name: functools.partial(example, program) for program in EXAMPLES},
    "declared endpoint, longest names": declared_endpoint,
    **{f"workflow {variant}": functools.partial(release_workflow, variant) for variant in VARIANTS},
}


@pytest.fixture(scope="session", params=SYNTHS)
def assembly(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The templates of one app."""
    folder = tmp_path_factory.mktemp("assembly")
    SYNTHS[request.param](folder)
    return Assembly(folder)


@pytest.fixture(scope="session")
def default_workflow(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """A release workflow that was given nothing."""
    folder = tmp_path_factory.mktemp("default")
    release_workflow("nothing", folder)
    return Assembly(folder)
