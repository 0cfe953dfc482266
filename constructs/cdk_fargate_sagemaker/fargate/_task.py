"""The task definition: one container with few privileges."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_cdk import Duration, Token
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from .._acknowledgment import Acknowledgment, acknowledge
from .._checks import check_duration, check_kind, check_number, check_text, plain, refusal
from .._construct_tree import stack_of
from .._inline_policy import acknowledge_inline_policy
from .._number_token import is_token

CONTAINER_NAME = "app"
_TMPFS_MOUNT_OPTIONS = [ecs.TmpfsMountOption.NOEXEC, ecs.TmpfsMountOption.NOSUID, ecs.TmpfsMountOption.NODEV]
_LONGEST_STOP_TIMEOUT = Duration.seconds(120)
# Folders that the agent of ECS Exec writes to: https://github.com/aws/containers-roadmap/issues/1359
_EXEC_FOLDERS = {
    "exec-agent": "/managed-agents",
    "exec-state": "/var/lib/amazon/ssm",
    "exec-logs": "/var/log/amazon/ssm",
}


# One object serves every service; each new one would be a call to the JavaScript process.
@cache
def _linux() -> ecs.OperatingSystemFamily:
    return ecs.OperatingSystemFamily.LINUX


@cache
def _x86_64() -> ecs.CpuArchitecture:
    return ecs.CpuArchitecture.X86_64


def check_container(
    *,
    image: Any,
    port: Any,
    environment: Any,
    secrets: Any,
    user: Any,
    tmpfs_mib: Any,
    stop_timeout: Any,
    cpu_architecture: Any,
) -> None:
    """Refuses settings that no task can run, and a container that would run as root.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = f"give ecs.ContainerImage.from_registry({image!r})" if isinstance(image, str) else None
    check_kind("image", image, ecs.ContainerImage, "an ecs.ContainerImage", remedy)
    check_number("container_port", port, at_least=1, at_most=65535, whole=True)
    _check_environment(environment, secrets)
    _check_user(user)
    _check_tmpfs(tmpfs_mib)
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html, stopTimeout on Fargate
    check_duration("stop_timeout", stop_timeout, at_most=_LONGEST_STOP_TIMEOUT, whole="seconds")
    if cpu_architecture is not None:
        check_kind(
            "cpu_architecture",
            cpu_architecture,
            ecs.CpuArchitecture,
            "an ecs.CpuArchitecture",
            "give ecs.CpuArchitecture.ARM64 or X86_64",
        )


def _check_environment(environment: Any, secrets: Any) -> None:
    for name, given in (("environment", environment), ("secrets", secrets)):
        if given is not None and not isinstance(given, Mapping):
            raise refusal(name, given, "a dict by the names of variables")
        for variable in given or {}:
            check_text(f"{name}[{variable!r}]", variable, "text as a variable's name")
    for variable, value in (environment or {}).items():
        if not isinstance(value, str):
            remedy = f"write {str(value)!r}" if isinstance(value, int | float) and not is_token(value) else None
            raise refusal(f"environment[{variable!r}]", value, "text", remedy)
    for variable, secret in (secrets or {}).items():
        check_kind(
            f"secrets[{variable!r}]",
            secret,
            ecs.Secret,
            "an ecs.Secret",
            "give ecs.Secret.from_secrets_manager(…) or from_ssm_parameter(…)",
        )
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KeyValuePair.html: names are unique in a container.
    twice = sorted(set(environment or {}) & set(secrets or {}))
    if twice:
        raise refusal("secrets", plain(", ".join(twice)), "names that environment does not have", "keep one of the two")


def _check_user(user: Any) -> None:
    allowed = "any user but root, as '1000:1000'"
    if not isinstance(user, str):
        raise refusal("user", user, allowed, f"write {str(user)!r}" if isinstance(user, int) else None)
    # The container runtime reads digits as a number, with or without a sign and leading zeros.
    # https://github.com/moby/sys/blob/user/v0.4.0/user/user.go, GetExecUser
    name, _, group = user.partition(":")
    if name in ("", "root") or re.fullmatch("[+-]?0+", name) or ":" in group or user != "".join(user.split()):
        if Token.is_unresolved(user):
            return
        raise refusal("user", user, allowed, "choose another")


def _check_tmpfs(tmpfs_mib: Any) -> None:
    if not isinstance(tmpfs_mib, Mapping):
        raise refusal("tmpfs_mib", tmpfs_mib, "a dict of sizes in MiB by path", 'give {"/tmp": 64}')
    for path, size in tmpfs_mib.items():
        if not isinstance(path, str) or not path.startswith("/") or not path.strip("/"):
            raise refusal("tmpfs_mib", path, "absolute paths below /", "write it from / on")
        check_number(f"tmpfs_mib[{path!r}]", size, at_least=1, whole=True, remedy="MiB; leave it out for none")


def task_definition(
    scope: Construct,
    *,
    image: ecs.ContainerImage,
    cpu: int,
    memory_mib: int,
    cpu_architecture: ecs.CpuArchitecture | None,
    port: int,
    environment: Mapping[str, str] | None,
    secrets: Mapping[str, ecs.Secret] | None,
    user: str,
    tmpfs_mib: Mapping[str, int],
    stop_timeout: Duration,
    execute_command: bool,
    log_group: logs.LogGroup,
) -> tuple[ecs.FargateTaskDefinition, iam.IRole, iam.IRole]:
    """Makes `TaskDefinition` with the container `app`; returns it with its task role and execution role."""
    definition = ecs.FargateTaskDefinition(
        scope,
        "TaskDefinition",
        cpu=cpu,
        memory_limit_mib=memory_mib,
        runtime_platform=ecs.RuntimePlatform(
            operating_system_family=_linux(), cpu_architecture=cpu_architecture or _x86_64()
        ),
    )
    linux = ecs.LinuxParameters(scope, "LinuxParameters", init_process_enabled=True)
    for path, size_mib in tmpfs_mib.items():
        linux.add_tmpfs(ecs.Tmpfs(container_path=path, size=size_mib, mount_options=_TMPFS_MOUNT_OPTIONS))
    container = definition.add_container(
        CONTAINER_NAME,
        image=image,
        environment=environment,
        secrets=secrets,
        user=user,
        readonly_root_filesystem=True,
        linux_parameters=linux,
        stop_timeout=stop_timeout,
        port_mappings=[ecs.PortMapping(container_port=port)],
        logging=ecs.LogDrivers.aws_logs(stream_prefix=CONTAINER_NAME, log_group=log_group),
    )
    if execute_command:
        for name, path in _EXEC_FOLDERS.items():
            definition.add_volume(name=name)
            container.add_mount_points(ecs.MountPoint(source_volume=name, container_path=path, read_only=False))
    if environment:
        acknowledge(
            definition,
            Acknowledgment(
                id="AwsSolutions-ECS2",
                reason="The environment holds settings that anybody may read; secrets have a property of their own, "
                "and come from Secrets Manager or the parameter store.",
            ),
        )
    task_role = definition.task_role
    acknowledge_inline_policy(task_role)
    execution_role = definition.obtain_execution_role()
    acknowledge_inline_policy(
        execution_role,
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="ecr:GetAuthorizationToken, which pulling an image needs, supports no resource-level permissions.",
        ),
    )
    return definition, task_role, execution_role


def acknowledge_exec(definition: ecs.FargateTaskDefinition, cluster: ecs.ICluster) -> None:
    """Acknowledges why the task's role has the wildcards that ECS Exec needs."""
    acknowledgments = [
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="ECS Exec is enabled; its channels (ssmmessages) and logs:DescribeLogGroups support no "
            "resource-level permissions.",
        )
    ]
    configuration = cluster.execute_command_configuration
    if configuration and configuration.log_configuration and configuration.log_configuration.cloud_watch_log_group:
        stack = stack_of(definition)
        # The partition is a literal if the region is known and the flag enablePartitionLiterals is on, as in a new app.
        partition = stack.partition if not Token.is_unresolved(stack.partition) else "<AWS::Partition>"
        region = stack.region if not Token.is_unresolved(stack.region) else "<AWS::Region>"
        account = stack.account if not Token.is_unresolved(stack.account) else "<AWS::AccountId>"
        name = stack.resolve(configuration.log_configuration.cloud_watch_log_group.log_group_ref.log_group_name)
        shown = name if isinstance(name, str) else f"<{name.get('Ref')}>"
        arn = f"arn:{partition}:logs:{region}:{account}:log-group:{shown}:*"
        acknowledgments.append(
            Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{arn}]",
                reason="ECS Exec is enabled; it writes to streams of this one log group and chooses their names.",
            )
        )
    acknowledge(definition.task_role, *acknowledgments)
