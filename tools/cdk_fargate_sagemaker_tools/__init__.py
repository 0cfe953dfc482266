"""The command-line tools of cdk-fargate-sagemaker."""

__version__ = "0.1.0"
