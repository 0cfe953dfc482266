"""What a user may get wrong is refused in one line: what was given, what is allowed, what to do."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import aws_cdk as cdk
import pytest
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from tests.constructs.minimal import minimal_constructs
from tests.constructs.public_classes import own_attributes, public_classes
from tests.constructs.wrong_inputs import WrongInput, wrong_inputs

# What configuration files and the command line give in place of a flag or a time that logs are kept.
LIKELY = {
    bool: "false",
    bool | None: "false",
    logs.RetentionDays: 30,
}
MINIMAL = minimal_constructs()


@pytest.mark.parametrize("wrong", wrong_inputs(), ids=lambda wrong: wrong.id)
def test_is_refused_in_one_line(wrong: WrongInput) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        wrong.write(cdk.Stack(cdk.App(), "Stack"))
    line = str(refused.value)
    assert line.startswith(wrong.refused), line
    assert re.fullmatch(r"[^\n]+: got [^\n]+, allowed: [^\n]+", line), line


WITH_REMOVAL_POLICY = [
    pytest.param(MINIMAL[name], id=name)
    for name, kind in public_classes()
    if issubclass(kind, Construct) and "removal_policy" in inspect.signature(kind).parameters
]


@pytest.mark.parametrize("make", WITH_REMOVAL_POLICY)
def test_text_for_a_removal_policy_is_refused(make: Callable[..., Any]) -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^removal_policy: got 'destroy', allowed: a cdk\.RemovalPolicy; give"
    ):
        make(cdk.Stack(cdk.App(), "Stack"), removal_policy="destroy")


def _likely_slips() -> Iterator[Any]:
    """Every prop of every public construct and method that takes one of these, with what it must refuse."""
    for name, kind in public_classes():
        methods = {f"{name}.{method}": value for method, value in own_attributes(kind).items() if method[0] != "_"}
        made: Callable[..., Any] = kind.__init__  # type: ignore[misc]  # its signature alone is read
        for key, function in {name: made, **methods}.items():
            make = MINIMAL.get(key)
            if isinstance(make, str) or not callable(function):
                continue
            for prop, annotation in get_type_hints(function).items():
                if prop != "return" and annotation in LIKELY:
                    yield pytest.param(key, prop, LIKELY[annotation], id=f"{key}-{prop}")


@pytest.mark.parametrize(("key", "prop", "given"), list(_likely_slips()))
def test_text_for_a_flag_and_days_for_a_retention_are_refused(key: str, prop: str, given: object) -> None:
    make = MINIMAL.get(key)
    assert callable(make), "put what makes the least of it into minimal/"
    with pytest.raises(InvalidArgumentError, match=rf"^{prop}: got {re.escape(repr(given))}, allowed: "):
        make(cdk.Stack(cdk.App(), "Stack"), **{prop: given})
