"""The fixed monthly cost of a cloud assembly's stacks, and the resources that remain after `cdk destroy`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdk_review.assembly import Stack
from cdk_review.fixed_cost import Charge, charges_of, prices
from cdk_review.judges.properties import value_at

# A rollback of the first deployment deletes resources with `RetainExceptOnCreate`; `cdk destroy` does not.
_KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
# Application Auto Scaling creates them, one above and one below the target; they are not in a template.
# https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
_ALARMS_OF_TRACKING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A resource that remains after `cdk destroy`.

    Args:
        stack: the stack's path.
        logical_id: the resource's logical id.
        path: the construct path, or the logical id if the template has no paths.
        type: the CloudFormation type.
        price: the price in words.
        month: US dollars per month, without stored data.
    """

    stack: str
    logical_id: str
    path: str
    type: str
    price: str
    month: float


def standing_charges(stack: Stack) -> tuple[Charge, ...]:
    """The charges of a stack, most expensive first, those without a price last."""
    region = stack.region or str(prices()["services"]["region"])
    found = charges_and_tracking(stack.path, stack.resources(), region)
    return tuple(sorted(found, key=lambda charge: -1.0 if charge.month is None else charge.month, reverse=True))


def charges_and_tracking(path: str, resources: dict[str, dict[str, Any]], region: str) -> Iterator[Charge]:
    """The charges of a stack's resources, and of the alarms that target tracking creates at deployment."""
    yield from charges_of(path, resources, region)
    for logical_id, resource in resources.items():
        if (
            resource.get("Type") == "AWS::ApplicationAutoScaling::ScalingPolicy"
            and resource.get("Properties", {}).get("PolicyType") == "TargetTrackingScaling"
        ):
            yield Charge(
                stack=path,
                logical_id=logical_id,
                what=f"{_ALARMS_OF_TRACKING} alarms that target tracking makes",
                month=_ALARMS_OF_TRACKING * prices()["services"]["alarm_metric_month"],
            )


def kept_resources(path: str, resources: Mapping[str, dict[str, Any]]) -> Iterator[Kept]:
    """The resources that remain when the stack is deleted."""
    for logical_id, resource in resources.items():
        kind = str(resource.get("Type"))
        properties = resource.get("Properties", {})
        if resource.get("DeletionPolicy", _default_policy(kind, properties)) in _KEPT:
            price, month = kept_price(kind, properties)
            yield Kept(
                stack=path,
                logical_id=logical_id,
                path=construct_path(logical_id, resource),
                type=kind,
                price=price,
                month=month,
            )


def _default_policy(kind: str, properties: Mapping[str, Any]) -> str:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html"""
    alone = kind == "AWS::RDS::DBInstance" and "DBClusterIdentifier" not in properties
    return "Snapshot" if alone or kind == "AWS::RDS::DBCluster" else "Delete"


def construct_path(logical_id: str, resource: Mapping[str, Any]) -> str:
    """A resource's construct path, such as `Shop/Web/Logs`, without the CDK's own `Resource` at its end."""
    path = value_at(resource.get("Metadata", {}), "aws:cdk:path")
    return path.removesuffix("/Resource") if isinstance(path, str) else logical_id


def kept_price(kind: str, properties: Mapping[str, Any]) -> tuple[str, float]:
    """The cost of an unused resource: in words, and US dollars per month without stored data."""
    price = prices()["services"]
    match kind:
        case "AWS::KMS::Key":
            return f"${price['key_month']:.2f} per month", price["key_month"]
        case "AWS::SecretsManager::Secret":
            return f"${price['secret_month']:.2f} per month", price["secret_month"]
        case "AWS::S3::Bucket":
            return f"${price['bucket_gb_month']:g} per GB-month", 0.0
        case "AWS::Logs::LogGroup":
            return f"${price['log_gb_month']:g} per GB-month, until its retention is over", 0.0
        case "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable":
            recovery = f", ${price['table_recovery_gb_month']:g} more with point-in-time recovery"
            return f"${price['table_gb_month']:g} per GB-month{recovery}", 0.0
        case "AWS::SQS::Queue" | "AWS::SNS::Topic" | "AWS::S3::BucketPolicy":
            return "nothing while nobody uses it", 0.0
    known = next(iter(charges_of("", {"It": {"Type": kind, "Properties": dict(properties)}}, price["region"])), None)
    if known is None:
        return "nothing while nobody uses it", 0.0
    if known.month is None:
        return "not in the table of prices", 0.0
    return f"${known.month:.2f} per month", known.month
