"""Posts that an Athena query selects."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aws_cdk import Duration, Token
from aws_cdk import aws_s3 as s3

from ..._checks import check_kind, check_sequence, refusal
from ..._interfaces import check_bucket
from ..machines._job_limits import check_max_runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaUnload:
    """Takes the posts that `query` selects, by Athena's UNLOAD, as they are when a release begins.

    The workflow's `role` may read the tables in the Glue data catalog, and their objects in S3. Three things are for
    their owner to allow to that role: tables whose location is registered with Lake Formation (a grant on the table
    there, and the action `lakeformation:GetDataAccess`), an encrypted catalog (`kms:Decrypt` on its key), and a work
    group that overrides the result location of its clients (writing to that location).

    Args:
        query: a SELECT with the columns `text` (string) and `label` (integer, 0 or 1), without a semicolon:
            `SELECT text, label FROM posts WHERE reviewed`.
        database: where unqualified tables are, in the Glue data catalog of this account and region.
        tables: the tables that the query reads; the workflow may read these and no other.
        bucket: where the tables' objects lie.
        prefix: below what in the bucket. Default: anywhere in it.
        work_group: Athena's, whose limits hold.
        max_runtime: when the query is stopped as failed, at least 1 minute. Default: 30 minutes, Athena's own.

    Raises:
        InvalidArgumentError: a query that UNLOAD could not enclose, no table, or a `max_runtime` that is too short or
            known at deployment only.

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

    query: str
    database: str
    tables: Sequence[str]
    bucket: s3.IBucket
    prefix: str = ""
    work_group: str = "primary"
    max_runtime: Duration = field(default_factory=lambda: Duration.minutes(30))

    def __post_init__(self) -> None:
        for name in ("query", "database", "prefix", "work_group"):
            check_kind(name, getattr(self, name), str, "text")
        tables = check_sequence("tables", self.tables, "a list of the tables that the query reads", empty=False)
        for table in tables:
            check_kind("tables", table, str, "names of tables as text")
        object.__setattr__(self, "tables", tables)
        query = self.query.strip()
        if not Token.is_unresolved(query) and (";" in query or not query.lower().startswith(("select", "with"))):
            raise refusal("query", self.query, "one SELECT, without a semicolon")
        check_bucket("bucket", self.bucket)
        check_max_runtime(self.max_runtime)
