"""An AWS API call in botocore's terms, or the reason why a request is not one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A call as boto3 names it.

    Values keep their serialized form: a blob in JSON is base64, a timestamp in JSON a number. Numbers and booleans that
    are serialized as text (query strings, headers, forms, XML) are converted.
    """

    service: str  # botocore's service id, the name that boto3.client takes: "s3", "stepfunctions", "sagemaker-runtime"
    operation: str  # "PutObject"
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOperation:
    """A request whose API call is unknown: not an AWS call, or one that botocore's models lack."""

    service: str | None  # if known
    reason: str
