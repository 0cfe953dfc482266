"""What `help()`, editors and error messages show of the library, where jsii's own is unreadable."""

import inspect
from typing import Any

from aws_cdk import Duration


class CallSignature:
    """The arguments with which a class is made; jsii's metaclass says `(*args: Any, **kwargs) -> ~M` of each.

    `__signature__ = CallSignature()` in a class. A subclass with an `__init__` of its own shows that one's arguments.
    """

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        made = inspect.signature(owner.__init__)  # type: ignore[misc]
        _, *parameters = made.parameters.values()
        return made.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


def readable(duration: Duration) -> Duration:
    """The same `Duration`, shown as `Duration.minutes(10)` where it is a default, and not by its address."""
    duration.__class__ = _ReadableDuration
    return duration


class _ReadableDuration(Duration):
    def __repr__(self) -> str:
        unit = self.unit_label()
        return f"Duration.{unit}({getattr(self, f'to_{unit}')(integral=False):g})"
