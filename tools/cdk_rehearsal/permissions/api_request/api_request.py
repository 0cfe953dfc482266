"""An AWS API call in botocore's words, or why a request is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A call as boto3 names it.

    Values keep the form in which they travel: a blob in JSON is base64, a timestamp in JSON a number. Numbers and
    booleans that travel as text (query strings, headers, forms, XML) are numbers and booleans here.
    """

    service: str  # botocore's service id, the name that boto3.client takes: "s3", "stepfunctions", "sagemaker-runtime"
    operation: str  # "PutObject"
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOperation:
    """A request whose API call nobody can name: no AWS call, or one that botocore's models lack."""

    service: str | None  # as far as it is known
    reason: str
