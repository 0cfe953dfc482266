"""Facts about a construct that never change, asked once: each question is a call to the JavaScript process."""

from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import aws_cdk
from aws_cdk import CfnResource, Stack
from constructs import IConstruct

_Asked = TypeVar("_Asked", bound=IConstruct)
_Answer = TypeVar("_Answer")
_Resource = TypeVar("_Resource", bound=CfnResource)


class once(Generic[_Asked, _Answer]):
    """Caches the answer to a question per construct; the answer must not change as the app grows.

    Args:
        question: the function that asks it, which this decorates.
    """

    def __init__(self, question: Callable[[_Asked], _Answer]) -> None:
        self._question = question
        self._answers: WeakKeyDictionary[_Asked, _Answer] = WeakKeyDictionary()
        update_wrapper(self, question)

    def __call__(self, construct: _Asked) -> _Answer:
        """The answer, asked at the first call."""
        if construct not in self._answers:
            self._answers[construct] = self._question(construct)
        return self._answers[construct]

    def note(self, construct: _Asked, answer: _Answer) -> None:
        """Notes an answer that the code which made `construct` knows, so that the question is never asked."""
        self._answers[construct] = answer


@once
def stack_of(construct: IConstruct) -> Stack:
    """The stack that `construct` is in."""
    return construct if isinstance(construct, Stack) else Stack.of(construct)


def partition_of(construct: IConstruct) -> str:
    """The partition of the stack that `construct` is in; it is known at deployment only."""
    return _partition(stack_of(construct))


def region_of(construct: IConstruct) -> str:
    """The region of the stack that `construct` is in; a token if the stack names none."""
    return _region(stack_of(construct))


def account_of(construct: IConstruct) -> str:
    """The account of the stack that `construct` is in; a token if the stack names none."""
    return _account(stack_of(construct))


@once
def _partition(stack: Stack) -> str:
    return stack.partition


@once
def _region(stack: Stack) -> str:
    return stack.region


@once
def _account(stack: Stack) -> str:
    return stack.account


@once
def path_of(construct: IConstruct) -> str:
    """The path of `construct` from the app, such as `Shop/Web/Service`."""
    path: str = construct.node.path
    return path


def note_stack(scope: IConstruct, construct: IConstruct) -> None:
    """Notes the stack of a construct, not itself a stack, that was just made in `scope`, if `scope` is a stack."""
    if isinstance(scope, Stack):
        stack_of.note(construct, scope)


def resources_below(scope: IConstruct, kind: type[_Resource]) -> list[_Resource]:
    """All resources of this type in the tree below `scope`, or `scope` itself."""
    asked: Any = kind  # mypy for Python 3.14 takes a class of a type variable for unhashable
    selector = _selector(asked)
    # Without a selector the whole tree comes from the JavaScript process, which takes longer.
    found: list[Any] = scope.node.find_all() if selector is None else selector.select(scope)
    return [construct for construct in found if isinstance(construct, kind)]


@cache
def _selector(kind: Any) -> Any:
    """Selects resources of this type; None in releases of the CDK that have no selectors."""
    if not hasattr(aws_cdk, "ConstructSelector"):
        return None
    return aws_cdk.ConstructSelector.resources_of_type(kind.CFN_RESOURCE_TYPE_NAME)
