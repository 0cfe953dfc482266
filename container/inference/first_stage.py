"""The linear model that answers posts with a decisive score, in front of a network that answers the others."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from preprocessing import Preprocessing, from_manifest

POSTS_A_LINE = 1000
"""The number of posts per log line, which reports how many of them the first stage answered."""

log = logging.getLogger("gunicorn.error")


class FirstStage:
    """Answers a post whose score is outside two bounds, with the manifest's mapping of scores to probabilities."""

    def __init__(
        self,
        *,
        session: onnxruntime.InferenceSession,
        preprocessing: Preprocessing,
        low: float,
        high: float,
        scores: Sequence[float],
        answers: Sequence[float],
        share: float,
    ) -> None:
        self._session = session
        self._preprocessing = preprocessing
        self._low = low
        self._high = high
        self._scores = np.array(scores)
        self._answers = np.array(answers)
        self._share = share
        self._counting = threading.Lock()
        self._posts = self._sure = 0

    @classmethod
    def load(cls, cascade: Mapping[str, Any], folder: Path, options: onnxruntime.SessionOptions) -> FirstStage:
        """Load the first stage that the manifest's `cascade` describes.

        Raises:
            KeyError, TypeError, ValueError: `cascade` is malformed.
        """
        description = cascade["first_stage"]
        line = [float(score) for score in description["scores"]], [float(answer) for answer in description["answers"]]
        if len(line[0]) != len(line[1]) or line[0] != sorted(line[0]) or not line[0]:
            raise ValueError("scores and answers are not a rising line")
        low, high = float(description["low"]), float(description["high"])
        if not math.isfinite(low) or not low < high:
            raise ValueError("low is not below high")
        # Always on the CPU: its operators have no GPU version, and it takes a fraction of a millisecond.
        session = onnxruntime.InferenceSession(
            folder / Path(str(description["model"])).name, options, providers=["CPUExecutionProvider"]
        )
        return cls(
            session=session,
            preprocessing=from_manifest(description["preprocessing"], folder),
            low=low,
            high=high,
            scores=line[0],
            answers=line[1],
            share=float(cascade["share"]),
        )

    def try_out(self, text: str) -> None:
        """Answer once; raises ONNX Runtime's errors if the model cannot answer."""
        self._answer(text)

    def answers(self, texts: Sequence[str]) -> list[float | None]:
        """Return the probability of each text, None where the network has to answer."""
        found = [self._answer(text) for text in texts]
        self._count(len(found), sum(answer is not None for answer in found))
        return found

    def _answer(self, text: str) -> float | None:
        inputs = self._preprocessing.inputs(self._preprocessing.rows([text]))
        score = float(self._session.run(["probability"], inputs)[0][0])
        sure = score <= self._low or score >= self._high
        return float(np.interp(score, self._scores, self._answers)) if sure else None

    def _count(self, posts: int, sure: int) -> None:
        with self._counting:
            self._posts += posts
            self._sure += sure
            counted = self._posts, self._sure
            if self._posts < POSTS_A_LINE:
                return
            self._posts = self._sure = 0
        log.info(
            "first stage answered %d of %d posts (%.1f %%); of the validation posts %.1f %%",
            counted[1],
            counted[0],
            100 * counted[1] / counted[0],
            100 * self._share,
        )
