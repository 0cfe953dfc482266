"""Docstrings of the public classes: one voice, and a description of every keyword.

Ruff's D417 holds the descriptions of functions; a class describes what its `__init__` takes, which ruff does not read.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.constructs.public_classes import own_attributes, public_classes

# The forms that a reader would take for a command; "Makes an alarm", "The alarms" and "Requests a minute" are not.
_COMMAND = re.compile(
    r"(Add|Allow|Ask|Build|Change|Check|Create|Declare|Define|Describe|Do|Find|Get|Give|Grant|Import|Invoke|Let|Look|Make|"
    r"Notify|Open|Publish|Put|Read|Refuse|Register|Remove|Return|Roll|Run|Send|Serve|Set|Start|Stop|Take|Tell|Track|Use|"
    r"Update|Walk|Watch|Write)\b"
)
_ARGS = re.compile(r"^Args:\n(?P<entries>(?:[ \t]+.+\n|\n)+)", re.MULTILINE)


def _functions() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Each public method, and each `__init__`, with the docstring that describes it."""
    for name, kind in public_classes():
        yield name, kind.__init__, inspect.getdoc(kind) or ""
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


@pytest.mark.parametrize("doc", [pytest.param(doc, id=name) for name, _, doc in _functions() if doc])
def test_is_in_the_third_person(doc: str) -> None:
    assert _COMMAND.match(doc) is None
