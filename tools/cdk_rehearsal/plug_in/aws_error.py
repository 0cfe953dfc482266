"""An error response of an AWS service."""

from __future__ import annotations


class AwsError(Exception):
    """`code` and `status` as in the service's API reference; `message` in AWS's own words."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> AwsError:
    return AwsError("ValidationException", message)
