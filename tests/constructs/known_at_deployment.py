"""Numbers and durations that are known at deployment only, and what may become of them."""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, get_type_hints

import aws_cdk as cdk
import jsii

PARAMETER = "KnownAtDeployment"
LAZY_NUMBER = 4177
# What arithmetic on a token gives: tokens are numbers such as -1.8881545897087626e+289. The hash of an asset may hold
# `7e213` by chance, but no decimal point.
_ENCODED = re.compile(r"\d\.\d+[eE]\+?2[0-9]{2}")


@jsii.implements(cdk.IStableNumberProducer)
class _Later:
    def produce(self) -> float:
        return LAZY_NUMBER


def whole(token: float) -> int:
    """A token as the value of a prop that takes whole numbers: jsii has one type for all numbers."""
    return cast(int, token)


def tokens(stack: cdk.Stack, annotation: str) -> Mapping[str, Any]:
    """The tokens that a prop of this annotation may be given, by their kinds."""
    parameter = cdk.CfnParameter(stack, PARAMETER, type="Number").value_as_number
    lazy = cdk.Lazy.number(_Later())
    if "Duration" in annotation:
        return {
            "token of seconds": cdk.Duration.seconds(parameter),
            "lazy of seconds": cdk.Duration.seconds(lazy),
            "token of minutes": cdk.Duration.minutes(parameter),
        }
    if "Mapping" in annotation:
        return {"token": {"/tmp": parameter}, "lazy": {"/tmp": lazy}}
    return {"token": parameter, "lazy": lazy}


KINDS = ("token", "lazy")
DURATION_KINDS = ("token of seconds", "lazy of seconds", "token of minutes")


def number_props(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """The props that take a number or a Duration, each with its annotation as text."""
    hints = get_type_hints(function)
    for name in inspect.signature(function).parameters:
        annotation = str(hints.get(name, ""))
        bare = annotation.replace("<class '", "").replace("'>", "").replace("aws_cdk.", "")
        words = set(re.findall(r"[A-Za-z_.]+", bare))
        if words & {"int", "float", "Duration"}:
            yield name, bare


def damage(stack: cdk.Stack, *, lazy: bool) -> str | None:
    """What is wrong with the template of `stack`: a number made of a token, or a value that went missing."""
    app = stack.node.root
    assert isinstance(app, cdk.App)
    template = app.synth().get_stack_by_name(stack.stack_name).template
    text = json.dumps(template["Resources"])
    if found := _ENCODED.search(text):
        return f"arithmetic on a token: …{text[max(0, found.start() - 60) : found.end() + 20]}…"
    wanted = str(LAZY_NUMBER) if lazy else f'{{"Ref": "{PARAMETER}"}}'
    return None if wanted in text else f"{wanted} is nowhere in the template"
