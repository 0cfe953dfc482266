import io
import json
import os
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws

Request = Callable[..., dict[str, Any]]


@pytest.fixture
def run(embedded_aws: EmbeddedAws, training_job: Request, eventually: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a job to its end and returns its description."""

    def job(**wanted: Any) -> dict[str, Any]:
        sagemaker = embedded_aws.client("sagemaker")
        name = f"job-{uuid.uuid4().hex[:8]}"
        sagemaker.create_training_job(**training_job(name, **wanted))

        def ended() -> Any:
            described = sagemaker.describe_training_job(TrainingJobName=name)
            return described if described["TrainingJobStatus"] not in ("InProgress", "Stopping") else None

        described: dict[str, Any] = eventually(ended)
        return described

    return job


def _archive(embedded_aws: EmbeddedAws, uri: str) -> dict[str, bytes]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = embedded_aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {item.name: archive.extractfile(item).read() for item in archive if item.isfile()}  # type: ignore[union-attr]


def test_a_job_reads_its_channels_and_writes_model_and_output(embedded_aws: EmbeddedAws, run: Any, bucket: str) -> None:
    job = run()
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    place = f"s3://{bucket}/models/{job['TrainingJobName']}/output"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"{place}/model.tar.gz"
    model = json.loads(_archive(embedded_aws, f"{place}/model.tar.gz")["model.json"])
    assert model == {"channels": {"part": "こんにちは", "test": "test"}, "greeting": "hello there"}
    assert _archive(embedded_aws, f"{place}/output.tar.gz") == {"evaluation.json": b'{"auc": 0.9}'}
    passed = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert passed == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_an_isolated_program_gets_no_credentials(
    embedded_aws: EmbeddedAws, training_job: Request, eventually: Callable[..., Any], bucket: str
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    shown = {}
    for name, isolated in (("isolated", True), ("open", False)):
        job = f"{name}-{uuid.uuid4().hex[:8]}"
        sagemaker.create_training_job(**training_job(job, show="yes"), EnableNetworkIsolation=isolated)
        eventually(
            lambda job=job: sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"] == "Completed"
        )
        output = _archive(embedded_aws, f"s3://{bucket}/models/{job}/output/output.tar.gz")
        shown[name] = set(json.loads(output["variables.json"]))
    secrets = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"}
    assert secrets <= shown["open"]
    assert not secrets & shown["isolated"]


def test_a_jobs_output_is_in_its_log_stream(embedded_aws: EmbeddedAws, run: Any) -> None:
    name = run()["TrainingJobName"]
    logs = embedded_aws.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/algo-1-")["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"])["events"]
    assert [event["message"] for event in events] == ["training begins"]


@pytest.mark.parametrize(
    ("fail", "reason"),
    [("with a reason", "no posts to learn from"), ("without one", "training begins\nthe last words of the log")],
)
def test_a_failing_job_says_what_its_program_wrote(run: Any, fail: str, reason: str) -> None:
    job = run(fail=fail)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == f"AlgorithmError: {reason}, exit code: 3"
    assert "S3ModelArtifacts" not in job["ModelArtifacts"]


def test_a_job_without_data_fails_and_names_the_prefix(
    embedded_aws: EmbeddedAws, training_job: Request, eventually: Any, bucket: str
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    name = f"job-{uuid.uuid4().hex[:8]}"
    request = training_job(name)
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{bucket}/nothing/"
    sagemaker.create_training_job(**request)
    described = eventually(
        lambda: (job := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] == "Failed" and job
    )
    assert f'No S3 objects found under S3 URL "s3://{bucket}/nothing/"' in described["FailureReason"]


def test_a_job_ends_at_its_maximum_runtime(run: Any) -> None:
    job = run(sleep="30", max_seconds=1)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_stopped_job_takes_its_workers_along(
    embedded_aws: EmbeddedAws, training_job: Request, eventually: Any, tmp_path: Path
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    name = f"job-{uuid.uuid4().hex[:8]}"
    sagemaker.create_training_job(**training_job(name, sleep="60", child=str(tmp_path / "worker")))
    worker = int(eventually(lambda: (tmp_path / "worker").exists() and (tmp_path / "worker").read_text()))
    sagemaker.stop_training_job(TrainingJobName=name)
    eventually(lambda: sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopped")
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName=name)


def test_aws_words_for_what_is_wrong(embedded_aws: EmbeddedAws, training_job: Request, run: Any) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    with pytest.raises(ClientError, match=r"\(ValidationException\).*Requested resource not found\."):
        sagemaker.describe_training_job(TrainingJobName="nobody-made-this")
    name = run()["TrainingJobName"]
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="Training job names must be unique"):
        sagemaker.create_training_job(**training_job(name))
    with pytest.raises(ClientError, match=r"Value 'under_score' at 'trainingJobName' failed to satisfy constraint"):
        sagemaker.create_training_job(**training_job("under_score"))


def test_a_job_goes_on_where_one_that_failed_left_a_checkpoint(
    embedded_aws: EmbeddedAws, training_job: Request, eventually: Callable[..., Any], bucket: str
) -> None:
    sagemaker, s3 = embedded_aws.client("sagemaker"), embedded_aws.client("s3")
    kept = {"CheckpointConfig": {"S3Uri": f"s3://{bucket}/checkpoints/"}}
    for name, status, wanted in (
        ("interrupted", "Failed", {"fail": "yes"}),
        ("resumed", "Completed", {}),
    ):
        sagemaker.create_training_job(**training_job(name, **wanted), **kept)
        eventually(
            lambda name=name, status=status: (
                sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == status
            )
        )
    left = s3.get_object(Bucket=bucket, Key="checkpoints/steps/step.txt")["Body"].read()
    assert left == b"so far and on"
