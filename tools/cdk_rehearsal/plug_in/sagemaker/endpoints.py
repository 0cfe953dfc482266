"""Endpoints: created, updated blue/green, rolled back, deleted."""

from __future__ import annotations

import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.plug_in.aws_error import validation_error
from cdk_rehearsal.plug_in.sagemaker.named_resources import NamedResources
from cdk_rehearsal.plug_in.sagemaker.serving_fleet import FleetError, ServingFleet
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings

_IN_PROGRESS = ("Creating", "Updating", "RollingBack", "Deleting")


class _Endpoint:
    def __init__(self, name: str, configuration: str) -> None:
        self.name = name
        self.configuration = configuration
        self.status = "Creating"
        self.reason = ""
        self.created = time.time()
        self.changed = self.created
        self.fleet: ServingFleet | None = None
        self.deployment: dict[str, Any] | None = None


class Endpoints:
    """An update starts the new programs, waits for them to be healthy, switches, and only then stops the old ones.

    Where the new ones do not become healthy, the old ones go on serving and the endpoint is InService again with the
    configuration it had: that is why InService alone proves nothing about an update.
    """

    def __init__(self, *, models: NamedResources, configurations: NamedResources, surroundings: Surroundings) -> None:
        self._models = models
        self._configurations = configurations
        self._surroundings = surroundings
        self._endpoints: dict[str, _Endpoint] = {}
        self._lock = threading.RLock()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        with self._lock:
            if name in self._endpoints:
                raise validation_error(f'Cannot create already existing endpoint "{self._arn(name)}".')
            fleet = self._fleet(name, request["EndpointConfigName"])
            endpoint = _Endpoint(name, request["EndpointConfigName"])
            self._endpoints[name] = endpoint
        self._in_background(self._bring_up, endpoint, fleet)
        return {"EndpointArn": self._arn(name)}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            endpoint = self._find(request["EndpointName"])
            self._refuse_in_progress(endpoint)
            fleet = self._fleet(endpoint.name, request["EndpointConfigName"])
            endpoint.deployment = request.get("DeploymentConfig")
            self._set(endpoint, "Updating")
        self._in_background(self._replace, endpoint, fleet, request["EndpointConfigName"])
        return {"EndpointArn": self._arn(endpoint.name)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            endpoint = self._find(request["EndpointName"])
            self._refuse_in_progress(endpoint)
            self._set(endpoint, "Deleting")
        self._in_background(self._take_down, endpoint)
        return {}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return self._description(self._find(request["EndpointName"]))

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        contained = request.get("NameContains", "")
        wanted = request.get("StatusEquals")
        with self._lock:
            found = [
                {
                    "EndpointName": endpoint.name,
                    "EndpointArn": self._arn(endpoint.name),
                    "CreationTime": endpoint.created,
                    "LastModifiedTime": endpoint.changed,
                    "EndpointStatus": endpoint.status,
                }
                for endpoint in self._endpoints.values()
                if contained in endpoint.name and wanted in (None, endpoint.status)
            ]
        return {"Endpoints": sorted(found, key=lambda item: item["CreationTime"], reverse=True)}

    def serving(self, name: str) -> ServingFleet | None:
        """What answers the endpoint's invocations now; None where there is no such endpoint or nothing serves."""
        with self._lock:
            endpoint = self._endpoints.get(name)
            return endpoint.fleet if endpoint else None

    def _bring_up(self, endpoint: _Endpoint, fleet: ServingFleet) -> None:
        try:
            fleet.start()
        except (FleetError, ClientError, BotoCoreError) as error:
            with self._lock:
                self._set(endpoint, "Failed", str(error))
            return
        with self._lock:
            endpoint.fleet = fleet
            self._set(endpoint, "InService")

    def _replace(self, endpoint: _Endpoint, fleet: ServingFleet, configuration: str) -> None:
        try:
            fleet.start()
        except (FleetError, ClientError, BotoCoreError) as error:
            with self._lock:
                self._set(endpoint, "RollingBack", str(error))
                self._set(endpoint, "InService" if endpoint.fleet else "Failed", str(error))
            return
        with self._lock:
            old, endpoint.fleet = endpoint.fleet, fleet
            endpoint.configuration = configuration
        if old is not None:
            old.stop()
        with self._lock:
            self._set(endpoint, "InService")

    def _take_down(self, endpoint: _Endpoint) -> None:
        fleet, endpoint.fleet = endpoint.fleet, None
        if fleet is not None:
            fleet.stop()
        with self._lock:
            del self._endpoints[endpoint.name]

    def _fleet(self, name: str, configuration_name: str) -> ServingFleet:
        configuration = self._configurations.find(configuration_name)
        variants = configuration["ProductionVariants"]
        models = {variant["ModelName"]: self._models.find(variant["ModelName"]) for variant in variants}
        return ServingFleet(endpoint_name=name, variants=variants, models=models, surroundings=self._surroundings)

    def _description(self, endpoint: _Endpoint) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "EndpointName": endpoint.name,
            "EndpointArn": self._arn(endpoint.name),
            "EndpointConfigName": endpoint.configuration,
            "EndpointStatus": endpoint.status,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.changed,
        }
        if endpoint.reason:
            answer["FailureReason"] = endpoint.reason
        if endpoint.deployment:
            answer["LastDeploymentConfig"] = endpoint.deployment
        if endpoint.fleet is not None and self._configurations.has(endpoint.configuration):
            answer["ProductionVariants"] = [
                _variant_summary(variant, self._models)
                for variant in self._configurations.find(endpoint.configuration)["ProductionVariants"]
            ]
        return answer

    def _find(self, name: str) -> _Endpoint:
        if name not in self._endpoints:
            raise validation_error(f'Could not find endpoint "{self._arn(name)}".')
        return self._endpoints[name]

    def _refuse_in_progress(self, endpoint: _Endpoint) -> None:
        if endpoint.status in _IN_PROGRESS:
            raise validation_error(f'Cannot update in-progress endpoint "{self._arn(endpoint.name)}".')

    def _set(self, endpoint: _Endpoint, status: str, reason: str = "") -> None:
        endpoint.status = status
        endpoint.reason = reason[:1024]
        endpoint.changed = time.time()

    def _arn(self, name: str) -> str:
        return self._surroundings.arn("endpoint", name)

    def _in_background(self, work: Any, endpoint: _Endpoint, *arguments: Any) -> None:
        threading.Thread(
            target=work, args=(endpoint, *arguments), name=f"endpoint {endpoint.name}", daemon=True
        ).start()


def _variant_summary(variant: dict[str, Any], models: NamedResources) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "VariantName": variant["VariantName"],
        "CurrentWeight": float(variant.get("InitialVariantWeight", 1)),
        "DesiredWeight": float(variant.get("InitialVariantWeight", 1)),
    }
    if "InitialInstanceCount" in variant:
        summary |= {
            "CurrentInstanceCount": variant["InitialInstanceCount"],
            "DesiredInstanceCount": variant["InitialInstanceCount"],
        }
    if models.has(variant["ModelName"]):
        image = models.find(variant["ModelName"])["PrimaryContainer"]["Image"]
        summary["DeployedImages"] = [{"SpecifiedImage": image, "ResolvedImage": image}]
    return summary
