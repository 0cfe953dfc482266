"""The declaration of the deployed ECS service: its first container's image and environment."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from cdk_rehearsal.step_failure import StepError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeployedContainer:
    """`environment` contains the secrets' values: never print it."""

    task_definition: str
    image_uri: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = dataclasses.field(repr=False)


class DeployedService:
    """Reads the service through the APIs that ECS itself uses."""

    def __init__(self, clients: Any, *, cluster: str, service: str) -> None:
        self._clients = clients
        self.cluster = cluster
        self.service = service

    @property
    def resource_id(self) -> str:
        """The service's resource id in Application Auto Scaling."""
        return f"service/{self.cluster}/{self.service}"

    def desired_count(self) -> int:
        count: int = self._describe()["desiredCount"]
        return count

    def container(self) -> DeployedContainer:
        ecs = self._clients("ecs")
        definition = ecs.describe_task_definition(taskDefinition=self._describe()["taskDefinition"])["taskDefinition"]
        containers = definition["containerDefinitions"]
        container = next((item for item in containers if item.get("portMappings")), containers[0])
        environment = {item["name"]: item["value"] for item in container.get("environment", [])}
        environment |= {item["name"]: self._secret(item["valueFrom"]) for item in container.get("secrets", [])}
        return DeployedContainer(
            task_definition=definition["taskDefinitionArn"],
            image_uri=container["image"],
            arguments=tuple(container.get("command", ())),
            environment=environment,
        )

    def _describe(self) -> dict[str, Any]:
        found = self._clients("ecs").describe_services(cluster=self.cluster, services=[self.service])["services"]
        if not found:
            raise StepError(f"there is no ECS service {self.service} in cluster {self.cluster}")
        service: dict[str, Any] = found[0]
        return service

    def _secret(self, reference: str) -> str:
        """`valueFrom` is a parameter, or a secret's ARN with `:key:stage:version` after it, each empty or not."""
        if ":secretsmanager:" not in reference:
            name = reference.partition(":parameter")[2] or reference
            value: str = self._clients("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
            return value
        parts = reference.split(":")
        key = parts[7] if len(parts) > 7 else ""
        stored: str = self._clients("secretsmanager").get_secret_value(SecretId=":".join(parts[:7]))["SecretString"]
        return str(json.loads(stored)[key]) if key else stored
