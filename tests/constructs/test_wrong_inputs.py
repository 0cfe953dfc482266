"""What a user may get wrong is refused in one line: what was given, what is allowed, what to do."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from constructs import Construct

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.notifications import AlertsTopic
from tests.constructs.minimal import minimal_constructs
from tests.constructs.minimal.sagemaker import inference_endpoint, release_records
from tests.constructs.public_classes import public_classes
from tests.constructs.wrong_inputs import WrongInput, wrong_inputs


@pytest.mark.parametrize("wrong", wrong_inputs(), ids=lambda wrong: wrong.id)
def test_is_refused_in_one_line(wrong: WrongInput) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        wrong.write(cdk.Stack(cdk.App(), "Stack"))
    line = str(refused.value)
    assert line.startswith(wrong.refused), line
    assert re.fullmatch(r"[^\n]+: got [^\n]+, allowed: [^\n]+", line), line


MAKERS = minimal_constructs() | {
    "AlertsTopic": lambda stack, **given: AlertsTopic(stack, "Alerts", **given),
    "InferenceEndpoint": inference_endpoint,
    "ReleaseRecords": release_records,
}
WITH_REMOVAL_POLICY = [
    pytest.param(MAKERS[name], id=name)
    for name, kind in public_classes()
    if issubclass(kind, Construct) and "removal_policy" in inspect.signature(kind).parameters
]


@pytest.mark.parametrize("make", WITH_REMOVAL_POLICY)
def test_text_for_a_removal_policy_is_refused(make: Callable[..., Any]) -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^removal_policy: got 'destroy', allowed: a cdk\.RemovalPolicy; give"
    ):
        make(cdk.Stack(cdk.App(), "Stack"), removal_policy="destroy")
