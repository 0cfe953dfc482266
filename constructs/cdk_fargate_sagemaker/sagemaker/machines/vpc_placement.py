"""The subnets and security groups of a model's containers."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2

from ..._checks import check_interface, check_kind, check_sequence, plain, refusal

# VpcConfig's limits
_MOST_SUBNETS = 16
_MOST_SECURITY_GROUPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcPlacement:
    """Gives each container of a model or a job a network interface in the subnets, with the security groups.

    The container's own calls and the download of the model go through the VPC, so the VPC needs a route to S3.
    SageMaker's other traffic does not go through it: requests to the endpoint, and the download of the image from ECR.

    Args:
        vpc: the VPC of the subnets.
        security_groups: 1 to 5 of them.
        subnets: which subnets of the VPC. Default: the private ones with egress, else the isolated ones.

    Raises:
        InvalidArgumentError: more subnets or security groups than SageMaker accepts, or none.

    Example:
        ```python
        placement = VpcPlacement(
            vpc=vpc, security_groups=[ec2.SecurityGroup(self, "Containers", vpc=vpc, allow_all_outbound=False)]
        )
        ```
    """

    vpc: ec2.IVpc
    security_groups: Sequence[ec2.ISecurityGroup]
    subnets: ec2.SubnetSelection | None = None

    def __post_init__(self) -> None:
        check_interface("vpc", self.vpc, "vpc_id", "an IVpc", "import a VPC with Vpc.from_lookup(…)")
        groups = check_sequence("security_groups", self.security_groups, "a list of security groups")
        for group in groups:
            check_interface(
                "security_groups",
                group,
                "security_group_id",
                "security groups",
                "import one with SecurityGroup.from_security_group_id(…)",
            )
        object.__setattr__(self, "security_groups", groups)
        if self.subnets is not None:
            check_kind("subnets", self.subnets, ec2.SubnetSelection, remedy="give SubnetSelection(subnets=[…])")
        for name, count, most in (
            ("security_groups", len(groups), _MOST_SECURITY_GROUPS),
            ("subnets", len(self.subnet_ids), _MOST_SUBNETS),
        ):
            if not 1 <= count <= most:
                raise refusal(name, plain(f"{count} of them"), f"1 to {most}")

    @property
    def subnet_ids(self) -> tuple[str, ...]:
        """The ids of the subnets."""
        wanted = self.subnets or ec2.SubnetSelection()
        found = self.vpc.select_subnets(
            availability_zones=wanted.availability_zones,
            one_per_az=wanted.one_per_az,
            subnet_filters=wanted.subnet_filters,
            subnet_group_name=wanted.subnet_group_name,
            subnets=wanted.subnets,
            subnet_type=wanted.subnet_type,
        )
        return tuple(found.subnet_ids)


def vpc_config(placement: VpcPlacement | None) -> dict[str, object]:
    """Returns the `VpcConfig` of a job or a model; empty without a placement, for SageMaker's own network."""
    if placement is None:
        return {}
    return {
        "VpcConfig": {
            "SecurityGroupIds": [group.security_group_id for group in placement.security_groups],
            "Subnets": list(placement.subnet_ids),
        }
    }
