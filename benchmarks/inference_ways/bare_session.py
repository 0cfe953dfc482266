"""ONNX Runtime alone, at true length: `python bare_session.py POSTS MODEL THREADS`. Tokenising is not timed."""

import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from answering import answer_turns

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
options.inter_op_num_threads = 1
# As inference.py has it; longer, and this one's threads would still spin in the turn of the next way.
options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
session = onnxruntime.InferenceSession(
    sys.argv[2], options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
)


def predict(token_ids: list[int]) -> object:
    ids = np.array([token_ids], dtype=np.int64)
    return session.run(["probability"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})


answer_turns(Path(sys.argv[1]), predict)
