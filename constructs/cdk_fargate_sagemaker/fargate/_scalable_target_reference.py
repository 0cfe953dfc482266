"""What a scalable target scales, in every release of the CDK that the library supports."""

from typing import Any, cast

from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef, ScalableTargetReference


def scalable_target_reference(given: IScalableTargetRef) -> ScalableTargetReference | None:
    """The reference of a scalable target; None for what is none.

    The `ScalableTarget` of older releases of the CDK has no `scalable_target_ref`, only the resource in it has.
    """
    reference: ScalableTargetReference | None = getattr(given, "scalable_target_ref", None)
    if reference is not None:
        return reference
    older: Any = target_to_scale(given)
    resource = older.node.default_child if isinstance(older, applicationautoscaling.ScalableTarget) else None
    if not isinstance(resource, applicationautoscaling.CfnScalableTarget):
        return None
    return ScalableTargetReference(
        resource_id=older.scalable_target_id,
        scalable_dimension=resource.scalable_dimension,
        service_namespace=resource.service_namespace,
    )


def target_to_scale(given: IScalableTargetRef) -> IScalableTargetRef:
    """What an action scales: `given`, or the target in it where the CDK's release has a task count that is none."""
    construct: Any = given
    is_count = isinstance(construct, applicationautoscaling.BaseScalableAttribute)
    if is_count and not hasattr(construct, "scalable_target_ref"):
        construct = construct.node.find_child("Target")
    return cast(IScalableTargetRef, construct)
