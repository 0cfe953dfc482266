"""The resources of an endpoint's releases in SageMaker, S3 and IAM; makes missing ones again from a record."""

import os
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from rollback_decision import Release

NOT_SERVING = frozenset({"Creating", "Deleting", "Failed", "OutOfService"})


class UnknownEndpointError(Exception):
    """The endpoint serves something that no rollback could restore; the message says what it is and what to do."""


class NotMadeAgainError(Exception):
    """A missing model or endpoint configuration could not be made again; the message says why."""


class ReleaseResources:
    """One endpoint and the resources of its releases."""

    def __init__(self, client: Callable[[str], Any], tags: list[dict[str, str]] | None = None) -> None:
        self._client = client
        # Resources that are made again get the app's tags, as those of a release do.
        self._tags = {"Tags": tags} if tags else {}
        self._sagemaker = client("sagemaker")
        self._endpoint = os.environ["ENDPOINT_NAME"]

    def serves(self) -> str | None:
        """The configuration that serves, empty if SageMaker names none; None if the endpoint does not serve."""
        endpoint = _unless_missing(lambda: self._sagemaker.describe_endpoint(EndpointName=self._endpoint))
        if endpoint is None or endpoint["EndpointStatus"] in NOT_SERVING:
            return None
        return str(endpoint.get("EndpointConfigName", ""))

    def may_be_release(self, configuration: str) -> bool:
        """Whether a configuration has the name of a release of this endpoint."""
        return configuration.startswith(f"{self._endpoint}-")

    def parameter(self) -> str | None:
        """The release that the SSM parameter names."""
        ssm = self._client("ssm")
        try:
            return str(ssm.get_parameter(Name=os.environ["CURRENT_PARAMETER"])["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            return None

    def of(self, record: dict[str, Any]) -> Release:
        """The resources of a release with a record. They are not looked up if no rollback can choose the release."""
        name, configuration = record["release"], record.get("endpoint_configuration", record["release"])
        release = {
            "name": name,
            "configuration_name": configuration,
            "outcome": record["outcome"],
            "cleaning": "cleaning" in record,
        }
        if not Release(**release).served:
            return Release(**release)
        return Release(**release, **self._parts(configuration, record.get("model", name), record))

    def unrecorded(self, name: str) -> Release:
        """The resources of a release whose record is gone: they have the release's name."""
        configuration = self._configuration(name)
        model = _model_of(configuration) or name
        return Release(name=name, configuration_name=name, outcome=None, **self._parts(name, model, {}))

    def record_of(self, name: str) -> dict[str, Any]:
        """The record's attributes for the release with the endpoint configuration `name`; only the names if that is
        gone. Raises UnknownEndpointError.
        """
        if not self.may_be_release(name):
            raise self._unknown(name)
        configuration = self._configuration(name)
        model = name if configuration is None else _model_of(configuration)
        if model is None:
            raise self._unknown(name)
        described = self._model(model)
        found = {
            "release": name,
            "execution": "-",
            "started_by": "found",
            "outcome": "released",
            "model": model,
            "model_data": next(iter(_artefacts(described or {})), None),
            "endpoint_configuration": name,
            "definitions": self.definitions(name, model),
        }
        return found if configuration is None else found | {"made": configuration["CreationTime"]}

    def found_serving(self) -> dict[str, Any] | None:
        """A record for a serving endpoint without one; None if no endpoint serves."""
        endpoint = _unless_missing(lambda: self._sagemaker.describe_endpoint(EndpointName=self._endpoint))
        if endpoint is None or endpoint["EndpointStatus"] in ("Creating", "Deleting", "Failed"):
            return None
        return self.record_of(endpoint.get("EndpointConfigName", ""))

    def definitions(self, configuration: str, model: str) -> dict[str, Any]:
        """The requests that make the configuration and the model again, for those that exist."""
        requests = {
            "endpoint_configuration": ("CreateEndpointConfig", self._configuration(configuration)),
            "model": ("CreateModel", self._model(model)),
        }
        return {
            what: self._request(operation, description)
            for what, (operation, description) in requests.items()
            if description is not None
        }

    def make_missing(self, record: dict[str, Any]) -> list[str]:
        """Makes the missing model and configuration of a release again, if the record describes them.

        Returns what was made. It can be called again. Raises NotMadeAgainError.
        """
        definitions = record.get("definitions") or {}
        model, configuration = record.get("model"), record.get("endpoint_configuration")
        made = []
        if "model" in definitions and model and self._model(model, denied={}) is None:
            self._make("model", model, lambda: self._sagemaker.create_model(**definitions["model"], **self._tags))
            made.append(f"model {model}")
        if "endpoint_configuration" in definitions and configuration and self._configuration(configuration) is None:
            wanted = definitions["endpoint_configuration"]
            self._make(
                "endpoint configuration",
                configuration,
                lambda: self._sagemaker.create_endpoint_config(**wanted, **self._tags),
            )
            made.append(f"endpoint configuration {configuration}")
        return made

    def models_of(self, configuration: str) -> list[str]:
        """The models of all variants of a configuration; none if it does not exist."""
        described = self._configuration(configuration) or {}
        variants = [*described.get("ProductionVariants", []), *described.get("ShadowProductionVariants", [])]
        return list(dict.fromkeys(variant["ModelName"] for variant in variants if "ModelName" in variant))

    def missing_of(self, model: str) -> str | None:
        """What a model lacks, without which no release can score it and no rollback can start it; None if complete."""
        described = self._model(model)
        if described is None:
            return f"the model {model} is gone, or is not one of this endpoint's"
        role = described.get("ExecutionRoleArn", "").rpartition("/")[2]
        iam = self._client("iam")
        try:
            iam.get_role(RoleName=role)
        except iam.exceptions.NoSuchEntityException:
            return f"the role {role} of the model {model} is gone"
        for uri in _artefacts(described):
            if not self._artefact(uri, denied=False):
                return f"the artefact {uri} of the model {model} is gone, or not in this workflow's bucket"
        return None

    def _parts(self, configuration: str, model: str, record: dict[str, Any]) -> dict[str, Any]:
        # A model with another name, which this function may not describe, is assumed to exist.
        described = self._model(model, denied={})
        definitions = record.get("definitions") or {}
        recorded = [record["model_data"]] if record.get("model_data") else []
        artefacts = recorded or _artefacts(described or definitions.get("model") or {})
        gone = [uri for uri in artefacts if not self._artefact(uri, denied=True)]
        return {
            "configuration": self._configuration(configuration) is not None,
            "model": described is not None,
            "artefact": not gone,
            "artefact_uri": (gone or artefacts or ["of its model"])[0],
            "configuration_recorded": "endpoint_configuration" in definitions,
            "model_recorded": "model" in definitions,
            "hashed": bool(record.get("archive_sha256")),
        }

    def _configuration(self, name: str) -> dict[str, Any] | None:
        described: dict[str, Any] | None = _unless_missing(
            lambda: self._sagemaker.describe_endpoint_config(EndpointConfigName=name)
        )
        return described

    def _model(self, name: str, *, denied: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Its description; None if it does not exist, `denied` if this function may not describe it."""
        try:
            described: dict[str, Any] | None = _unless_missing(lambda: self._sagemaker.describe_model(ModelName=name))
        except ClientError as fault:
            if not _is_denied(fault):
                raise
            return denied
        return described

    def _artefact(self, uri: str, *, denied: bool) -> bool:
        """Whether it exists, or `denied` if this function may not look. An archive is an object; anything else is a
        folder.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            # Lists, because HeadObject would need the permission to read the object.
            listed = self._client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        except ClientError as fault:
            if _is_denied(fault):
                return denied
            if fault.response["Error"]["Code"] != "NoSuchBucket":
                raise
            return False
        return any(key.endswith("/") or found["Key"] == key for found in listed)

    def _request(self, operation: str, description: dict[str, Any]) -> dict[str, Any]:
        """The part of a description that belongs to the request that makes the same resource."""
        members = self._sagemaker.meta.service_model.operation_model(operation).input_shape.members
        request = {name: value for name, value in description.items() if name in members}
        if "PrimaryContainer" in request:
            request["PrimaryContainer"] = _one_source(request["PrimaryContainer"])
        if "Containers" in request:
            request["Containers"] = [_one_source(container) for container in request["Containers"]]
        return request

    def _make(self, what: str, name: str, create: Callable[[], Any]) -> None:
        try:
            create()
        except ClientError as fault:
            message = fault.response["Error"].get("Message", "")
            if "already existing" in message:
                return
            raise NotMadeAgainError(
                f"the {what} {name} is gone and was not made again from its record: {message}: name another release"
            ) from None

    def _unknown(self, configuration: str) -> UnknownEndpointError:
        name = self._endpoint
        return UnknownEndpointError(
            f"{name} serves the endpoint configuration {configuration or '(no name)'}, to which no rollback could "
            f"return: update the endpoint to a configuration of one model that is named {name}-…, or delete it"
        )


def _model_of(configuration: dict[str, Any] | None) -> str | None:
    name: str | None = ((configuration or {}).get("ProductionVariants") or [{}])[0].get("ModelName")
    return name


def _artefacts(model: dict[str, Any]) -> list[str]:
    uris = []
    for container in [*model.get("Containers", []), model.get("PrimaryContainer") or {}]:
        sources = [container.get("ModelDataSource") or {}, *container.get("AdditionalModelDataSources", [])]
        of_sources = [source.get("S3DataSource", {}).get("S3Uri") for source in sources]
        # A description may have both forms of the first source.
        uris += [container.get("ModelDataUrl") or of_sources[0], *of_sources[1:]]
    return [uri for uri in uris if uri]


def _one_source(container: dict[str, Any]) -> dict[str, Any]:
    """A container with one source of its model: a description may have both forms, a request only one."""
    if "ModelDataUrl" not in container:
        return container
    return {name: value for name, value in container.items() if name != "ModelDataSource"}


def _unless_missing(call: Callable[[], Any]) -> Any:
    """The result of `call`; None if SageMaker does not have the resource, which only the error message shows."""
    try:
        return call()
    except ClientError as fault:
        if "could not find" in fault.response["Error"].get("Message", "").lower():
            return None
        raise


def _is_denied(fault: ClientError) -> bool:
    return fault.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
