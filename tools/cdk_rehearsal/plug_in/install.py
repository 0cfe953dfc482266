"""Installs every part of the plug-in in ministack, before it serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cdk_rehearsal.emulator_settings import EmulatorSettings
from cdk_rehearsal.engines import DockerEngine, ImageSources, ProcessEngine
from cdk_rehearsal.engines.container import ContainerEngine
from cdk_rehearsal.engines.process_engine import PYTHONS_FILE
from cdk_rehearsal.fault import FAULTS_FILE, HAPPENED_FILE
from cdk_rehearsal.plug_in import checked_requests, sparse_answers
from cdk_rehearsal.plug_in.applicationautoscaling import ApplicationAutoScaling, variant_capacity
from cdk_rehearsal.plug_in.athena import unload
from cdk_rehearsal.plug_in.cloudformation import (
    describe_stacks,
    resource_types,
    retained_resources,
    return_values,
    sagemaker_resource_types,
)
from cdk_rehearsal.plug_in.cloudwatch import alarm_history, alarm_notifications, metric_math_alarms
from cdk_rehearsal.plug_in.cloudwatch.alarm_evaluation import AlarmEvaluation
from cdk_rehearsal.plug_in.dynamodb import export_to_s3
from cdk_rehearsal.plug_in.ecr import describe_images
from cdk_rehearsal.plug_in.ecs import container_definitions
from cdk_rehearsal.plug_in.iam import Permissions, delivery_permissions, execution_role
from cdk_rehearsal.plug_in.iam.emulated_world import EmulatedWorld
from cdk_rehearsal.plug_in.iam.request_authorization import RequestDoor
from cdk_rehearsal.plug_in.lambda_ import asynchronous_invocation, function_errors
from cdk_rehearsal.plug_in.logs import embedded_metric_format
from cdk_rehearsal.plug_in.loopback_door import LoopbackDoor
from cdk_rehearsal.plug_in.ministack_adapter import app, require_ministack, router
from cdk_rehearsal.plug_in.s3 import copy_object_checksums
from cdk_rehearsal.plug_in.sagemaker import SageMaker
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings
from cdk_rehearsal.plug_in.secretsmanager import secret_return_values
from cdk_rehearsal.plug_in.sns import default_topic_policy
from cdk_rehearsal.plug_in.stepfunctions import service_integrations, succeed_state
from cdk_rehearsal.plug_in.stepfunctions.injected_faults import Faults
from cdk_rehearsal.processes.minimal_environment import minimal_environment
from cdk_rehearsal.processes.process_registry import ProcessRegistry


def install(settings: EmulatorSettings, *, work_folder: Path) -> LoopbackDoor:
    """Called once in the emulator's process, after its environment is set and before it serves.

    Returns the application to serve.
    """
    require_ministack()
    checked_requests.install()
    if settings.sparse_answers:
        sparse_answers.install()
    permissions = Permissions(
        EmulatedWorld(
            account=settings.account,
            region=settings.region,
            ask_sagemaker=lambda operation, request: sagemaker.call(operation, request),
        )
    )
    autoscaling = ApplicationAutoScaling(account=settings.account, region=settings.region)
    sagemaker = SageMaker(
        Surroundings(
            engine=_engine(settings, work_folder=work_folder),
            registry=ProcessRegistry(work_folder / "processes"),
            work_folder=work_folder,
            account=settings.account,
            region=settings.region,
            aws_environment={name: value for name, value in os.environ.items() if name.startswith("AWS_")},
            wait_scale=settings.wait_scale,
            permissions=permissions,
        ),
        is_registered=lambda endpoint, variant: autoscaling.has_target(variant_capacity.resource_id(endpoint, variant)),
    )
    app.service_handlers["sagemaker"] = sagemaker.handle
    app.service_handlers["application-autoscaling"] = autoscaling.handle
    router.service_patterns["sagemaker"] = {"target_prefixes": ["SageMaker."]}
    router.service_patterns["application-autoscaling"] = {"target_prefixes": ["AnyScaleFrontendService."]}
    service_integrations.install(
        sagemaker,
        Faults(orders=work_folder / FAULTS_FILE, happened=work_folder / HAPPENED_FILE, account=settings.account),
        permissions=permissions,
    )
    resource_types.install(autoscaling)
    sagemaker_resource_types.install(sagemaker)
    secret_return_values.install()
    retained_resources.install(account=settings.account)
    return_values.install()
    describe_images.install()
    container_definitions.install()
    copy_object_checksums.install()
    embedded_metric_format.install()
    function_errors.install()
    asynchronous_invocation.install(permissions)
    unload.install()
    metric_math_alarms.install()
    describe_stacks.install()
    succeed_state.install()
    export_to_s3.install()
    default_topic_policy.install()
    execution_role.install(permissions)
    alarm_notifications.install()
    delivery_permissions.install(permissions)
    AlarmEvaluation(autoscaling.act, wait_scale=settings.wait_scale).install()
    alarm_history.install()
    # On systems other than Linux, containers reach loopback as host.docker.internal.
    from_docker = settings.engine == "docker" and sys.platform != "linux"
    return LoopbackDoor(RequestDoor(app.app, permissions=permissions), from_docker=from_docker)


def _engine(settings: EmulatorSettings, *, work_folder: Path) -> ContainerEngine:
    if settings.engine == "docker":
        return DockerEngine(owner=str(work_folder), client_environment=settings.docker_environment)
    sources = ImageSources(
        cloud_assembly=Path(settings.cloud_assembly) if settings.cloud_assembly else None,
        registered=work_folder / "images.json",
    )
    return ProcessEngine(
        sources, base_environment=minimal_environment(work_folder / "home"), pythons=work_folder / PYTHONS_FILE
    )
