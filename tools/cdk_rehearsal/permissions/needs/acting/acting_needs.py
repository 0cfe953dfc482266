"""Builds the needs of one actor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.acting.rules import ACTING_RULES
from cdk_rehearsal.permissions.needs.arns import account_of, arn, bucket_arn, s3_location
from cdk_rehearsal.permissions.needs.extra_need_finders import object_key_use
from cdk_rehearsal.permissions.needs.key_use import key_use
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.world import World

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_TRACE = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
_SAMPLE = ("xray:GetSamplingRules", "xray:GetSamplingTargets")
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
LAMBDA_NETWORK = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "UnassignPrivateIpAddresses",
)
# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
SAGEMAKER_NETWORK = (
    "CreateNetworkInterface",
    "CreateNetworkInterfacePermission",
    "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission",
    "DescribeDhcpOptions",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingNeeds:
    """Builds the needs of an actor."""

    actor: Actor
    world: World

    def need(
        self, rule: str, action: str, resource: str = "*", context: Mapping[str, str | tuple[str, ...]] | None = None
    ) -> ActingNeed:
        return ActingNeed(
            actor=self.actor,
            need=Need(
                action=action,
                resource=resource,
                resource_account=account_of(resource, self.world),
                context=MappingProxyType(dict(context or {})),
                because=ACTING_RULES[rule].sentence,
            ),
        )

    def all_of(self, rule: str, needs: Iterable[Need]) -> Iterator[ActingNeed]:
        for need in needs:
            yield ActingNeed(actor=self.actor, need=need)

    def key(
        self,
        rule: str,
        key: str,
        *actions: str,
        via: str = "",
        encrypting: Mapping[str, str] | None = None,
        source: Mapping[str, str] | None = None,
    ) -> Iterator[ActingNeed]:
        """
        Args:
            rule: the rule, by its name in `ACTING_RULES`.
            key: the key's id, ARN or alias.
            *actions: actions without the prefix: "Decrypt".
            via: the service that calls KMS on behalf of the actor. Default: the actor calls KMS itself.
            encrypting: the encryption context that the service sends. Default: none.
            source: aws:SourceArn and aws:SourceAccount, where a service principal sets them.
        """
        because = ACTING_RULES[rule].sentence
        for need in key_use(key, actions, world=self.world, because=because, via=via, encrypting=encrypting):
            context = dict(need.context) | dict(source or {})
            yield self.need(rule, need.action, need.resource, context)

    def logs(self, rule: str, group: str, stream: str, *, makes_group: bool) -> Iterator[ActingNeed]:
        named = arn(self.world, "logs", f"log-group:{group}")
        if makes_group:
            for action in ("logs:CreateLogGroup", "logs:DescribeLogStreams"):
                yield self.need(rule, action, f"{named}:log-stream:")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            yield self.need(rule, action, f"{named}:log-stream:{stream}")

    def image(self, rule: str, image: str) -> Iterator[ActingNeed]:
        """Pulls an image from Amazon ECR; other registries need no IAM permission."""
        host, _, rest = image.partition("/")
        parts = host.split(".")
        if len(parts) < 5 or parts[1:3] != ["dkr", "ecr"]:
            return
        repository = rest.partition("@")[0].partition(":")[0]
        name = f"arn:{self.world.partition}:ecr:{parts[3]}:{parts[0]}:repository/{repository}"
        yield self.need(rule, "ecr:GetAuthorizationToken")
        for action in _PULL:
            yield self.need(rule, action, name)

    def network(
        self, rule: str, actions: tuple[str, ...], *, subnets: Iterable[str], security_groups: Iterable[str]
    ) -> Iterator[ActingNeed]:
        """Creates network interfaces in subnets with security groups."""
        interface = arn(self.world, "ec2", "network-interface/eni-0")
        around = [arn(self.world, "ec2", f"subnet/{each}") for each in subnets]
        around += [arn(self.world, "ec2", f"security-group/{each}") for each in security_groups]
        for action in actions:
            if action.startswith("Describe"):  # has no resource type
                yield self.need(rule, f"ec2:{action}")
                continue
            for resource in (interface, *(around if action == "CreateNetworkInterface" else ())):
                yield self.need(rule, f"ec2:{action}", resource)

    def traces(self, rule: str, *, samples: bool) -> Iterator[ActingNeed]:
        for action in (*_TRACE, *(_SAMPLE if samples else ())):
            yield self.need(rule, action)

    def reads(self, rule: str, uri: str) -> Iterator[ActingNeed]:
        """Reads an object, or all objects below a prefix that ends in a slash."""
        name, key = s3_location(uri)
        bucket = bucket_arn(self.world, name)
        yield self.need(rule, "s3:ListBucket", bucket, {"s3:prefix": key})
        yield self.need(rule, "s3:GetObject", f"{bucket}/{_below(key)}")
        if kms := self.world.key_of(bucket):
            because = ACTING_RULES[rule].sentence
            use = object_key_use(self.world, kms, bucket, _below(key), ("Decrypt",), because)
            yield from self.all_of(rule, use)

    def writes(self, rule: str, uri: str, name: str, *, kms: str | None = None) -> Iterator[ActingNeed]:
        """Writes an object called `name` below a prefix."""
        container, prefix = s3_location(uri)
        bucket = bucket_arn(self.world, container)
        key = f"{prefix.rstrip('/')}/{name}".lstrip("/")
        yield self.need(rule, "s3:PutObject", f"{bucket}/{key}")
        if used := kms or self.world.key_of(bucket):
            because = ACTING_RULES[rule].sentence
            use = object_key_use(self.world, used, bucket, key, ("GenerateDataKey",), because)
            yield from self.all_of(rule, use)


def _below(key: str) -> str:
    return f"{key}object" if key.endswith("/") or not key else key
