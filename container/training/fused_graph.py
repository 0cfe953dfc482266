"""Puts whole attention blocks into one operator each, which is where most of ONNX Runtime's speed comes from."""

from __future__ import annotations

from pathlib import Path

from private_onnxruntime import onnxruntime  # noqa: F401 - first, since it keeps ONNX Runtime from reporting its use

from onnxruntime.transformers.fusion_options import FusionOptions  # isort: skip
from onnxruntime.transformers.optimizer import optimize_model  # isort: skip


def fuse(path: Path, *, layers: int, heads: int, hidden_size: int) -> None:
    """Rewrites a BERT's graph in place and prints how many of its `layers` attention blocks were fused.

    A block that was not is right, but slow: the line says so where a later exporter writes what is not recognised.
    """
    options = FusionOptions("bert")
    # Once fused, the embeddings cannot be quantised without an operator that pads every batch.
    options.enable_embed_layer_norm = False
    # Level 0: ONNX Runtime's own rewriting happens when the model is loaded, on the CPU that serves it.
    fused = optimize_model(
        str(path),
        model_type="bert",
        num_heads=heads,
        hidden_size=hidden_size,
        optimization_options=options,
        opt_level=0,
    )
    attentions = fused.get_fused_operator_statistics()["Attention"]
    print(f"fused_attentions={attentions} of {layers}", flush=True)
    if attentions < layers:
        print("warning: attention that is not fused is served several times slower", flush=True)
    fused.save_model_to_file(str(path))
