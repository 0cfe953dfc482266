import json
import uuid
from typing import Any

import pytest
from post_key import post_key

from cdk_rehearsal.embedded_aws import EmbeddedAws
from post_erasure.bucket_erasure import BucketErasure
from post_erasure.place_report import PlaceReport
from post_erasure.wanted_posts import WantedPosts

WANTED = WantedPosts(frozenset({post_key("free money")}))
WITH = b"".join(json.dumps({"text": text, "label": 1}).encode() + b"\n" for text in ("hello", "free money"))
WITHOUT = WITH.splitlines(keepends=True)[0]


@pytest.fixture
def s3(embedded_aws: EmbeddedAws) -> Any:
    return embedded_aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"erased-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return name


def base_data(s3: Any, bucket: str) -> PlaceReport:
    return BucketErasure(s3, bucket, "posts/", WANTED, erase=True).run()[0]


def test_a_bucket_without_versions_is_written_in_place(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="posts/a.jsonl", Body=WITH)
    report = base_data(s3, bucket)
    assert (report.found, report.erased, report.failed) == (1, 1, [])
    assert s3.get_object(Bucket=bucket, Key="posts/a.jsonl")["Body"].read() == WITHOUT


def test_a_deleted_objects_versions_go_too_and_it_stays_deleted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="posts/a.jsonl", Body=WITH)
    s3.delete_object(Bucket=bucket, Key="posts/a.jsonl")
    report = base_data(s3, bucket)
    assert (report.found, report.erased, report.failed) == (1, 1, [])
    listed = s3.list_object_versions(Bucket=bucket)
    assert listed.get("Versions", []) == []
    assert [marker["Key"] for marker in listed["DeleteMarkers"]] == ["posts/a.jsonl"]


def test_what_somebody_changes_meanwhile_is_left_and_said(s3: Any, bucket: str) -> None:
    class Meanwhile:
        """S3, where somebody writes an object whenever it has been read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(s3, name)

        def get_object(self, **request: Any) -> Any:
            answer = s3.get_object(**request)
            s3.put_object(Bucket=bucket, Key=request["Key"], Body=b'{"text": "newer"}\n')
            return answer

    s3.put_object(Bucket=bucket, Key="posts/a.jsonl", Body=WITH)
    report = base_data(Meanwhile(), bucket)
    assert (report.found, report.erased) == (1, 0)
    assert report.failed == [f"s3://{bucket}/posts/a.jsonl: PreconditionFailed: somebody changed it meanwhile"]
    assert s3.get_object(Bucket=bucket, Key="posts/a.jsonl")["Body"].read() == b'{"text": "newer"}\n'
