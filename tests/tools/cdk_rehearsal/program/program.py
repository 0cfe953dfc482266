"""A training, a processing and a serving program in one, told by hyperparameters and its environment how to behave."""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

base = Path(os.environ["SAGEMAKER_BASE_DIR"])


def train() -> None:
    wanted = json.loads((base / "input/config/hyperparameters.json").read_text())
    print("training begins")
    (base / "environment.json").write_text(json.dumps(dict(os.environ)))
    if wanted.get("child"):  # a worker that would outlive a careless end
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(wanted["child"]).write_text(str(worker.pid))
    time.sleep(float(wanted.get("sleep", 0)))
    if (base / "checkpoints").is_dir():
        step = base / "checkpoints/steps/step.txt"
        step.parent.mkdir(exist_ok=True)
        step.write_text(f"{step.read_text()} and on" if step.exists() else "so far")
    if wanted.get("fail") == "with a reason":
        (base / "output/failure").write_text("no posts to learn from")
    if wanted.get("fail"):
        print("the last words of the log")
        sys.exit(3)
    if wanted.get("show"):
        (base / "output/data/variables.json").write_text(json.dumps(sorted(os.environ)))
    files = {path.parent.name: path.read_text() for path in (base / "input/data").rglob("*.txt")}
    (base / "model/model.json").write_text(json.dumps({"channels": files, "greeting": os.environ["GREETING"]}))
    (base / "output/data/evaluation.json").write_text('{"auc": 0.9}')


def process() -> None:
    print("processing begins")
    time.sleep(float(os.environ.get("SLEEP", 0)))
    if "FAIL" in os.environ:
        (base / "output/message").write_text(os.environ["FAIL"])
        sys.exit(4)
    for source in (base / "processing/input").rglob("*.txt"):
        target = base / "processing/output" / source.relative_to(base / "processing/input")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{sys.argv[2]} {source.read_text()}")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"bad":
            self.answer(400, b'{"error": "bad"}')
            return
        if body == b"crash":
            os._exit(9)
        if "HEARD" in os.environ:
            with Path(os.environ["HEARD"]).open("ab") as heard:
                heard.write(body + b"\n")
        if "ERROR" in os.environ:
            self.answer(int(os.environ["ERROR"]), b'{"error": "as told"}')
            return
        time.sleep(float(os.environ.get("SLEEP", 0)))
        model = json.loads((base / "model/model.json").read_text())
        got = {"body": body.decode(), "model": model, "attributes": self.headers["X-Amzn-SageMaker-Custom-Attributes"]}
        self.answer(200, json.dumps(got).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"model={os.environ['MODEL_NAME']}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def serve() -> None:
    if os.environ["SERVE_ON"] != "cpu":
        sys.exit("no usable GPU")  # as the inference image for GPUs, which nothing here has
    if os.environ["MODEL_NAME"].startswith("broken"):
        sys.exit("this model cannot be loaded")
    time.sleep(float(os.environ.get("START_SLEEP", 0)))
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()


{"train": train, "process": process, "serve": serve}[sys.argv[1]]()
