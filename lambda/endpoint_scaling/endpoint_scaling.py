"""Takes the scaling of an endpoint's variants away before CloudFormation changes their instances; gives it back after.

SageMaker refuses to change the instance type of a variant that Application Auto Scaling has registered, and to remove
it; CloudFormation's own resource goes after the endpoint was updated, which is too late. Two custom resources call this
function, one on each side of the endpoint. `Variants` is JSON, because CloudFormation makes strings of numbers:

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
    """Answers CloudFormation in any case: without an answer it waits for an hour."""
    try:
        settle(event, boto3.client("application-autoscaling"), boto3.client("sagemaker"))
    except Exception as error:
        logger.exception("%s of %s failed", event["RequestType"], event["LogicalResourceId"])
        answer(event, "FAILED", f"{type(error).__name__}: {error}")
    else:
        answer(event, "SUCCESS", "")


def settle(event: dict[str, Any], scaling: Any, sagemaker: Any) -> None:
    """Does what the request asks for: `Step` is `lift`, before the endpoint, or `register`, after it."""
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
        # An update that failed goes back through here: what runs as it shall needs its scaling again, and the resource
        # after the endpoint is not asked where the update did not reach it.
        _register(scaling, as_wanted)


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Reports the result to CloudFormation, where it said that it listens."""
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The address is signed for a request without a type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=20):  # nosec B310  # CloudFormation's answer address
        pass


def _by_target(properties: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variant["target"]["ResourceId"]: variant for variant in json.loads(properties.get("Variants", "[]"))}


def _live_instances(sagemaker: Any, endpoint_name: str) -> dict[str, str | None]:
    """The instance type of each variant that the endpoint runs; nothing where there is no endpoint, or none serves."""
    try:
        configuration = sagemaker.describe_endpoint(EndpointName=endpoint_name).get("EndpointConfigName")
    except ClientError as error:
        # SageMaker has no error of its own for it.
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
            # As it shall be: lifted by an attempt before, or by a person.
            logger.info("%s was not registered", target["ResourceId"])
