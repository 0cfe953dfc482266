"""Identifies the AWS API call that an HTTP request makes."""

from cdk_rehearsal.permissions.api_request.api_request import ApiRequest, UnknownOperation
from cdk_rehearsal.permissions.api_request.http_request import HttpRequest
from cdk_rehearsal.permissions.api_request.read_request import read_request

__all__ = ["ApiRequest", "HttpRequest", "UnknownOperation", "read_request"]
