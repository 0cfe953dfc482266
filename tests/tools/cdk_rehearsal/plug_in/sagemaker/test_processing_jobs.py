import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.engines import ContainerRequest, DockerEngine

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
ENDED = ("Completed", "Failed", "Stopped")


@pytest.fixture
def job(bucket: str) -> Callable[..., dict[str, Any]]:
    """A request for CreateProcessingJob."""

    def request(*, entrypoint: list[str] | None = None, **environment: str) -> dict[str, Any]:
        name = f"job-{uuid.uuid4().hex[:8]}"
        return {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": "program:1",
                "ContainerArguments": ["process", "seen:"],
                **({"ContainerEntrypoint": entrypoint} if entrypoint else {}),
            },
            "Environment": environment,
            "ProcessingInputs": [
                {
                    "InputName": channel,
                    "S3Input": {
                        "S3Uri": f"s3://{bucket}/posts/{channel}/",
                        "LocalPath": f"/opt/ml/processing/input/{channel}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for channel in ("train", "test")
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": channel,
                        "S3Output": {
                            "S3Uri": f"s3://{bucket}/{name}/{channel}/",
                            "LocalPath": f"/opt/ml/processing/output/{channel}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for channel in ("train", "test")
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
        }

    return request


@pytest.fixture
def run(embedded_aws: EmbeddedAws, eventually: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    def to_its_end(request: dict[str, Any]) -> dict[str, Any]:
        sagemaker = embedded_aws.client("sagemaker")
        sagemaker.create_processing_job(**request)
        name = request["ProcessingJobName"]

        def ended() -> Any:
            described = sagemaker.describe_processing_job(ProcessingJobName=name)
            return described if described["ProcessingJobStatus"] in ENDED else None

        described: dict[str, Any] = eventually(ended, seconds=60)
        return described

    return to_its_end


def _read(aws: EmbeddedAws, bucket: str, key: str) -> str:
    text: str = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return text


@pytest.mark.parametrize("entrypoint", [None, ["python", "program.py"]])
def test_inputs_become_outputs(
    embedded_aws: EmbeddedAws, job: Any, run: Any, bucket: str, entrypoint: list[str] | None
) -> None:
    ended = run(job(entrypoint=entrypoint))
    assert ended["ProcessingJobStatus"] == "Completed", ended
    name = ended["ProcessingJobName"]
    assert _read(embedded_aws, bucket, f"{name}/train/part/posts.txt") == "seen: こんにちは"
    assert _read(embedded_aws, bucket, f"{name}/test/posts.txt") == "seen: test"
    listed = embedded_aws.client("sagemaker").list_processing_jobs(NameContains=name)["ProcessingJobSummaries"]
    assert [summary["ProcessingJobStatus"] for summary in listed] == ["Completed"]


def test_a_failing_job_says_what_its_program_wrote(embedded_aws: EmbeddedAws, job: Any, run: Any, bucket: str) -> None:
    ended = run(job(FAIL="no posts are left"))
    assert (ended["ProcessingJobStatus"], ended["ExitMessage"]) == ("Failed", "no posts are left")
    assert ended["FailureReason"] == "AlgorithmError: no posts are left, exit code: 4"
    prefix = f"{ended['ProcessingJobName']}/"
    assert embedded_aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] == 0


def test_a_job_ends_at_its_maximum_runtime(job: Any, run: Any) -> None:
    ended = run({**job(SLEEP="60"), "StoppingCondition": {"MaxRuntimeInSeconds": 1}})
    assert ended["ProcessingJobStatus"] == "Stopped"


def test_a_job_can_be_stopped_once(embedded_aws: EmbeddedAws, job: Any, eventually: Callable[..., Any]) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    request = job(SLEEP="60")
    sagemaker.create_processing_job(**request)
    named = {"ProcessingJobName": request["ProcessingJobName"]}
    sagemaker.stop_processing_job(**named)
    eventually(lambda: sagemaker.describe_processing_job(**named)["ProcessingJobStatus"] == "Stopped", seconds=60)
    with pytest.raises(ClientError, match="the processing job is in status Stopped"):
        sagemaker.stop_processing_job(**named)


def test_fails_when_what_it_needs_is_elsewhere(embedded_aws: EmbeddedAws, job: Any, run: Any, bucket: str) -> None:
    request = job()
    request["ProcessingInputs"][0]["S3Input"]["LocalPath"] = "/data"
    assert 'LocalPath "/data" is outside of /opt/ml/' in run(request)["FailureReason"]
    request = job()
    request["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://{bucket}/nothing/"
    assert f's3://{bucket}/nothing/" given in input data source' in run(request)["FailureReason"]
    with pytest.raises(ClientError, match="Could not find requested job with name: none"):
        embedded_aws.client("sagemaker").describe_processing_job(ProcessingJobName="none")


def test_a_container_is_given_the_entry_point_too(tmp_path: Path) -> None:
    request = ContainerRequest(image_uri="image:1", entrypoint=("python", "/opt/ml/x.py"), arguments=("a",))
    command = DockerEngine(owner="test").command(request).command
    assert command[-5:] == ("--entrypoint", "python", "image:1", "/opt/ml/x.py", "a")
