"""What an inference image has to run on."""

from aws_cdk import Annotations, Token
from constructs import IConstruct

from ..configuration.endpoint_configuration import EndpointConfiguration
from .transform_job import TransformJob


def warn_of_two_devices(scope: IConstruct, configuration: EndpointConfiguration, scoring: TransformJob) -> None:
    """Warns where one image has to serve on GPUs and be asked by a transform without one, or the other way round."""
    if Token.is_unresolved(scoring.instance_type):
        return
    for variant in configuration.all_variants:
        instance_type = variant.instance_type
        if instance_type is None or Token.is_unresolved(instance_type) or variant.has_gpu == scoring.has_gpu:
            continue
        Annotations.of(scope).add_warning_v2(
            "cdk-fargate-sagemaker:two-devices",
            f"score_current runs the inference image on {scoring.instance_type}, and variant {variant.name} on "
            f"{instance_type}: one of them has a GPU, the other has none, and few images run on both; give "
            "score_current=TransformJob(instance_type=…) a type of the same kind",
        )
        return
