"""A model as it will be served: the ONNX file, and what has to happen to a post before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from private_onnxruntime import onnxruntime
from refusal import RefusalError

Encode = Callable[[Sequence[str]], dict[str, npt.NDArray[np.int64]]]
Probabilities = npt.NDArray[np.float64]

LARGEST_DIFFERENCE = 1e-4
"""Between the probability of the trained model and that of its export."""

_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """Judged by what ONNX Runtime answers, since that is what will be served."""

    session: onnxruntime.InferenceSession
    encode: Encode
    preprocessing: Mapping[str, object]
    """The manifest's part of that name."""
    precision: Mapping[str, object] = field(
        default_factory=lambda: {"chosen": "fp32", "reason": "the recipe has no other"}
    )
    """The manifest's part of that name: what the model calculates with, and why."""
    network: Mapping[str, object] | None = None
    """The manifest's part of that name, of an encoder: its type, and how many of its attention blocks are fused."""
    student: Mapping[str, object] | None = None
    """The manifest's part of that name: whether a student serves or its teacher, and why."""
    cascade: Mapping[str, object] | None = None
    """The manifest's part of that name: whether a linear model answers first, and why."""
    threshold: float | None = None
    """From which probability on it flags a post; None: by what it says of the validation posts."""

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        encode: Encode,
        preprocessing: Mapping[str, object],
        network: Mapping[str, object] | None = None,
    ) -> ExportedModel:
        # As the inference image loads it.
        session = onnxruntime.InferenceSession(
            path, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )
        return cls(session=session, encode=encode, preprocessing=preprocessing, network=network)

    def with_precision(self, precision: Mapping[str, object]) -> ExportedModel:
        return replace(self, precision=precision)

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 1) -> Probabilities:
        """The probability of a violation for each text, each at its true length by default, as it is served."""
        batches = [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]
        return np.concatenate([self.session.run(["probability"], self.encode(batch))[0] for batch in batches]).astype(
            np.float64
        )

    def check_against(self, texts: Sequence[str], expected: Probabilities) -> None:
        """Compares with what the trained model said of these texts, alone and padded in a batch.

        Raises:
            RefusalError: a probability differs by more than `LARGEST_DIFFERENCE`.
        """
        for how, batch_size in (("alone", 1), ("in a batch", _BATCH)):
            difference = float(np.abs(self.probabilities(texts, batch_size=batch_size) - expected).max())
            if not difference <= LARGEST_DIFFERENCE:
                raise RefusalError(
                    f"export: a probability {how} differs by {difference:.2g} from the trained model's; "
                    f"allowed is {LARGEST_DIFFERENCE:g}: model.onnx cannot be served"
                )
