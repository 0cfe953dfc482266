"""The number type of a model's calculations: int8 is fast, and used only if it predicts as well as fp32."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from evaluation import best_threshold
from exported_model import ExportedModel, Probabilities
from private_onnxruntime import onnxruntime  # noqa: F401 - first, since it keeps ONNX Runtime from reporting its use
from sklearn.metrics import roc_auc_score

LARGEST_AUC_DIFFERENCE = 0.002
SMALLEST_AGREEMENT = 0.995
"""The least share of equal flags, at fp32's threshold."""

_INT8_FILE = "model.int8.onnx"
_FLOAT = 1  # onnx.TensorProto.FLOAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The differences between int8 and fp32 on the same posts."""

    auc_fp32: float
    auc_int8: float
    agreement: float
    """The share of posts that both flag or both pass."""
    difference_p99: float
    """99 % of the posts' probabilities differ by less than this."""
    posts: int

    @classmethod
    def of(cls, labels: Sequence[int], *, fp32: Probabilities, int8: Probabilities) -> Comparison:
        threshold = best_threshold(labels, fp32)
        return cls(
            auc_fp32=float(roc_auc_score(labels, fp32)),
            auc_int8=float(roc_auc_score(labels, int8)),
            agreement=float(np.mean((fp32 >= threshold) == (int8 >= threshold))),
            difference_p99=float(np.quantile(np.abs(fp32 - int8), 0.99)),
            posts=len(labels),
        )

    @property
    def holds(self) -> bool:
        return self.fault is None

    @property
    def fault(self) -> str | None:
        """Return one line that says why int8 must not be served; None if it may."""
        difference = abs(self.auc_int8 - self.auc_fp32)
        if not difference <= LARGEST_AUC_DIFFERENCE:
            return f"int8 moves the AUC by {difference:.4f} on {self.posts} posts; allowed is {LARGEST_AUC_DIFFERENCE}"
        if not self.agreement >= SMALLEST_AGREEMENT:
            return (
                f"int8 agrees with fp32 on {self.agreement:.2%} of {self.posts} flags; "
                f"allowed is {SMALLEST_AGREEMENT:.1%} or more"
            )
        return None


def serve_int8_where_it_holds(
    fp32: ExportedModel, path: Path, texts: Sequence[str], labels: Sequence[int], *, reduce_range: bool
) -> ExportedModel:
    """Quantise the model at `path`, compare both on the posts, and leave the chosen one at `path`.

    Args:
        fp32: the model at `path`.
        path: the path of model.onnx; a temporary file is written beside it.
        texts: posts on which the model was not fitted.
        labels: the labels of these posts.
        reduce_range: whether to use weights of 7 bits, whose sums do not overflow on CPUs without VNNI.
    """
    quantised = path.with_name(_INT8_FILE)
    quantise(path, quantised, reduce_range=reduce_range)
    int8 = ExportedModel.load(quantised, encode=fp32.encode, preprocessing=fp32.preprocessing, network=fp32.network)
    comparison = Comparison.of(labels, fp32=fp32.probabilities(texts), int8=int8.probabilities(texts))
    measured = {"reduce_range": reduce_range, **asdict(comparison)}
    if comparison.holds:
        quantised.replace(path)
        reason = (
            f"int8 moves the AUC by {abs(comparison.auc_int8 - comparison.auc_fp32):.4f} and agrees with fp32 on "
            f"{comparison.agreement:.2%} of {comparison.posts} flags"
        )
        chosen = int8.with_precision({"chosen": "int8", "reason": reason, **measured})
    else:
        quantised.unlink()
        chosen = fp32.with_precision({"chosen": "fp32", "reason": comparison.fault, **measured})
    print(f"precision={chosen.precision['chosen']} reason={chosen.precision['reason']}", flush=True)
    return chosen


def quantise(source: Path, target: Path, *, reduce_range: bool) -> None:
    # Imported here, because not every recipe quantises and the import takes a second.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it recommends a preprocessing that undoes the fusions
    try:
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            # ONNX cannot infer the types after a fused operator.
            extra_options={"DefaultTensorType": _FLOAT},
        )
    finally:
        logging.disable(logging.NOTSET)
