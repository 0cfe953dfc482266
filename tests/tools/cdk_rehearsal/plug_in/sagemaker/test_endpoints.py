import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws

Configuration = Callable[..., str]
Eventually = Callable[..., Any]


def _invoke(aws: EmbeddedAws, endpoint: str, body: bytes = b"{}", **more: str) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=body, ContentType="application/json", **more
    )
    return answer


def test_an_endpoint_answers_with_its_model(embedded_aws: EmbeddedAws, endpoint: str) -> None:
    answer = _invoke(embedded_aws, endpoint, b"[1]", CustomAttributes="trace=7")
    assert json.load(answer["Body"]) == {"body": "[1]", "model": {"weights": 3}, "attributes": "trace=7"}
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "v"
    described = embedded_aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    assert answer["CustomAttributes"] == f"model={described['EndpointConfigName']}"


def test_a_programs_error_is_a_model_error(embedded_aws: EmbeddedAws, endpoint: str) -> None:
    with pytest.raises(ClientError, match=r"Received client error \(400\) from primary with message") as error:
        _invoke(embedded_aws, endpoint, b"bad")
    response = error.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (400, '{"error": "bad"}')  # type: ignore[typeddict-item]


def test_an_update_fails_no_request(
    embedded_aws: EmbeddedAws, endpoint: str, configuration: Configuration, eventually: Eventually
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    answered: list[str] = []
    failed: list[Exception] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                answered.append(_invoke(embedded_aws, endpoint)["CustomAttributes"])
            except ClientError as error:
                failed.append(error)

    clients = [threading.Thread(target=send) for _ in range(3)]
    for client in clients:
        client.start()
    new = configuration("second")
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
    assert sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "Updating"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
    eventually(lambda: sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService")
    seen = len(answered)
    eventually(lambda: len(answered) > seen + 5)
    over.set()
    for client in clients:
        client.join()
    assert not failed
    assert answered[-1] == f"model={new}"
    assert sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"] == new


def test_an_invocation_that_runs_survives_the_switch(
    embedded_aws: EmbeddedAws, configuration: Configuration, eventually: Eventually
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    name = f"endpoint-{uuid.uuid4().hex[:6]}"
    slow = configuration("slow", SLEEP="2")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=slow)
    eventually(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(_invoke(embedded_aws, name)["CustomAttributes"]))
    client.start()
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=configuration("quick"))
    client.join()
    assert answers == [f"model={slow}"]


def test_an_update_that_does_not_serve_is_rolled_back(
    embedded_aws: EmbeddedAws, endpoint: str, configuration: Configuration, eventually: Eventually
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    before = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configuration("broken"))
    described = eventually(
        lambda: (now := sagemaker.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] == "InService" and now
    )
    assert described["EndpointConfigName"] == before
    assert "this model cannot be loaded" in described["FailureReason"]
    assert _invoke(embedded_aws, endpoint)["CustomAttributes"] == f"model={before}"


def test_an_endpoint_that_never_served_is_failed(
    embedded_aws: EmbeddedAws, configuration: Configuration, eventually: Eventually
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    name = f"endpoint-{uuid.uuid4().hex[:6]}"
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration("broken"))
    described = eventually(
        lambda: (now := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Failed" and now
    )
    assert "did not pass the ping health check" in described["FailureReason"]
    with pytest.raises(ClientError, match=r"\(ValidationError\).*not found"):
        _invoke(embedded_aws, name)
    sagemaker.delete_endpoint(EndpointName=name)
    eventually(lambda: name not in str(sagemaker.list_endpoints()["Endpoints"]))


def test_aws_words_for_what_is_not_there(embedded_aws: EmbeddedAws, endpoint: str, model_data: str) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    arn = "arn:aws:sagemaker:us-east-1:123456789012"
    with pytest.raises(ClientError, match=f'Could not find endpoint "{arn}:endpoint/none".'):
        sagemaker.describe_endpoint(EndpointName="none")
    with pytest.raises(ClientError, match=f'Could not find endpoint configuration "{arn}:endpoint-config/none".'):
        sagemaker.create_endpoint(EndpointName="other", EndpointConfigName="none")
    with pytest.raises(ClientError, match=f'Could not find model "{arn}:model/none".'):
        sagemaker.describe_model(ModelName="none")
    used = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    with pytest.raises(ClientError, match=f'Cannot create already existing endpoint "{arn}:endpoint/{endpoint}".'):
        sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=used)
    with pytest.raises(ClientError, match=f'Cannot create already existing model "{arn}:model/{used}".'):
        sagemaker.create_model(
            ModelName=used,
            ExecutionRoleArn="arn:aws:iam::123456789012:role/sagemaker",
            PrimaryContainer={"Image": "program:1"},
        )
    with pytest.raises(ClientError, match="give ExecutionRoleArn"):
        sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": "program:1"})
    with pytest.raises(ClientError, match=f"Could not find model data at {model_data}.missing"):
        sagemaker.create_model(
            ModelName="m",
            ExecutionRoleArn="arn:aws:iam::123456789012:role/sagemaker",
            PrimaryContainer={"Image": "program:1", "ModelDataUrl": f"{model_data}.missing"},
        )
