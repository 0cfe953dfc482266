"""A team's own image of XGBoost: trains on CSV, the target first, as SageMaker's algorithm takes it, and serves."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import xgboost

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def matrix(channel: str) -> xgboost.DMatrix:
    rows = np.loadtxt(BASE / "input/data" / channel / "data.csv", delimiter=",", ndmin=2)
    return xgboost.DMatrix(rows[:, 1:], label=rows[:, 0])


def train() -> None:
    channels = json.loads((BASE / "input/config/inputdataconfig.json").read_text())
    assert {name: channel["ContentType"] for name, channel in channels.items()} == {
        "train": "text/csv",
        "validation": "text/csv",
    }
    texts = json.loads((BASE / "input/config/hyperparameters.json").read_text())
    rounds = json.loads(texts.pop("num_round"))
    given = {name: value if name == "objective" else json.loads(value) for name, value in texts.items()}
    found: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {**given, "nthread": 1},
        matrix("train"),
        num_boost_round=rounds,
        evals=[(matrix("validation"), "validation")],
        evals_result=found,
        verbose_eval=False,
    )
    (BASE / "model").mkdir(exist_ok=True)
    booster.save_model(BASE / "model/model.ubj")
    (BASE / "output/data").mkdir(parents=True, exist_ok=True)
    metrics = {metric: values[-1] for metric, values in found["validation"].items()}
    (BASE / "output/data/evaluation.json").write_text(json.dumps({"metrics": metrics}))


def serve() -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    booster = xgboost.Booster(model_file=BASE / "model/model.ubj")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            rows = np.array([[float(value) for value in line.split(",")] for line in body.splitlines()])
            self.answer("\n".join(f"{value:.6f}" for value in booster.predict(xgboost.DMatrix(rows))).encode())

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"model={os.environ['MODEL_NAME']}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()


{"train": train, "serve": serve}[sys.argv[1]]()
