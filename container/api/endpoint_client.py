"""Asks the SageMaker endpoint for the probability that a post is a violation."""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException, IncompleteRead
from itertools import count
from typing import Final

from botocore.exceptions import BotoCoreError
from invocation import Invocation, InvocationWatch
from sagemaker_runtime import LONGEST_ANSWER_BYTES, RuntimeAnswer, SageMakerRuntime, TooManyOpeningError

MOST_ATTEMPTS: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.05
_THROTTLING_CODES: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException"})


class Reason(StrEnum):
    """Why there is no probability."""

    DEADLINE = "deadline"
    THROTTLED = "throttled"
    MODEL_ERROR = "model_error"
    ENDPOINT_ERROR = "endpoint_error"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNUSABLE_ANSWER = "unusable_answer"
    BUSY = "busy"


_PASSING_REASONS: Final = frozenset({Reason.THROTTLED, Reason.ENDPOINT_ERROR, Reason.UNREACHABLE})


class NoProbabilityError(Exception):
    """The endpoint gave no usable probability in time. `fault` names what happened and holds nothing of the post."""

    def __init__(self, reason: Reason, fault: str) -> None:
        super().__init__(f"{reason}: {fault}")
        self.reason = reason
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The probability of a violation, 0 to 1, and the model that gave it, where the endpoint says."""

    probability: float
    model: str | None

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be from 0 to 1, got {self.probability}")


class EndpointClient:
    """Invokes one endpoint, from many threads at once, and never for longer than it is told."""

    def __init__(self, *, endpoint_name: str, region: str, connections_kept: int) -> None:
        self._watch = InvocationWatch()
        self._runtime = SageMakerRuntime(endpoint_name=endpoint_name, region=region, connections_kept=connections_kept)

    def score(self, text: str, *, until: float) -> Score:
        """Return the score of `text`, or raise NoProbabilityError; either by `until`, a time of `time.monotonic()`."""
        invocation = Invocation(until=until, watch=self._watch)
        try:
            answer = self._invoke_with_retries(json.dumps({"text": text}).encode(), invocation, until)
        finally:
            invocation.finished = True
        return Score(probability=_probability(answer.body), model=answer.model)

    def _invoke_with_retries(self, body: bytes, invocation: Invocation, until: float) -> RuntimeAnswer:
        for attempt in count(1):
            try:
                return self._invoke(body, invocation)
            except NoProbabilityError as fault:
                # Anywhere up to twice as long each time, so that those who failed together do not come back together.
                pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
                in_time = time.monotonic() + pause < until
                if fault.reason not in _PASSING_REASONS or attempt == MOST_ATTEMPTS or not in_time:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _invoke(self, body: bytes, invocation: Invocation) -> RuntimeAnswer:
        try:
            answer = self._runtime.invoke(body, invocation)
        except TimeoutError as fault:
            raise NoProbabilityError(Reason.DEADLINE, "no whole answer in time") from fault
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
    # The message may quote the post; the code does not.
    code = answer.error_code
    named = f"{code} ({answer.status})"
    if code in _THROTTLING_CODES or answer.status == 429:
        return NoProbabilityError(Reason.THROTTLED, named)
    if code == "ModelError":
        # The model's own server sheds load with these.
        if answer.original_status in (429, 503):
            return NoProbabilityError(Reason.THROTTLED, f"{named}: {answer.original_status} of the model's server")
        return NoProbabilityError(Reason.MODEL_ERROR, named)
    if answer.status >= 500:
        return NoProbabilityError(Reason.ENDPOINT_ERROR, named)
    return NoProbabilityError(Reason.REFUSED, named)


def _probability(body: bytes) -> float:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "not JSON") from fault
    predictions = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(predictions, str):
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "no predictions")
    try:
        probability = float(predictions)
    except ValueError as fault:
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "predictions is no number") from fault
    if not (math.isfinite(probability) and 0 <= probability <= 1):
        raise NoProbabilityError(Reason.UNUSABLE_ANSWER, "predictions is not from 0 to 1")
    return probability
