"""Alarms that stop and roll back a deployment of their service."""

from collections.abc import Mapping, Sequence

from aws_cdk import Annotations, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from .._checks import check_kind, check_sequence, plain, refusal
from .._construct_tree import stack_of

_ALLOWED = "alarms of aws_cloudwatch that this app makes with an alarm_name"


def names_of(name: str, alarms: Sequence[cloudwatch.Alarm]) -> list[str]:
    """Returns the names given to alarms. A reference to an alarm on the service would be a circular dependency.

    Raises:
        InvalidArgumentError: a value that is not a list of alarms of this app with names.
    """
    names = []
    for alarm in check_sequence(name, alarms, _ALLOWED):
        check_kind(name, alarm, cloudwatch.Alarm, _ALLOWED)
        declared = getattr(alarm.node.default_child, "alarm_name", None)
        if not isinstance(declared, str) or Token.is_unresolved(declared):
            raise refusal(name, plain(f"the alarm {alarm.node.path} without a name"), _ALLOWED, "give it an alarm_name")
        names.append(declared)
    return names


def stop_deployments(scope: Construct, service: ecs.IService, names: Sequence[str], wanted: bool | None) -> None:
    """Makes ECS watch the alarms `names` in each deployment of `service`, or adds an annotation if ECS cannot.

    Raises:
        InvalidArgumentError: `wanted` is True for a service that supports no deployment alarms.
    """
    if wanted is False:
        return
    if not isinstance(service, ecs.BaseService):
        if wanted:
            given = plain("True for an imported service")
            raise refusal("stop_deployments", given, "for a service that this app makes", "leave it out")
        return
    controller = _deployment_controller(service)
    if controller not in (None, "ECS"):
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-ecs-service-deploymentalarms.html
        if wanted:
            given = plain(f"True for a service with the deployment controller {controller}")
            remedy = "give guardrail_alarms to what deploys it, and leave it out"
            raise refusal("stop_deployments", given, "with ECS", remedy)
        Annotations.of(scope).add_info_v2(
            "cdk-fargate-sagemaker:stopDeployments",
            f"the guardrail stops no deployment: ECS takes alarms with its own deployment controller, not with "
            f"{controller}; give the guardrail to what deploys the service",
        )
        return
    service.enable_deployment_alarms(list(names), behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM)
    _check_watched(service, names)


def _deployment_controller(service: ecs.BaseService) -> str | None:
    """The type of the service's deployment controller; None for the default (ECS) or a token."""
    resource = service.node.try_find_child("Service")
    declared = stack_of(service).resolve(getattr(resource, "deployment_controller", None))
    controller = declared.get("type") if isinstance(declared, Mapping) else None
    return controller if isinstance(controller, str) else None


def _check_watched(service: ecs.BaseService, names: Sequence[str]) -> None:
    # The CDK silently drops alarms that are added after those of the constructor (aws/aws-cdk#36308). The protected
    # attribute is the only way to see before deployment which alarms it kept.
    deployment_alarms = service._deployment_alarms
    watched = deployment_alarms.alarm_names if deployment_alarms else []
    if not set(names) <= set(watched):
        raise refusal(
            "stop_deployments",
            plain(f"a service made with deployment_alarms {', '.join(map(str, watched))}"),
            "one made without",
            "move them to service.enable_deployment_alarms(), or pass stop_deployments=False",
        )
