"""The capacity of an ECS service: its desired count."""

from __future__ import annotations

from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.aws_error import validation_error

DIMENSION = "ecs:service:DesiredCount"


def desired_count(resource_id: str) -> int:
    """Raises ValidationException where there is no such service."""
    cluster, service = _split(resource_id)
    ecs = own_client("ecs")
    try:
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        found = []
    active = [item for item in found if item["status"] == "ACTIVE"]
    if not active:
        raise validation_error(f"ECS service doesn't exist: {resource_id}")
    count: int = active[0]["desiredCount"]
    return count


def set_desired_count(resource_id: str, count: int) -> None:
    cluster, service = _split(resource_id)
    own_client("ecs").update_service(cluster=cluster, service=service, desiredCount=count)


def _split(resource_id: str) -> tuple[str, str]:
    parts = resource_id.split("/")
    if len(parts) != 3 or parts[0] != "service":
        raise validation_error(f"Unsupported service namespace, resource type or scalable dimension: {resource_id}")
    return parts[1], parts[2]
