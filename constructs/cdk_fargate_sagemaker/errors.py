"""The errors that this library raises.

CdkFargateSageMakerError
  InvalidArgumentError (a ValueError)
    ChangeLogError, in `cdk_fargate_sagemaker.monitoring`
"""


class CdkFargateSageMakerError(Exception):
    """The base of every error of this library."""


class InvalidArgumentError(CdkFargateSageMakerError, ValueError):
    """An argument is invalid. The message is one line: its name, what was given, what is allowed, and what to do."""
