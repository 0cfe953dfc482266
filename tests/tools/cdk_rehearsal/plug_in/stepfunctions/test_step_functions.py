import json
import uuid
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.tools.cdk_rehearsal.plug_in.stepfunctions.executions import when_ended

Request = Callable[..., dict[str, Any]]
ROLE = "arn:aws:iam::123456789012:role/workflow"


def _start(aws: EmbeddedAws, resource: str, arguments: dict[str, Any], **more: Any) -> str:
    states = aws.client("stepfunctions")
    task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "End": True, **more}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Task", "States": {"Task": task}}
    name = f"machine-{uuid.uuid4().hex[:8]}"
    machine = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
    execution: str = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    return execution


def _name() -> str:
    return f"job-{uuid.uuid4().hex[:8]}"


def test_sync_waits_for_the_job(embedded_aws: EmbeddedAws, training_job: Request, eventually: Any) -> None:
    name = _name()
    execution = _start(embedded_aws, "sagemaker:createTrainingJob.sync", training_job(name, sleep="0.5"))
    ended = eventually(lambda: when_ended(embedded_aws, execution))
    output = json.loads(ended["output"])
    assert output["TrainingJobStatus"] == "Completed"
    assert isinstance(output["CreationTime"], int)
    assert output["CreationTime"] > 1_000_000_000_000


def test_a_failed_job_fails_the_task(embedded_aws: EmbeddedAws, training_job: Request, eventually: Any) -> None:
    request = training_job(_name(), fail="with a reason")
    execution = _start(embedded_aws, "sagemaker:createTrainingJob.sync", request)
    ended = eventually(lambda: when_ended(embedded_aws, execution))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ended["cause"])["FailureReason"].startswith("AlgorithmError: no posts to learn from")


def _is_training(aws: EmbeddedAws, name: str) -> bool:
    listed = aws.client("sagemaker").list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    return bool(listed)


def test_an_abort_stops_the_job(embedded_aws: EmbeddedAws, training_job: Request, eventually: Any) -> None:
    name = _name()
    execution = _start(embedded_aws, "sagemaker:createTrainingJob.sync", training_job(name, sleep="60"))
    eventually(lambda: _is_training(embedded_aws, name))
    embedded_aws.client("stepfunctions").stop_execution(executionArn=execution)
    describe = embedded_aws.client("sagemaker").describe_training_job
    eventually(lambda: describe(TrainingJobName=name)["TrainingJobStatus"] == "Stopped")


def test_a_time_out_stops_the_job(embedded_aws: EmbeddedAws, training_job: Request, eventually: Any) -> None:
    name = _name()
    request = training_job(name, sleep="60")
    execution = _start(embedded_aws, "sagemaker:createTrainingJob.sync", request, TimeoutSeconds=1)
    assert eventually(lambda: when_ended(embedded_aws, execution))["error"] == "States.Timeout"
    describe = embedded_aws.client("sagemaker").describe_training_job
    eventually(lambda: describe(TrainingJobName=name)["TrainingJobStatus"] == "Stopped")


def test_errors_are_named_as_each_integration_names_them(embedded_aws: EmbeddedAws, eventually: Any) -> None:
    missing = {"EndpointName": "none", "EndpointConfigName": "none"}
    optimized = _start(embedded_aws, "sagemaker:createEndpoint", missing)
    sdk = _start(embedded_aws, "aws-sdk:sagemaker:describeEndpoint", {"EndpointName": "none"})
    ended = eventually(lambda: when_ended(embedded_aws, optimized))
    assert ended["error"] == "SageMaker.AmazonSageMakerException"
    assert "Could not find endpoint configuration" in ended["cause"]
    assert "Error Code: ValidationException" in ended["cause"]
    ended = eventually(lambda: when_ended(embedded_aws, sdk))
    assert ended["error"] == "SageMaker.SageMakerException"
    assert "Could not find endpoint" in ended["cause"]


def test_the_sdk_integration_describes(embedded_aws: EmbeddedAws, endpoint: str, eventually: Any) -> None:
    execution = _start(embedded_aws, "aws-sdk:sagemaker:describeEndpoint", {"EndpointName": endpoint})
    output = json.loads(eventually(lambda: when_ended(embedded_aws, execution))["output"])
    assert output["EndpointStatus"] == "InService"
    assert output["CreationTime"].endswith("Z")


def test_an_abort_stops_a_processing_job(embedded_aws: EmbeddedAws, bucket: str, eventually: Any) -> None:
    name = _name()
    request = {
        "ProcessingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
        "AppSpecification": {"ImageUri": "program:1", "ContainerArguments": ["process", "seen:"]},
        "Environment": {"SLEEP": "60"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
    }
    sagemaker = embedded_aws.client("sagemaker")
    execution = _start(
        embedded_aws, "sagemaker:createProcessingJob.sync", request, Retry=[{"ErrorEquals": ["States.ALL"]}]
    )
    eventually(lambda: sagemaker.list_processing_jobs(NameContains=name)["ProcessingJobSummaries"], seconds=60)
    embedded_aws.client("stepfunctions").stop_execution(executionArn=execution)
    eventually(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped",
        seconds=60,
    )
    assert when_ended(embedded_aws, execution)["status"] == "ABORTED"  # type: ignore[index]


def test_sync_waits_for_a_transform_job(
    embedded_aws: EmbeddedAws, bucket: str, configuration: Callable[..., str], eventually: Any
) -> None:
    name = _name()
    embedded_aws.client("s3").put_object(Bucket=bucket, Key=f"{name}/texts/posts", Body=b"good\nbad\n")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{name}/texts/"}
    request = {
        "TransformJobName": name,
        "ModelName": configuration("model"),
        "TransformInput": {"DataSource": {"S3DataSource": source}, "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/{name}/answers/"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    single = {**request, "TransformJobName": f"{name}-single", "BatchStrategy": "SingleRecord"}
    whole = _start(embedded_aws, "sagemaker:createTransformJob.sync", request)
    failing = _start(embedded_aws, "sagemaker:createTransformJob.sync", single)
    output = json.loads(eventually(lambda: when_ended(embedded_aws, whole), seconds=60)["output"])
    assert output["TransformJobStatus"] == "Completed"
    ended = eventually(lambda: when_ended(embedded_aws, failing), seconds=60)
    assert "Bad HTTP status" in json.loads(ended["cause"])["FailureReason"]
