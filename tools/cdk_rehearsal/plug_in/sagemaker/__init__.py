"""SageMaker: training jobs and endpoints that run the images' real programs."""

from cdk_rehearsal.plug_in.sagemaker.sagemaker import SageMaker

__all__ = ["SageMaker"]
