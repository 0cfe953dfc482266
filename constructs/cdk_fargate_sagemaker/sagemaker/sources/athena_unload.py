"""Labelled posts that an Athena query selects."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aws_cdk import Duration, Token
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn

from ..._allow import allow
from ..._checks import check_kind, check_sequence, check_text, refusal
from ..._construct_tree import stack_of
from ..._interfaces import check_bucket
from ..._key_use import allow_key
from ..._readable_help import readable
from ..._resource_policy import open_to_account
from ..machines._job_limits import check_max_runtime
from ..stages._data_access import allow_bucket_key
from ..stages.release_binding import AROUND_A_JOB, ReleaseBinding
from ..stages.release_stage import ReleaseStage
from ..workflow._later_names import OBJECTS_OF_LATER
from ._extraction import extracted
from .review_decisions import ReviewDecisions, check_reviews

_FOLDER = "unload/"

_MAX_RUNTIME = readable(Duration.minutes(30))


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaUnload(ReleaseStage):
    """Takes the posts that `query` selects when a release begins, with Athena's UNLOAD.

    The workflow's `role` may read the tables in the Glue data catalog, and their objects in S3. Their owners must allow
    that role three things where they apply: tables whose location is registered with Lake Formation (a grant on the
    table there, and the action `lakeformation:GetDataAccess`), an encrypted catalog (`kms:Decrypt` on its key), and a
    work group that overrides the result location of its clients (writing to that location).

    Args:
        query: a SELECT with the columns `text` (string) and `label` (integer, 0 or 1), without a semicolon:
            `SELECT text, label FROM posts WHERE reviewed`.
        database: the database of tables without one, in the Glue data catalog of this account and region.
        tables: the tables that the query reads; the workflow may read these and no other.
        bucket: the bucket with the tables' objects.
        prefix: the prefix of these objects in the bucket. Default: the whole bucket.
        work_group: Athena's work group, whose limits apply. Default: `primary`.
        max_runtime: time limit of the query, after which it is stopped and fails, at least 1 minute. Default: 30
            minutes, Athena's own.
        reviews: reviewers' decisions that are merged with the posts. Default: none.

    Raises:
        InvalidArgumentError: a query that UNLOAD could not enclose, no table, a `max_runtime` that is too short or
            known at deployment only, or reviews of another kind.

    Example:
        ```python
        posts = AthenaUnload(
            query="SELECT text, label FROM posts WHERE reviewed",
            database="moderation",
            tables=["posts"],
            bucket=bucket,
        )
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("source",)

    query: str
    database: str
    tables: Sequence[str]
    bucket: s3.IBucket
    prefix: str = ""
    work_group: str = "primary"
    max_runtime: Duration = _MAX_RUNTIME
    reviews: ReviewDecisions | None = None

    def __post_init__(self) -> None:
        check_kind("prefix", self.prefix, str, "text")
        for name in ("query", "database", "work_group"):
            check_text(name, getattr(self, name))
        tables = check_sequence("tables", self.tables, "a list of the tables that the query reads", empty=False)
        for table in tables:
            check_text("tables", table, "names of tables as text")
        object.__setattr__(self, "tables", tables)
        query = self.query.strip()
        if not Token.is_unresolved(query) and (";" in query or not query.lower().startswith(("select", "with"))):
            raise refusal("query", self.query, "one SELECT, without a semicolon")
        check_bucket("bucket", self.bucket)
        check_max_runtime(self.max_runtime)
        check_reviews(self.reviews)

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Unloads the posts that the query selects, then extracts both sides from them."""
        bucket_name, run_prefix = release.data_bucket.bucket_name, release.run_prefix
        payload = {"posts_prefix": f"{{% {run_prefix} & '{_FOLDER}' %}}", "format": "json_lines"}
        extract = extracted(release, then, posts="runs/*", payload=payload, reviews=self.reviews)
        self._allow(release)
        release.lasts(self.max_runtime.plus(AROUND_A_JOB))
        # A text in JSON's syntax is valid JSONata too.
        before = json.dumps(f"UNLOAD ({self.query.strip()}) TO 's3://{bucket_name}/", ensure_ascii=False)
        after = json.dumps(f"{_FOLDER}' WITH (format = 'JSON', compression = 'GZIP')")
        result: dict[str, object] = {"OutputLocation": f"{{% {release.run_uri('athena/')} %}}"}
        if release.output_key_id is not None:
            result["EncryptionConfiguration"] = {"EncryptionOption": "SSE_KMS", "KmsKey": release.output_key_id}
        unload = release.task(
            "Unload-Step",
            "athena:startQueryExecution.sync",
            {
                # An execution's name may contain an apostrophe, which SQL requires twice.
                "QueryString": f'{{% {before} & $replace({run_prefix}, "\'", "\'\'") & {after} %}}',
                "QueryExecutionContext": {"Database": self.database},
                "WorkGroup": self.work_group,
                "ResultConfiguration": result,
            },
            allowed=[],
            within=self.max_runtime,
        )
        unload.next(extract)
        return unload

    def _allow(self, release: ReleaseBinding) -> None:
        role, data_bucket = release.role, release.data_bucket
        stack = stack_of(role)
        allow(
            role,
            ["athena:GetQueryExecution", "athena:StartQueryExecution", "athena:StopQueryExecution"],
            stack.format_arn(service="athena", resource="workgroup", resource_name=self.work_group),
        )
        allow(
            role,
            ["athena:GetDataCatalog"],
            stack.format_arn(service="athena", resource="datacatalog", resource_name="AwsDataCatalog"),
        )
        # Athena reads the default database for every query. Reading a table needs permission on its database and on the
        # catalog: https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
        # That page also lists CreateDatabase, for an account without a default database: a release does not create one.
        allow(
            role,
            ["glue:GetDatabase"],
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name="default"),
        )
        allow(
            role,
            ["glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"],
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name=self.database),
            *(
                stack.format_arn(service="glue", resource="table", resource_name=f"{self.database}/{table}")
                for table in self.tables
            ),
        )
        allow(
            role,
            ["s3:GetObject"],
            self.bucket.arn_for_objects(f"{self.prefix}*"),
            wildcard_reason="Which objects hold the tables' rows changes as rows are added.",
        )
        allow(
            role,
            ["s3:ListBucket"],
            self.bucket.bucket_arn,
            conditions={"StringLike": {"s3:prefix": [f"{self.prefix}*"]}},
        )
        allow(
            role,
            ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
            data_bucket.arn_for_objects("runs/*"),
            wildcard_reason=OBJECTS_OF_LATER,
        )
        allow(role, ["s3:ListBucket"], data_bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": ["runs/*"]}})
        # These actions support no condition on a prefix.
        allow(role, ["s3:GetBucketLocation"], self.bucket.bucket_arn, data_bucket.bucket_arn)
        allow(role, ["s3:ListBucketMultipartUploads"], data_bucket.bucket_arn)
        objects = self.bucket.arn_for_objects(f"{self.prefix}*")
        open_to_account(self.bucket, self.bucket.bucket_arn, role, ["s3:GetObject"], objects)
        open_to_account(
            self.bucket,
            self.bucket.bucket_arn,
            role,
            ["s3:GetBucketLocation", "s3:ListBucket"],
            self.bucket.bucket_arn,
        )
        if self.bucket.encryption_key is not None:
            allow_key(role, self.bucket.encryption_key, ["kms:Decrypt"])
        allow_bucket_key(role, data_bucket)
