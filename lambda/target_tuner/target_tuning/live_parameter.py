"""The SSM parameter of the live target, which deployments create once and never overwrite.

`AWS::SSM::Parameter` would write its declared value again with any change, even of a tag. This custom resource creates
the parameter if it is missing, and leaves an existing one unchanged.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from .surroundings import Clients

LOGGER = logging.getLogger(__name__)

_ANSWER_TIMEOUT_S = 10


def is_request(event: Mapping[str, Any]) -> bool:
    """Whether the event is a request of CloudFormation."""
    return "RequestType" in event and "ResponseURL" in event


def answer(clients: Clients, event: Mapping[str, Any]) -> None:
    """Carries out CloudFormation's request and reports the result; without one CloudFormation waits for an hour."""
    properties = event["ResourceProperties"]
    outcome = {"Status": "SUCCESS", "Reason": ""}
    try:
        if event["RequestType"] == "Delete":
            _remove(clients, event["PhysicalResourceId"])
        else:
            _make(clients, properties["Name"], _value(clients, event))
    except Exception as error:
        LOGGER.exception("%s failed", event["RequestType"])
        outcome = {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"}
    body = {
        **outcome,
        "PhysicalResourceId": event.get("PhysicalResourceId", properties["Name"])
        if event["RequestType"] == "Delete"
        else properties["Name"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The URL is signed for an empty content type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S):  # nosec B310  # the extension on localhost
        pass


def _value(clients: Clients, event: Mapping[str, Any]) -> str:
    """The initial value; a renamed parameter keeps its value."""
    initial: str = event["ResourceProperties"]["Initial"]
    old = event.get("PhysicalResourceId")
    if old is None or old == event["ResourceProperties"]["Name"]:
        return initial
    try:
        return str(clients.parameters.get_parameter(Name=old)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return initial


def _make(clients: Clients, name: str, value: str) -> None:
    try:
        clients.parameters.put_parameter(
            Name=name,
            Value=value,
            Type="String",
            Description="Live target of a scaling policy, percent; written by its tuner",
            Overwrite=False,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise


def _remove(clients: Clients, name: str) -> None:
    try:
        clients.parameters.delete_parameter(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
