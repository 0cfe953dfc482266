"""A model as it will be served: the ONNX file and its preprocessing."""

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
"""The largest difference between the probabilities of the trained model and of its export."""

_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """A model whose predictions come from ONNX Runtime, as they will be served."""

    session: onnxruntime.InferenceSession
    encode: Encode
    preprocessing: Mapping[str, object]
    """The manifest's part of that name."""
    precision: Mapping[str, object] = field(
        default_factory=lambda: {"chosen": "fp32", "reason": "the recipe has no other"}
    )
    """The manifest's `precision`: the number type of the model's calculations, and the reason for it."""
    network: Mapping[str, object] | None = None
    """The manifest's `network`, for an encoder: its type, and the number of fused attention blocks."""
    student: Mapping[str, object] | None = None
    """The manifest's `student`: whether a student or its teacher serves, and why."""
    cascade: Mapping[str, object] | None = None
    """The manifest's `cascade`: whether a linear model answers first, and why."""
    threshold: float | None = None
    """The probability from which it flags a post; None to choose it on the validation posts."""

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        encode: Encode,
        preprocessing: Mapping[str, object],
        network: Mapping[str, object] | None = None,
    ) -> ExportedModel:
        # The same settings as in the inference image.
        session = onnxruntime.InferenceSession(
            path, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )
        return cls(session=session, encode=encode, preprocessing=preprocessing, network=network)

    def with_precision(self, precision: Mapping[str, object]) -> ExportedModel:
        return replace(self, precision=precision)

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 1) -> Probabilities:
        """Return each text's probability of a violation; by default without padding, as it is served."""
        batches = [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]
        return np.concatenate([self.session.run(["probability"], self.encode(batch))[0] for batch in batches]).astype(
            np.float64
        )

    def check_against(self, texts: Sequence[str], expected: Probabilities) -> None:
        """Compare with the trained model's predictions for these texts, one at a time and padded in a batch.

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
