"""A cascade of two models: a linear model answers posts with a decisive score, the network answers the others.

Each training decides on the validation posts whether the cascade serves: only if it predicts as well as the network
alone and takes markedly less time. The manifest records the decision and its reason.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import linear_recipe
import numpy as np
import numpy.typing as npt
from evaluation import best_threshold
from exported_model import ExportedModel, Probabilities
from hyperparameters import Hyperparameters
from judged_difference import Difference, too_few
from posts import Post
from sklearn.isotonic import IsotonicRegression

LARGEST_AUC_DROP = 0.002
SMALLEST_AGREEMENT = 0.995
LARGEST_TIME = 0.8
"""The largest share of the network's time: a smaller saving is not worth the complexity of a second model."""
FIRST_STAGE = "first_stage.onnx"

_KNOTS = 64
"""The points of the line that maps the linear model's score to the network's average probability."""
_CANDIDATES = 24
"""The number of candidates for each of the two bounds."""
_TIMED_POSTS = 100
_NEVER_LOW, _NEVER_HIGH = -1.0, 2.0
"""Bounds that no score can pass."""
_STEP = 1e-6
"""The last of the six digits of an answer: rounding must not change flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStage:
    """Answers a post whose score is at most `low` or at least `high`, by the line from `scores` to `answers`."""

    low: float
    high: float
    scores: Sequence[float]
    answers: Sequence[float]

    def sure(self, scores: Probabilities) -> npt.NDArray[np.bool_]:
        return (scores <= self.low) | (scores >= self.high)

    def answer(self, scores: Probabilities) -> Probabilities:
        return np.interp(scores, self.scores, self.answers)

    def combined(self, scores: Probabilities, second: Probabilities) -> Probabilities:
        return np.where(self.sure(scores), self.answer(scores), second)


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeModel:
    """Predicts as the inference image does with both models in its model folder."""

    second: ExportedModel
    first: ExportedModel
    stage: FirstStage
    cascade: Mapping[str, object]
    """The manifest's `cascade`."""
    threshold: float

    @property
    def preprocessing(self) -> Mapping[str, object]:
        return self.second.preprocessing

    @property
    def precision(self) -> Mapping[str, object]:
        return self.second.precision

    @property
    def network(self) -> Mapping[str, object] | None:
        return self.second.network

    @property
    def student(self) -> Mapping[str, object] | None:
        return self.second.student

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Predict as `ExportedModel.probabilities` does; the network gets only posts without a decisive score."""
        scores = self.first.probabilities(texts)
        found = self.stage.answer(scores)
        unsure = np.flatnonzero(~self.stage.sure(scores)).tolist()
        if unsure:
            found[unsure] = self.second.probabilities([texts[index] for index in unsure])
        return found

    def by_first_stage(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether the first stage answers it."""
        return [bool(sure) for sure in self.stage.sure(self.first.probabilities(texts))]


def with_first_stage(
    second: ExportedModel,
    posts: Sequence[Post],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    folder: Path,
) -> ExportedModel | CascadeModel:
    """Put a linear model in front of `second` if the cascade predicts as well and saves time; write it to `folder`.

    Args:
        second: the model in `folder`.
        posts: the posts to fit the linear model on.
        validation: posts on which neither model was fitted.
        hyperparameters: `cascade` says whether to try it at all.
        folder: the model folder.
    """
    if hyperparameters.cascade == "off":
        return replace(second, cascade={"serves": "network", "reason": "hyperparameter cascade"})
    labels, texts = [post.label for post in validation], [post.text for post in validation]
    if few := too_few(labels):
        return _network_alone(second, few)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        first = linear_recipe.train(posts, validation, hyperparameters, Path(scratch))
        scores, said = first.probabilities(texts), second.probabilities(texts)
        threshold = second.threshold if second.threshold is not None else best_threshold(labels, said)
        chosen = choose(labels, scores, said, threshold=threshold)
        if isinstance(chosen, str):
            return _network_alone(second, chosen)
        stage, difference = chosen
        share = float(stage.sure(scores).mean())
        of_first = _seconds_a_post(first, texts) / _seconds_a_post(second, texts)
        whole = of_first + 1 - share
        if whole > LARGEST_TIME:
            return _network_alone(
                second,
                f"with a first stage that answers {share:.1%} a post takes {whole:.0%} of the network's time; "
                f"allowed is {LARGEST_TIME:.0%} or less",
            )
        (Path(scratch) / "model.onnx").replace(folder / FIRST_STAGE)
    reason = (
        f"the first stage answers {share:.1%}: the AUC is lower by {difference.drop:.4f}, at 95 % by less than "
        f"{difference.drop_high:.4f}, and flags agree on {difference.agreement:.2%} of {difference.posts} posts"
    )
    print(f"cascade serves=cascade reason={reason}", flush=True)
    return CascadeModel(
        second=second,
        first=first,
        stage=stage,
        threshold=threshold,
        cascade={
            "serves": "cascade",
            "reason": reason,
            "first_stage": {
                "model": FIRST_STAGE,
                "preprocessing": first.preprocessing,
                "low": stage.low,
                "high": stage.high,
                "scores": list(stage.scores),
                "answers": list(stage.answers),
            },
            "share": share,
            "time": round(whole, 3),
            **difference.as_json(),
        },
    )


def _network_alone(second: ExportedModel, reason: str) -> ExportedModel:
    print(f"cascade serves=network reason={reason}", flush=True)
    return replace(second, cascade={"serves": "network", "reason": reason})


def choose(
    labels: Sequence[int], scores: Probabilities, said: Probabilities, *, threshold: float
) -> tuple[FirstStage, Difference] | str:
    """Return the bounds that leave the fewest posts to the network, or one line that says why there are none.

    Args:
        labels: the labels of the validation posts.
        scores: the linear model's scores of these posts.
        said: the network's probabilities of these posts.
        threshold: the network's threshold.
    """
    closest = None
    for stage in _stages(scores, said, threshold):
        combined = stage.combined(scores, said)
        # The cheapest check first, which most candidates fail.
        if np.mean((combined >= threshold) == (said >= threshold)) < SMALLEST_AGREEMENT:
            continue
        difference = Difference.of(labels, said, combined, threshold=threshold)
        fault = difference.fault(largest_drop=LARGEST_AUC_DROP, smallest_agreement=SMALLEST_AGREEMENT)
        if fault is None:
            return stage, difference
        closest = f"a first stage that answers {stage.sure(scores).mean():.1%}: {fault}"
    return (
        closest or f"flags agree on less than {SMALLEST_AGREEMENT:.1%} of {len(labels)} posts, however few it answers"
    )


def _stages(scores: Probabilities, said: Probabilities, threshold: float) -> Iterator[FirstStage]:
    """Yield the candidates, those that answer the most posts first."""
    knots, average = _line(scores, said)
    ranked = np.sort(scores)
    middle = float(np.interp(threshold, average, knots))
    lows = [_NEVER_LOW, *_places(ranked[ranked < middle])]
    highs = [_NEVER_HIGH, *_places(ranked[ranked >= middle])]
    pairs = [(low, high) for low in lows for high in highs if (low, high) != (_NEVER_LOW, _NEVER_HIGH)]
    shares = {(low, high): float(((scores <= low) | (scores >= high)).mean()) for low, high in pairs}
    for low, high in sorted(pairs, key=shares.__getitem__, reverse=True):
        places = np.unique([*knots, *(bound for bound in (low, high) if bound not in (_NEVER_LOW, _NEVER_HIGH))])
        answers = np.interp(places, knots, average)
        # Scores beyond a bound get an answer on that side of the threshold, whatever the network's average there.
        answers[places <= low] = np.minimum(answers[places <= low], threshold - 2 * _STEP)
        answers[places >= high] = np.maximum(answers[places >= high], threshold + 2 * _STEP)
        answers = np.clip(answers, _STEP, 1 - _STEP)
        yield FirstStage(low=low, high=high, scores=places.tolist(), answers=answers.tolist())


def _places(ranked: npt.NDArray[np.float64]) -> list[float]:
    if not len(ranked):
        return []
    return sorted({float(value) for value in np.quantile(ranked, np.linspace(0, 1, _CANDIDATES), method="nearest")})


def _line(scores: Probabilities, said: Probabilities) -> tuple[Probabilities, Probabilities]:
    """Return the points of a rising line from a score to the network's average probability of posts with that score."""
    rising = IsotonicRegression(out_of_bounds="clip").fit(scores, said)
    knots = np.unique(np.quantile(scores, np.linspace(0, 1, _KNOTS)))
    # A positive slope everywhere, so that the ranking of the posts is kept.
    return knots, rising.predict(knots) * (1 - 1e-3) + 1e-3 * knots


def _seconds_a_post(model: ExportedModel, texts: Sequence[str]) -> float:
    few = texts[:_TIMED_POSTS]
    model.probabilities(few[:1])
    start = time.perf_counter()
    model.probabilities(few)
    return (time.perf_counter() - start) / len(few)
