"""What a model must reach to serve."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from aws_cdk import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationGate:
    """What a new model must reach on the held-out posts before it may serve; each is a number from 0 to 1.

    A minimum is what a metric must reach. A maximum drop is by how much it may be below what the current model reaches
    on the same posts: 0 asks for as much at least, 0.01 forgives what chance makes of some thousand posts. The first
    model has nothing to be compared with and passes.

    What is None is not asked for. A metric that is asked for and missing, of the new model or of the current one, does
    not pass.
    """

    minimum_auc: float = 0.8
    minimum_average_precision: float | None = None
    minimum_precision: float | None = None
    minimum_recall: float | None = None
    minimum_f1: float | None = None
    maximum_auc_drop: float | None = 0.01
    maximum_average_precision_drop: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            # NaN has no JSON, so it must not reach jsii.
            if given is not None and not 0 <= given <= 1 and (math.isnan(given) or not Token.is_unresolved(given)):
                raise ValueError(f"{field.name} is {given}: it is a number from 0 to 1")

    def minima(self) -> Iterator[tuple[str, float]]:
        """Each metric that has to reach something, by its name in the evaluation, with what."""
        for field in fields(self):
            minimum = getattr(self, field.name)
            if field.name.startswith("minimum_") and minimum is not None:
                yield field.name.removeprefix("minimum_"), minimum

    def maximum_drops(self) -> Iterator[tuple[str, float]]:
        """Each metric that is compared with the current model's, with by how much it may fall."""
        for field in fields(self):
            drop = getattr(self, field.name)
            if field.name.startswith("maximum_") and drop is not None:
                yield field.name.removeprefix("maximum_").removesuffix("_drop"), drop
