"""Rewrites an encoder's graph to a form that ONNX Runtime runs fastest: fused attention, no unused calculations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from private_onnxruntime import onnxruntime  # noqa: F401 - first, since it keeps ONNX Runtime from reporting its use

from onnxruntime.transformers.fusion_options import FusionOptions  # isort: skip
from onnxruntime.transformers.onnx_model import OnnxModel  # isort: skip
from onnxruntime.transformers.optimizer import optimize_model  # isort: skip

_FIRST = "first_token"


def fuse(path: Path, *, layers: int, heads: int, hidden_size: int) -> int:
    """Rewrite the graph in place; print and return how many of its `layers` attention blocks were fused.

    A block that is not fused is correct but slow. Attention that differs from BERT's, such as DeBERTa's relative
    positions or ModernBERT's rotary embeddings, is never fused, nor is a form that a later exporter may write.
    """
    options = FusionOptions("bert")
    # Fused embeddings cannot be quantised without an operator that pads every batch.
    options.enable_embed_layer_norm = False
    # On CPUs this operator takes three times as long as the separate addition and normalisation. It also contains a
    # bias that an int8 multiplication otherwise adds for free.
    options.enable_skip_layer_norm = False
    options.enable_bias_skip_layer_norm = False
    # Level 0: ONNX Runtime's own optimisations run when the model is loaded, on the CPU that serves it.
    fused = optimize_model(
        str(path),
        model_type="bert",
        num_heads=heads,
        hidden_size=hidden_size,
        optimization_options=options,
        opt_level=0,
    )
    attentions: int = fused.get_fused_operator_statistics()["Attention"]
    print(f"fused_attentions={attentions} of {layers}", flush=True)
    if attentions < layers:
        print("warning: attention that is not fused is served several times slower", flush=True)
    else:
        _finish_first_token_alone(fused)
    fused.save_model_to_file(str(path))
    return attentions


def _finish_first_token_alone(model: OnnxModel) -> None:
    """Remove all tokens but the first after the last attention.

    The classifier reads only the first token, and after attention no token depends on another, so three quarters of
    the last layer's calculations are unused. If a network's head reads other tokens, its export predicts differently
    from the network, which the recipe checks.
    """
    attention = model.get_nodes_by_op_type("Attention")[-1]
    model.add_initializer(onnx.numpy_helper.from_array(np.array([0]), _FIRST))
    for whole in (attention.input[0], attention.output[0]):  # the residual input, and the attention's output
        cut = f"{whole}_{_FIRST}"
        for node in model.nodes():
            if node != attention:
                model.replace_node_input(node, whole, cut)
        model.add_node(onnx.helper.make_node("Gather", [whole, _FIRST], [cut], name=cut, axis=1))
    model.topological_sort()
