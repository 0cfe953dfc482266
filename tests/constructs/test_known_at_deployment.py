"""A number or a Duration that is known at deployment only comes out whole, or is refused in one line.

Every prop of every public construct that takes one is found from its signature; what makes the least of each construct
stands in `minimal/`, one file for each package.
"""

import inspect
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_fargate_sagemaker import fargate, monitoring, notifications, review, sagemaker, tuning
from cdk_fargate_sagemaker.errors import InvalidArgumentError
from tests.constructs.known_at_deployment import DURATION_KINDS, KINDS, damage, number_props, tokens
from tests.constructs.minimal import minimal_constructs
from tests.constructs.public_classes import own_attributes

AREAS = {
    module.__name__.rsplit(".", 1)[1]: module
    for module in (fargate, monitoring, notifications, review, sagemaker, tuning)
}
MINIMAL = minimal_constructs()


def _cases() -> list[Any]:
    cases = []
    for area, module in AREAS.items():
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.isclass(value) or issubclass(value, Exception):
                continue
            methods = [
                (f"{name}.{method}", getattr(value, method))
                for method in own_attributes(value)
                if not method.startswith("_") and callable(getattr(value, method))
            ]
            for key, function in [(name, value.__init__), *methods]:
                for prop, annotation in number_props(function):
                    kinds = DURATION_KINDS if "Duration" in annotation else KINDS
                    cases += [
                        pytest.param(key, prop, annotation, kind, id=f"{area}-{key}-{prop}-{kind}") for kind in kinds
                    ]
    return cases


@pytest.mark.parametrize(("key", "prop", "annotation", "kind"), _cases())
def test_comes_out_whole_or_is_refused(key: str, prop: str, annotation: str, kind: str) -> None:
    assert key in MINIMAL, "it takes a number: put what makes the least of it into minimal/"
    make: Callable[..., Any] | str = MINIMAL[key]
    if isinstance(make, str):
        # What it does with a number never reaches a template, and this is why.
        assert len(make.split()) > 3
        return
    stack = cdk.Stack(cdk.App(), "Stack")
    token = tokens(stack, annotation)[kind]
    try:
        make(stack, **{prop: token})
    except InvalidArgumentError as error:
        line = str(error)
        assert "\n" not in line
        assert line.startswith(prop), line
        assert "known at deployment only" in line, line
        return
    assert damage(stack, lazy=kind.startswith("lazy")) is None
