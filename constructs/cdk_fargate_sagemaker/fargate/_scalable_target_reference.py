"""The resource that a scalable target scales, in every release of the CDK that the library supports."""

from typing import Any, cast

from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef, ScalableTargetReference

from .._checks import plain, refusal


def scalable_target_reference(given: IScalableTargetRef) -> ScalableTargetReference | None:
    """The reference of a scalable target; None for a value that is not one.

    In older releases of the CDK `ScalableTarget` has no `scalable_target_ref`; only the resource in it has one.

    Raises:
        InvalidArgumentError: a target that was imported by its id alone.
    """
    if isinstance(given, type):
        return None
    if isinstance(given, applicationautoscaling.CfnScalableTarget):
        # Its properties: its own reference contains them at deployment only.
        return ScalableTargetReference(
            resource_id=given.ref,
            scalable_dimension=given.scalable_dimension,
            service_namespace=given.service_namespace,
        )
    try:
        reference: ScalableTargetReference | None = getattr(given, "scalable_target_ref", None)
    except RuntimeError:
        raise refusal(
            "scalable_target",
            plain("one imported by its id alone"),
            "one whose namespace and dimension are known",
            "import it with ScalableTarget.from_scalable_target_attributes",
        ) from None
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
    """The target for a scaling action: `given`, or the target in it if the CDK's task count is not one itself."""
    construct: Any = given
    is_count = isinstance(construct, applicationautoscaling.BaseScalableAttribute)
    # Read from the class: the property itself is four calls to the JavaScript process.
    if is_count and not hasattr(type(construct), "scalable_target_ref"):
        construct = construct.node.find_child("Target")
    return cast(IScalableTargetRef, construct)
