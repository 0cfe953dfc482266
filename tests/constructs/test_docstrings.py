"""Docstrings of the public classes and what `help()` shows: one voice, every keyword and default, nothing of jsii.

Ruff's D417 holds the descriptions of functions; a class describes what its `__init__` takes, which ruff does not read.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk import Duration
from constructs import Construct

from cdk_fargate_sagemaker._readable_help import readable
from cdk_fargate_sagemaker.fargate import SpikeScaling
from tests.constructs.public_classes import AREAS, own_attributes, public_classes

# The forms that a reader would take for a command; "Makes an alarm", "The alarms" and "Requests a minute" are not.
_COMMAND = re.compile(
    r"(Add|Allow|Ask|Build|Change|Check|Create|Declare|Define|Describe|Do|Find|Get|Give|Grant|Import|Invoke|Let|Look|Make|"
    r"Notify|Open|Publish|Put|Read|Refuse|Register|Remove|Return|Roll|Run|Send|Serve|Set|Start|Stop|Take|Tell|Track|Use|"
    r"Update|Walk|Watch|Write)\b"
)
_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*|\n(?= {5}))*)", re.MULTILINE)
_ARGS = re.compile(r"^Args:\n(?P<entries>(?:[ \t]+.+\n|\n)+)", re.MULTILINE)


def _functions() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Each public method, and each `__init__`, with the docstring that describes it."""
    for name, kind in public_classes():
        yield name, inspect.getattr_static(kind, "__init__"), inspect.getdoc(kind) or ""
        for method, value in own_attributes(kind).items():
            function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if not method.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{method}", function, inspect.getdoc(function) or ""


@pytest.mark.parametrize(
    ("function", "doc"),
    [pytest.param(*rest, id=name) for name, *rest in _functions()],
)
def test_describes_every_keyword(function: Callable[..., Any], doc: str) -> None:
    section = _ARGS.search(f"{doc}\n")
    described = set(re.findall(r"^    (\w+):", section["entries"], re.MULTILINE)) if section else set()
    keywords = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert keywords <= described, f"not described: {', '.join(sorted(keywords - described))}"


def test_a_keyword_that_may_be_left_out_says_what_it_is_then() -> None:
    silent = []
    for name, function, doc in _functions():
        section = _ARGS.search(f"{doc}\n")
        entries = dict(_ENTRY.findall(section["entries"])) if section else {}
        for parameter in inspect.signature(function).parameters.values():
            left_out = parameter.default is not parameter.empty and not parameter.name.startswith("_")
            if left_out and not re.search(r"\b(Default|None): ", re.sub(r"\s+", " ", entries.get(parameter.name, ""))):
                silent.append(f"{name}({parameter.name})")
    assert silent == []


@pytest.mark.parametrize("module", AREAS, ids=lambda module: module.__name__)
def test_a_package_says_what_it_is_for_in_a_line(module: Any) -> None:
    assert re.fullmatch(r"[A-Z][^\n]*\.", module.__doc__ or "")


@pytest.mark.parametrize(("name", "kind"), list(public_classes()))
def test_help_begins_with_a_signature_and_a_sentence(name: str, kind: type) -> None:
    first, *others = (inspect.getdoc(kind) or "").split("\n")
    assert re.fullmatch(r"[A-Z][^\n]*\.", first), first
    assert not others or others[0] == ""
    if inspect.isabstract(kind) or issubclass(kind, Exception) or getattr(kind, "_is_protocol", False):
        return
    if issubclass(kind, Construct) and kind.__init__ is not Construct.__init__:
        assert str(inspect.signature(kind)).startswith("(scope: constructs.Construct, id: str, *, "), name


def test_no_signature_shows_what_nobody_can_read() -> None:
    """An address, jsii's `*args: Any`, or a private type as Python spells its class."""
    shown = {name: str(inspect.signature(function)) for name, function, _ in _functions()}
    shown |= {f"{name}(…)": str(inspect.signature(kind)) for name, kind in public_classes() if _has_own_init(kind)}
    unreadable = re.compile(r" object at 0x|\*args: Any|~M|\*<class|<object")
    assert {name: text for name, text in shown.items() if unreadable.search(text)} == {}


def _has_own_init(kind: type) -> bool:
    return issubclass(kind, Construct) and kind.__init__ is not Construct.__init__


def test_a_subclass_of_a_user_shows_its_own_arguments() -> None:
    class Ours(SpikeScaling):
        def __init__(self, scope: Construct, *, team: str) -> None: ...

    assert str(inspect.signature(Ours)) == "(scope: constructs.Construct, *, team: str)"


@pytest.mark.parametrize("written", ["Duration.seconds(90)", "Duration.minutes(10)", "Duration.days(0.5)"])
def test_a_duration_is_shown_as_it_is_written(written: str) -> None:
    assert repr(readable(eval(written, {"Duration": Duration}))) == written


@pytest.mark.parametrize("doc", [pytest.param(doc, id=name) for name, _, doc in _functions() if doc])
def test_is_in_the_third_person(doc: str) -> None:
    assert _COMMAND.match(doc) is None
