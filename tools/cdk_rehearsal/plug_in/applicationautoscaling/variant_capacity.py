"""The capacity of an endpoint's variant: its instance count."""

from __future__ import annotations

from botocore.exceptions import ClientError

from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.aws_error import validation_error

DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def resource_id(endpoint: str, variant: str) -> str:
    return f"endpoint/{endpoint}/variant/{variant}"


def desired_count(resource: str) -> int:
    """Raises ValidationException if there is no such variant or its endpoint is not InService."""
    endpoint, variant = split(resource)
    try:
        described = own_client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        raise validation_error(error.response["Error"]["Message"]) from error
    for summary in described.get("ProductionVariants", []):
        if summary["VariantName"] == variant and "DesiredInstanceCount" in summary:
            count: int = summary["DesiredInstanceCount"]
            return count
    raise validation_error(f"Could not find variant {variant} with instances of endpoint {endpoint}")


def set_desired_count(resource: str, count: int) -> None:
    """Raises ValidationException while the endpoint is updated."""
    endpoint, variant = split(resource)
    try:
        own_client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": variant, "DesiredInstanceCount": count}],
        )
    except ClientError as error:
        raise validation_error(error.response["Error"]["Message"]) from error


def split(resource: str) -> tuple[str, str]:
    parts = resource.split("/")
    if len(parts) != 4 or (parts[0], parts[2]) != ("endpoint", "variant"):
        raise validation_error(f"Unsupported service namespace, resource type or scalable dimension: {resource}")
    return parts[1], parts[3]
