"""Puts every part of the plug-in into ministack, before it serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ministack import app
from ministack.core import router

from cdk_rehearsal.emulator_settings import EmulatorSettings
from cdk_rehearsal.engines import DockerEngine, ImageSources, ProcessEngine
from cdk_rehearsal.engines.container import ContainerEngine
from cdk_rehearsal.fault import FAULTS_FILE, HAPPENED_FILE
from cdk_rehearsal.minimal_environment import minimal_environment
from cdk_rehearsal.plug_in import (
    alarm_notifications,
    asynchronous_invocations,
    athena_unload,
    checked_requests,
    cloudformation_sagemaker,
    cloudformation_types,
    container_definitions,
    copied_checksums,
    embedded_metrics,
    function_errors,
    image_repository,
    metric_math_alarms,
    outliving_resources,
    raised_alarms,
    resource_attributes,
    secret_references,
    sparse_answers,
    stack_waits,
    step_functions,
    succeed_output,
    table_exports,
    topic_policies,
)
from cdk_rehearsal.plug_in.alarm_evaluation import AlarmEvaluation
from cdk_rehearsal.plug_in.application_autoscaling import ApplicationAutoScaling, variant_capacity
from cdk_rehearsal.plug_in.faults import Faults
from cdk_rehearsal.plug_in.loopback_door import LoopbackDoor
from cdk_rehearsal.plug_in.permissions import Permissions, delivery_permissions, function_permissions
from cdk_rehearsal.plug_in.permissions.emulated_world import EmulatedWorld
from cdk_rehearsal.plug_in.permissions.request_door import RequestDoor
from cdk_rehearsal.plug_in.sagemaker import SageMaker
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings
from cdk_rehearsal.process_registry import ProcessRegistry


def install(settings: EmulatorSettings, *, work_folder: Path) -> LoopbackDoor:
    """Called once in the emulator's process, after its environment is set and before it listens.

    Returns the application to serve.
    """
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
    app.SERVICE_HANDLERS["sagemaker"] = sagemaker.handle
    app.SERVICE_HANDLERS["application-autoscaling"] = autoscaling.handle
    router.SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": ["SageMaker."]}
    router.SERVICE_PATTERNS["application-autoscaling"] = {"target_prefixes": ["AnyScaleFrontendService."]}
    step_functions.install(
        sagemaker,
        Faults(orders=work_folder / FAULTS_FILE, happened=work_folder / HAPPENED_FILE, account=settings.account),
        permissions=permissions,
    )
    cloudformation_types.install(autoscaling)
    cloudformation_sagemaker.install(sagemaker)
    secret_references.install()
    outliving_resources.install(account=settings.account)
    resource_attributes.install()
    image_repository.install()
    container_definitions.install()
    copied_checksums.install()
    embedded_metrics.install()
    function_errors.install()
    asynchronous_invocations.install(permissions)
    athena_unload.install()
    metric_math_alarms.install()
    stack_waits.install()
    succeed_output.install()
    table_exports.install()
    topic_policies.install()
    function_permissions.install(permissions)
    alarm_notifications.install()
    delivery_permissions.install(permissions)
    AlarmEvaluation(autoscaling.act, wait_scale=settings.wait_scale).install()
    raised_alarms.install()
    # Elsewhere than on Linux, containers reach loopback by a name of Docker's.
    from_docker = settings.engine == "docker" and sys.platform != "linux"
    return LoopbackDoor(RequestDoor(app.app, permissions=permissions), from_docker=from_docker)


def _engine(settings: EmulatorSettings, *, work_folder: Path) -> ContainerEngine:
    if settings.engine == "docker":
        return DockerEngine(owner=str(work_folder), client_environment=settings.docker_environment)
    sources = ImageSources(
        cloud_assembly=Path(settings.cloud_assembly) if settings.cloud_assembly else None,
        registered=work_folder / "images.json",
    )
    return ProcessEngine(sources, base_environment=minimal_environment(work_folder / "home"))
