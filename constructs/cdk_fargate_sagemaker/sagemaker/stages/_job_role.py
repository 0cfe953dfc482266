from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from ..._construct_tree import stack_of
from ..._inline_policy import acknowledge_inline_policy
from ..endpoint._endpoint_role import allow_network_interfaces
from ..machines._log_streams import allow_logs, allow_metrics
from ..machines._volume_key import allow_volumes
from ..machines.vpc_placement import VpcPlacement


def job_role(
    scope: Construct,
    id: str,
    *,
    endpoint_name: str,
    jobs: str,
    vpc: VpcPlacement | None,
    volume_key: kms.IKey,
) -> iam.Role:
    """Makes a role with the permissions that every SageMaker job needs.

    `jobs` is the kind of the job as in the name of its log group: `TrainingJobs`.

    The caller grants access to its image and to the objects that it reads and writes.
    """
    stack = stack_of(scope)
    role = iam.Role(
        scope,
        id,
        description=f"What the {jobs} of {endpoint_name} may do",
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    acknowledge_inline_policy(role)
    allow_logs(role, jobs, f"{endpoint_name}-*")
    allow_metrics(role)
    allow_volumes(role, volume_key)
    if vpc is not None:
        allow_network_interfaces(role, vpc)
    return role
