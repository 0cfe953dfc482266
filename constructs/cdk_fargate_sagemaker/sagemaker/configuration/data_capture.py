"""Data capture: the stored requests and answers of an endpoint."""

from dataclasses import dataclass

from aws_cdk import Token
from aws_cdk import aws_s3 as s3

from ..._checks import check_kind, check_number, refusal
from ..._interfaces import AnyKey, check_bucket, check_key

# With "s3://" and the bucket's name, the destination stays within SageMaker's limit of 512 characters.
_LONGEST_PREFIX = 440


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCapture:
    """Stores `percent` of the requests and their answers as JSON lines below `prefix` in `bucket`.

    SageMaker adds endpoint, variant and hour: `captures/<endpoint>/<variant>/2026/11/23/18/….jsonl`.

    Args:
        bucket: stores the captured data. These contain what clients sent: the bucket's owner decides who may read them
            and how long they are kept. The owner of a key of another account must allow this account; the app warns
            with the statement to add.
        percent: percentage of the requests, a whole number, 1 to 100. Default: 10.
        prefix: ends with a slash and does not begin with one. Default: `captures/`.
        encryption_key: encrypts the captured data. The owner of a key of another account must allow this account; the
            app warns with the statement to add. Default: the bucket's key; without one, the bucket's default
            encryption.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse.

    Example:
        ```python
        captured = EndpointConfiguration(data_capture=DataCapture(bucket=bucket, percent=5))
        ```
    """

    bucket: s3.IBucket
    percent: int = 10
    prefix: str = "captures/"
    encryption_key: AnyKey | None = None

    def __post_init__(self) -> None:
        check_bucket("bucket", self.bucket)
        check_number("percent", self.percent, at_least=1, at_most=100, whole=True)
        check_kind("prefix", self.prefix, str, "text")
        if not Token.is_unresolved(self.prefix) and (
            not self.prefix.endswith("/") or self.prefix.startswith("/") or len(self.prefix) > _LONGEST_PREFIX
        ):
            raise refusal(
                "prefix",
                self.prefix,
                f"a prefix that ends with a slash and begins with none, at most {_LONGEST_PREFIX} characters",
            )
        if self.encryption_key is None:
            object.__setattr__(self, "encryption_key", self.bucket.encryption_key)
        else:
            check_key("encryption_key", self.encryption_key)
