"""Profiles one post by operator: `python operator_profile.py TOKENS MODEL`. One thread, ONNX Runtime."""

import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime

RUNS = 30

tokens, model = int(sys.argv[1]), sys.argv[2]
with tempfile.TemporaryDirectory() as folder:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # an operator's time would include waiting for another thread
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(folder, "profile"))
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    ids = np.random.default_rng(0).integers(5, 80, (1, tokens))
    for _ in range(RUNS):
        session.run(["probability"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    events = json.loads(Path(session.end_profiling()).read_text())
took: dict[tuple[str, str], list[int]] = defaultdict(list)
for event in events:
    if event["name"].endswith("_kernel_time"):
        took[event["args"]["op_name"], event["name"]].append(event["dur"])
operators: dict[str, float] = defaultdict(float)
for (operator, _), microseconds in took.items():
    operators[operator] += min(microseconds) / 1000  # disturbances only make a run longer
print(json.dumps(operators))
