"""One program that serves one model, restarted when it crashes."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdk_rehearsal.engines import ContainerRequest, ImageError
from cdk_rehearsal.plug_in.container_process import ContainerProcess
from cdk_rehearsal.plug_in.iam import ActingRole
from cdk_rehearsal.plug_in.logs.log_delivery import LogShipping
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError, unpack
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings
from cdk_rehearsal.processes.free_port import free_port

INVOCATION_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_RESTART_SECONDS = 0.5


class ServingError(Exception):
    """The program does not serve; the message has its exit code, if it has ended, and the end of its log."""


class ModelServer:
    """Call `launch`, then `wait_until_healthy`; `stop` may be called at any time and repeatedly.

    Args:
        model: the description of the model.
        folder: replaces /opt/ml; created here and removed on `stop`.
        role: the role of the program, with which SageMaker also fetches the model and writes the log.
        environment: environment variables of the program in addition to the model's.
    """

    def __init__(
        self,
        *,
        model: dict[str, Any],
        folder: Path,
        surroundings: Surroundings,
        role: ActingRole,
        log_group: str,
        log_stream: str,
        environment: Mapping[str, str],
    ) -> None:
        self._container = container_of(model)
        self._folder = folder
        self._surroundings = surroundings
        self.role = role
        self._log_group = log_group
        self._log_stream = log_stream
        self._environment = dict(environment)
        self._port = 0
        self._process: ContainerProcess | None = None
        self._shipping: LogShipping | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.restarts = 0

    def launch(self) -> None:
        """Raises ServingError if the model cannot be fetched or the image cannot be run."""
        try:
            (self._folder / "model").mkdir(parents=True)
            if uri := model_data_of(self._container):
                unpack(uri, self._folder / "model", role=self.role)
            self._start()
        except (ImageError, TransferError, OSError) as error:
            raise ServingError(str(error)) from error
        self._shipping = LogShipping(
            self._folder / "log.txt", group=self._log_group, stream=self._log_stream, role=self.role
        )

    def wait_until_healthy(self, seconds: float) -> None:
        """Raises ServingError if the program has ended or does not answer its health check in time."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None and not self._stopping.is_set():
            if self._ping():
                threading.Thread(target=self._watch, name=f"watch {self._folder.name}", daemon=True).start()
                return
            time.sleep(0.05)
        ended = self._process.poll()
        raise ServingError(
            ("" if ended is None else f"The program ended with exit code {ended}. ")
            + f"The log ends with: {self._process.log_tail() or '(nothing)'}"
        )

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body; 504 if it is too slow, 502 if it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=INVOCATION_SECONDS)
        try:
            connection.request("POST", "/invocations", body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except TimeoutError:
            return 504, {}, b"Your invocation timed out while waiting for a response from container."
        except (OSError, http.client.HTTPException) as error:
            return 502, {}, f"the container does not answer: {error}".encode()
        finally:
            connection.close()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            if self._process is not None:
                self._process.stop()
        if self._shipping is not None:
            self._shipping.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        self._port = free_port()
        command = self._surroundings.engine.command(
            ContainerRequest(
                image_uri=self._container["Image"],
                arguments=("serve",),
                environment={
                    # Images for GPUs exit on machines without a GPU, images for CPUs on machines with one.
                    "SERVE_ON": "cpu",
                    **self._surroundings.aws_environment,
                    **self.role.credentials,
                    **self._container.get("Environment", {}),
                    **self._environment,
                },
                base_folder=self._folder,
                port=self._port,
            )
        )
        self._process = ContainerProcess(command, log=self._folder / "log.txt", registry=self._surroundings.registry)

    def _watch(self) -> None:
        """Restarts a program that has ended by itself, as SageMaker restarts a container."""
        while not self._stopping.wait(_LOOK_SECONDS):
            if self._process is None or self._process.poll() is None:
                continue
            self._stopping.wait(_RESTART_SECONDS)
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process.stop()  # the remaining processes of its group
                self._start()
                self.restarts += 1

    def _ping(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def container_of(model: dict[str, Any]) -> dict[str, Any]:
    """The model's only container."""
    container: dict[str, Any] = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
    return container


def model_data_of(container: dict[str, Any]) -> str | None:
    """The location of the model's archive; None if it has none."""
    source: dict[str, Any] = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return container.get("ModelDataUrl") or source.get("S3Uri")
