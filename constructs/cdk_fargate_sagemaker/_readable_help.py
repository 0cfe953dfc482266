"""Readable signatures and defaults for `help()`, editors and error messages, instead of jsii's."""

import inspect
from typing import Any

from aws_cdk import Duration


class CallSignature:
    """The arguments of a class; jsii's metaclass shows `(*args: Any, **kwargs) -> ~M` for each.

    Use it as `__signature__ = CallSignature()` in a class. A subclass with its own `__init__` shows that one's
    arguments.
    """

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        made = inspect.signature(owner.__init__)  # type: ignore[misc]
        _, *parameters = made.parameters.values()
        return made.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


def readable(duration: Duration) -> Duration:
    """The same `Duration`; a signature shows it as `Duration.minutes(10)` where it is a default, not by its address."""
    duration.__class__ = _ReadableDuration
    return duration


class _ReadableDuration(Duration):
    def __repr__(self) -> str:
        unit = self.unit_label()
        return f"Duration.{unit}({getattr(self, f'to_{unit}')(integral=False):g})"
