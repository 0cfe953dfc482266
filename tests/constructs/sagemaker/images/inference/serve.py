"""Keeps SageMaker's serving contract and answers every post with what the model says.

The model `parity` says 0.9 of a post with an odd number in it and 0.1 of any other.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWER = (Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model/answer.txt").read_text()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        odd = text[-1:].isdigit() and int(text[-1]) % 2 == 1
        answer = ("0.9" if odd else "0.1") if ANSWER == "parity" else ANSWER
        self.answer(json.dumps({"predictions": answer}).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"model={os.environ['MODEL_NAME']}")
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()
