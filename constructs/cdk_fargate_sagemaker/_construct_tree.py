"""Facts about a construct that never change, asked once: each question is a call to the JavaScript process."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from constructs import IConstruct

_Asked = TypeVar("_Asked", bound=IConstruct)
_Answer = TypeVar("_Answer")


def once(question: Callable[[_Asked], _Answer]) -> Callable[[_Asked], _Answer]:
    """Caches the answer to `question` per construct; the answer must not change as the app grows."""
    answers: WeakKeyDictionary[_Asked, _Answer] = WeakKeyDictionary()

    @wraps(question)
    def ask(construct: _Asked) -> _Answer:
        if construct not in answers:
            answers[construct] = question(construct)
        return answers[construct]

    return ask


@once
def stack_of(construct: IConstruct) -> Stack:
    """The stack that `construct` is in."""
    return Stack.of(construct)


@once
def partition_of(construct: IConstruct) -> str:
    """The partition of the stack that `construct` is in; it is known at deployment only."""
    return stack_of(construct).partition


@once
def path_of(construct: IConstruct) -> str:
    """The path of `construct` from the app, such as `Shop/Web/Service`."""
    path: str = construct.node.path
    return path
