"""The Flask application that gunicorn runs: `GET /ping`, `POST /invocations`."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any

from device import Device
from flask import Flask, Response, g, jsonify, request
from hot_path import FAILED, Answered, HotPath
from inference import DEFAULT_QUEUE_LENGTH, Model, ModelUnusableError, Predictions
from invocation_body import InvalidInvocationError, Invocation, InvocationLines
from prediction_queue import AbandonedError, OverloadedError
from werkzeug.exceptions import HTTPException

LARGEST_BODY = 6 * 1024 * 1024
"""In bytes: SageMaker's own limit for a real-time endpoint."""

MOST_DISCARDED_BYTES, DISCARDED_AT_ONCE_BYTES = 64 * 1024 * 1024, 64 * 1024
"""How much of a body that is too large is read and discarded; then the connection is closed."""

LONGEST_WAIT_SECONDS = 30.0
"""The longest wait for a model that is still loading; SageMaker ends an invocation after 60 seconds."""

RETRY_AFTER_SECONDS = "1"
"""Many times the time that the waiting requests take."""

JSON, JSON_LINES = "application/json", "application/jsonlines"

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_CUSTOM_ATTRIBUTES_OF_WSGI = "HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES"
_PATIENCE = re.compile(r"(?:^|[,;\s])patience-ms=([0-9]{1,9})(?:$|[,;\s])")
_WITH_UNSEEN = re.compile(r"(?:^|[,;\s])with=unseen(?:$|[,;\s])")
_WITH_FIRST_STAGE = re.compile(r"(?:^|[,;\s])with=first-stage(?:$|[,;\s])")

log = logging.getLogger("gunicorn.error")


class ModelSlot:
    """Loads the model in a thread of its own, so that `/ping` can answer meanwhile, and then holds it."""

    def __init__(
        self, folder: Path, *, threads: int, batch_size: int | None, most_waiting: int, device: Device
    ) -> None:
        self.model: Model | None = None
        self.fault = "the model is still loading"
        self._loaded = threading.Event()
        self._may_wait = threading.Semaphore(most_waiting)  # so that threads are left to answer /ping
        threading.Thread(
            target=self._load, args=(folder, threads, batch_size, most_waiting, device), name="load-model", daemon=True
        ).start()

    def _load(self, folder: Path, threads: int, batch_size: int | None, most_waiting: int, device: Device) -> None:
        try:
            self.model = Model.load(
                folder, threads=threads, batch_size=batch_size, most_waiting=most_waiting, device=device
            )
        except ModelUnusableError as error:
            self.fault = f"no usable model: {error}"
        except Exception as error:
            # Nothing else would catch a library's error in this thread: /ping and the log must show it too.
            self.fault = f"no usable model: {type(error).__name__}: {' '.join(str(error).split())}"
        if self.model is None:
            log.error(self.fault)
        else:
            log.info("model loaded; %d posts in a batch at most", self.model.batch_size)
        self._loaded.set()

    def wait(self) -> Model | None:
        """Return the model. Waits for it while it loads, because another worker may already answer /ping.

        Raises:
            OverloadedError: it is loading, and the most requests allowed are already waiting for it.
        """
        if not self._loaded.is_set():
            if not self._may_wait.acquire(blocking=False):
                raise OverloadedError
            try:
                self._loaded.wait(LONGEST_WAIT_SECONDS)
            finally:
                self._may_wait.release()
        return self.model


class QuietFlask(Flask):
    """Logs the place of an error but not its message, which may quote a post."""

    def log_exception(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> None:
        kind, _, traceback = exc_info
        while traceback and traceback.tb_next:
            traceback = traceback.tb_next
        where = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "unknown"
        log.error("%s at %s", kind.__name__ if kind else "error", where)


def create_app(slot: ModelSlot, *, model_name: str | None) -> Flask:
    """Return the application that serves a model, which may still be loading."""
    app = QuietFlask("inference", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    @app.get("/ping")
    def ping() -> tuple[Response, int]:
        if slot.model is None:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, slot.fault)
        return jsonify({"status": "ready"}), HTTPStatus.OK

    @app.post("/invocations")
    def invocations() -> tuple[Response, int]:
        if request.mimetype not in (JSON, JSON_LINES):
            _discard_body()
            return _error(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"content type: got {request.mimetype[:100]!a}; allowed are {JSON} and {JSON_LINES}",
            )
        # If a client accepts both types equally, it gets the type that it sent.
        offered = sorted((JSON, JSON_LINES), key=lambda offer: offer != request.mimetype)
        accepted = request.accept_mimetypes.best_match(offered) if request.accept_mimetypes else offered[0]
        if accepted is None:
            _discard_body()
            return _error(HTTPStatus.NOT_ACCEPTABLE, f"accept: allowed are {JSON} and {JSON_LINES}")
        try:
            wanted = _is_waited_for(request.environ)
            given = (InvocationLines if request.mimetype == JSON_LINES else Invocation).parse(request.get_data())
        except InvalidInvocationError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        try:
            if failed := request.environ.get(FAILED):
                raise failed
            model = slot.wait()
            if model is None:
                return _error(HTTPStatus.SERVICE_UNAVAILABLE, slot.fault)
            predictions = model.predict(given.texts, wanted)
        except OverloadedError:
            response, status = _error(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests are waiting; try again")
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
            return response, status
        except AbandonedError:
            return _error(HTTPStatus.REQUEST_TIMEOUT, "the time was up before the posts could be predicted")
        if isinstance(given, Invocation):
            g.reported = _reported(model, given.texts, predictions, asked=request.headers.get(CUSTOM_ATTRIBUTES, ""))
        return _answer(given, _written(predictions.probabilities), content_type=accepted), HTTPStatus.OK

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Response, int]:
        _discard_body()
        return _error(error.code or HTTPStatus.INTERNAL_SERVER_ERROR, _EXPLANATIONS.get(error.code, error.name.lower()))

    @app.after_request
    def name_model(response: Response) -> Response:
        response.headers.extend(_custom_attributes(model_name, g.get("reported", ())))
        return response

    def answer(environ: dict[str, Any], given: Invocation) -> Answered | None:
        model = slot.model
        if model is None:
            return None
        predictions = model.predict(given.texts, _is_waited_for(environ))
        reported = _reported(model, given.texts, predictions, asked=environ.get(_CUSTOM_ATTRIBUTES_OF_WSGI, ""))
        return Answered(_written(predictions.probabilities), _custom_attributes(model_name, reported))

    app.wsgi_app = HotPath(app.wsgi_app, answer, largest_body=LARGEST_BODY)  # type: ignore[method-assign]
    return app


def _written(probabilities: Sequence[float]) -> list[str]:
    """Return strings, as the published contract requires; six digits still rank probabilities that are nearly 1."""
    return [f"{probability:.6f}" for probability in probabilities]


def _reported(model: Model, texts: Sequence[str], predictions: Predictions, *, asked: str) -> list[str]:
    """Return the custom attributes that a client `asked` for, each in the order of the texts."""
    reported = []
    if _WITH_UNSEEN.search(asked) and (unseen := model.unseen_percents(texts)):
        reported.append(f"unseen={'/'.join(map(str, unseen))}")
    if _WITH_FIRST_STAGE.search(asked) and predictions.by_first_stage:
        reported.append(f"first-stage={'/'.join(str(int(answered)) for answered in predictions.by_first_stage)}")
    return reported


def _custom_attributes(model_name: str | None, reported: Sequence[str]) -> list[tuple[str, str]]:
    attributes = [*([f"model={model_name}"] if model_name else []), *reported]
    return [(CUSTOM_ATTRIBUTES, ",".join(attributes))] if attributes else []


_EXPLANATIONS: dict[int | None, str] = {
    HTTPStatus.NOT_FOUND: "unknown path; allowed are GET /ping and POST /invocations",
    HTTPStatus.METHOD_NOT_ALLOWED: "wrong method; allowed are GET /ping and POST /invocations",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"body: too large; allowed are {LARGEST_BODY} bytes",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the prediction failed; the log of the container says where",
}


def _answer(given: Invocation | InvocationLines, predictions: Sequence[str], *, content_type: str) -> Response:
    if isinstance(given, InvocationLines):
        following = iter(predictions)
        answers = [{"error": fault} if fault else {"predictions": next(following)} for fault in given.faults]
        if content_type == JSON:
            return jsonify({"predictions": [answer.get("predictions", answer) for answer in answers]})
    elif content_type == JSON:
        return jsonify({"predictions": predictions[0] if given.single else predictions})
    else:
        answers = [{"predictions": prediction} for prediction in predictions]
    return Response("".join(f"{json.dumps(answer)}\n" for answer in answers), content_type=JSON_LINES)


def _is_waited_for(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return a function: whether the client has not disconnected, and its patience has not run out."""
    client: socket.socket | None = environ.get("gunicorn.socket")
    patience = _PATIENCE.search(environ.get(_CUSTOM_ATTRIBUTES_OF_WSGI, ""))
    until = time.monotonic() + (int(patience[1]) / 1000 if patience else math.inf)

    def wanted() -> bool:
        if time.monotonic() >= until:
            return False
        try:
            return client is None or client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    return wanted


def _discard_body() -> None:
    """Read the rest of a refused body, so that its sender can read the answer.

    Closing a connection with unread bytes resets it, and the answer is lost. nginx does this by itself.
    """
    body = request.environ["wsgi.input"]
    for _ in range(MOST_DISCARDED_BYTES // DISCARDED_AT_ONCE_BYTES):
        if not body.read(DISCARDED_AT_ONCE_BYTES):
            return


def _error(status: int, message: str) -> tuple[Response, int]:
    return jsonify({"error": message}), status


def main() -> Any:
    """Create the application; gunicorn calls it in every worker, as ONNX Runtime's threads do not survive a fork."""
    folder = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model"
    batch_size = os.environ.get("BATCH_SIZE")
    slot = ModelSlot(
        folder,
        threads=int(os.environ.get("THREADS_PER_WORKER", "1")),
        batch_size=int(batch_size) if batch_size else None,
        most_waiting=int(os.environ.get("QUEUE_LENGTH", DEFAULT_QUEUE_LENGTH)),
        device="gpu" if os.environ.get("SERVE_ON") == "gpu" else "cpu",
    )
    return create_app(slot, model_name=os.environ.get("MODEL_NAME"))
