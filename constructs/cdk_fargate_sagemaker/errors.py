"""The errors that this library raises.

CdkFargateSageMakerError
  InvalidArgumentError (a ValueError)
    ChangeLogError, in `cdk_fargate_sagemaker.monitoring`
"""


class CdkFargateSageMakerError(Exception):
    """Is the base of every error of this library."""


class InvalidArgumentError(CdkFargateSageMakerError, ValueError):
    """Refuses an argument in one line: its name, what was given, what is allowed, and what to do."""
