"""A check that no bounds are declared after they were read."""

from typing import Any

import jsii
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import IValidation

from cdk_fargate_sagemaker.fargate import ServiceScaling

from .._construct_tree import stack_of


@jsii.implements(IValidation)
class DeclaredBefore:
    """Refuses, at synthesis, bounds of a task count that `reader` did not read: its alarm or lines would be wrong."""

    def __init__(self, reader: str, scalable_target: IScalableTargetRef, read: ServiceScaling) -> None:
        self._reader = reader
        self._scalable_target = scalable_target
        self._read = self._bounds(read)

    def validate(self) -> list[str]:
        if self._bounds(ServiceScaling.of(self._scalable_target)) == self._read:
            return []
        return [
            f"schedules of {self._scalable_target.node.path}: got bounds declared after {self._reader}, allowed: "
            "before it, because it reads them; move schedule_tasks up"
        ]

    def _bounds(self, scaling: ServiceScaling) -> Any:
        # Each read of a token gives another number for the same value.
        return stack_of(self._scalable_target).resolve([list(scaling.least_bounds), list(scaling.most_bounds)])
