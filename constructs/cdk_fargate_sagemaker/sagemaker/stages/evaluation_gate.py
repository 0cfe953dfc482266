"""What a model must reach to serve."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import Tokenization
from aws_cdk import aws_stepfunctions as sfn

from ..._checks import check_kind, check_number, plain, refusal
from ..._number_token import is_token
from .release_binding import ReleaseBinding

_METRIC = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/ -]{0,63}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS = {"and", "or", "in", "true", "false", "null", "function"}
# Shares, of which more is better: a bound is from 0 to 1, and no direction needs to be given.
_SHARES = ("accuracy", "auc", "average_precision", "f1", "precision", "recall")

_CURRENT = "$type($current) = 'object'"
_CONFIDENCE = "$string($round(100 * $comparison.confidence))"
_SURE = f"' with ' & {_CONFIDENCE} & ' % confidence, on ' & $string($comparison.violations) & ' held-out violations)'"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationGate:
    """What a new model must reach on the held-out data before it may serve: any metric, in either direction.

    `may_worsen` compares with the current model's metrics on the same data: 0 allows no loss, 0.01 allows about what
    chance causes on some thousand posts. The first model has nothing to be compared with and passes.

    If the evaluation has confidence intervals, as the default one has for the AUC, a model is refused only with 95 %
    confidence: an AUC whose interval is below the bound or includes that of a random model, or a loss that exceeds the
    allowed one and that chance does not explain.

    A required metric that is missing, from the new model or the current one, fails the gate.

    Args:
        at_least: what metrics must reach, by their names in the evaluation: `{"auc": 0.85, "recall": 0.7}`. Accuracy,
            AUC, average precision, F1, precision and recall are numbers from 0 to 1. Default: nothing.
        at_most: what metrics must not exceed: `{"rmse": 3}`. Default: nothing.
        may_worsen: by how much metrics may be worse than the current model's: `{"auc": 0.01, "rmse": 0.1}`. Worse means
            lower for a metric in `at_least` and for the six above, and higher for one in `at_most`. Default: no
            comparison.

    Raises:
        InvalidArgumentError: no requirement, an invalid name, a number out of range, or a metric in `may_worsen` whose
            direction is unknown.

    Example:
        ```python
        gate = EvaluationGate(at_least={"auc": 0.8}, at_most={"rmse": 3}, may_worsen={"auc": 0.01})
        ```
    """

    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    may_worsen: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("at_least", "at_most", "may_worsen"):
            bounds = getattr(self, name)
            check_kind(name, bounds, Mapping, "a mapping of metrics to numbers", f'give {name}={{"auc": …}}')
            for metric, bound in bounds.items():
                _check_bound(name, metric, bound)
            object.__setattr__(self, name, MappingProxyType(dict(bounds)))
        if not (self.at_least or self.at_most or self.may_worsen):
            raise refusal(
                "at_least",
                plain("no metric"),
                "a metric in at_least, at_most or may_worsen",
                "give gate=None for no gate",
            )
        for metric in self.may_worsen:
            if (metric in self.at_least) == (metric in self.at_most) and (
                metric in self.at_least or metric not in _SHARES
            ):
                raise refusal(
                    f"may_worsen[{metric!r}]",
                    plain("a metric in both bounds" if metric in self.at_least else "a metric in no bound"),
                    "a metric in one of at_least and at_most",
                    "the bound says whether more is worse or less",
                )

    def judge(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Makes the state that refuses a model, followed by `then`.

        Args:
            release: the workflow of the evaluation.
            then: what comes next for a model that passes.
        """
        gate = release.choice("Evaluation-Gate")
        for metric, bound in self.at_least.items():
            _refuse_below(release, gate, metric, bound)
        for metric, bound in self.at_most.items():
            _refuse_above(release, gate, metric, bound)
        for metric, margin in self.may_worsen.items():
            _refuse_worse(release, gate, metric, margin, less_is_worse=metric not in self.at_most)
        gate.otherwise(then)
        return gate


def _refuse_below(release: ReleaseBinding, gate: sfn.Choice, metric: str, bound: float) -> None:
    got, needed = f"$metrics.{_field(metric)}", _written(bound)
    # The ends of the confidence interval, if the evaluation has one.
    low, high = _interval(metric)
    sure = f"$exists({got}) and $exists({high})"
    # A comparison with a missing metric is undefined: neither true nor false.
    release.refuse_when(
        gate,
        f"(({sure} ? {high} : {got}) >= {needed}) ? false : true",
        error="GateRefused",
        cause=f"'{metric} is ' & ($exists({got}) ? $string({got}) : 'missing') & "
        f"({sure} ? ' (at most ' & $string($round({high}, 4)) & {_SURE} : '') & "
        f"', needed at least {needed}: at_least of the gate' & "
        f"({sure} ? '; about ' & {_violations_for(f'{high} - {got}', '0.01')} & "
        "' held-out violations measure it to 0.01' : '')",
    )
    if metric not in _SHARES:
        return
    release.refuse_when(
        gate,
        f"{sure} and {low} < $min([0.5, {needed}])",
        error="GateRefused",
        cause=f"'{metric} is ' & $string({got}) & ' (at least ' & $string($round({low}, 4)) & {_SURE} & "
        f"', which a random model may reach too: at_least of the gate asks for {needed}; about ' & "
        f"{_violations_for(f'{got} - {low}', f'$max([0.01, {got} - 0.5])')} & "
        "' held-out violations would show the difference: add labelled posts'",
    )


def _refuse_above(release: ReleaseBinding, gate: sfn.Choice, metric: str, bound: float) -> None:
    got, needed = f"$metrics.{_field(metric)}", _written(bound)
    low, _ = _interval(metric)
    sure = f"$exists({got}) and $exists({low})"
    release.refuse_when(
        gate,
        f"(({sure} ? {low} : {got}) <= {needed}) ? false : true",
        error="GateRefused",
        cause=f"'{metric} is ' & ($exists({got}) ? $string({got}) : 'missing') & "
        f"({sure} ? ' (at least ' & $string($round({low}, 4)) & ' with ' & {_CONFIDENCE} & ' % confidence)' : '') & "
        f"', needed at most {needed}: at_most of the gate'",
    )


def _refuse_worse(
    release: ReleaseBinding, gate: sfn.Choice, metric: str, margin: float, *, less_is_worse: bool
) -> None:
    new, current, allowed = f"$metrics.{_field(metric)}", f"$current_metrics.{_field(metric)}", _written(margin)
    loss = f"{current} - {new}" if less_is_worse else f"{new} - {current}"
    fall, fallen = ("fall", "fallen") if less_is_worse else ("rise", "risen")
    # The loss exceeds the margin, and also what chance explains, if the evaluation has that figure.
    found = f"$comparison.{_field(f'{metric}_drop' if less_is_worse else f'{metric}_rise')}"
    by_chance = f"$exists({found}.low) and {found}.low <= 0"
    release.refuse_when(
        gate,
        # It is rounded, so that a drop of exactly the margin passes despite binary rounding errors.
        f"{_CURRENT} and ($round({loss}, 9) <= {allowed} ? false : $not({by_chance}))",
        error="GateRefused",
        cause=f"'{metric} is ' & ($exists({new}) ? $string({new}) : 'missing') & '; the current model ' & "
        f"$current.release & ' has ' & ($exists({current}) ? $string({current}) : 'no known value') & "
        f"' on the same posts: it may {fall} by at most {allowed}, may_worsen of the gate' & "
        f"($exists({found}.low) ? ', and has {fallen} by at least ' & "
        f"$string($round({found}.low, 4)) & ' with ' & {_CONFIDENCE} & ' % confidence; on about ' & "
        f"{_violations_for(f'{found}.value - {found}.low', f'$max([0.001, {allowed}])')} & "
        f"' held-out violations, not ' & $string($comparison.violations) & "
        f"', a {fall} of ' & $string($max([0.001, {allowed}])) & ' shows' : '')",
    )


def _check_bound(name: str, metric: object, bound: object) -> None:
    if not isinstance(metric, str) or not _METRIC.fullmatch(metric):
        raise refusal(name, metric, "names of metrics: 1 to 64 letters, digits, spaces and _ . : @ / -")
    percent = isinstance(bound, int | float) and not is_token(bound) and 2 <= bound <= 100
    if name == "may_worsen":
        check_number(f"{name}[{metric!r}]", bound, at_least=0, at_most=1 if metric in _SHARES else None)
        return
    share = metric in _SHARES
    check_number(
        f"{name}[{metric!r}]",
        bound,
        at_least=0 if share else None,
        at_most=1 if share else None,
        remedy=f"give {bound / 100:g} for {bound:g} %" if share and percent else None,  # type: ignore[operator]
    )


def _interval(metric: str) -> tuple[str, str]:
    found = f"$comparison.{_field(metric)}"
    return f"{found}.low", f"{found}.high"


def _field(name: str) -> str:
    """A field's name in JSONata's syntax."""
    return name if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS else f"`{name}`"


def _violations_for(half: str, wanted: str) -> str:
    """JSONata for the number of held-out violations that reduce an interval's half-width from `half` to `wanted`."""
    return f"$string($ceil($round($comparison.violations * $power(({half}) / {wanted}, 2), 6)))"


def _written(number: float) -> str:
    """Returns a number in JSONata's syntax; for a token, a text that gets its value at deployment."""
    return Tokenization.stringify_number(number) if is_token(number) else str(number)
