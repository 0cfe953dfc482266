"""The ML API: asks the endpoint and answers the flag."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

assert os.environ["TOKEN"] == "s3cr3t", "the task definition's secret has to be there"
runtime = boto3.client("sagemaker-runtime")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer({"status": "ok"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = runtime.invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_NAME"], Body=body, ContentType="application/json"
        )
        probability = float(json.load(answer["Body"])["predictions"])
        flag = int(probability >= float(os.environ["THRESHOLD"]))
        model = answer["CustomAttributes"].removeprefix("model=")
        self.answer({"flag": flag, "probability": probability, "model": model})

    def answer(self, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: object) -> None:
        pass


ThreadingHTTPServer((os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"])), Handler).serve_forever()
