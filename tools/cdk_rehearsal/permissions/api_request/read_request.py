"""Reads the API call of a request, by the protocol that its SDK chose."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import ParseError  # nosec B405  # from SDKs on loopback

from botocore.parsers import ResponseParserError, RpcV2CBORParser

from cdk_rehearsal.permissions.api_request.api_request import ApiRequest, UnknownOperation
from cdk_rehearsal.permissions.api_request.form_parameters import form_fields, form_parameters
from cdk_rehearsal.permissions.api_request.http_request import HttpRequest
from cdk_rehearsal.permissions.api_request.rest_parameters import rest_parameters
from cdk_rehearsal.permissions.api_request.rest_routes import find_route
from cdk_rehearsal.permissions.api_request.service_index import service_index
from cdk_rehearsal.permissions.api_request.service_models import input_shape, operation_names, service_model
from cdk_rehearsal.permissions.api_request.signed_service import signed_service
from cdk_rehearsal.permissions.api_request.virtual_host import bucket_of_host

# https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
_RPC_V2_PATH = re.compile(r"(?:/.*)?/service/(?P<service>[^/]+)/operation/(?P<operation>[^/]+)")
_cbor = RpcV2CBORParser()


def read_request(request: HttpRequest) -> ApiRequest | UnknownOperation:
    """Identifies the API call that a request makes. Never raises for the content of a request."""
    signed = signed_service(request.headers, request.query)
    try:
        if target := request.headers.get("x-amz-target"):
            return _json(request, target, signed)
        if found := _RPC_V2_PATH.fullmatch(request.path):
            return _rpc_v2(request, found["service"], found["operation"], signed)
        if action := _action(request):
            return _query(action, signed)
        return _rest(request, signed)
    except (ValueError, KeyError, TypeError, AttributeError, ParseError, ResponseParserError) as error:
        return UnknownOperation(service=signed, reason=f"{request.method} {request.path} is not readable: {error!r}")


def _json(request: HttpRequest, target: str, signed: str | None) -> ApiRequest | UnknownOperation:
    prefix, _, operation = target.rpartition(".")
    service = _of_prefix(prefix, operation, signed)
    if service is None:
        return UnknownOperation(service=signed, reason=f"X-Amz-Target is {target}: botocore has no such operation")
    body = json.loads(request.body) if request.body else {}
    parameters = body if isinstance(body, dict) else {}
    return ApiRequest(service=service, operation=operation, parameters=parameters)


def _rpc_v2(request: HttpRequest, prefix: str, operation: str, signed: str | None) -> ApiRequest | UnknownOperation:
    service = _of_prefix(prefix, operation, signed)
    if service is None:
        return UnknownOperation(service=signed, reason=f"{request.path}: botocore has no such operation")
    if not request.body:
        parameters: dict[str, Any] = {}
    elif "cbor" in request.headers.get("content-type", "cbor"):
        parameters = _cbor.parse_data_item(_cbor.get_peekable_stream_from_bytes(request.body))
    else:
        parameters = json.loads(request.body)
    return ApiRequest(service=service, operation=operation, parameters=parameters)


def _of_prefix(prefix: str, operation: str, signed: str | None) -> str | None:
    index = service_index()
    candidates = index.by_target_prefix.get(prefix, ())
    best = sorted(candidates, key=lambda service: index.signing_names[service] != signed)
    return next((service for service in best if operation in operation_names(service)), None)


def _action(request: HttpRequest) -> dict[str, str] | None:
    """The fields of a request of the query protocol, in its body or its query string."""
    if request.method == "POST" and "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        fields = form_fields(request.body.decode())
    elif "Action=" in request.query:
        fields = form_fields(request.query)
    else:
        return None
    return fields if "Action" in fields else None


def _query(fields: dict[str, str], signed: str | None) -> ApiRequest | UnknownOperation:
    index = service_index()
    operation = fields["Action"]
    version = fields.get("Version")
    candidates = index.by_signing_name.get(signed or "", ())
    best = sorted(candidates, key=lambda service: index.api_versions[service] != version)
    for service in best:
        if operation in operation_names(service):
            parameters = form_parameters(fields, input_shape(service, operation))
            return ApiRequest(service=service, operation=operation, parameters=parameters)
    return UnknownOperation(service=signed, reason=f"Action is {operation}: no service signed as {signed} has it")


def _rest(request: HttpRequest, signed: str | None) -> ApiRequest | UnknownOperation:
    path = request.path or "/"
    if signed == "s3" and (bucket := bucket_of_host(request.headers.get("host", ""))):
        path = f"/{bucket}{path}"
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    fitting = [
        (service, *found)
        for service in _rest_services(signed)
        if (found := find_route(service, request.method, path, query, request.headers))
    ]
    if fitting:
        # Several services share a signing name: S3 reads S3 Control's paths as keys and requires fewer parameters.
        service, route, labels = max(fitting, key=lambda each: each[1].weight)
        shape = input_shape(service, route.operation)
        xml = service_model(service).metadata["protocol"] == "rest-xml"
        parameters = rest_parameters(request, shape, labels, xml=xml)
        return ApiRequest(service=service, operation=route.operation, parameters=parameters)
    if signed is None:
        return UnknownOperation(service=None, reason=f"{request.method} {request.path} carries no signature")
    return UnknownOperation(service=signed, reason=f"{request.method} {request.path} is no operation of {signed}")


@cache
def _rest_services(signed: str | None) -> tuple[str, ...]:
    services = service_index().by_signing_name.get(signed or "", ())
    return tuple(each for each in services if service_model(each).metadata.get("protocol", "").startswith("rest"))
