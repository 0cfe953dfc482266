"""Posts that an Athena query selects."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aws_cdk import Duration, Token
from aws_cdk import aws_s3 as s3


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
        work_group: whose limits hold.
        max_runtime: when the query is stopped as failed. Default: 30 minutes, as Athena itself has it.

    Raises:
        ValueError: a query that UNLOAD could not enclose, or no table.
    """

    query: str
    database: str
    tables: Sequence[str]
    bucket: s3.IBucket
    prefix: str = ""
    work_group: str = "primary"
    max_runtime: Duration = field(default_factory=lambda: Duration.minutes(30))

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(self.tables))
        if not self.tables:
            raise ValueError("tables is empty: name the tables that the query reads")
        query = self.query.strip()
        if not Token.is_unresolved(query) and (";" in query or not query.lower().startswith(("select", "with"))):
            raise ValueError(f"query is {query[:80]!r}: give one SELECT, without a semicolon")
