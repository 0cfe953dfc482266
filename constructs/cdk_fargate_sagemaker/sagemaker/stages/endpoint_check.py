"""How an endpoint is checked before its release counts as good."""

from dataclasses import dataclass
from typing import ClassVar

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn

from ..._packaged_function import PackagedFunction
from ..endpoint._imported_endpoint import invoke_grant
from ._data_access import allow_bucket_key, allow_reading
from .function_step import FunctionStep
from .release_binding import ReleaseBinding
from .release_stage import ReleaseStage


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCheck(ReleaseStage):
    """Sends held-out posts to the endpoint: the new model must answer, and as it did in the evaluation.

    Example:
        ```python
        check = EndpointCheck()
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("check",)

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Invokes the endpoint by a function that may invoke only this endpoint."""
        checker = PackagedFunction(
            release.scope,
            "Checker",
            name="endpoint_checker",
            description=f"Checks the answers of {release.endpoint_name} to held-out posts",
            timeout=Duration.minutes(5),
            log_encryption_key=release.encryption_key,
        )
        allow_reading(checker.role, release.data_bucket, "models/*", "runs/*")
        allow_bucket_key(checker.role, release.data_bucket)
        invoke_grant(checker.role, release.endpoint_arn)
        return FunctionStep(function=checker.function).bind(release, then)
