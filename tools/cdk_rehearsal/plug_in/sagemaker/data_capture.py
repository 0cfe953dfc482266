"""Requests and responses of an endpoint, stored in S3 as JSON lines."""

from __future__ import annotations

import base64
import datetime
import json
import threading
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.plug_in.iam import ActingRole
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import split_s3_uri
from cdk_rehearsal.plug_in.sagemaker.share import Share

_FLUSH_SECONDS = 1.0


class DataCapture:
    """Writes one object per variant and second with requests; `stop` writes the rest."""

    def __init__(self, configuration: dict[str, Any], *, endpoint_name: str, role: ActingRole) -> None:
        self._bucket, self._prefix = split_s3_uri(configuration["DestinationS3Uri"])
        self._modes = {option["CaptureMode"] for option in configuration["CaptureOptions"]}
        header = configuration.get("CaptureContentTypeHeader", {})
        self._encodings = {kind: "JSON" for kind in header.get("JsonContentTypes", [])} | {
            kind: "CSV" for kind in header.get("CsvContentTypes", [])
        }
        self._share = Share(int(configuration["InitialSamplingPercentage"]) / 100)
        self._endpoint_name = endpoint_name
        self._role = role
        self._lines: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture {endpoint_name}", daemon=True)
        self._thread.start()

    def take(
        self, *, variant: str, request: bytes, request_type: str, answer: bytes, answer_type: str, status: int
    ) -> None:
        if status >= 400 or not self._share.take():
            return
        captured = {}
        if self._modes & {"Input", "InputAndOutput"}:
            captured["endpointInput"] = self._side("INPUT", request, request_type)
        if self._modes & {"Output", "InputAndOutput"}:
            captured["endpointOutput"] = self._side("OUTPUT", answer, answer_type)
        now = datetime.datetime.now(datetime.UTC)
        metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        line = json.dumps({"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"})
        with self._lock:
            self._lines.setdefault(variant, []).append(line)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _side(self, mode: str, body: bytes, content_type: str) -> dict[str, str]:
        encoding = self._encodings.get(content_type, "BASE64")
        data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode(errors="replace")
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}

    def _run(self) -> None:
        while not self._stopping.wait(_FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            pending, self._lines = self._lines, {}
        now = datetime.datetime.now(datetime.UTC)
        for variant, lines in pending.items():
            name = f"{now:%M-%S-%f}-{uuid.uuid4()}.jsonl"
            parts = (self._prefix.rstrip("/"), self._endpoint_name, variant, f"{now:%Y/%m/%d/%H}", name)
            body = "".join(f"{line}\n" for line in lines).encode()
            try:
                self._role.client("s3").put_object(Bucket=self._bucket, Key="/".join(parts).lstrip("/"), Body=body)
            except (ClientError, BotoCoreError) as error:  # a deleted bucket must not stop the endpoint
                print(f"data capture of {self._endpoint_name}: {error}", flush=True)
