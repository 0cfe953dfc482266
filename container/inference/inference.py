"""The model, loaded from SageMaker's model folder, which predicts probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnxruntime
from batch_size import measured_batch_size
from device import Device
from first_stage import FirstStage
from known_trigrams import KnownTrigrams
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors
from prediction_queue import AbandonedError, PredictionQueue, Row
from preprocessing import Preprocessing, UnknownPreprocessingError, from_manifest

MANIFEST_VERSION = 1
DEFAULT_QUEUE_LENGTH = 32

_TYPICAL_POST = "夜泣きで悩んでいます。五ヶ月です。寝かしつけに一時間かかり、夫も帰りが遅くて頼れません。どうしたら" * 2
_POSTS_TO_ENCODE = 16
"""The posts encoded at once, so that a request with thousands of posts does not block the encoding of others."""

_SPIN_MICROSECONDS = 50
"""An idle thread of a prediction spins for this time. ONNX Runtime's default of a million iterations takes many
milliseconds: on a shared core the idle thread would take the core from the thread that it waits for."""

# ONNX Runtime's errors have no common base class.
_ONNXRUNTIME_ERRORS = (
    onnxruntime_errors.EPFail,
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NoSuchFile,
    onnxruntime_errors.NotImplemented,
    onnxruntime_errors.RuntimeException,
)


class ModelUnusableError(Exception):
    """The model folder contains no model that this image can serve; the message is one line."""


class Predictions(NamedTuple):
    """The probability, 0 to 1, that each text is a violation, and the stage that predicted it."""

    probabilities: list[float]
    by_first_stage: list[bool]
    """Whether the first stage answered each text; empty if the model has no first stage."""


class Model:
    """An ONNX Runtime session and its preprocessing. Safe to call from several threads."""

    def __init__(
        self,
        *,
        session: onnxruntime.InferenceSession,
        preprocessing: Preprocessing,
        batch_size: int | None,
        most_waiting: int,
        known_trigrams: KnownTrigrams | None = None,
        first_stage: FirstStage | None = None,
    ) -> None:
        self._first_stage = first_stage
        self._session = session
        self._known_trigrams = known_trigrams
        self._preprocessing = preprocessing
        if batch_size is None:
            (row,) = preprocessing.rows([_TYPICAL_POST])
            self._run([row])  # the first run allocates memory
            batch_size = measured_batch_size(lambda size: self._run([row] * size))
        self.batch_size = batch_size
        self._queue = PredictionQueue(self._run, batch_size=batch_size, most_waiting=most_waiting)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        threads: int,
        batch_size: int | None = None,
        most_waiting: int = DEFAULT_QUEUE_LENGTH,
        device: Device = "cpu",
    ) -> Model:
        """Load model.onnx as its manifest.json describes and predict once.

        Args:
            folder: the folder with the content of model.tar.gz.
            threads: the threads of one prediction.
            batch_size: the most posts in a batch; None to measure it.
            most_waiting: the most requests that may wait, besides the one that is being answered.
            device: the device that predicts.

        Raises:
            ModelUnusableError: a file is missing, damaged or of another manifest version, or `device` is a GPU and
                there is no usable one.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_MICROSECONDS))
        # The CPU calculates operators that have no GPU version.
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device == "gpu" else ["CPUExecutionProvider"]
        # On a CPU the fused operator takes three times as long as its parts.
        disabled = ["SkipLayerNormFusion"] if device == "cpu" else None
        try:
            manifest = _read_manifest(folder)
            preprocessing = from_manifest(manifest["preprocessing"], folder)
            first_stage = _first_stage(manifest, folder)
            session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=providers, disabled_optimizers=disabled
            )
            # ONNX Runtime omits a provider that it cannot use, and reports that only in its log.
            if session.get_providers() != providers:
                raise ModelUnusableError(f"no usable GPU: ONNX Runtime took {', '.join(session.get_providers())}")
            model = cls(
                session=session,
                preprocessing=preprocessing,
                batch_size=batch_size,
                most_waiting=most_waiting,
                known_trigrams=KnownTrigrams.load(folder),
                first_stage=first_stage,
            )
            model.try_out()
        except UnknownPreprocessingError as error:
            raise ModelUnusableError(str(error)) from None
        except _ONNXRUNTIME_ERRORS as error:
            raise ModelUnusableError(f"model.onnx: {' '.join(str(error).split())}") from None
        return model

    def try_out(self) -> None:
        """Predict once with each stage.

        Raises:
            ModelUnusableError: the model's answer is not a probability.
        """
        if self._first_stage:
            self._first_stage.try_out("。")
        _refuse_no_numbers(self._run(self._preprocessing.rows(["。"])))

    def predict(self, texts: Sequence[str], wanted: Callable[[], bool] = lambda: True) -> Predictions:
        """Predict each text, in order.

        Args:
            texts: any number of them.
            wanted: returns whether the client still waits for the answer.

        Raises:
            AbandonedError: the client does not wait any more.
            ModelUnusableError: the model's answer is not a probability.
            OverloadedError: too many requests are waiting.
        """
        with self._queue.place():
            answered: list[float | None] = []
            rows: list[Row] = []
            for start in range(0, len(texts), _POSTS_TO_ENCODE):
                if not wanted():
                    raise AbandonedError
                some = texts[start : start + _POSTS_TO_ENCODE]
                answers = self._first_stage.answers(some) if self._first_stage else [None] * len(some)
                answered += answers
                rest = [text for text, answer in zip(some, answers, strict=True) if answer is None]
                if rest:
                    rows.extend(self._preprocessing.rows(rest))
            following = iter(self._queue.run(rows, wanted))
            found = [next(following) if answer is None else answer for answer in answered]
        _refuse_no_numbers(found)
        return Predictions(found, [answer is not None for answer in answered] if self._first_stage else [])

    def unseen_percents(self, texts: Sequence[str]) -> list[int]:
        """Return each text's share of trigrams that the training posts do not have, in percent; empty if unknown."""
        known = self._known_trigrams
        return [] if known is None else [known.unseen_percent(text) for text in texts]

    def _run(self, rows: Sequence[Row]) -> list[float]:
        return list(map(float, self._session.run(["probability"], self._preprocessing.inputs(rows))[0]))


def _refuse_no_numbers(probabilities: Sequence[float]) -> None:
    if not all(math.isfinite(probability) for probability in probabilities):
        raise ModelUnusableError("model.onnx: the answer is not a number")


def _first_stage(manifest: Mapping[str, Any], folder: Path) -> FirstStage | None:
    """Return the model's first stage; None if the network answers every post."""
    cascade = manifest.get("cascade")
    if not isinstance(cascade, dict) or "first_stage" not in cascade:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return FirstStage.load(cascade, folder, options)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnusableError(f"manifest.json: cascade: {type(error).__name__}: {error}") from None


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest; it then has `preprocessing`."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelUnusableError(f"manifest.json: not in {folder}; put the content of model.tar.gz there") from None
    except (OSError, ValueError) as error:
        raise ModelUnusableError(f"manifest.json: {error}") from None
    version = manifest.get("manifest_version") if isinstance(manifest, dict) else None
    if version != MANIFEST_VERSION:
        raise ModelUnusableError(f"manifest.json: got manifest_version {version!r}; allowed is {MANIFEST_VERSION}")
    preprocessing = manifest.get("preprocessing")
    if not isinstance(preprocessing, dict):
        raise ModelUnusableError(f"manifest.json: got preprocessing {preprocessing!r}; allowed is an object")
    return dict(manifest)
