"""What a model must reach to serve."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from aws_cdk import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationGate:
    """What a new model must reach on the held-out posts before it may serve; each is a number from 0 to 1.

    A minimum of None is not asked for. A metric that the training did not report does not pass.
    """

    minimum_auc: float = 0.8
    minimum_average_precision: float | None = None
    minimum_precision: float | None = None
    minimum_recall: float | None = None
    minimum_f1: float | None = None

    def __post_init__(self) -> None:
        for metric, minimum in self.minima():
            # NaN has no JSON, so it must not reach jsii.
            if not 0 <= minimum <= 1 and (math.isnan(minimum) or not Token.is_unresolved(minimum)):
                raise ValueError(f"minimum_{metric} is {minimum}: it is a number from 0 to 1")

    def minima(self) -> Iterator[tuple[str, float]]:
        """Each metric that is asked for, by its name in the evaluation, with what it must reach."""
        for field in fields(self):
            minimum = getattr(self, field.name)
            if minimum is not None:
                yield field.name.removeprefix("minimum_"), minimum
