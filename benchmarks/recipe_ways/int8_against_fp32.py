"""Judges posts with the model that a training left, and once more with its int8.

`python int8_against_fp32.py CONTAINERS MODEL_FOLDER POSTS` with the packages of container/training installed; the
model is fp32, POSTS is JSON lines. Prints JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

# The tokens are those of the inference image. Files that both images have are the same.
sys.path.insert(0, f"{sys.argv[1]}/inference")
sys.path.insert(0, f"{sys.argv[1]}/training")

import numpy as np
from exported_model import ExportedModel
from precision import Comparison, quantise
from preprocessing import from_manifest
from sklearn.metrics import roc_auc_score

WARM_UP = 8
"""Posts that are not timed."""


def main(folder: Path, posts: Path) -> None:
    lines = [json.loads(line) for line in posts.read_text(encoding="utf-8").splitlines()]
    texts, labels = [line["text"] for line in lines], [line["label"] for line in lines]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    preprocessing = from_manifest(manifest["preprocessing"], folder)
    both, found = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        int8 = Path(scratch) / "model.onnx"
        quantise(folder / "model.onnx", int8, reduce_range=True)
        for name, path in (("fp32", folder / "model.onnx"), ("int8", int8)):
            model = ExportedModel.load(
                path, encode=lambda batch: preprocessing.inputs(preprocessing.rows(batch)), preprocessing={}
            )
            model.predict(texts[:WARM_UP])
            start = time.perf_counter()
            both[name] = model.predict(texts).probabilities
            found[name] = {
                "seconds": time.perf_counter() - start,
                "auc": float(roc_auc_score(labels, both[name])),
                "bytes": path.stat().st_size,
            }
    flips = int(np.sum((both["fp32"] >= manifest["threshold"]) != (both["int8"] >= manifest["threshold"])))
    print(json.dumps({**found, "flips": flips, "fault": Comparison.of(labels, **both).fault}))


if __name__ == "__main__":
    main(Path(sys.argv[2]), Path(sys.argv[3]))
