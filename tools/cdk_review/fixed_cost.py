"""The fixed monthly cost of a template before and after a change, from the dated price table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.instance_size import size_of
from cdk_review.judges.properties import value_at
from cdk_review.judges.state_machines import machine_of
from cdk_review.reference_text import as_list, number_of, text_of
from fargate_capacity.pricing.fargate_prices import TABLE

MONTH_HOURS = 730
# A resource whose cost doubles to more than this per month is flagged.
WORTH_A_FLAG = 20.0
# A rise of the total by this share is flagged.
WHOLE_RISE = 0.5

# Billed only by usage, or free.
NO_FIXED_CHARGE = (
    "AWS::ApiGateway",
    "AWS::ApplicationAutoScaling::",
    "AWS::AutoScaling::",
    "AWS::CDK::",
    "AWS::CertificateManager::Certificate",
    "AWS::Chatbot::",
    "AWS::CloudFormation::",
    "AWS::CloudFront::",
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::Cognito::",
    "AWS::DynamoDB::",
    "AWS::EC2::DHCPOptions",
    "AWS::EC2::FlowLog",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::NetworkAcl",
    "AWS::EC2::PrefixList",
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::ECR::",
    "AWS::ECS::",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::ElasticLoadBalancingV2::TrustStore",
    "AWS::Events::",
    "AWS::Glue::",
    "AWS::IAM::",
    "AWS::KMS::Alias",
    "AWS::Lambda::",
    "AWS::Logs::",
    "AWS::Pipes::",
    "AWS::S3::",
    "AWS::SNS::",
    "AWS::SQS::",
    "AWS::SSM::",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "AWS::Scheduler::",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::ServiceDiscovery::",
    "AWS::StepFunctions::",
    "AWS::WAFv2::IPSet",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
    "Custom::",
)
# The properties with an instance's type and number.
INSTANCES = {
    "AWS::EC2::Instance": ("InstanceType", None),
    "AWS::RDS::DBInstance": ("DBInstanceClass", None),
    "AWS::DocDB::DBInstance": ("DBInstanceClass", None),
    "AWS::Neptune::DBInstance": ("DBInstanceClass", None),
    "AWS::ElastiCache::CacheCluster": ("CacheNodeType", "NumCacheNodes"),
    "AWS::ElastiCache::ReplicationGroup": ("CacheNodeType", "NumCacheClusters"),
    "AWS::OpenSearchService::Domain": ("ClusterConfig.InstanceType", "ClusterConfig.InstanceCount"),
    "AWS::Redshift::Cluster": ("NodeType", "NumberOfNodes"),
    "AWS::SageMaker::NotebookInstance": ("InstanceType", None),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateData.InstanceType", None),
    "AWS::AutoScaling::LaunchConfiguration": ("InstanceType", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The cost of one resource.

    Args:
        stack: the stack's path.
        logical_id: the resource's logical id.
        what: a description: "2 tasks of 0.5 vCPU and 1 GiB".
        month: US dollars per month, or None if the table has no price.
        place: the part of a resource with several charges: a state of a state machine, a variant.
        instance: the instance type, if the price depends on it.
    """

    stack: str
    logical_id: str
    what: str
    month: float | None
    place: str = ""
    instance: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """The key that identifies a charge before and after."""
        return self.stack, self.logical_id, self.place

    @property
    def name(self) -> str:
        """The name for messages."""
        return f"{self.logical_id}{self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCost:
    """The charges of both sides by stack, logical id and place."""

    before: tuple[Charge, ...]
    after: tuple[Charge, ...]
    dated: str

    @property
    def month_before(self) -> float:
        """US dollars per month of all charges with a price, before the change."""
        return sum(charge.month or 0.0 for charge in self.before)

    @property
    def month_after(self) -> float:
        """US dollars per month of all charges with a price, after the change."""
        return sum(charge.month or 0.0 for charge in self.after)

    @property
    def rise_percent(self) -> float:
        """The rise of the cost in percent; 100 % if it was zero."""
        if self.month_before == 0:
            return 100.0 if self.month_after > 0 else 0.0
        return 100 * (self.month_after / self.month_before - 1)


def fixed_cost(stacks: tuple[StackChange, ...]) -> FixedCost:
    """Pairs the charges before and after."""
    return FixedCost(
        before=tuple(
            charge for stack in stacks for charge in charges_of(stack.path, stack.before, _region(stack, "before"))
        ),
        after=tuple(
            charge for stack in stacks for charge in charges_of(stack.path, stack.after, _region(stack, "after"))
        ),
        dated=str(prices()["services"]["dated"]),
    )


def cost_flags(cost: FixedCost) -> Iterator[Flag]:
    """A flag per resource whose cost at least doubles, and one for the total if it rises by half."""
    before = {charge.key: charge for charge in cost.before}
    for charge in cost.after:
        old = before.get(charge.key)
        sentence = None if old is None else _dearer(old, charge)
        if sentence is not None:
            yield Flag(
                kind="cost", severity="high", stack=charge.stack, logical_id=charge.logical_id, sentence=sentence
            )
    rise = cost.month_after - cost.month_before
    if cost.month_before > 0 and rise > WORTH_A_FLAG and rise > WHOLE_RISE * cost.month_before:
        yield Flag(
            kind="cost",
            severity="medium",
            stack="all",
            logical_id="all",
            sentence=(
                f"All stacks together cost {cost.month_after:,.0f} instead of {cost.month_before:,.0f} dollars a "
                "month, whatever the traffic"
            ),
        )


def _dearer(old: Charge, new: Charge) -> str | None:
    if old.month is not None and new.month is not None:
        if new.month < 2 * old.month or new.month - old.month < WORTH_A_FLAG:
            return None
        costs = f"costs {new.month:,.0f} dollars per month instead of {old.month:,.0f}"
        return f"{new.name}: {new.what} {costs} ({old.what})"
    if old.instance is None or new.instance is None or old.instance == new.instance:
        return None
    first, second = size_of(old.instance), size_of(new.instance)
    runs = f"{new.name} runs on {new.instance} instead of {old.instance}"
    if second.accelerated and not first.accelerated:
        return f"{runs}: an accelerator, several times as expensive"
    if first.vcpus and second.vcpus and second.vcpus >= 2 * first.vcpus:
        times = second.vcpus / first.vcpus
        return f"{runs}: {times:g} × as large, about {times:g} × as expensive"
    return None


@cache
def prices() -> Mapping[str, Any]:
    """The price table of the package."""
    read: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return read


def _region(stack: StackChange, side: str) -> str:
    found = stack.stack_before if side == "before" else stack.stack_after
    return (None if found is None else found.region) or str(prices()["services"]["region"])


def charges_of(path: str, resources: dict[str, dict[str, Any]], region: str) -> Iterator[Charge]:
    """The fixed monthly charges of a stack's resources; none for resources that are billed only by usage."""
    for logical_id, resource in resources.items():
        kind, properties = str(resource.get("Type")), resource.get("Properties", {})
        for place, what, month, instance in _of_resource(kind, logical_id, properties, resources, region):
            yield Charge(
                stack=path,
                logical_id=logical_id,
                place=place,
                what=what,
                month=month,
                instance=instance,
            )


_Priced = tuple[str, str, float | None, str | None]


def _of_resource(
    kind: str, logical_id: str, properties: dict[str, Any], resources: dict[str, dict[str, Any]], region: str
) -> Iterator[_Priced]:
    if kind in INSTANCES:
        where, number = INSTANCES[kind]
        yield _instance(value_at(properties, where), number and value_at(properties, number))
    elif kind == "AWS::ECS::Service":
        yield from _tasks(logical_id, properties, resources, region)
    elif kind == "AWS::StepFunctions::StateMachine":
        machine = machine_of(properties)
        for name, state in machine.states.items() if machine else []:
            if "createEndpointConfig" in str(state.get("Resource")):
                arguments = state.get("Arguments", state.get("Parameters", {}))
                yield from _variants(f" {name}", arguments)
    elif kind == "AWS::SageMaker::EndpointConfig":
        yield from _variants("", properties)
    elif kind in _MONTHLY:
        yield ("", *_MONTHLY[kind](properties), None)
    elif not kind.startswith(NO_FIXED_CHARGE):
        yield "", kind.removeprefix("AWS::"), None, None


def _instance(name: Any, number: Any) -> _Priced:
    instance, count = text_of(name), number_of(number) or 1
    hour = prices()["instances"]["instance_hour"].get(instance)
    return "", f"{count:g} × {instance}", None if hour is None else hour * count * MONTH_HOURS, instance


def _variants(place: str, configuration: Any) -> Iterator[_Priced]:
    variants = configuration.get("ProductionVariants") if isinstance(configuration, dict) else None
    for variant in as_list(variants):
        if isinstance(variant, dict) and "InstanceType" in variant:
            _, what, month, instance = _instance(variant["InstanceType"], variant.get("InitialInstanceCount"))
            yield f"{place} {text_of(variant.get('VariantName', ''))}".rstrip(), what, month, instance


def _tasks(
    logical_id: str, properties: dict[str, Any], resources: dict[str, dict[str, Any]], region: str
) -> Iterator[_Priced]:
    definition = resources.get(text_of(properties.get("TaskDefinition")).removeprefix("${").removesuffix("}"), {})
    task = definition.get("Properties", {})
    cpu, memory = number_of(task.get("Cpu")), number_of(task.get("Memory"))
    minimum = number_of(properties.get("DesiredCount"))
    for resource in resources.values():
        target = resource.get("Properties", {})
        if resource.get("Type") == "AWS::ApplicationAutoScaling::ScalableTarget" and f"${{{logical_id}." in text_of(
            target.get("ResourceId")
        ):
            minimum = number_of(target.get("MinCapacity"))
    fargate = properties.get("LaunchType", "FARGATE") == "FARGATE"
    if cpu is None or memory is None or not fargate or not definition:
        yield "", "tasks", None, None
        return
    count = 1.0 if minimum is None else minimum
    architecture = str(value_at(task, "RuntimePlatform.CpuArchitecture") or "X86_64")
    if "WINDOWS" in str(value_at(task, "RuntimePlatform.OperatingSystemFamily")):
        architecture = "WINDOWS_X86_64"
    price = prices()["regions"].get(region, {}).get(architecture)
    month = None
    if price is not None:
        vcpu = price["vcpu_hour"] + price.get("licence_vcpu_hour", 0.0)
        month = count * MONTH_HOURS * (vcpu * cpu / 1024 + price["gb_hour"] * memory / 1024)
    yield (
        "",
        f"{count:g} task{'' if count == 1 else 's'} of {cpu / 1024:g} vCPU and {memory / 1024:g} GiB, the minimum",
        month,
        None,
    )


def _alarm(properties: dict[str, Any]) -> tuple[str, float | None]:
    metrics = [
        metric
        for metric in as_list(properties.get("Metrics"))
        if isinstance(metric, dict) and ("MetricStat" in metric or "SELECT" in str(metric.get("Expression")))
    ]
    number = len(metrics) or 1
    period = number_of(properties.get("Period"))
    each = _service("alarm_metric_month") * (3 if period is not None and period < 60 else 1)
    return f"alarm on {number} metric{'s' if number > 1 else ''}", each * number


def _service(name: str) -> float:
    return float(prices()["services"][name])


def _hourly(what: str, name: str) -> Callable[[dict[str, Any]], tuple[str, float | None]]:
    return lambda _: (what, _service(name) * MONTH_HOURS)


def _monthly(what: str, name: str) -> Callable[[dict[str, Any]], tuple[str, float | None]]:
    return lambda _: (what, _service(name))


def _vpc_endpoint(properties: dict[str, Any]) -> tuple[str, float | None]:
    if properties.get("VpcEndpointType", "Gateway") == "Gateway":
        return "gateway endpoint, without charge", 0.0
    zones = max(len(as_list(properties.get("SubnetIds"))), 1)
    return f"interface endpoint in {zones} zones", zones * _service("vpc_endpoint_zone_hour") * MONTH_HOURS


def _web_acl(properties: dict[str, Any]) -> tuple[str, float | None]:
    rules = len(as_list(properties.get("Rules")))
    return f"web ACL of {rules} rules", _service("web_acl_month") + rules * _service("web_acl_rule_month")


_MONTHLY: dict[str, Callable[[dict[str, Any]], tuple[str, float | None]]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _monthly("composite alarm", "composite_alarm_month"),
    "AWS::CloudWatch::Dashboard": _monthly("dashboard", "dashboard_month"),
    "AWS::EC2::EIP": _hourly("public IPv4 address", "public_ipv4_hour"),
    "AWS::EC2::NatGateway": _hourly("NAT gateway, without its traffic", "nat_gateway_hour"),
    "AWS::EC2::VPCEndpoint": _vpc_endpoint,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _hourly("load balancer, without its traffic", "load_balancer_hour"),
    "AWS::KMS::Key": _monthly("key", "key_month"),
    "AWS::SecretsManager::Secret": _monthly("secret", "secret_month"),
    "AWS::WAFv2::WebACL": _web_acl,
}
