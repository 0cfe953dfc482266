"""What a task runs: one confined container."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Duration, Stack, Token, Validations
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from .._inline_policy import acknowledge_inline_policy

CONTAINER_NAME = "app"
_TMPFS_MOUNT_OPTIONS = [ecs.TmpfsMountOption.NOEXEC, ecs.TmpfsMountOption.NOSUID, ecs.TmpfsMountOption.NODEV]
# What the agent of ECS Exec writes to: https://github.com/aws/containers-roadmap/issues/1359
_EXEC_FOLDERS = {
    "exec-agent": "/managed-agents",
    "exec-state": "/var/lib/amazon/ssm",
    "exec-logs": "/var/log/amazon/ssm",
}


def task_definition(
    scope: Construct,
    *,
    image: ecs.ContainerImage,
    cpu: int,
    memory_mib: int,
    cpu_architecture: ecs.CpuArchitecture,
    port: int,
    environment: Mapping[str, str] | None,
    secrets: Mapping[str, ecs.Secret] | None,
    user: str,
    tmpfs_mib: Mapping[str, int],
    stop_timeout: Duration,
    execute_command: bool,
    log_group: logs.LogGroup,
) -> ecs.FargateTaskDefinition:
    """Makes `TaskDefinition` with the container `app`."""
    definition = ecs.FargateTaskDefinition(
        scope,
        "TaskDefinition",
        cpu=cpu,
        memory_limit_mib=memory_mib,
        runtime_platform=ecs.RuntimePlatform(
            operating_system_family=ecs.OperatingSystemFamily.LINUX, cpu_architecture=cpu_architecture
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
        Validations.of(definition).acknowledge(
            Acknowledgment(
                id="AwsSolutions-ECS2",
                reason="The environment holds settings that anybody may read; secrets have a property of their own, "
                "and come from Secrets Manager or the parameter store.",
            )
        )
    acknowledge_inline_policy(definition.task_role, definition.obtain_execution_role())
    Validations.of(definition.obtain_execution_role()).acknowledge(
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="ecr:GetAuthorizationToken, which pulling an image takes, knows no resources.",
        )
    )
    return definition


def acknowledge_exec(definition: ecs.FargateTaskDefinition, cluster: ecs.ICluster) -> None:
    """Says why the task's role has the wildcards that ECS Exec takes."""
    acknowledgments = [
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="ECS Exec was asked for; its channels (ssmmessages) and logs:DescribeLogGroups know no resources.",
        )
    ]
    configuration = cluster.execute_command_configuration
    if configuration and configuration.log_configuration and configuration.log_configuration.cloud_watch_log_group:
        stack = Stack.of(definition)
        region = stack.region if not Token.is_unresolved(stack.region) else "<AWS::Region>"
        account = stack.account if not Token.is_unresolved(stack.account) else "<AWS::AccountId>"
        name = stack.resolve(configuration.log_configuration.cloud_watch_log_group.log_group_ref.log_group_name)
        shown = name if isinstance(name, str) else f"<{name.get('Ref')}>"
        arn = f"arn:<AWS::Partition>:logs:{region}:{account}:log-group:{shown}:*"
        acknowledgments.append(
            Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{arn}]",
                reason="ECS Exec was asked for; it writes to streams of this one log group, which it names itself.",
            )
        )
    Validations.of(definition.task_role).acknowledge(*acknowledgments)
