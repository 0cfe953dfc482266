"""The resources that exist after `cdk destroy` and did not exist before the deployment."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from cdk_rehearsal import cloud_assembly

Clients = Callable[[str], Any]

_KEPT_PRICES = {
    "AWS::DynamoDB::Table": "0.25 dollars per GB-month, and 0.20 with point-in-time recovery",
    "AWS::KMS::Key": "1 dollar per month",
    "AWS::Logs::LogGroup": "0.03 dollars per GB-month",
    "AWS::S3::Bucket": "0.023 dollars per GB-month",
    "AWS::SecretsManager::Secret": "0.40 dollars per month",
    "AWS::SQS::Queue": "nothing while nobody uses it",
}
"""us-east-1, November 2026, from the services' pricing pages."""
_ENDPOINT_END = "Custom::EndpointEnd"
"""The resource of a release workflow whose `Keep` decides whether the endpoint stays; its id is the endpoint's name."""
_PER_HOUR = "by the hour of its instances; the alert about it has the price"
_KEPT_BY_RELEASES = {
    "AWS::Logs::LogGroup": ("/aws/sagemaker/Endpoints/{endpoint}", _KEPT_PRICES["AWS::Logs::LogGroup"]),
    "AWS::SSM::Parameter": ("/sagemaker/{endpoint}/current-release", "nothing"),
    "AWS::SageMaker::Endpoint": ("{endpoint}", _PER_HOUR),
    "AWS::SageMaker::EndpointConfig": ("{endpoint}-*", "nothing"),
    "AWS::SageMaker::Model": ("{endpoint}-*", "nothing"),
}
"""What a release workflow keeps: its name, and its price."""
# Types that are not resources of their own, but parts of another resource.
_PART = re.compile(r"Custom::|AWS::CloudFormation::|.*(Policy|Permission|Attachment|Association)$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A resource that still exists after its stack's deletion; `why` is None where no policy retains it."""

    kind: str
    name: str
    why: str | None = None
    price: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Inventory:
    """The resources of an account, as (CloudFormation type, name)."""

    resources: frozenset[tuple[str, str]]

    @classmethod
    def take(cls, clients: Clients) -> Self:
        return cls(frozenset((kind, name) for kind, names in _LISTS.items() for name in names(clients)))

    def left_since(self, before: Inventory, *, kept: Mapping[str, str]) -> list[LeftBehind]:
        """Resources that exist now and did not before. `kept` maps the physical id of each retained resource to its
        type; for a type that is never listed, `kept` is the only source.
        """
        found = self.resources - before.resources
        unlisted = {(kind, name) for name, kind in kept.items() if kind not in _LISTS and not _PART.match(kind)}
        return [_explained(kind, name, kept) for kind, name in sorted(found | unlisted)]


def kept_by_template(clients: Clients, assembly: Path, *, stacks: Collection[str]) -> dict[str, str]:
    """Maps physical id to type for the resources that the templates of these deployed stacks retain on deletion.

    An endpoint that a release workflow keeps is in no template; its custom resource stands for it.
    """
    cloudformation = clients("cloudformation")
    found = {stack: path for stack, path in cloud_assembly.templates(assembly).items() if stack in stacks}
    return dict(each for stack, path in found.items() for each in _kept(cloudformation, stack, path))


def _kept(cloudformation: Any, stack: str, path: Path) -> Iterator[tuple[str, str]]:
    made = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if "PhysicalResourceId" in resource
    }
    for logical_id, resource in cloud_assembly.read_template(path).get("Resources", {}).items():
        if logical_id not in made:
            continue  # its condition is false
        nested = cloud_assembly.nested_template(path, resource)
        if nested is not None:
            yield from _kept(cloudformation, made[logical_id], nested)
        elif resource.get("DeletionPolicy", "Delete") != "Delete":
            yield made[logical_id], resource["Type"]
        elif resource["Type"] == _ENDPOINT_END and resource["Properties"].get("Keep") == "true":
            yield made[logical_id], _ENDPOINT_END


def _explained(kind: str, name: str, kept: Mapping[str, str]) -> LeftBehind:
    if kept.get(name, _ENDPOINT_END) != _ENDPOINT_END:
        price = _KEPT_PRICES.get(kind)
        return LeftBehind(kind=kind, name=name, why="its template keeps it (DeletionPolicy)", price=price)
    pattern, of_release = _KEPT_BY_RELEASES.get(kind, ("", ""))
    endpoints = [endpoint for endpoint, custom in kept.items() if custom == _ENDPOINT_END]
    if any(fnmatchcase(name, pattern.format(endpoint=endpoint)) for endpoint in endpoints):
        why = "a release made it, and its workflow's removal_policy keeps it"
        return LeftBehind(kind=kind, name=name, why=why, price=of_release)
    if kind == "AWS::Logs::LogGroup" and name.startswith("/aws/sagemaker/") and name.endswith("Jobs"):
        return LeftBehind(
            kind=kind,
            name=name,
            why="SageMaker's, one for all jobs of the account",
            price=_KEPT_PRICES[kind],
        )
    if kind == "AWS::Events::Rule" and name.startswith("StepFunctionsGetEventsFor"):
        return LeftBehind(kind=kind, name=name, why="Step Functions', one for the account", price="nothing")
    return LeftBehind(kind=kind, name=name)


def _listed(service: str, operation: str, members: str, name: str, **request: Any) -> Callable[[Clients], list[str]]:
    def names(clients: Clients) -> list[str]:
        client = clients(service)
        if client.can_paginate(operation):
            pages = client.get_paginator(operation).paginate(**request)
        else:
            pages = [getattr(client, operation)(**request)]
        return [item if name == "" else item[name] for page in pages for item in page.get(members, [])]

    return names


def _keys(clients: Clients) -> list[str]:
    """Keys without those scheduled for deletion: these cost nothing and are deleted within 30 days."""
    kms = clients("kms")
    keys = _listed("kms", "list_keys", "Keys", "KeyId")(clients)
    described = (kms.describe_key(KeyId=key)["KeyMetadata"] for key in keys)
    return [key["KeyId"] for key in described if key["KeyState"] != "PendingDeletion"]


def _vpcs(clients: Clients, operation: str, members: str, name: str) -> list[str]:
    found = getattr(clients("ec2"), operation)()[members]
    return [item[name] for item in found if item.get("State") != "deleted"]


def _targets(clients: Clients) -> list[str]:
    autoscaling = clients("application-autoscaling")
    return [
        target["ResourceId"]
        for namespace in ("ecs", "sagemaker")
        for target in autoscaling.describe_scalable_targets(ServiceNamespace=namespace)["ScalableTargets"]
    ]


_LISTS: dict[str, Callable[[Clients], list[str]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": _targets,
    "AWS::CloudWatch::Alarm": _listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": _listed(
        "cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName", AlarmTypes=["CompositeAlarm"]
    ),
    "AWS::CloudWatch::Dashboard": _listed("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "AWS::DynamoDB::Table": _listed("dynamodb", "list_tables", "TableNames", ""),
    "AWS::EC2::EIP": lambda clients: _vpcs(clients, "describe_addresses", "Addresses", "AllocationId"),
    "AWS::EC2::NatGateway": lambda clients: _vpcs(clients, "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    "AWS::EC2::VPC": lambda clients: _vpcs(clients, "describe_vpcs", "Vpcs", "VpcId"),
    "AWS::ECR::Repository": _listed("ecr", "describe_repositories", "repositories", "repositoryName"),
    "AWS::ECS::Cluster": _listed("ecs", "list_clusters", "clusterArns", ""),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _listed(
        "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"
    ),
    "AWS::Events::Rule": _listed("events", "list_rules", "Rules", "Name"),
    "AWS::IAM::Role": _listed("iam", "list_roles", "Roles", "RoleName"),
    "AWS::KMS::Key": _keys,
    "AWS::Lambda::Function": _listed("lambda", "list_functions", "Functions", "FunctionName"),
    "AWS::Logs::LogGroup": _listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "AWS::S3::Bucket": _listed("s3", "list_buckets", "Buckets", "Name"),
    "AWS::SNS::Topic": _listed("sns", "list_topics", "Topics", "TopicArn"),
    "AWS::SQS::Queue": _listed("sqs", "list_queues", "QueueUrls", ""),
    "AWS::SSM::Parameter": _listed("ssm", "describe_parameters", "Parameters", "Name"),
    "AWS::SageMaker::Endpoint": _listed("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    "AWS::SageMaker::EndpointConfig": _listed(
        "sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"
    ),
    "AWS::SageMaker::Model": _listed("sagemaker", "list_models", "Models", "ModelName"),
    "AWS::SecretsManager::Secret": _listed("secretsmanager", "list_secrets", "SecretList", "ARN"),
    "AWS::StepFunctions::StateMachine": _listed(
        "stepfunctions", "list_state_machines", "stateMachines", "stateMachineArn"
    ),
}
