"""`serve`: /ping and /invocations of the SageMaker hosting contract."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

model = json.loads((Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model/model.json").read_text())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, {})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "text" not in request:
            self.answer(400, {"error": "there is no text"})
        else:
            self.answer(200, {"predictions": "0.9" if set(request["text"]) & set(model) else "0.1"})

    def answer(self, status: int, body: dict[str, str]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"model={os.environ.get('MODEL_NAME', '')}")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: object) -> None:
        pass


address = (os.environ.get("BIND_HOST", "0.0.0.0"), int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
ThreadingHTTPServer(address, Handler).serve_forever()
