"""Asks the SageMaker endpoint for the probability that a post is a violation."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from botocore.response import StreamingBody

LONGEST_ANSWER_BYTES: Final = 4096
_THROTTLING_CODES: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "429"})
_MODEL_ATTRIBUTE: Final = re.compile(r"(?:^|[,;\s])model=([^,;\s]+)")


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
    """Invokes one endpoint, from many threads at once, and never for longer than it is told.

    A socket's time-out bounds the wait for the next byte, so an endpoint that sends a byte now and then could hold a
    caller for ever. Each invocation therefore runs in a thread of its own, which the caller leaves behind when time is
    up. `concurrency` bounds those threads: beyond it, callers are refused at once instead of piling up.
    """

    def __init__(self, *, endpoint_name: str, region: str, timeout_seconds: float, concurrency: int) -> None:
        self._endpoint_name = endpoint_name
        self._running = threading.BoundedSemaphore(concurrency)
        self._attempt = threading.local()
        self._runtime = boto3.session.Session().client(
            "sagemaker-runtime",
            region_name=region,
            config=Config(
                max_pool_connections=concurrency,
                # Half the time, so that an address that does not answer leaves time to try another.
                connect_timeout=timeout_seconds / 2,
                read_timeout=timeout_seconds,
                retries={"mode": "standard", "total_max_attempts": 2},
                tcp_keepalive=True,
            ),
        )
        # Retries know nothing of the deadline: without this, attempts nobody waits for would still load the endpoint.
        self._runtime.meta.events.register("before-send.sagemaker-runtime.InvokeEndpoint", self._refuse_late_attempt)

    def score(self, text: str, *, until: float) -> Score:
        """Return the score of `text`, or raise NoProbabilityError; either by `until`, a time of `time.monotonic()`."""
        if not self._running.acquire(blocking=False):
            raise NoProbabilityError(Reason.BUSY, "too many invocations under way")
        answer: Future[Score] = Future()
        try:
            threading.Thread(target=self._run, args=(text, until, answer), daemon=True).start()
        except RuntimeError as fault:  # the system has no thread to give
            self._running.release()
            raise NoProbabilityError(Reason.BUSY, "no thread to be had") from fault
        try:
            return answer.result(timeout=max(0.0, until - time.monotonic()))
        except TimeoutError as fault:
            raise NoProbabilityError(Reason.DEADLINE, "no whole answer in time") from fault

    def _run(self, text: str, until: float, answer: Future[Score]) -> None:
        self._attempt.until = until
        try:
            answer.set_result(self._invoke(text, until))
        except BaseException as fault:  # handed over to the caller, who raises it
            answer.set_exception(fault)
        finally:
            self._running.release()

    def _refuse_late_attempt(self, **_: object) -> None:
        if time.monotonic() >= self._attempt.until:
            raise NoProbabilityError(Reason.DEADLINE, "no time left for another attempt")

    def _invoke(self, text: str, until: float) -> Score:
        try:
            response = self._runtime.invoke_endpoint(
                EndpointName=self._endpoint_name,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps({"text": text}).encode(),
            )
            body = _read(response["Body"], until)
        except ClientError as fault:
            raise _of_client_error(fault) from fault
        except ReadTimeoutError as fault:
            raise NoProbabilityError(Reason.DEADLINE, type(fault).__name__) from fault
        except BotoCoreError as fault:
            raise NoProbabilityError(Reason.UNREACHABLE, type(fault).__name__) from fault
        except (ResponseParserError, ValueError) as fault:
            # botocore lets out some that are not its own, as for a body that is not UTF-8 or a length that is no number
            raise NoProbabilityError(Reason.UNUSABLE_ANSWER, type(fault).__name__) from fault
        model = _MODEL_ATTRIBUTE.search(response.get("CustomAttributes", ""))
        return Score(probability=_probability(body), model=model[1] if model else None)


def _of_client_error(fault: ClientError) -> NoProbabilityError:
    # The message may quote the post; the code does not.
    code = fault.response["Error"].get("Code", "unknown")
    status = fault.response["ResponseMetadata"]["HTTPStatusCode"]
    named = f"{code} ({status})"
    if code in _THROTTLING_CODES or status == 429:
        return NoProbabilityError(Reason.THROTTLED, named)
    if code == "ModelError":
        return NoProbabilityError(Reason.MODEL_ERROR, named)
    if status >= 500:
        return NoProbabilityError(Reason.ENDPOINT_ERROR, named)
    return NoProbabilityError(Reason.REFUSED, named)


def _read(stream: StreamingBody, until: float) -> bytes:
    received = bytearray()
    with closing(stream):
        # A byte at a time, as a larger read returns only when it is complete.
        while byte := stream.read(1):
            received += byte
            if len(received) > LONGEST_ANSWER_BYTES:
                raise NoProbabilityError(Reason.UNUSABLE_ANSWER, f"longer than {LONGEST_ANSWER_BYTES} bytes")
            if time.monotonic() >= until:
                raise NoProbabilityError(Reason.DEADLINE, "the answer trickled in")
    return bytes(received)


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
