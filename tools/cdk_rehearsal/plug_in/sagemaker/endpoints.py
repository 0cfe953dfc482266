"""Endpoints: created, updated blue/green, rolled back, deleted."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.permissions.needs.acting import endpoint_role_needs
from cdk_rehearsal.plug_in.aws_error import validation_error
from cdk_rehearsal.plug_in.events.state_change_events import put_state_change
from cdk_rehearsal.plug_in.iam import AccessDeniedError
from cdk_rehearsal.plug_in.sagemaker.deployment import Deployment, DeploymentStoppedError
from cdk_rehearsal.plug_in.sagemaker.endpoint_metrics import EndpointMetrics
from cdk_rehearsal.plug_in.sagemaker.listing import listed
from cdk_rehearsal.plug_in.sagemaker.named_resources import NamedResources
from cdk_rehearsal.plug_in.sagemaker.serving_fleet import FleetError, ServingFleet, Variant
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings, is_not_seen
from cdk_rehearsal.plug_in.sagemaker.traffic import Traffic

_IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_EVENT_STATUS = {"InService": "IN_SERVICE", "RollingBack": "ROLLING_BACK"}
_FAULTS = (FleetError, DeploymentStoppedError, AccessDeniedError, ClientError, BotoCoreError)

IsRegistered = Callable[[str, str], bool]
"""Whether an endpoint's variant is a scalable target: such a variant cannot be removed or change its instance count."""


class _Endpoint:
    def __init__(self, name: str, configuration: str, fleet: ServingFleet) -> None:
        self.name = name
        self.configuration = configuration
        self.status = "Creating"
        self.reason = ""
        self.created = time.time()
        self.changed = self.created
        self.fleet = fleet
        self.traffic: Traffic | None = None
        self.deployment: dict[str, Any] | None = None
        self.pending: dict[str, Any] | None = None


class Endpoints:
    """An update starts the new programs, waits until they are healthy, shifts the traffic, and then stops the old ones.

    If the new ones do not become healthy or an alarm goes into ALARM during the shift, the old ones continue to serve
    and the endpoint is InService with its previous configuration. InService alone is no proof that an update succeeded.
    """

    def __init__(
        self,
        *,
        models: NamedResources,
        configurations: NamedResources,
        surroundings: Surroundings,
        is_registered: IsRegistered,
    ) -> None:
        self._models = models
        self._configurations = configurations
        self._surroundings = surroundings
        self._is_registered = is_registered
        self._metrics = EndpointMetrics()
        self._endpoints: dict[str, _Endpoint] = {}
        self._lock = threading.RLock()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        with self._lock:
            if name in self._endpoints:
                raise validation_error(f'Cannot create already existing endpoint "{self._arn(name)}".')
            fleet = self._make_fleet(name, request["EndpointConfigName"])
            endpoint = _Endpoint(name, request["EndpointConfigName"], fleet)
            endpoint.deployment = request.get("DeploymentConfig")
            self._endpoints[name] = endpoint
        self._in_background(self._bring_up, endpoint, request)
        return {"EndpointArn": self._arn(name)}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            endpoint = self._find(request["EndpointName"])
            self._refuse_in_progress(endpoint)
            self._refuse_failed(endpoint)
            fleet = self._make_fleet(endpoint.name, request["EndpointConfigName"])
            self._refuse_registered(endpoint, fleet)
            if request.get("RetainAllVariantProperties", False):
                _retain(endpoint.fleet, fleet, excluded=request.get("ExcludeRetainedVariantProperties", []))
            if not request.get("RetainDeploymentConfig", False):
                endpoint.deployment = request.get("DeploymentConfig")
            endpoint.pending = {"EndpointConfigName": request["EndpointConfigName"], "StartTime": time.time()}
            self._set(endpoint, "Updating")
        self._in_background(self._replace, endpoint, fleet, request)
        return {"EndpointArn": self._arn(endpoint.name)}

    def update_weights_and_capacities(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            endpoint = self._find(request["EndpointName"])
            self._refuse_in_progress(endpoint)
            self._refuse_failed(endpoint)
            changes = [(self._variant(endpoint, change), change) for change in request["DesiredWeightsAndCapacities"]]
            self._set(endpoint, "Updating")
        self._in_background(self._change_variants, endpoint, changes)
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
        with self._lock:
            summaries = [
                {
                    "EndpointName": endpoint.name,
                    "EndpointArn": self._arn(endpoint.name),
                    "CreationTime": endpoint.created,
                    "LastModifiedTime": endpoint.changed,
                    "EndpointStatus": endpoint.status,
                }
                for endpoint in self._endpoints.values()
            ]
        return listed(summaries, request, answer="Endpoints", prefix="Endpoint")

    @contextlib.contextmanager
    def route(self, name: str) -> Iterator[ServingFleet | None]:
        """The fleet for one invocation; None if the endpoint does not exist or has no fleet in service."""
        with self._lock:
            endpoint = self._endpoints.get(name)
            traffic = endpoint.traffic if endpoint else None
        if traffic is None:
            yield None
            return
        with traffic.route() as fleet:
            yield fleet

    def _bring_up(self, endpoint: _Endpoint, request: Mapping[str, Any]) -> None:
        try:
            self._require_role(request)
            endpoint.fleet.start()
        except _FAULTS as error:
            with self._lock:
                self._set(endpoint, "Failed", str(error))
            return
        with self._lock:
            endpoint.traffic = Traffic(endpoint.fleet)
            self._set(endpoint, "InService")

    def _replace(self, endpoint: _Endpoint, fleet: ServingFleet, request: Mapping[str, Any]) -> None:
        traffic, old = endpoint.traffic, endpoint.fleet
        assert traffic is not None
        try:
            self._require_role(request)
            fleet.start()
            deployment = Deployment(
                endpoint.deployment or {},
                instances=sum(variant.instances or 1 for variant in fleet.variants),
                wait_scale=self._surroundings.wait_scale,
                before_each_look=self._metrics.flush,
            )
            deployment.run(lambda part: traffic.shift(fleet, part))
        except _FAULTS as error:
            traffic.settle(old)
            with self._lock:
                endpoint.pending = None
                self._set(endpoint, "RollingBack", str(error))
            fleet.stop()
            with self._lock:
                self._set(endpoint, "InService", str(error))
            return
        traffic.settle(fleet)
        old.stop()
        with self._lock:
            endpoint.fleet = fleet
            endpoint.configuration = fleet.configuration
            endpoint.pending = None
            self._set(endpoint, "InService")

    def _require_role(self, request: Mapping[str, Any]) -> None:
        permissions = self._surroundings.permissions
        asked = endpoint_role_needs(request, world=permissions.world)
        permissions.require_acting(filter(is_not_seen, asked), operation="sagemaker:endpoint")

    def _change_variants(self, endpoint: _Endpoint, changes: Sequence[tuple[Variant, Mapping[str, Any]]]) -> None:
        with self._lock:
            for variant, change in changes:
                variant.weight = float(change.get("DesiredWeight", variant.weight))
                variant.instances = change.get("DesiredInstanceCount", variant.instances)
            self._set(endpoint, "InService")

    def _take_down(self, endpoint: _Endpoint) -> None:
        with self._lock:
            traffic, endpoint.traffic = endpoint.traffic, None
        if traffic is not None:
            endpoint.fleet.stop()
        with self._lock:
            self._tell(endpoint, "DELETED")
            del self._endpoints[endpoint.name]

    def _make_fleet(self, name: str, configuration_name: str) -> ServingFleet:
        configuration = self._configurations.find(configuration_name)
        variants = [*configuration["ProductionVariants"], *configuration.get("ShadowProductionVariants", [])]
        return ServingFleet(
            endpoint_name=name,
            configuration=configuration,
            models={variant["ModelName"]: self._models.find(variant["ModelName"]) for variant in variants},
            surroundings=self._surroundings,
            metrics=self._metrics,
        )

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
        if endpoint.pending:
            answer["PendingDeploymentSummary"] = endpoint.pending
        if endpoint.traffic is None:
            return answer
        fleet = endpoint.fleet
        answer["ProductionVariants"] = [variant.summary() for variant in fleet.variants]
        if fleet.shadows:
            answer["ShadowProductionVariants"] = [variant.summary() for variant in fleet.shadows]
        if (capture := fleet.capture_configuration) and fleet.captures:
            answer["DataCaptureConfig"] = {
                "EnableCapture": True,
                "CaptureStatus": "Started",
                "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                "DestinationS3Uri": capture["DestinationS3Uri"],
                "KmsKeyId": capture.get("KmsKeyId", ""),
            }
        return answer

    def _find(self, name: str) -> _Endpoint:
        if name not in self._endpoints:
            raise validation_error(f'Could not find endpoint "{self._arn(name)}".')
        return self._endpoints[name]

    def _variant(self, endpoint: _Endpoint, change: Mapping[str, Any]) -> Variant:
        variant = endpoint.fleet.find(change["VariantName"])
        if variant is None:
            raise validation_error(
                f'The variant name(s) "{change["VariantName"]}" is/are not present within endpoint configuration '
                f'"{endpoint.configuration}".'
            )
        return variant

    def _refuse_in_progress(self, endpoint: _Endpoint) -> None:
        if endpoint.status in _IN_PROGRESS:
            raise validation_error(f'Cannot update in-progress endpoint "{self._arn(endpoint.name)}".')

    def _refuse_failed(self, endpoint: _Endpoint) -> None:
        if endpoint.status == "Failed":
            raise validation_error(
                f'Cannot update failed endpoint "{self._arn(endpoint.name)}": it can only be deleted.'
            )

    def _refuse_registered(self, endpoint: _Endpoint, fleet: ServingFleet) -> None:
        named = []
        for variant in endpoint.fleet.variants:
            new = fleet.find(variant.name)
            changed = new is None or new.instance_type != variant.instance_type
            if changed and self._is_registered(endpoint.name, variant.name):
                named.append(variant.name)
        if named:
            raise validation_error(
                f'The variant(s) "[{", ".join(named)}]" must be deregistered as scalable targets with AWS Auto Scaling '
                "before they can be removed or have their instance type updated."
            )

    def _set(self, endpoint: _Endpoint, status: str, reason: str = "") -> None:
        endpoint.status = status
        endpoint.reason = reason[:1024]
        endpoint.changed = time.time()
        self._tell(endpoint, _EVENT_STATUS.get(status, status.upper()))

    def _tell(self, endpoint: _Endpoint, status: str) -> None:
        put_state_change(
            "Endpoint",
            {**self._description(endpoint), "EndpointStatus": status},
            operation="DescribeEndpoint",
            resource=self._arn(endpoint.name),
        )

    def _arn(self, name: str) -> str:
        return self._surroundings.arn("endpoint", name)

    def _in_background(self, work: Any, endpoint: _Endpoint, *arguments: Any) -> None:
        threading.Thread(
            target=work, args=(endpoint, *arguments), name=f"endpoint {endpoint.name}", daemon=True
        ).start()


def _retain(old: ServingFleet, new: ServingFleet, *, excluded: list[dict[str, str]]) -> None:
    """Keeps the current weights and instance counts instead of those of the new configuration."""
    left_out = {item["VariantPropertyType"] for item in excluded}
    for variant in new.variants:
        known = old.find(variant.name)
        if known is None:
            continue
        if "DesiredWeight" not in left_out:
            variant.weight = known.weight
        if "DesiredInstanceCount" not in left_out and known.instances is not None:
            variant.instances = known.instances
