"""Every public class is used as those of the CDK are, by what its signatures say: new ones too."""

import inspect
import typing
from typing import Any

from aws_cdk import aws_iam as iam

from tests.constructs.public_classes import own_attributes, public_classes

MEMBERS = {
    f"{name}.{member}": value
    for name, kind in public_classes()
    for member, value in own_attributes(kind).items()
    if not member.startswith("_")
}
PROPERTIES = {name: member for name, member in MEMBERS.items() if isinstance(member, property)}
METHODS = {name: member for name, member in MEMBERS.items() if inspect.isfunction(member)}


def returned(function: Any) -> Any:
    return typing.get_type_hints(function).get("return")


def test_no_property_can_be_overwritten() -> None:
    assert [name for name, member in PROPERTIES.items() if member.fset is not None] == []


def test_an_l1_is_called_cfn() -> None:
    l1 = {name for name, member in PROPERTIES.items() if hasattr(returned(member.fget), "CFN_RESOURCE_TYPE_NAME")}
    assert l1 == {name for name in PROPERTIES if ".cfn_" in name}
    assert "PredictiveScaling.cfn_policy" in l1


def test_a_grant_is_returned() -> None:
    assert {
        name for name, method in METHODS.items() if ".grant_" in name and returned(method) is not iam.Grant
    } == set()


def test_each_metric_takes_options() -> None:
    metrics = [method for name, method in METHODS.items() if ".metric_" in name]
    assert len(metrics) > 20
    assert all("options" in inspect.signature(method).parameters for method in metrics)


def test_bounds_and_times_have_the_names_of_the_cdk() -> None:
    # What is read of a declared service is in the units of its API.
    read_only = {"ScheduledBounds", "SpikePolicy", "TrackingPolicy"}
    wrong = [
        f"{name}.{argument}"
        for name, kind in public_classes()
        if name not in read_only
        for argument in inspect.signature(inspect.getattr_static(kind, "__init__")).parameters
        if argument.startswith(("minimum_", "maximum_", "least_", "most_", "largest_"))
        or argument.endswith(("_seconds", "_minutes", "_hours", "_days"))
    ]
    assert wrong == []
