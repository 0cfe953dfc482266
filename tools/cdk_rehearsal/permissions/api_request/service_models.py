"""botocore's models, each loaded at the first request for its service."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

_loader = Loader()


@cache
def service_model(service: str) -> ServiceModel:
    """
    Raises:
        botocore.exceptions.UnknownServiceError: botocore has no such service.
    """
    return ServiceModel(_loader.load_service_model(service, "service-2"), service)


@cache
def operation_names(service: str) -> frozenset[str]:
    return frozenset(service_model(service).operation_names)


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    return service_model(service).operation_model(operation)


@cache
def input_shape(service: str, operation: str) -> StructureShape | None:
    return operation_model(service, operation).input_shape
