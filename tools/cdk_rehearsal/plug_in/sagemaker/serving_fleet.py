"""The programs that serve one endpoint configuration: one per production and shadow variant."""

from __future__ import annotations

import concurrent.futures
import random
import shutil
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.plug_in.sagemaker.data_capture import DataCapture
from cdk_rehearsal.plug_in.sagemaker.endpoint_metrics import EndpointMetrics, Invocation
from cdk_rehearsal.plug_in.sagemaker.model_server import (
    INVOCATION_SECONDS,
    ModelServer,
    ServingError,
    container_of,
)
from cdk_rehearsal.plug_in.sagemaker.share import Share
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings

_DEFAULT_START_SECONDS = 120
_SHADOW_REQUESTS = 4


class FleetError(Exception):
    """The fleet does not serve; the message is for a FailureReason."""


class Variant:
    """One program serves it, whatever its instance count; `weight` and `instances` are the current values."""

    def __init__(self, definition: dict[str, Any], *, server: ModelServer, image: str) -> None:
        self.name: str = definition["VariantName"]
        self.instance_type: str | None = definition.get("InstanceType")
        self.serverless: dict[str, Any] | None = definition.get("ServerlessConfig")
        self.weight = float(definition.get("InitialVariantWeight", 1))
        self.instances: int | None = definition.get("InitialInstanceCount")
        self.start_seconds = int(definition.get("ContainerStartupHealthCheckTimeoutInSeconds", _DEFAULT_START_SECONDS))
        self.server = server
        self._image = image

    def summary(self) -> dict[str, Any]:
        """The variant in DescribeEndpoint's response."""
        summary: dict[str, Any] = {
            "VariantName": self.name,
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            "DeployedImages": [{"SpecifiedImage": self._image, "ResolvedImage": self._image}],
        }
        if self.serverless is not None:
            return {**summary, "CurrentServerlessConfig": self.serverless}
        if self.instances is not None:
            summary |= {"CurrentInstanceCount": self.instances, "DesiredInstanceCount": self.instances}
        return summary


class ServingFleet:
    """`start` returns when every variant answers its health check; `stop` first lets running invocations end."""

    def __init__(
        self,
        *,
        endpoint_name: str,
        configuration: dict[str, Any],
        models: Mapping[str, dict[str, Any]],
        surroundings: Surroundings,
        metrics: EndpointMetrics,
    ) -> None:
        self.configuration: str = configuration["EndpointConfigName"]
        self._endpoint_name = endpoint_name
        self._models = models
        self._surroundings = surroundings
        self._metrics = metrics
        self._folder = surroundings.work_folder / "endpoints" / f"{endpoint_name}-{uuid.uuid4().hex[:8]}"
        self.variants = [self._variant(definition) for definition in configuration["ProductionVariants"]]
        self.shadows = [self._variant(definition) for definition in configuration.get("ShadowProductionVariants", [])]
        self.capture_configuration: dict[str, Any] = configuration.get("DataCaptureConfig", {})
        self._capture: DataCapture | None = None
        weight = sum(variant.weight for variant in self.variants) or 1.0
        self._shadow_shares = [Share(min(1.0, shadow.weight / weight)) for shadow in self.shadows]
        self._copies = concurrent.futures.ThreadPoolExecutor(_SHADOW_REQUESTS) if self.shadows else None
        self._running = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Raises FleetError after stopping the programs it had started."""
        every = [*self.variants, *self.shadows]
        variant = every[0]
        try:
            for variant in every:
                variant.server.launch()
            for variant in every:
                variant.server.wait_until_healthy(variant.start_seconds)
        except ServingError as error:
            self.stop()
            raise FleetError(
                f"The primary container for production variant {variant.name} did not pass the ping health check. "
                f"Please check CloudWatch logs for this endpoint. {error}"
            ) from error
        if self.capture_configuration.get("EnableCapture", bool(self.capture_configuration)):
            self._capture = DataCapture(
                self.capture_configuration, endpoint_name=self._endpoint_name, role=every[0].server.role
            )

    @property
    def captures(self) -> bool:
        return self._capture is not None

    def find(self, name: str) -> Variant | None:
        return next((variant for variant in self.variants if variant.name == name), None)

    def enter(self) -> None:
        """Registers an invocation; `leave` ends it."""
        with self._idle:
            self._running += 1

    def leave(self) -> None:
        with self._idle:
            self._running -= 1
            self._idle.notify_all()

    def invoke(
        self, body: bytes, headers: Mapping[str, str], *, target: str | None
    ) -> tuple[str, int, dict[str, str], bytes]:
        """Returns the variant, status, headers (names in lower case) and body. Call it between `enter` and `leave`."""
        began = time.monotonic()
        variant = self._choose(target)
        asked = time.monotonic()
        status, answered, answer = variant.server.invoke(body, headers)
        done = time.monotonic()
        if self._copies is not None:
            for shadow, share in zip(self.shadows, self._shadow_shares, strict=True):
                if share.take():
                    self._copies.submit(shadow.server.invoke, body, dict(headers))
        if self._capture is not None:
            self._capture.take(
                variant=variant.name,
                request=body,
                request_type=headers.get("content-type", ""),
                answer=answer,
                answer_type=answered.get("content-type", ""),
                status=status,
            )
        self._metrics.record(
            Invocation(
                endpoint=self._endpoint_name,
                configuration=self.configuration,
                variant=variant.name,
                status=status,
                model_us=(done - asked) * 1e6,
                overhead_us=(asked - began + time.monotonic() - done) * 1e6,
            )
        )
        return variant.name, status, answered, answer

    def _choose(self, target: str | None) -> Variant:
        if target is not None:
            return next(variant for variant in self.variants if variant.name == target)
        weights = [variant.weight for variant in self.variants]
        if sum(weights) <= 0:
            return self.variants[0]
        return random.choices(self.variants, weights)[0]  # nosec B311  # chooses the variant

    def stop(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout=INVOCATION_SECONDS)
        if self._copies is not None:
            self._copies.shutdown(cancel_futures=True)
        for variant in (*self.variants, *self.shadows):
            variant.server.stop()
        if self._capture is not None:
            self._capture.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _variant(self, definition: dict[str, Any]) -> Variant:
        name, model = definition["VariantName"], self._models[definition["ModelName"]]
        server = ModelServer(
            model=model,
            folder=self._folder / name,
            surroundings=self._surroundings,
            role=self._surroundings.acting(
                model["ExecutionRoleArn"], source=self._surroundings.arn("endpoint", self._endpoint_name)
            ),
            log_group=f"/aws/sagemaker/Endpoints/{self._endpoint_name}",
            log_stream=f"{name}/{self._folder.name}",
            environment={},
        )
        return Variant(definition, server=server, image=container_of(model)["Image"])
