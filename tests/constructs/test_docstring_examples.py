"""The example in the docstring of each main construct runs, as it stands there, and synthesises.

It is the section `Example:`, one block of Python in the constructor of a stack: `self` is the stack. It may name what
is in `_GIVEN`, every public name of the library, `cdk`, and the CDK's modules by their usual names (`ec2`, `elbv2`, …).
"""

import ast
import importlib
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk_fargate_sagemaker import fargate, notifications, review, sagemaker
from tests.constructs.public_classes import AREAS, public_classes

# Made by a `ReviewQueue` or a `ModelReleaseWorkflow`, and by nobody else.
_PARTS = {"IReviewQueue", "ReleaseRecords", "RollbackWorkflow"}
_EXAMPLE = re.compile(r"^Example:\n    ```python\n(?P<code>(?:    .*\n|\n)+?)    ```$", re.MULTILINE)
# Where the usual name is not the module's own without `aws_`.
_MODULES = {
    "cdk": "aws_cdk",
    "cloudwatch_actions": "aws_cdk.aws_cloudwatch_actions",
    "elbv2": "aws_cdk.aws_elasticloadbalancingv2",
    "lambda_": "aws_cdk.aws_lambda",
    "sfn": "aws_cdk.aws_stepfunctions",
    "subscriptions": "aws_cdk.aws_sns_subscriptions",
    "targets": "aws_cdk.aws_events_targets",
}


class _Given:
    """What an example may name, made when it is asked for."""

    def __init__(self, scope: Construct) -> None:
        self._scope = scope
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _GIVEN[name](self._scope, self)
        return self._made[name]


def _web(scope: Construct, given: _Given) -> fargate.ScaledFargateService:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    certificate = certificatemanager.Certificate.from_certificate_arn(scope, "Certificate", arn)
    return fargate.ScaledFargateService(
        scope, "Web", vpc=given["vpc"], image=given["image"], certificate=certificate, target_percent=60
    )


def _endpoint(scope: Construct, given: _Given) -> sagemaker.InferenceEndpoint:
    return sagemaker.InferenceEndpoint(
        scope, "Endpoint", image=given["model_image"], model_bucket=given["bucket"], model_key="models/1/model.tar.gz"
    )


def _workflow(scope: Construct, given: _Given) -> sagemaker.ModelReleaseWorkflow:
    return sagemaker.ModelReleaseWorkflow(
        scope,
        "Release",
        endpoint_name="spam-filter",
        train=sagemaker.TrainingJob(image=given["model_image"]),
        inference_image=given["model_image"],
        data_bucket=given["bucket"],
        alerts_topic=given["topic"],
    )


def _table(scope: Construct, given: _Given) -> dynamodb.Table:
    key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    recovery = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)
    return dynamodb.Table(scope, "Table", partition_key=key, point_in_time_recovery_specification=recovery)


_GIVEN: dict[str, Callable[[Construct, _Given], Any]] = {
    "self": lambda scope, given: cdk.Stack.of(scope),
    "vpc": lambda scope, given: ec2.Vpc(scope, "Vpc"),
    "image": lambda scope, given: ecs.ContainerImage.from_registry("nginx:1.29"),
    "web": _web,
    "topic": lambda scope, given: notifications.AlertsTopic(scope, "Alerts"),
    "bucket": lambda scope, given: s3.Bucket(scope, "Bucket"),
    "key": lambda scope, given: kms.Key(scope, "Key"),
    "table": _table,
    "model_image": lambda scope, given: sagemaker.ModelImage.from_ecr_repository(
        ecr.Repository.from_repository_name(scope, "Images", "models"), "1"
    ),
    "endpoint": _endpoint,
    "workflow": _workflow,
    "reviews": lambda scope, given: review.ReviewQueue(scope, "Reviews"),
}


def _example(kind: type) -> str | None:
    found = _EXAMPLE.search(inspect.cleandoc(kind.__doc__ or ""))
    return textwrap.dedent(found["code"]) if found else None


def _names(code: str, given: _Given) -> dict[str, Any]:
    """What the names in `code` mean that it does not define itself."""
    library = {name: getattr(area, name) for area in AREAS for name in area.__all__}
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    meant: dict[str, Any] = {}
    for name in {node.id for node in nodes} - {node.id for node in nodes if isinstance(node.ctx, ast.Store)}:
        if name in _GIVEN:
            meant[name] = given[name]
        elif name in library:
            meant[name] = library[name]
        elif name in _MODULES or importlib.util.find_spec(f"aws_cdk.aws_{name}"):
            meant[name] = importlib.import_module(_MODULES.get(name, f"aws_cdk.aws_{name}"))
    return meant


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        pytest.param(kind, example, id=name)
        for name, kind in public_classes()
        if (example := _example(kind)) is not None
    ],
)
def test_runs_and_synthesises(kind: type, code: str) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    exec(code, _names(code, _Given(Construct(stack, "Given"))))
    template = app.synth().get_stack_by_name(stack.stack_name).template
    assert template.get("Resources") or not issubclass(kind, Construct)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=name)
        for name, kind in public_classes()
        if issubclass(kind, Construct) and name not in _PARTS
    ],
)
def test_each_construct_has_one(kind: type) -> None:
    assert _example(kind) is not None


@pytest.mark.parametrize(("name", "kind"), list(public_classes()))
def test_each_is_in_the_form_that_is_run(name: str, kind: type) -> None:
    # One that the pattern does not find would never be run.
    assert (kind.__doc__ or "").count("```python") == (0 if _example(kind) is None else 1)
