"""Rewrites an encoder's graph to what ONNX Runtime calculates fastest: attention in one step, nothing for nobody."""

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
    """Rewrites the graph in place, prints and returns how many of its `layers` attention blocks were fused.

    A block that was not is right, but slow. None is of networks that add more to attention than BERT does, as DeBERTa's
    relative positions or ModernBERT's rotation; nor where a later exporter writes what is not recognised.
    """
    options = FusionOptions("bert")
    # Once fused, the embeddings cannot be quantised without an operator that pads every batch.
    options.enable_embed_layer_norm = False
    # On CPUs this operator takes three times what the addition and the normalisation in it take by themselves, and it
    # holds a bias that an int8 multiplication adds on its way out.
    options.enable_skip_layer_norm = False
    options.enable_bias_skip_layer_norm = False
    # Level 0: ONNX Runtime's own rewriting happens when the model is loaded, on the CPU that serves it.
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
    """After the last attention, leaves out all tokens but the first.

    The classifier reads that one alone, and nothing behind attention looks from token to token: three quarters of the
    last layer were calculated for nobody. Where a network's head did read others, its export would not answer as the
    network does, which the recipe checks.
    """
    attention = model.get_nodes_by_op_type("Attention")[-1]
    model.add_initializer(onnx.numpy_helper.from_array(np.array([0]), _FIRST))
    for whole in (attention.input[0], attention.output[0]):  # what the layer adds to its attention, and that itself
        cut = f"{whole}_{_FIRST}"
        for node in model.nodes():
            if node != attention:
                model.replace_node_input(node, whole, cut)
        model.add_node(onnx.helper.make_node("Gather", [whole, _FIRST], [cut], name=cut, axis=1))
    model.topological_sort()
