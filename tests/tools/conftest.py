import json
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import EVERYTHING, allow, make_role
from tests.waiting import until

HERE = Path(__file__).parent
ROLE = "arn:aws:iam::123456789012:role/sagemaker"


@pytest.fixture(scope="session")
def embedded_aws(embedded_aws: EmbeddedAws) -> EmbeddedAws:
    """With the roles that these tests hand on. Jobs, endpoints and workflows may do everything: what they do is tried
    here, not what they may.
    """
    make_role(embedded_aws, "sagemaker", EVERYTHING, trusts="sagemaker.amazonaws.com")
    services = [f"{name}.amazonaws.com" for name in ("states", "events", "scheduler")]
    make_role(embedded_aws, "workflow", EVERYTHING, trusts=services)
    log = allow("logs:CreateLogStream", "logs:PutLogEvents", on="arn:aws:logs:*:*:log-group:/aws/lambda/*")
    make_role(embedded_aws, "notifier", log, allow("sqs:SendMessage"), trusts="lambda.amazonaws.com")
    return embedded_aws


@pytest.fixture
def moderation_app() -> Path:
    return HERE / "moderation_rehearsal" / "moderation_app"


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Calls until the answer is true; fails after the time."""

    return until


@pytest.fixture(scope="session")
def bucket(embedded_aws: EmbeddedAws) -> str:
    embedded_aws.register_image("program:1", HERE / "cdk_rehearsal" / "program")
    name = f"rehearsal-{uuid.uuid4().hex[:8]}"
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="posts/train/part/posts.txt", Body="こんにちは".encode())
    s3.put_object(Bucket=name, Key="posts/test/posts.txt", Body=b"test")
    return name


@pytest.fixture
def training_job(bucket: str) -> Callable[..., dict[str, Any]]:
    """A request for CreateTrainingJob."""

    def request(name: str, *, max_seconds: int = 60, **hyperparameters: str) -> dict[str, Any]:
        channels = {"train": "posts/train/", "test": "posts/test/"}
        return {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": "program:1", "TrainingInputMode": "File"},
            "HyperParameters": hyperparameters,
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{prefix}"}},
                }
                for channel, prefix in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": max_seconds},
        }

    return request


@pytest.fixture(scope="session")
def model_data(bucket: str, embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.json").write_text('{"weights": 3}')
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model.json", arcname="model.json")
    embedded_aws.client("s3").upload_file(str(folder / "model.tar.gz"), bucket, "given/model.tar.gz")
    return f"s3://{bucket}/given/model.tar.gz"


@pytest.fixture
def configuration(embedded_aws: EmbeddedAws, model_data: str) -> Callable[..., str]:
    """Makes a model and an endpoint configuration of one name; returns it."""

    def make(name: str, **environment: str) -> str:
        unique = f"{name}-{uuid.uuid4().hex[:6]}"
        sagemaker = embedded_aws.client("sagemaker")
        sagemaker.create_model(
            ModelName=unique,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={
                "Image": "program:1",
                "ModelDataUrl": model_data,
                "Environment": {"MODEL_NAME": unique, **environment},
            },
        )
        variant = {"VariantName": "v", "ModelName": unique, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName=unique, ProductionVariants=[variant])
        return unique

    return make


@pytest.fixture
def endpoint(
    embedded_aws: EmbeddedAws, configuration: Callable[..., str], eventually: Callable[..., Any]
) -> Iterator[str]:
    """An endpoint in service."""
    name = f"endpoint-{uuid.uuid4().hex[:6]}"
    sagemaker = embedded_aws.client("sagemaker")
    # Long enough to be seen on its way, however slow the look is.
    first = configuration("first", START_SLEEP="1")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first)

    def status() -> str:
        answer: str = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
        return answer

    assert status() == "Creating"
    eventually(lambda: status() == "InService")
    yield name
    eventually(lambda: status() == "InService")
    sagemaker.delete_endpoint(EndpointName=name)


class Api:
    """An ML API that answers what it is told to, and keeps what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: dict[str, Any] = {"flag": 0, "probability": 0.1, "model": "one"}
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
                body = json.dumps(api.answer).encode()
                self.send_response(api.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    with api.server as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield api
        server.shutdown()
        thread.join()
