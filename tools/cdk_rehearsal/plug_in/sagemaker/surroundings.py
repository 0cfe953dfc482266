"""What jobs and endpoints need from the emulator."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cdk_rehearsal.engines.container import ContainerEngine
from cdk_rehearsal.permissions.needs.acting import ActingNeed
from cdk_rehearsal.plug_in.aws_error import validation_error
from cdk_rehearsal.plug_in.iam import AccessDeniedError, ActingRole, Permissions
from cdk_rehearsal.processes.process_registry import ProcessRegistry


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`aws_environment` holds the environment variables by which an image's program reaches this AWS; the waits of an
    endpoint's deployment are multiplied by `wait_scale`.
    """

    engine: ContainerEngine
    registry: ProcessRegistry
    work_folder: Path
    account: str
    region: str
    aws_environment: dict[str, str]
    wait_scale: float
    permissions: Permissions

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    def acting(self, role_arn: str, *, source: str) -> ActingRole:
        """The role as used by SageMaker and its programs for the job, model or endpoint of this ARN.

        Raises AwsError if SageMaker may not assume it.
        """
        try:
            return self.permissions.assume(
                role_arn, service="sagemaker.amazonaws.com", session="SageMaker", source=source
            )
        except AccessDeniedError as error:
            raise validation_error(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            ) from error


def is_not_seen(asked: ActingNeed) -> bool:
    """Whether the emulator does not make the call, so that only the need is checked; calls to S3 and logs are made."""
    return not asked.need.action.startswith(("s3:", "logs:"))
