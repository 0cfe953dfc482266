import io
import tarfile
import uuid
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws
from moderation_rehearsal.archive_swap import ArchiveCopy, ArchiveSwap, training_job


def test_the_archive_is_replaced_as_soon_as_it_is_there(
    embedded_aws: EmbeddedAws,
    training_job: Callable[..., dict[str, Any]],
    model_data: str,
    eventually: Callable[..., Any],
) -> None:
    execution = f"swapped-{uuid.uuid4().hex[:8]}"
    with ArchiveSwap(embedded_aws.client, execution=execution, archive=model_data) as swap:
        request = training_job(f"endpoint-{execution}")
        embedded_aws.client("sagemaker").create_training_job(**request)
        uri = eventually(lambda: swap.swapped, seconds=60)
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    assert key == f"models/endpoint-{execution}/output/model.tar.gz"
    body = embedded_aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        model = archive.extractfile("model.json")
        assert model is not None
        assert model.read() == b'{"weights": 3}'


def test_without_a_training_job_nothing_is_replaced(embedded_aws: EmbeddedAws, model_data: str) -> None:
    execution = f"none-{uuid.uuid4().hex}"
    with ArchiveSwap(embedded_aws.client, execution=execution, archive=model_data) as swap:
        pass
    assert swap.swapped is None
    assert training_job(embedded_aws.client("sagemaker"), execution) is None


def test_the_archive_of_a_release_that_fails_can_be_kept(
    embedded_aws: EmbeddedAws,
    training_job: Callable[..., dict[str, Any]],
    bucket: str,
    eventually: Callable[..., Any],
) -> None:
    execution = f"copied-{uuid.uuid4().hex[:8]}"
    copy = f"copies/{execution}/model.tar.gz"
    with ArchiveCopy(embedded_aws.client, execution=execution, to=f"s3://{bucket}/{copy}") as copying:
        embedded_aws.client("sagemaker").create_training_job(**training_job(f"endpoint-{execution}"))
        eventually(lambda: copying.copied, seconds=60)
    s3 = embedded_aws.client("s3")
    trained = s3.get_object(Bucket=bucket, Key=f"models/endpoint-{execution}/output/model.tar.gz")["Body"].read()
    assert s3.get_object(Bucket=bucket, Key=copy)["Body"].read() == trained
