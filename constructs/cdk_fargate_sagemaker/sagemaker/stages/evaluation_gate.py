"""What a model must reach to serve."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from ..._checks import check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationGate:
    """Says what a new model must reach on the held-out posts before it may serve; each is a number from 0 to 1.

    A minimum is what a metric must reach. A drop is by how much it may be below what the current model reaches on the
    same posts: 0 asks for as much at least, 0.01 forgives what chance makes of some thousand posts. The first model has
    nothing to be compared with and passes.

    Where the evaluation says how sure it is, as the default one does of the AUC, a model is refused for what is certain
    at 95 %: an AUC whose interval lies below the minimum, or reaches down to chance; a drop beyond what is allowed that
    is no chance either.

    A metric that is asked for and missing, of the new model or of the current one, does not pass.

    Args:
        min_auc: area under the ROC curve.
        min_average_precision: average precision. Default: not asked for.
        min_precision: precision at the model's threshold. Default: not asked for.
        min_recall: recall at the model's threshold. Default: not asked for.
        min_f1: F1 at the model's threshold. Default: not asked for.
        max_auc_drop: by how much the area under the ROC curve may fall. None compares nothing.
        max_average_precision_drop: by how much the average precision may fall. Default: not compared.

    Raises:
        InvalidArgumentError: what is no number from 0 to 1.

    Example:
        ```python
        gate = EvaluationGate(min_auc=0.85, min_recall=0.7, max_auc_drop=0.005)
        ```
    """

    min_auc: float = 0.8
    min_average_precision: float | None = None
    min_precision: float | None = None
    min_recall: float | None = None
    min_f1: float | None = None
    max_auc_drop: float | None = 0.01
    max_average_precision_drop: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            if (given := getattr(self, field.name)) is not None:
                percent = isinstance(given, int | float) and 2 <= given <= 100
                check_number(
                    field.name,
                    given,
                    at_least=0,
                    at_most=1,
                    remedy=f"give {given / 100:g} for {given:g} %" if percent else None,
                )

    def minima(self) -> Iterator[tuple[str, float]]:
        """Yields each metric that has to reach something, by its name in the evaluation, with what."""
        for field in fields(self):
            minimum = getattr(self, field.name)
            if field.name.startswith("min_") and minimum is not None:
                yield field.name.removeprefix("min_"), minimum

    def max_drops(self) -> Iterator[tuple[str, float]]:
        """Yields each metric that is compared with the current model's, with by how much it may fall."""
        for field in fields(self):
            drop = getattr(self, field.name)
            if field.name.startswith("max_") and drop is not None:
                yield field.name.removeprefix("max_").removesuffix("_drop"), drop
