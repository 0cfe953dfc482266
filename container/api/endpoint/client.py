"""Invokes the SageMaker endpoint for the probability that a post is a violation."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException, IncompleteRead
from itertools import count
from typing import Final, TypeVar

from botocore.exceptions import BotoCoreError

from endpoint.circuit_breaker import CircuitBreaker
from endpoint.invocation import Invocation, InvocationWatch
from endpoint.sagemaker_runtime import LONGEST_ANSWER_BYTES, RuntimeAnswer, SageMakerRuntime, TooManyOpeningError

MOST_ATTEMPTS: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.05
_THROTTLING_CODES: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException"})


class Reason(StrEnum):
    """The reason for a missing probability."""

    DEADLINE = "deadline"
    THROTTLED = "throttled"
    MODEL_ERROR = "model_error"
    ENDPOINT_ERROR = "endpoint_error"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNUSABLE_ANSWER = "unusable_answer"
    BUSY = "busy"
    BREAKER_OPEN = "breaker_open"


_Said = TypeVar("_Said")
_PASSING_REASONS: Final = frozenset({Reason.THROTTLED, Reason.ENDPOINT_ERROR, Reason.UNREACHABLE})


class NoProbabilityError(Exception):
    """The endpoint returned no usable probability in time.

    `fault` names what happened and quotes nothing of the post. `of_post`: the model refused this post, but could have
    scored another one.
    """

    def __init__(self, reason: Reason, fault: str, *, of_post: bool = False) -> None:
        super().__init__(f"{reason}: {fault}")
        self.reason = reason
        self.fault = fault
        self.of_post = of_post


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The probability of a violation, 0 to 1, and the model that predicted it, if the endpoint reports it.

    `unseen_percent`: the share of the text's trigrams that the training posts do not have, if the endpoint reports it.
    `by_first_stage`: whether the first stage of a cascade answered, if the endpoint reports it.
    """

    probability: float
    model: str | None
    unseen_percent: int | None = None
    by_first_stage: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be from 0 to 1, got {self.probability}")


class EndpointClient:
    """Invokes one endpoint, from many threads at once, never for longer than the given time.

    `patience_seconds` is the full time of an invocation. If less than half of it was left, a missed deadline does not
    count as a failure of the endpoint.
    """

    def __init__(
        self,
        *,
        endpoint_name: str,
        region: str,
        connections_kept: int,
        breaker: CircuitBreaker,
        patience_seconds: float,
    ) -> None:
        self._watch = InvocationWatch()
        self._runtime = SageMakerRuntime(endpoint_name=endpoint_name, region=region, connections_kept=connections_kept)
        self._breaker = breaker
        self._patience_seconds = patience_seconds

    def score(self, text: str, *, until: float) -> Score:
        """Return the score of `text` or raise NoProbabilityError, by `until`, a time of `time.monotonic()`."""
        (score,) = self._score({"text": text}, lambda predictions: [predictions], 1, until)
        return score

    def score_all(self, texts: Sequence[str], *, until: float) -> list[Score]:
        """Return the scores of all `texts`, in their order, or raise NoProbabilityError, as `score` does."""
        return self._score({"texts": texts}, _listed, len(texts), until)

    def _score(
        self, content: object, listed: Callable[[object], list[object]], posts: int, until: float
    ) -> list[Score]:
        if time.monotonic() >= until:
            raise NoProbabilityError(Reason.DEADLINE, "the deadline passed before a thread was free")
        if not self._breaker.admit():
            raise NoProbabilityError(Reason.BREAKER_OPEN, "the circuit breaker is open after failures of the endpoint")
        had_time = until - time.monotonic() >= self._patience_seconds / 2
        outcome = self._breaker.inconclusive
        invocation = Invocation(until=until, watch=self._watch)
        try:
            answer = self._invoke_with_retries(json.dumps(content).encode(), invocation, until)
            probabilities = [_probability(prediction) for prediction in listed(_predictions(answer.body))]
            if len(probabilities) != posts:
                raise NoProbabilityError(Reason.UNUSABLE_ANSWER, f"{len(probabilities)} predictions for {posts} posts")
            outcome = self._breaker.succeeded
        except NoProbabilityError as fault:
            if fault.of_post:
                outcome = self._breaker.succeeded
            elif fault.reason is not Reason.BUSY and (had_time or fault.reason is not Reason.DEADLINE):
                outcome = self._breaker.failed
            raise
        finally:
            invocation.finished = True
            outcome()
        shares = _of_each(answer.unseen_percents, posts)
        stages = _of_each(answer.by_first_stage, posts)
        return [
            Score(probability=probability, model=answer.model, unseen_percent=share, by_first_stage=stage)
            for probability, share, stage in zip(probabilities, shares, stages, strict=True)
        ]

    def _invoke_with_retries(self, body: bytes, invocation: Invocation, until: float) -> RuntimeAnswer:
        for attempt in count(1):
            try:
                return self._invoke(body, invocation)
            except NoProbabilityError as fault:
                # Exponential backoff with full jitter, so that requests that failed together do not retry together.
                pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))  # nosec B311  # a pause
                in_time = time.monotonic() + pause < until
                if fault.reason not in _PASSING_REASONS or attempt == MOST_ATTEMPTS or not in_time:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _invoke(self, body: bytes, invocation: Invocation) -> RuntimeAnswer:
        try:
            answer = self._runtime.invoke(body, invocation)
        except TimeoutError as fault:
            raise NoProbabilityError(Reason.DEADLINE, "no complete answer in time") from fault
        except TooManyOpeningError as fault:
            raise NoProbabilityError(Reason.BUSY, "too many connections being opened") from fault
        except (OSError, BotoCoreError, IncompleteRead) as fault:
            raise NoProbabilityError(Reason.UNREACHABLE, type(fault).__name__) from fault
        except (HTTPException, ValueError) as fault:
            raise NoProbabilityError(Reason.UNUSABLE_ANSWER, type(fault).__name__) from fault
        if answer.status != 200:
            raise _of_error(answer)
        if len(answer.body) > LONGEST_ANSWER_BYTES:
            raise NoProbabilityError(Reason.UNUSABLE_ANSWER, f"longer than {LONGEST_ANSWER_BYTES} bytes")
        return answer


def _of_error(answer: RuntimeAnswer) -> NoProbabilityError:
    # The error message may quote the post; the error code does not.
    code = answer.error_code
    named = f"{code} ({answer.status})"
    if code in _THROTTLING_CODES or answer.status == 429:
        return NoProbabilityError(Reason.THROTTLED, named)
    if code == "ModelError":
        # The model server in the container answers so when it is overloaded.
        if answer.original_status in (429, 503):
            return NoProbabilityError(Reason.THROTTLED, f"{named}: {answer.original_status} from the model's server")
        of_post = answer.original_status is not None and 400 <= answer.original_status < 500
        return NoProbabilityError(Reason.MODEL_ERROR, named, of_post=of_post)
    if answer.status >= 500:
        return NoProbabilityError(Reason.ENDPOINT_ERROR, named)
    return NoProbabilityError(Reason.REFUSED, named)


def _predictions(body: bytes) -> object:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "not JSON") from fault
    return answer.get("predictions") if isinstance(answer, dict) else None


def _listed(predictions: object) -> list[object]:
    if not isinstance(predictions, list):
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "predictions is not a list")
    return predictions


def _probability(prediction: object) -> float:
    if not isinstance(prediction, str):
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "no predictions")
    try:
        probability = float(prediction)
    except ValueError as fault:
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "a prediction is not a number") from fault
    if not (math.isfinite(probability) and 0 <= probability <= 1):
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "a prediction is not from 0 to 1")
    return probability


def _of_each(said: Sequence[_Said], posts: int) -> Sequence[_Said | None]:
    """Return the value that an endpoint reports for each post; None for every post if their number does not match."""
    return said if len(said) == posts else [None] * posts
