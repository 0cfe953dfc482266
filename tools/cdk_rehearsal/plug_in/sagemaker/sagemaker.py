"""SageMaker's API: control plane operations and the runtime's InvokeEndpoint."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any
from urllib.parse import unquote

from cdk_rehearsal.plug_in.aws_error import validation_error
from cdk_rehearsal.plug_in.json_service import Answer, JsonService, json_answer
from cdk_rehearsal.plug_in.sagemaker.endpoints import Endpoints, IsRegistered
from cdk_rehearsal.plug_in.sagemaker.jobs import Jobs
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import object_seen
from cdk_rehearsal.plug_in.sagemaker.model_server import container_of, model_data_of
from cdk_rehearsal.plug_in.sagemaker.named_resources import NamedResources
from cdk_rehearsal.plug_in.sagemaker.processing_job import ProcessingJob
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings
from cdk_rehearsal.plug_in.sagemaker.training_job import TrainingJob
from cdk_rehearsal.plug_in.sagemaker.transform_job import TransformJob

_INVOCATIONS = 64
_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_PASSED_ON = ("content-type", "accept", _ATTRIBUTES, "x-amzn-sagemaker-inference-id")


class SageMaker:
    """`handle` is the entry point for ministack; `call` runs one operation, for Step Functions."""

    def __init__(self, surroundings: Surroundings, *, is_registered: IsRegistered) -> None:
        self._surroundings = surroundings
        missing = "Could not find requested job with name: {name}"
        training_jobs = Jobs(
            kind="TrainingJob",
            words="training job",
            missing="Requested resource not found.",
            make=self._make_training_job,
        )
        transform_jobs = Jobs(
            kind="TransformJob", words="transform job", missing=missing, make=self._make_transform_job
        )
        processing_jobs = Jobs(
            kind="ProcessingJob",
            words="processing job",
            missing=missing,
            make=self._make_processing_job,
        )
        self._models = NamedResources(
            prefix="Model", kind="model", arn_kind="model", surroundings=surroundings, check=self._check_model
        )
        self._configurations = NamedResources(
            prefix="EndpointConfig",
            kind="endpoint configuration",
            arn_kind="endpoint-config",
            surroundings=surroundings,
            check=self._check_configuration,
        )
        self._endpoints = Endpoints(
            models=self._models,
            configurations=self._configurations,
            surroundings=surroundings,
            is_registered=is_registered,
        )
        # Separate threads: requests that wait for a slow model must not block other services.
        self._invocations = concurrent.futures.ThreadPoolExecutor(_INVOCATIONS, thread_name_prefix="invocation")
        self._control_plane = JsonService(
            "sagemaker",
            {
                **training_jobs.operations(),
                **transform_jobs.operations(),
                **processing_jobs.operations(),
                "CreateModel": self._models.create,
                "DescribeModel": self._models.describe,
                "ListModels": self._models.list,
                "DeleteModel": self._models.delete,
                "CreateEndpointConfig": self._configurations.create,
                "DescribeEndpointConfig": self._configurations.describe,
                "ListEndpointConfigs": self._configurations.list,
                "DeleteEndpointConfig": self._configurations.delete,
                "CreateEndpoint": self._endpoints.create,
                "UpdateEndpoint": self._endpoints.update,
                "UpdateEndpointWeightsAndCapacities": self._endpoints.update_weights_and_capacities,
                "DescribeEndpoint": self._endpoints.describe,
                "ListEndpoints": self._endpoints.list,
                "DeleteEndpoint": self._endpoints.delete,
            },
        )
        self.call = self._control_plane.call

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        if path.startswith("/endpoints/") and path.endswith("/invocations"):
            return await asyncio.get_running_loop().run_in_executor(
                self._invocations, self._invoke, unquote(path.split("/")[2]), headers, body
            )
        return await self._control_plane.handle(method, path, headers, body, query)

    def _make_training_job(self, request: dict[str, Any]) -> TrainingJob:
        if "TrainingImage" not in request.get("AlgorithmSpecification", {}):
            raise validation_error("No training image is given in AlgorithmSpecification.")
        return TrainingJob(request, self._surroundings)

    def _make_transform_job(self, request: dict[str, Any]) -> TransformJob:
        return TransformJob(request, self._surroundings, model=self._models.find(request["ModelName"]))

    def _make_processing_job(self, request: dict[str, Any]) -> ProcessingJob:
        source = self._surroundings.arn(ProcessingJob.ARN_KIND, request["ProcessingJobName"])
        role = self._surroundings.acting(request["RoleArn"], source=source)
        return ProcessingJob(request, self._surroundings, role=role)

    def _check_model(self, request: dict[str, Any]) -> None:
        container = container_of(request)
        if "Image" not in container or len(request.get("Containers", [])) > 1:
            raise validation_error(
                "The embedded AWS serves models of one container: give PrimaryContainer with an Image."
            )
        if "ExecutionRoleArn" not in request:
            raise validation_error("The embedded AWS serves models in a role: give ExecutionRoleArn.")
        source = self._surroundings.arn("model", request["ModelName"])
        role = self._surroundings.acting(request["ExecutionRoleArn"], source=source)
        url = model_data_of(container)
        seen = object_seen(url, role=role) if url is not None else "there"
        if seen == "absent":
            # https://github.com/aws/aws-step-functions-data-science-sdk-python/issues/61
            raise validation_error(f"Could not find model data at {url}.")
        if seen == "denied":
            raise validation_error(
                f'Could not access model data at {url}. Please ensure that the role "{role.arn}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the '
                f"object is located in {self._surroundings.region}."
            )

    def _check_configuration(self, request: dict[str, Any]) -> None:
        for variant in [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]:
            if "ModelName" not in variant:
                raise validation_error(f'Production variant "{variant["VariantName"]}" names no model.')
            self._models.find(variant["ModelName"])

    def _invoke(self, endpoint_name: str, headers: dict[str, str], body: bytes) -> Answer:
        surroundings = self._surroundings
        with self._endpoints.route(endpoint_name) as fleet:
            if fleet is None:
                return _runtime_error(
                    400, "ValidationError", f"Endpoint {endpoint_name} of account {surroundings.account} not found."
                )
            target = headers.get("x-amzn-sagemaker-target-variant")
            if target is not None and fleet.find(target) is None:
                return _runtime_error(400, "ValidationError", f"Variant {target} not found.")
            passed_on = {name: headers[name] for name in _PASSED_ON if name in headers}
            variant, status, answered, answer = fleet.invoke(body, passed_on, target=target)
        if status >= 400:
            return self._model_error(endpoint_name, status, answer.decode(errors="replace"))
        own = {
            # In lower case, because ministack replaces "Content-Type" by that of the control plane.
            "content-type": answered.get("content-type", "application/octet-stream"),
            "x-Amzn-Invoked-Production-Variant": variant,
        }
        if _ATTRIBUTES in answered:
            own["X-Amzn-SageMaker-Custom-Attributes"] = answered[_ATTRIBUTES]
        return 200, own, answer

    def _model_error(self, endpoint_name: str, status: int, message: str) -> Answer:
        where = self._surroundings
        kind = "client error" if status < 500 else "server error"
        group = f"/aws/sagemaker/Endpoints/{endpoint_name}"
        said = (
            f'Received {kind} ({status}) from primary with message "{message}". See '
            f"https://{where.region}.console.aws.amazon.com/cloudwatch/home?region={where.region}#logEventViewer:"
            f"group={group} in account {where.account} for more information."
        )
        return _runtime_error(
            424,
            "ModelError",
            said,
            OriginalStatusCode=status,
            OriginalMessage=message,
            LogStreamArn=f"arn:aws:logs:{where.region}:{where.account}:log-group:{group}",
        )


def _runtime_error(status: int, code: str, message: str, **members: Any) -> Answer:
    return json_answer(status, {"Message": message, **members}, {"x-amzn-ErrorType": code})
