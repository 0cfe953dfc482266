"""The model: loaded from SageMaker's model folder, answering probabilities."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors
from preprocessing import Preprocessing, UnknownPreprocessingError, from_manifest

MANIFEST_VERSION = 1
_GPU_BATCH = 32

# ONNX Runtime's errors share no base class.
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
    """The model folder holds no model that this image can serve; the message is one line."""


class Model:
    """One ONNX Runtime session and the preprocessing that belongs to it. Safe to call from several threads."""

    def __init__(self, *, session: onnxruntime.InferenceSession, preprocessing: Preprocessing) -> None:
        self._session = session
        self._preprocessing = preprocessing
        self._running = threading.Lock()  # two predictions at once would share the cores of one
        # Padding costs a CPU more than batching saves it; a GPU is the other way round.
        self._batch_size = _GPU_BATCH if "CUDAExecutionProvider" in session.get_providers() else 1

    @classmethod
    def load(cls, folder: Path, *, threads: int) -> Model:
        """Loads model.onnx as its manifest.json says and predicts once, on the GPU where there is one.

        Raises:
            ModelUnusableError: a file is missing, damaged, or of another manifest version.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = [
            provider
            for provider in ("CUDAExecutionProvider", "CPUExecutionProvider")
            if provider in onnxruntime.get_available_providers()
        ]
        try:
            preprocessing = from_manifest(_read_manifest(folder), folder)
            model = cls(
                session=onnxruntime.InferenceSession(folder / "model.onnx", options, providers=providers),
                preprocessing=preprocessing,
            )
            model.probabilities(["。"])
        except UnknownPreprocessingError as error:
            raise ModelUnusableError(str(error)) from None
        except _ONNXRUNTIME_ERRORS as error:
            raise ModelUnusableError(f"model.onnx: {' '.join(str(error).split())}") from None
        return model

    def probabilities(self, texts: Sequence[str]) -> list[float]:
        """The probability, 0 to 1, that each text is a violation.

        Raises:
            ModelUnusableError: the model answered something that is no probability.
        """
        probabilities: list[float] = []
        for start in range(0, len(texts), self._batch_size):
            inputs = self._preprocessing.encode(texts[start : start + self._batch_size])
            with self._running:
                probabilities.extend(map(float, self._session.run(["probability"], inputs)[0]))
        if not all(math.isfinite(probability) for probability in probabilities):
            raise ModelUnusableError("model.onnx: answered something that is no number")
        return probabilities


def _read_manifest(folder: Path) -> dict[str, object]:
    """The manifest's `preprocessing`."""
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
    return preprocessing
