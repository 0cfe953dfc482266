"""The least use of each public construct, from which the pages read what it makes, costs and leaves behind."""

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ServiceVpcEndpoints
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.storage import BucketEmptier
from tests.constructs.minimal import dashboards, fargate, monitoring, notifications, review, sagemaker, tuning

PARTS = {
    "IReviewQueue": "ReviewQueue",
    "ReleaseRecords": "ModelReleaseWorkflow",
    "RollbackWorkflow": "ModelReleaseWorkflow",
}
"""Constructs that are made by another one, by its name."""


def vpc_endpoints(stack: cdk.Stack) -> ServiceVpcEndpoints:
    vpc = ec2.Vpc(stack, "Vpc", nat_gateways=0, availability_zones=["us-east-1a", "us-east-1b"])
    return ServiceVpcEndpoints(stack, "Endpoints", vpc=vpc)


def bucket_emptier(stack: cdk.Stack) -> BucketEmptier:
    bucket = s3.Bucket(stack, "Bucket", removal_policy=cdk.RemovalPolicy.DESTROY)
    return BucketEmptier(stack, "Emptier", bucket=bucket)


USES: dict[str, Callable[..., Construct]] = {
    "ServiceVpc": fargate.service_vpc,
    "ServiceVpcEndpoints": vpc_endpoints,
    "ScaledFargateService": fargate.scaled_fargate_service,
    "SpikeScaling": fargate.spike_scaling,
    "PredictiveScaling": fargate.predictive_scaling,
    "WebAcl": fargate.web_acl,
    "RetryQueue": fargate.retry_queue,
    "ServiceAlarms": monitoring.service_alarms,
    "ServiceDashboard": dashboards.service_dashboard,
    "TargetTuner": tuning.target_tuner,
    "ForecastFloor": tuning.forecast_floor,
    "InferenceEndpoint": sagemaker.inference_endpoint,
    "ModelReleaseWorkflow": sagemaker.release_workflow,
    "EndpointAlarms": monitoring.endpoint_alarms,
    "EndpointDashboard": dashboards.endpoint_dashboard,
    "WorkflowAlarms": monitoring.workflow_alarms,
    "WorkflowDashboard": dashboards.workflow_dashboard,
    "FallbackAlarms": monitoring.fallback_alarms,
    "ModelDrift": monitoring.model_drift,
    "ReviewQueue": review.review_queue,
    "ReviewerSignIn": review.reviewer_sign_in,
    "ReviewAlarms": monitoring.review_alarms,
    "ReviewDashboard": dashboards.review_dashboard,
    "AlertsTopic": lambda stack, **given: AlertsTopic(stack, "Alerts", **given),
    "SlackNotifier": notifications.slack_notifier,
    "BucketEmptier": bucket_emptier,
}
"""Each makes one in a stack, with what it needs beside it, and takes further arguments of the construct."""

_ENVIRONMENT = cdk.Environment(account="123456789012", region="us-east-1")


@dataclass(frozen=True)
class Use:
    """One construct in a stack of its own, and its resources by logical id.

    `of_stack` are those that it makes once for a stack, however many of its kind are in it.
    """

    construct: Construct
    own: dict[str, dict[str, Any]]
    of_stack: dict[str, dict[str, Any]]


@functools.cache
def use(name: str, **given: Any) -> Use:
    """The least use of a construct, by its name."""
    stack = cdk.Stack(cdk.App(), "Stack", env=_ENVIRONMENT)
    construct = USES[name](stack, **given)
    ids = [child.node.id for child in stack.node.children]
    # A key that `AlertsTopic(self, "Alerts")` makes beside itself is `AlertsKey`.
    own = [id for id in ids if id.startswith(construct.node.id)]
    # What a construct needs is made before it; the queue's reader is the use's own.
    after = [id for id in ids[ids.index(construct.node.id) + 1 :] if id not in (*own, "Reader")]
    resources = Template.from_stack(stack).to_json()["Resources"]
    return Use(construct, _resources_of(stack, own, resources), _resources_of(stack, after, resources))


def _resources_of(
    stack: cdk.Stack, children: list[str], resources: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    logical_ids = {
        stack.resolve(found.logical_id)
        for child in children
        for found in stack.node.find_child(child).node.find_all()
        if isinstance(found, cdk.CfnElement)
    }
    return {name: resource for name, resource in resources.items() if name in logical_ids}


def types(resources: dict[str, dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    """The properties of all resources of a type."""
    for resource in resources.values():
        if resource["Type"] == kind:
            yield resource.get("Properties", {})
