import hashlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from cdk_rehearsal.embedded_aws import EmbeddedAws

RUN = "runs/monday/trained/m-monday/output"
KEPT = "models/m-monday/output"
ARCHIVE = b"the archive of a model"


@pytest.fixture
def files(
    aws: EmbeddedAws, bucket: str, load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    monkeypatch.setenv("DATA_BUCKET", bucket)
    return load_function("model_files")


@pytest.fixture
def s3(aws: EmbeddedAws) -> Any:
    return aws.client("s3")


@pytest.fixture
def trained(s3: Any, bucket: str) -> str:
    """What a training job leaves; where its archive lies."""
    s3.put_object(Bucket=bucket, Key=f"{RUN}/model.tar.gz", Body=ARCHIVE)
    s3.put_object(Bucket=bucket, Key=f"{RUN}/output.tar.gz", Body=b"evaluation and golden posts")
    return f"s3://{bucket}/{RUN}/model.tar.gz"


@pytest.fixture
def kept(files: ModuleType, trained: str) -> dict[str, Any]:
    """The event that checks what was kept of that job."""
    answer = files.handler({"operation": "keep", "release": "m-monday", "model_data": trained}, None)
    return {"operation": "check", "release": "m-monday", **answer}


def test_an_archive_is_kept_with_its_hash_where_no_job_writes(
    files: ModuleType, s3: Any, bucket: str, trained: str
) -> None:
    event = {"operation": "keep", "release": "m-monday", "model_data": trained}
    expected = {
        "model_data": f"s3://{bucket}/{KEPT}/model.tar.gz",
        "sha256": hashlib.sha256(ARCHIVE).hexdigest(),
    }
    # As Step Functions does after an answer that was lost.
    assert [files.handler(event, None), files.handler(event, None)] == [expected, expected]
    assert s3.get_object(Bucket=bucket, Key=f"{KEPT}/model.tar.gz")["Body"].read() == ARCHIVE
    assert s3.get_object(Bucket=bucket, Key=f"{KEPT}/output.tar.gz")["Body"].read() == b"evaluation and golden posts"


def test_a_model_that_was_trained_elsewhere_needs_no_output_beside_it(files: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="models/given/model.tar.gz", Body=ARCHIVE)
    given = f"s3://{bucket}/models/given/model.tar.gz"
    answer = files.handler({"operation": "keep", "release": "m-monday", "model_data": given}, None)
    assert answer["sha256"] == hashlib.sha256(ARCHIVE).hexdigest()
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="models/m-monday/")
    assert [item["Key"] for item in listed["Contents"]] == [f"{KEPT}/model.tar.gz"]


def test_an_archive_may_be_given_where_it_is_kept(files: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=f"{KEPT}/model.tar.gz", Body=ARCHIVE)
    there = f"s3://{bucket}/{KEPT}/model.tar.gz"
    answer = files.handler({"operation": "keep", "release": "m-monday", "model_data": there}, None)
    assert answer == {"model_data": there, "sha256": hashlib.sha256(ARCHIVE).hexdigest()}


def test_a_large_archive_is_copied_in_parts_and_hashed_by_them(
    files: ModuleType, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = 5 << 20
    monkeypatch.setattr(files, "COPY", TransferConfig(multipart_threshold=part, multipart_chunksize=part))
    content = bytes(part) + b"the rest"
    s3.put_object(Bucket=bucket, Key="models/large/model.tar.gz", Body=content)
    large = f"s3://{bucket}/models/large/model.tar.gz"
    kept = files.handler({"operation": "keep", "release": "m-monday", "model_data": large}, None)
    parts = [hashlib.sha256(content[:part]).digest(), hashlib.sha256(content[part:]).digest()]
    assert kept["sha256"] == f"{hashlib.sha256(b''.join(parts)).hexdigest()}-2"
    check = {"operation": "check", "release": "m-monday", **kept}
    assert files.handler(check, None) == {"checked": True}
    # The same bytes in one piece have another hash, and are refused: nobody but this function writes there.
    s3.put_object(Bucket=bucket, Key=f"{KEPT}/model.tar.gz", Body=content, ChecksumAlgorithm="SHA256")
    with pytest.raises(files.ArchiveChangedError):
        files.handler(check, None)


def test_what_has_to_be_copied_in_parts_is_what_copy_object_refuses(files: ModuleType) -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html: up to 5 GB. 10,000 parts at most.
    assert files.COPY.multipart_threshold == 5 * 1024**3
    assert files.COPY.multipart_chunksize * 10_000 >= 5 * 1024**4


def test_fails_when_the_trained_archive_is_not_there(files: ModuleType, bucket: str) -> None:
    event = {"operation": "keep", "release": "m-monday", "model_data": f"s3://{bucket}/{RUN}/model.tar.gz"}
    with pytest.raises(
        files.ArchiveMissingError, match=rf"^the trained archive s3://.*/{RUN}/model.tar.gz of .* not there$"
    ):
        files.handler(event, None)


def test_fails_when_something_else_lies_where_an_archive_was_copied_to(
    files: ModuleType, s3: Any, bucket: str, trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = files._copy

    def and_replace(source: str, to: str) -> bool:
        copied: bool = copy(source, to)
        s3.put_object(Bucket=bucket, Key=to.removeprefix(f"s3://{bucket}/"), Body=b"another model")
        return copied

    monkeypatch.setattr(files, "_copy", and_replace)
    with pytest.raises(
        files.ArchiveChangedError, match=r"of release m-monday was replaced while it was copied: release"
    ):
        files.handler({"operation": "keep", "release": "m-monday", "model_data": trained}, None)


def test_an_archive_that_is_as_it_was_recorded_passes(files: ModuleType, kept: dict[str, Any]) -> None:
    assert files.handler(kept, None) == {"checked": True}


@pytest.mark.parametrize("algorithm", [{}, {"ChecksumAlgorithm": "SHA256"}], ids=["no checksum", "its own checksum"])
def test_fails_when_an_archive_was_replaced(
    files: ModuleType, kept: dict[str, Any], s3: Any, bucket: str, algorithm: dict[str, str]
) -> None:
    s3.put_object(Bucket=bucket, Key=f"{KEPT}/model.tar.gz", Body=b"another model", **algorithm)
    with pytest.raises(files.ArchiveChangedError) as refused:
        files.handler(kept, None)
    found = hashlib.sha256(b"another model").hexdigest() if algorithm else "not known to S3"
    assert str(refused.value) == (
        f"the archive s3://{bucket}/{KEPT}/model.tar.gz of release m-monday was changed: its SHA-256 is {found}, "
        f"recorded is {hashlib.sha256(ARCHIVE).hexdigest()}: choose another release, and find out who wrote there"
    )


def test_fails_when_an_archive_is_gone(files: ModuleType, kept: dict[str, Any], s3: Any, bucket: str) -> None:
    s3.delete_object(Bucket=bucket, Key=f"{KEPT}/model.tar.gz")
    with pytest.raises(files.ArchiveMissingError, match=r"of release m-monday is gone: choose another release$"):
        files.handler(kept, None)


def test_a_release_of_before_hashes_is_not_checked(files: ModuleType) -> None:
    # Of one that was found serving not even the archive is known.
    event = {"operation": "check", "release": "m-monday", "model_data": None, "sha256": None}
    assert files.handler(event, None) == {"checked": False}


def test_fails_when_an_input_is_missing(files: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="pretrained/1/config.json", Body=b"{}")
    there = {"uri": f"s3://{bucket}/pretrained/1/", "remedy": "run this"}
    missing = {"uri": f"s3://{bucket}/pretrained/2/", "remedy": "run that"}
    assert files.handler({"operation": "find", "inputs": [there]}, None) == {"found": [there["uri"]]}
    with pytest.raises(files.InputMissingError, match=rf"^there is no object below {missing['uri']}: run that$"):
        files.handler({"operation": "find", "inputs": [there, missing]}, None)


def test_fails_when_asked_for_something_else(files: ModuleType) -> None:
    with pytest.raises(files.UnknownOperationError, match="operation is 'erase': it must be one of keep, check, find"):
        files.handler({"operation": "erase"}, None)
