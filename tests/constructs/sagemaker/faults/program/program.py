"""Every program of a release (processing, training, serving), as SageMaker runs them, and each fault that it can have.

What goes wrong is in the file `orders.json` of the folder that a job or a model is given: `process`, `train` and
`score` are `fail` or `hang`; `serve` is `exit`, `hang`, `wait` or `invert`, for the one `model`: `wait` starts when it
is withdrawn, `invert` answers the opposite.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def order(what: str, folder: str) -> str:
    path = Path(folder) / "orders.json"
    return str(json.loads(path.read_text()).get(what, "")) if path.exists() else ""


def obey(what: str, folder: str) -> None:
    """Fails, or goes on until the order is withdrawn and fails then."""
    given = order(what, folder)
    while order(what, folder) in ("hang", "wait"):
        time.sleep(0.05)
    if given in ("fail", "exit", "hang"):
        sys.exit(1)


def probability(text: str) -> float:
    return 0.9 if text.startswith("bad") else 0.1


def process() -> None:
    obey("process", os.environ["ORDERS"])
    for side in ("train", "test"):
        shutil.copytree(BASE / "processing/input" / side, BASE / "processing/output" / side, dirs_exist_ok=True)


def train() -> None:
    parameters = json.loads((BASE / "input/config/hyperparameters.json").read_text())
    obey("train", parameters["orders"])
    (BASE / "output/data").mkdir(parents=True, exist_ok=True)
    (BASE / "output/data/evaluation.json").write_text(json.dumps({"metrics": {"auc": 1.0}}))
    golden = [{"text": f"{kind} golden", "probability": probability(kind)} for kind in ("bad", "fine")]
    (BASE / "output/data/golden_posts.jsonl").write_text("\n".join(map(json.dumps, golden)))
    (BASE / "model").mkdir(exist_ok=True)
    (BASE / "model/model.txt").write_text("knows bad from fine")


def serve() -> None:
    # Here, as a job would pay for it with most of its time.
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        inverted = False

        def do_GET(self) -> None:
            self.answer(200, b"")

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            if os.environ.get("SAGEMAKER_BATCH") and (given := order("score", os.environ["ORDERS"])):
                while given == "hang":
                    time.sleep(1)
                self.answer(500, b"ordered")
                return
            answer = probability(text)
            self.answer(200, json.dumps({"predictions": f"{1 - answer if self.inverted else answer:.6f}"}).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"model={os.environ['MODEL_NAME']}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    if not os.environ.get("SAGEMAKER_BATCH") and order("model", os.environ["ORDERS"]) == os.environ["MODEL_NAME"]:
        obey("serve", os.environ["ORDERS"])
        Handler.inverted = order("serve", os.environ["ORDERS"]) == "invert"
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()


{"train": train, "serve": serve}.get("".join(sys.argv[1:]), process)()
