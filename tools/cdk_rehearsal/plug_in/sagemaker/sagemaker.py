"""SageMaker's API: the control plane's operations and the runtime's InvokeEndpoint."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import unquote

from ministack.core.concurrency import run_offloop

from cdk_rehearsal.plug_in.aws_error import AwsError, validation_error
from cdk_rehearsal.plug_in.json_service import Answer, JsonService, json_answer
from cdk_rehearsal.plug_in.sagemaker.endpoints import Endpoints
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import object_exists
from cdk_rehearsal.plug_in.sagemaker.named_resources import NamedResources
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings
from cdk_rehearsal.plug_in.sagemaker.training_job import TrainingJob

_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_PASSED_ON = ("content-type", "accept", _ATTRIBUTES, "x-amzn-sagemaker-inference-id")


class SageMaker:
    """`handle` is the service as ministack calls it; `call` one operation of it, for Step Functions."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._jobs: dict[str, TrainingJob] = {}
        self._jobs_lock = threading.Lock()
        self._models = NamedResources(
            prefix="Model", kind="model", arn_kind="model", surroundings=surroundings, check=_check_model
        )
        self._configurations = NamedResources(
            prefix="EndpointConfig",
            kind="endpoint configuration",
            arn_kind="endpoint-config",
            surroundings=surroundings,
            check=self._check_configuration,
        )
        self._endpoints = Endpoints(models=self._models, configurations=self._configurations, surroundings=surroundings)
        self._control_plane = JsonService(
            "sagemaker",
            {
                "CreateTrainingJob": self._create_training_job,
                "DescribeTrainingJob": lambda request: self._job(request).describe(),
                "StopTrainingJob": self._stop_training_job,
                "ListTrainingJobs": self._list_training_jobs,
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
            answer: Answer = await run_offloop(self._invoke, unquote(path.split("/")[2]), headers, body)
            return answer
        return await self._control_plane.handle(method, path, headers, body, query)

    def _create_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        if "TrainingImage" not in request.get("AlgorithmSpecification", {}):
            raise validation_error("No training image is given in AlgorithmSpecification.")
        with self._jobs_lock:
            if name in self._jobs:
                raise AwsError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({self._jobs[name].arn})",
                )
            self._jobs[name] = TrainingJob(request, self._surroundings)
        return {"TrainingJobArn": self._jobs[name].arn}

    def _stop_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request)
        if not job.in_progress:
            raise validation_error(
                f"The request was rejected because the training job is in status {job.describe()['TrainingJobStatus']}."
            )
        job.stop()
        return {}

    def _list_training_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        contained = request.get("NameContains", "")
        wanted = request.get("StatusEquals")
        described = [job.describe() for name, job in list(self._jobs.items()) if contained in name]
        members = ("TrainingJobName", "TrainingJobArn", "CreationTime", "LastModifiedTime", "TrainingJobStatus")
        found = [
            {member: job[member] for member in members}
            for job in described
            if wanted in (None, job["TrainingJobStatus"])
        ]
        return {"TrainingJobSummaries": sorted(found, key=lambda job: job["CreationTime"], reverse=True)}

    def _job(self, request: dict[str, Any]) -> TrainingJob:
        job = self._jobs.get(request["TrainingJobName"])
        if job is None:
            raise validation_error("Requested resource not found.")
        return job

    def _check_configuration(self, request: dict[str, Any]) -> None:
        for variant in request["ProductionVariants"]:
            if "ModelName" not in variant:
                raise validation_error(f'Production variant "{variant["VariantName"]}" names no model.')
            self._models.find(variant["ModelName"])

    def _invoke(self, endpoint_name: str, headers: dict[str, str], body: bytes) -> Answer:
        surroundings = self._surroundings
        fleet = self._endpoints.serving(endpoint_name)
        if fleet is None:
            return _runtime_error(
                400, "ValidationError", f"Endpoint {endpoint_name} of account {surroundings.account} not found."
            )
        target = headers.get("x-amzn-sagemaker-target-variant")
        if target is not None and not fleet.has_variant(target):
            return _runtime_error(400, "ValidationError", f"Variant {target} not found.")
        passed_on = {name: headers[name] for name in _PASSED_ON if name in headers}
        variant, status, answered, answer = fleet.invoke(body, passed_on, target=target)
        if status >= 400:
            return self._model_error(endpoint_name, status, answer.decode(errors="replace"))
        own = {
            # In lower case, for ministack rewrites "Content-Type" to what the control plane answers.
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


def _check_model(request: dict[str, Any]) -> None:
    container = request.get("PrimaryContainer")
    if container is None or "Image" not in container:
        raise validation_error("The embedded AWS serves models of one container: give PrimaryContainer with an Image.")
    url = container.get("ModelDataUrl")
    if url is not None and not object_exists(url):
        raise validation_error(f"Could not find model data at {url}.")


def _runtime_error(status: int, code: str, message: str, **members: Any) -> Answer:
    return json_answer(status, {"Message": message, **members}, {"x-amzn-ErrorType": code})
