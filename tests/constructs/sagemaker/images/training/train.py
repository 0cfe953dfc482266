"""Keeps SageMaker's training contract and does what the posts say: `auc: 0.4`, `answer: 7`, `fail: why`, `sleep: 9`."""

import json
import os
import sys
import time
from pathlib import Path

base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
orders = {"auc": "0.9", "answer": "0.5", "sleep": "0"}
for channel in json.loads((base / "input/config/inputdataconfig.json").read_text()):
    for file in (base / "input/data" / channel).iterdir():
        for line in file.read_text().split("\n"):
            name, colon, value = json.loads(line or '{"text": ""}')["text"].partition(": ")
            if colon:
                orders[name] = value

time.sleep(float(orders["sleep"]))
(base / "output/data").mkdir(parents=True, exist_ok=True)
if "fail" in orders:
    (base / "output/failure").write_text(orders["fail"])
    sys.exit(1)
(base / "model").mkdir(exist_ok=True)
(base / "model/answer.txt").write_text(orders["answer"])
(base / "output/data/evaluation.json").write_text(json.dumps({"metrics": {"auc": float(orders["auc"])}}))
