"""The programs that serve one endpoint configuration: one for each production variant."""

from __future__ import annotations

import contextlib
import http.client
import random
import shutil
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdk_rehearsal.engines import ContainerRequest, ImageError
from cdk_rehearsal.free_port import free_port
from cdk_rehearsal.plug_in.container_process import ContainerProcess
from cdk_rehearsal.plug_in.log_shipping import LogShipping
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError, unpack
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings

_DEFAULT_START_SECONDS = 120
_INVOCATION_SECONDS = 60.0
_DRAIN_SECONDS = 30.0


class FleetError(Exception):
    """The fleet does not serve; the message is for a FailureReason."""


class _Variant:
    def __init__(self, definition: dict[str, Any], folder: Path) -> None:
        self.name: str = definition["VariantName"]
        self.weight = float(definition.get("InitialVariantWeight", 1))
        self.start_seconds = int(definition.get("ContainerStartupHealthCheckTimeoutInSeconds", _DEFAULT_START_SECONDS))
        self.folder = folder
        self.port = 0
        self.process: ContainerProcess | None = None
        self.shipping: LogShipping | None = None


class ServingFleet:
    """`start` returns when every variant answers its health check; `stop` first lets running invocations end."""

    def __init__(
        self,
        *,
        endpoint_name: str,
        variants: list[dict[str, Any]],
        models: Mapping[str, dict[str, Any]],
        surroundings: Surroundings,
    ) -> None:
        self._endpoint_name = endpoint_name
        self._models = {variant["VariantName"]: models[variant["ModelName"]] for variant in variants}
        self._surroundings = surroundings
        self._folder = surroundings.work_folder / "endpoints" / f"{endpoint_name}-{uuid.uuid4().hex[:8]}"
        self._variants = [_Variant(variant, self._folder / variant["VariantName"]) for variant in variants]
        self._running = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Raises FleetError, having ended what it had started."""
        try:
            for variant in self._variants:
                self._launch(variant)
            for variant in self._variants:
                self._wait_until_healthy(variant)
        except (ImageError, TransferError, OSError) as error:
            self.stop()
            raise FleetError(str(error)) from error
        except FleetError:
            self.stop()
            raise

    def _launch(self, variant: _Variant) -> None:
        container = self._models[variant.name]["PrimaryContainer"]
        (variant.folder / "model").mkdir(parents=True)
        if "ModelDataUrl" in container:
            unpack(container["ModelDataUrl"], variant.folder / "model")
        variant.port = free_port()
        command = self._surroundings.engine.command(
            ContainerRequest(
                image_uri=container["Image"],
                arguments=("serve",),
                environment={**self._surroundings.aws_environment, **container.get("Environment", {})},
                base_folder=variant.folder,
                port=variant.port,
            )
        )
        variant.process = ContainerProcess(
            command, log=variant.folder / "log.txt", registry=self._surroundings.registry
        )
        variant.shipping = LogShipping(
            variant.folder / "log.txt",
            group=f"/aws/sagemaker/Endpoints/{self._endpoint_name}",
            stream=f"{variant.name}/{self._folder.name}",
        )

    def _wait_until_healthy(self, variant: _Variant) -> None:
        assert variant.process is not None
        deadline = time.monotonic() + variant.start_seconds
        while time.monotonic() < deadline and variant.process.poll() is None:
            if self._ping(variant):
                return
            time.sleep(0.05)
        ended = variant.process.poll()
        raise FleetError(
            f"The primary container for production variant {variant.name} did not pass the ping health check. Please "
            "check CloudWatch logs for this endpoint. "
            + ("" if ended is None else f"The program ended with exit code {ended}. ")
            + f"The log ends with: {variant.process.log_tail() or '(nothing)'}"
        )

    def _ping(self, variant: _Variant) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", variant.port, timeout=2)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def invoke(
        self, body: bytes, headers: Mapping[str, str], *, target: str | None
    ) -> tuple[str, int, dict[str, str], bytes]:
        """The variant that answered, its status, headers (names in lower case) and body; 504 where it is too slow."""
        variant = self._choose(target)
        with self._idle:
            self._running += 1
        connection = http.client.HTTPConnection("127.0.0.1", variant.port, timeout=_INVOCATION_SECONDS)
        try:
            connection.request("POST", "/invocations", body, dict(headers))
            answer = connection.getresponse()
            return (
                variant.name,
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )
        except TimeoutError:
            return variant.name, 504, {}, b"Your invocation timed out while waiting for a response from container."
        except (OSError, http.client.HTTPException) as error:
            return variant.name, 502, {}, f"the container does not answer: {error}".encode()
        finally:
            connection.close()
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _choose(self, target: str | None) -> _Variant:
        if target is not None:
            return next(variant for variant in self._variants if variant.name == target)
        weights = [variant.weight for variant in self._variants]
        if sum(weights) <= 0:
            return self._variants[0]
        return random.choices(self._variants, weights)[0]

    def has_variant(self, name: str) -> bool:
        return any(variant.name == name for variant in self._variants)

    def stop(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout=_DRAIN_SECONDS)
        for variant in self._variants:
            if variant.process is not None:
                variant.process.stop()
            if variant.shipping is not None:
                variant.shipping.stop()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
