import json
import uuid
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws

TAG = "cdk-fargate-sagemaker:ends-with-its-stack"


@pytest.fixture
def emptier(load_function: Callable[[str], ModuleType], aws: EmbeddedAws) -> ModuleType:
    return load_function("bucket_emptier")


@pytest.fixture
def s3(embedded_aws: EmbeddedAws) -> Any:
    return embedded_aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"emptied-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": TAG, "Value": "true"}]})
    return name


def left_in(s3: Any, bucket: str) -> int:
    found = s3.list_object_versions(Bucket=bucket)
    return len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))


def with_time(milliseconds: int = 60_000) -> Any:
    return SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)


def test_every_version_and_delete_marker_goes(emptier: ModuleType, s3: Any, bucket: str) -> None:
    for number in range(1100):
        s3.put_object(Bucket=bucket, Key=f"posts/{number}", Body=b"a")
    s3.put_object(Bucket=bucket, Key="posts/0", Body=b"b")
    s3.delete_object(Bucket=bucket, Key="posts/1")

    emptier.empty(s3, bucket, with_time())

    assert left_in(s3, bucket) == 0
    s3.delete_bucket(Bucket=bucket)


def test_nothing_is_taken_in_any_more(emptier: ModuleType, s3: Any, bucket: str) -> None:
    statement = {"Sid": "Logs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    # Twice, as where a deletion was tried again.
    emptier.empty(s3, bucket, with_time())
    emptier.empty(s3, bucket, with_time())

    kept, denial = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert kept == statement
    assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", "s3:PutObject")
    assert denial["Resource"] == f"arn:aws:s3:::{bucket}/*"


def test_what_is_written_while_the_bucket_is_emptied_goes_too(
    emptier: ModuleType, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket=bucket, Key="b", Body=b"a")
    # A log that arrives just before the denial takes effect sorts before what is listed.
    monkeypatch.setattr(emptier, "_deny_writes", lambda s3, bucket: None)
    delete = s3.delete_objects
    arriving = ["a"]

    def delete_and_receive(**request: Any) -> Any:
        result = delete(**request)
        while arriving:
            s3.put_object(Bucket=bucket, Key=arriving.pop(), Body=b"a")
        return result

    monkeypatch.setattr(s3, "delete_objects", delete_and_receive)
    emptier.empty(s3, bucket, with_time())
    assert left_in(s3, bucket) == 0


def test_a_bucket_that_is_kept_by_now_keeps_its_contents(emptier: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "other", "Value": "true"}]})
    emptier.empty(s3, bucket, with_time())
    s3.delete_bucket_tagging(Bucket=bucket)
    emptier.empty(s3, bucket, with_time())

    assert left_in(s3, bucket) == 1


def test_a_bucket_that_is_gone_is_no_failure(emptier: ModuleType, s3: Any) -> None:
    emptier.empty(s3, "gone-before", with_time())


def test_what_is_too_much_for_one_call_is_said(emptier: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    with pytest.raises(emptier.StillFullError, match="delete the stack again"):
        emptier.empty(s3, bucket, with_time(1000))


def request_of(kind: str, bucket: str, **further: str) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": "http://127.0.0.1:1/",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Emptied",
        "ResourceProperties": {"BucketName": bucket},
        **further,
    }


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_cloudformation_gets_its_answer_and_only_a_deletion_empties(
    emptier: ModuleType, s3: Any, bucket: str, http_server: Any, answer: Any, kind: str
) -> None:
    http_server.answers.append(answer(200))
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    event = request_of(kind, bucket, ResponseURL=f"{http_server.url}/answer")
    if kind != "Create":
        event["PhysicalResourceId"] = bucket

    emptier.handler(event, with_time())

    ((path, body),) = http_server.requests
    answered = json.loads(body)
    assert path == "/answer"
    assert (answered["Status"], answered["PhysicalResourceId"]) == ("SUCCESS", bucket)
    assert left_in(s3, bucket) == (0 if kind == "Delete" else 1)


def test_cloudformation_is_told_why_a_bucket_stays(
    emptier: ModuleType, s3: Any, bucket: str, http_server: Any, answer: Any
) -> None:
    http_server.answers.append(answer(200))
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    emptier.handler(
        request_of("Delete", bucket, ResponseURL=f"{http_server.url}/answer", PhysicalResourceId=bucket), with_time(0)
    )
    ((_, body),) = http_server.requests
    answered = json.loads(body)
    assert answered["Status"] == "FAILED"
    assert answered["Reason"].startswith("StillFullError: ")
