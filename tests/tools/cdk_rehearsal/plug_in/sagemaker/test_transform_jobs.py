import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws

ENDED = ("Completed", "Failed", "Stopped")


@pytest.fixture
def job(embedded_aws: EmbeddedAws, bucket: str, configuration: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """A request for CreateTransformJob over objects of its own."""

    def request(
        texts: dict[str, str], *, split: str = "Line", strategy: str = "SingleRecord", **environment: str
    ) -> dict[str, Any]:
        name = f"job-{uuid.uuid4().hex[:8]}"
        for key, text in texts.items():
            embedded_aws.client("s3").put_object(Bucket=bucket, Key=f"{name}/texts/{key}", Body=text.encode())
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{name}/texts/"}
        return {
            "TransformJobName": name,
            "ModelName": configuration("model", **environment),
            "BatchStrategy": strategy,
            "TransformInput": {
                "DataSource": {"S3DataSource": source},
                "ContentType": "application/json",
                "SplitType": split,
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{bucket}/{name}/answers/",
                "AssembleWith": "Line" if split == "Line" else "None",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }

    return request


@pytest.fixture
def run(embedded_aws: EmbeddedAws, eventually: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    def to_its_end(request: dict[str, Any]) -> dict[str, Any]:
        sagemaker = embedded_aws.client("sagemaker")
        sagemaker.create_transform_job(**request)
        name = request["TransformJobName"]

        def ended() -> Any:
            described = sagemaker.describe_transform_job(TransformJobName=name)
            return described if described["TransformJobStatus"] in ENDED else None

        described: dict[str, Any] = eventually(ended, seconds=60)
        return described

    return to_its_end


def _answers(aws: EmbeddedAws, bucket: str, key: str) -> list[str]:
    text = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert text.endswith("\n")
    return [json.loads(line)["body"] for line in text.splitlines()]


def test_each_line_of_each_object_is_answered_in_order(
    embedded_aws: EmbeddedAws, job: Any, run: Any, bucket: str
) -> None:
    ended = run(job({"posts.jsonl": '{"text": "一"}\n{"text": "二"}\n', "more/posts.jsonl": "[3]"}))
    assert ended["TransformJobStatus"] == "Completed", ended
    name = ended["TransformJobName"]
    assert _answers(embedded_aws, bucket, f"{name}/answers/posts.jsonl.out") == ['{"text": "一"}', '{"text": "二"}']
    assert _answers(embedded_aws, bucket, f"{name}/answers/more/posts.jsonl.out") == ["[3]"]
    listed = embedded_aws.client("sagemaker").list_transform_jobs(NameContains=name)["TransformJobSummaries"]
    assert [summary["TransformJobStatus"] for summary in listed] == ["Completed"]


@pytest.mark.parametrize(("split", "strategy"), [("None", "SingleRecord"), ("Line", "MultiRecord")])
def test_several_lines_are_one_request_where_they_are_to_be(
    embedded_aws: EmbeddedAws, job: Any, run: Any, bucket: str, split: str, strategy: str
) -> None:
    name = run(job({"posts": "1\n2"}, split=split, strategy=strategy))["TransformJobName"]
    body = embedded_aws.client("s3").get_object(Bucket=bucket, Key=f"{name}/answers/posts.out")["Body"].read()
    assert json.loads(body)["body"] == "1\n2"


def test_a_record_that_the_model_refuses_fails_the_job(job: Any, run: Any) -> None:
    ended = run(job({"posts": "good\nbad\n"}))
    assert ended["TransformJobStatus"] == "Failed"
    assert "Bad HTTP status received from algorithm: 400" in ended["FailureReason"]
    assert '{"error": "bad"}' in ended["FailureReason"]


def test_a_job_can_be_stopped(embedded_aws: EmbeddedAws, job: Any, eventually: Callable[..., Any]) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    request = job({"posts": "1\n" * 1000}, SLEEP="0.2")
    sagemaker.create_transform_job(**request)
    named = {"TransformJobName": request["TransformJobName"]}
    eventually(lambda: "TransformStartTime" in sagemaker.describe_transform_job(**named), seconds=60)
    sagemaker.stop_transform_job(**named)
    eventually(lambda: sagemaker.describe_transform_job(**named)["TransformJobStatus"] == "Stopped", seconds=60)
    with pytest.raises(ClientError, match="the transform job is in status Stopped"):
        sagemaker.stop_transform_job(**named)


def test_fails_when_there_is_nothing_to_transform(embedded_aws: EmbeddedAws, job: Any, run: Any) -> None:
    assert "No S3 objects found under S3 URL" in run(job({}))["FailureReason"]
    request = job({})
    request["ModelName"] = "none"
    with pytest.raises(ClientError, match='Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/none"'):
        embedded_aws.client("sagemaker").create_transform_job(**request)
