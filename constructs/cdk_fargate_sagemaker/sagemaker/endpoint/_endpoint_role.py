"""The role that an endpoint's containers use, and SageMaker on their behalf."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from ..._allow import allow
from ..._construct_tree import account_of, stack_of
from ..._inline_policy import acknowledge_inline_policy
from ..._key_use import ENVELOPE_KEY_USE, allow_key
from ..._resource_policy import open_to_account
from ..configuration.data_capture import DataCapture
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..machines._log_streams import allow_logs, allow_metrics
from ..machines._volume_key import allow_volumes
from ..machines.vpc_placement import VpcPlacement

_NETWORK_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
)
_NETWORK_DESCRIPTIONS = (
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)


def endpoint_role(
    scope: Construct,
    id: str,
    *,
    endpoint_name: str,
    configuration: EndpointConfiguration,
    traffic_shifting: TrafficShifting,
    volume_key: kms.IKey,
) -> iam.Role:
    """Creates a role with the permissions that an endpoint of this configuration needs.

    The caller grants access to the image, with `ModelImage.bind(…, puller=role)`, and to the model's archive.
    """
    role = iam.Role(
        scope,
        id,
        description=f"What the endpoint {endpoint_name} may do",
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account_of(scope)}}
        ),
    )
    acknowledge_inline_policy(role)
    allow_logs(role, f"Endpoints/{endpoint_name}", "*")
    allow_metrics(role)
    # A transform job uses this role too.
    allow_volumes(role, volume_key)
    if traffic_shifting.rollback_alarms:
        # SageMaker describes the alarms with the model's role.
        allow(role, ["cloudwatch:DescribeAlarms"], *(alarm.alarm_arn for alarm in traffic_shifting.rollback_alarms))
    if configuration.data_capture is not None:
        _allow_data_capture(role, configuration.data_capture)
    if configuration.vpc is not None:
        allow_network_interfaces(role, configuration.vpc)
    return role


def _allow_data_capture(role: iam.Role, capture: DataCapture) -> None:
    allow(
        role,
        ["s3:PutObject"],
        capture.bucket.arn_for_objects(f"{capture.prefix}*"),
        wildcard_reason="SageMaker names a captured object after the hour and the instance.",
    )
    bucket = capture.bucket
    open_to_account(bucket, bucket.bucket_arn, role, ["s3:PutObject"], bucket.arn_for_objects(f"{capture.prefix}*"))
    if capture.encryption_key is not None:
        # Multipart uploads need Decrypt.
        allow_key(role, capture.encryption_key, ENVELOPE_KEY_USE)


def allow_network_interfaces(role: iam.Role, placement: VpcPlacement) -> None:
    """Allows what SageMaker requires of a role whose containers are in a VPC."""
    stack = stack_of(role)
    allow(
        role,
        _NETWORK_INTERFACES,
        stack.format_arn(service="ec2", resource="network-interface", resource_name="*"),
        *(stack.format_arn(service="ec2", resource="subnet", resource_name=subnet) for subnet in placement.subnet_ids),
        *(
            stack.format_arn(service="ec2", resource="security-group", resource_name=group.security_group_id)
            for group in placement.security_groups
        ),
        wildcard_reason="A network interface gets its id when it is created.",
    )
    # `allow_metrics` acknowledges this wildcard too: cdk-nag reports all actions on `*` in one finding.
    role.add_to_policy(iam.PolicyStatement(actions=list(_NETWORK_DESCRIPTIONS), resources=["*"]))
