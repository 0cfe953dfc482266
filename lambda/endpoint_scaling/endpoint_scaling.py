"""Removes the scaling of an endpoint's variants before CloudFormation changes their instances, and restores it after.

SageMaker refuses to remove a variant that is registered with Application Auto Scaling, or to change its instance type.
CloudFormation's own resource is deleted after the endpoint is updated, which is too late. Two custom resources call
this function, one before and one after the endpoint. `Variants` is JSON, because CloudFormation turns numbers into
strings:

    [{"name": "primary", "instance_type": "ml.m5.large", "target": {…}, "policy": {…}}]

where `target` is the request of registerScalableTarget and `policy` that of putScalingPolicy.
"""

import json
import logging
import urllib.request
from collections.abc import Iterable
from typing import Any

import boto3
from botocore.exceptions import ClientError

logger = logging.getLogger()
logger.setLevel(logging.INFO)

_NAMES = ("ServiceNamespace", "ResourceId", "ScalableDimension")


def handler(event: dict[str, Any], context: Any) -> None:
    """Always answers CloudFormation, which would otherwise wait for an hour."""
    try:
        settle(event, boto3.client("application-autoscaling"), boto3.client("sagemaker"))
    except Exception as error:
        logger.exception("%s of %s failed", event["RequestType"], event["LogicalResourceId"])
        answer(event, "FAILED", f"{type(error).__name__}: {error}")
    else:
        answer(event, "SUCCESS", "")


def settle(event: dict[str, Any], scaling: Any, sagemaker: Any) -> None:
    """Carries out the request: `Step` is `lift`, before the endpoint, or `register`, after it."""
    kind, properties = event["RequestType"], event["ResourceProperties"]
    wanted = _by_target(properties)
    before = _by_target(event.get("OldResourceProperties", {}))
    gone = [variant for name, variant in before.items() if name not in wanted]
    if properties["Step"] == "register":
        if kind == "Delete":
            _deregister(scaling, wanted.values())
            return
        _deregister(scaling, gone)
        _register(scaling, wanted.values())
    elif kind == "Update":
        live = _live_instances(sagemaker, properties["EndpointName"])
        as_wanted = [variant for variant in wanted.values() if live.get(variant["name"]) == variant["instance_type"]]
        _deregister(scaling, [*gone, *(variant for variant in wanted.values() if variant not in as_wanted)])
        # The rollback of a failed update calls this too: variants with the right instances get their scaling back here,
        # since CloudFormation does not call the resource after the endpoint if the update did not reach it.
        _register(scaling, as_wanted)


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Reports the result to the URL that CloudFormation gave."""
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The URL is signed for a request without a content type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=20):  # nosec B310  # CloudFormation's answer address
        pass


def _by_target(properties: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variant["target"]["ResourceId"]: variant for variant in json.loads(properties.get("Variants", "[]"))}


def _live_instances(sagemaker: Any, endpoint_name: str) -> dict[str, str | None]:
    """The instance type of each running variant; empty if the endpoint does not exist or does not serve."""
    try:
        configuration = sagemaker.describe_endpoint(EndpointName=endpoint_name).get("EndpointConfigName")
    except ClientError as error:
        # SageMaker has no separate error code for it.
        if "Could not find" not in str(error):
            raise
        return {}
    if configuration is None:
        return {}
    described = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)
    return {variant["VariantName"]: variant.get("InstanceType") for variant in described["ProductionVariants"]}


def _register(scaling: Any, variants: Iterable[dict[str, Any]]) -> None:
    for variant in variants:
        scaling.register_scalable_target(**variant["target"])
        scaling.put_scaling_policy(**variant["policy"])
        logger.info("registered %s", variant["target"]["ResourceId"])


def _deregister(scaling: Any, variants: Iterable[dict[str, Any]]) -> None:
    for variant in variants:
        target = {name: variant["target"][name] for name in _NAMES}
        try:
            scaling.deregister_scalable_target(**target)
            logger.info("deregistered %s", target["ResourceId"])
        except scaling.exceptions.ObjectNotFoundException:
            # Already removed, by an earlier attempt or by a person.
            logger.info("%s was not registered", target["ResourceId"])
