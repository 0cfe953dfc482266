from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.sagemaker import AthenaUnload


def unload(**given: Any) -> AthenaUnload:
    bucket = s3.Bucket.from_bucket_name(cdk.Stack(), "Warehouse", "warehouse")
    defaults = {"query": "SELECT text, label FROM posts", "database": "moderation", "tables": ["posts"]}
    return AthenaUnload(bucket=bucket, **(defaults | given))


@pytest.mark.parametrize(
    "query", ["select text, label from posts", "\n  WITH reviewed AS (SELECT 1) SELECT text, label FROM reviewed\n"]
)
def test_a_query_is_a_select(query: str) -> None:
    assert unload(query=query).query == query


@pytest.mark.parametrize("query", ["DROP TABLE posts", "SELECT 1; DROP TABLE posts", "SELECT text FROM posts;"])
def test_fails_when_unload_could_not_enclose_the_query(query: str) -> None:
    with pytest.raises(ValueError, match="one SELECT, without a semicolon"):
        unload(query=query)


def test_fails_without_a_query() -> None:
    with pytest.raises(ValueError, match=r"query: got '', allowed: text, not empty"):
        unload(query="")


def test_fails_without_a_table() -> None:
    with pytest.raises(
        ValueError, match="tables: got an empty list, allowed: a list of the tables that the query reads"
    ):
        unload(tables=[])
