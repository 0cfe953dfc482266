import io
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.waiting import until

ROLE = "arn:aws:iam::123456789012:role/release"
ANSWER = "http://127.0.0.1/answer"
WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 7200, "End": True}}}


class Endpoint:
    """An endpoint with releases as a workflow leaves them, under names of this test's own."""

    def __init__(self, module: ModuleType, aws: Any, table: str, bucket: str, name: str) -> None:
        self.module = module
        self.aws = aws
        self.table = table
        self.bucket = bucket
        self.name = name

    @property
    def sagemaker(self) -> Any:
        return self.aws.client("sagemaker")

    def release(
        self, release: str, *, cleaned: bool = False, outcome: str = "released", instance_type: str = "ml.m5.large"
    ) -> str:
        name = f"{self.name}-{release}"
        item = {
            "endpoint": {"S": self.name},
            "entry": {"S": f"release#{release}"},
            "release": {"S": name},
            "outcome": {"S": outcome},
            "execution": {"S": f"arn:aws:states:us-east-1:123456789012:execution:release:{name}"},
        }
        if cleaned:
            item["cleaned"] = {"S": "2026-01-01T00:00:00Z"}
        self.aws.client("dynamodb").put_item(TableName=self.table, Item=item)
        self.make(name, instance_type=instance_type)
        return name

    def make(self, name: str, *, instance_type: str = "ml.m5.large") -> None:
        container = {"Image": "remover:1", "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 2, "InstanceType": instance_type}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    def serve(self, configuration: str, *, wait: bool = True) -> None:
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=configuration)
        if wait:
            until(lambda: self.status() == "InService")

    def status(self) -> str | None:
        try:
            return str(self.sagemaker.describe_endpoint(EndpointName=self.name)["EndpointStatus"])
        except ClientError:
            return None

    def left(self) -> set[str]:
        models = {model["ModelName"] for model in self.sagemaker.list_models(NameContains=self.name)["Models"]}
        found = self.sagemaker.list_endpoint_configs(NameContains=self.name)["EndpointConfigs"]
        return models | {configuration["EndpointConfigName"] for configuration in found}

    def end(self, *, keep: bool = False, seconds: float = 60, waited: float = 0, **context: Any) -> None:
        event = {
            "RequestType": "Delete",
            "ResponseURL": ANSWER,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "End",
            "PhysicalResourceId": self.name,
            "ResourceProperties": {"EndpointName": self.name, "Keep": "true" if keep else "false"},
            "Began": time.time() - waited,
        }
        reserve = self.module.ANSWERING_RESERVE_S
        remaining = SimpleNamespace(get_remaining_time_in_millis=lambda: int((seconds + reserve) * 1000), **context)
        self.module.handler(event, remaining)


@pytest.fixture
def endpoint(
    load_function: Callable[[str], ModuleType],
    aws: Any,
    releases_table: str,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Endpoint]:
    name = f"ends-{uuid.uuid4().hex[:8]}"
    aws.register_image("remover:1", Path(__file__).parent / "program")
    aws.client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=_empty_archive())
    for variable, value in {
        "ENDPOINT_NAME": name,
        "WORKFLOWS": "[]",
        "CURRENT_PARAMETER": f"/{name}/current",
        "SCALED_VARIANTS": "[]",
        "ALERTS_TOPIC": aws.client("sns").create_topic(Name=name)["TopicArn"],
        "CLEANER": "cleaner",
        "DATA_BUCKET": bucket,
    }.items():
        monkeypatch.setenv(variable, value)
    yield Endpoint(load_function("endpoint_remover"), aws, releases_table, bucket, name)
    made = Endpoint(load_function("endpoint_remover"), aws, releases_table, bucket, name)
    if made.status() is not None:
        until(lambda: made.status() == "InService")
        aws.client("sagemaker").delete_endpoint(EndpointName=name)


def _empty_archive() -> bytes:
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz"):
        pass
    return archive.getvalue()


@pytest.fixture
def answers(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What CloudFormation is answered: status and reason."""
    given: list[tuple[str, str]] = []
    monkeypatch.setattr(endpoint.module, "answer", lambda event, status, reason: given.append((status, reason)))
    return given


@pytest.fixture
def published(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    sns, sqs = endpoint.aws.client("sns"), endpoint.aws.client("sqs")
    topic = sns.create_topic(Name=endpoint.name)["TopicArn"]
    queue = sqs.create_queue(QueueName=endpoint.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    publishes = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**publishes, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def received() -> list[str]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        alerts = [json.loads(message["Body"]) for message in messages]
        return [f"{alert['Subject']}\n{alert['Message']}" for alert in alerts]

    return received


def test_everything_that_the_workflow_made_ends_with_the_stack(
    endpoint: Endpoint, answers: list[tuple[str, str]]
) -> None:
    endpoint.release("one")
    endpoint.serve(endpoint.release("two"))
    endpoint.release("three")
    ssm, logs = endpoint.aws.client("ssm"), endpoint.aws.client("logs")
    ssm.put_parameter(Name=f"/{endpoint.name}/current", Value="two", Type="String")
    group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)

    endpoint.end()

    assert answers == [("SUCCESS", "")]
    assert (endpoint.status(), endpoint.left()) == (None, set())
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=f"/{endpoint.name}/current")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_nothing_of_another_endpoint_is_deleted(endpoint: Endpoint, answers: list[tuple[str, str]]) -> None:
    # Its name begins with that of this one.
    other = f"{endpoint.name}-eu-one"
    endpoint.make(other)
    endpoint.release("one")
    endpoint.end()
    assert answers == [("SUCCESS", "")]
    assert endpoint.left() == {other}


def test_what_is_gone_already_is_no_failure(endpoint: Endpoint, answers: list[tuple[str, str]]) -> None:
    endpoint.sagemaker.delete_model(ModelName=endpoint.release("one"))
    endpoint.end()
    endpoint.end()
    assert answers == [("SUCCESS", "")] * 2
    assert endpoint.left() == set()


def test_what_serves_without_a_record_goes_too(endpoint: Endpoint, answers: list[tuple[str, str]]) -> None:
    endpoint.release("one")
    endpoint.make(f"{endpoint.name}-found")
    endpoint.serve(f"{endpoint.name}-found")
    endpoint.end()
    assert answers == [("SUCCESS", "")]
    assert (endpoint.status(), endpoint.left()) == (None, set())


def test_an_endpoint_stays_whose_name_a_stack_has_that_never_released(
    endpoint: Endpoint, answers: list[tuple[str, str]]
) -> None:
    # A first deployment failed; somebody else made the endpoint, or an earlier life of the stack kept it.
    endpoint.make(f"{endpoint.name}-before")
    endpoint.serve(f"{endpoint.name}-before")
    endpoint.end()
    assert answers == [("SUCCESS", "")]
    assert (endpoint.status(), endpoint.left()) == ("InService", {f"{endpoint.name}-before"})


def test_an_endpoint_that_is_being_changed_is_waited_for(endpoint: Endpoint, answers: list[tuple[str, str]]) -> None:
    endpoint.serve(endpoint.release("one"), wait=False)
    endpoint.end()
    assert answers == [("SUCCESS", "")]
    assert endpoint.status() is None


def test_what_takes_longer_than_a_function_may_goes_on_in_another_call(
    endpoint: Endpoint, answers: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    invoked: list[dict[str, Any]] = []
    boto3 = endpoint.module.boto3
    client = boto3.client

    def with_lambda(service: str, **options: Any) -> Any:
        if service == "lambda":
            return SimpleNamespace(invoke=lambda **request: invoked.append(request))
        return client(service, **options)

    monkeypatch.setattr(endpoint.module, "boto3", SimpleNamespace(client=with_lambda))
    # As if its change never ended, however slow the look is.
    monkeypatch.setattr(endpoint.module, "BUSY", (*endpoint.module.BUSY, "InService"))
    endpoint.serve(endpoint.release("one"))

    endpoint.end(seconds=0.0, invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:remover")

    (call,) = invoked
    assert answers == []
    assert (call["FunctionName"][-8:], call["InvocationType"]) == (":remover", "Event")
    again = json.loads(call["Payload"])
    assert again["RequestType"] == "Delete"

    # Where CloudFormation's hour is over, it says what to do.
    monkeypatch.setattr(endpoint.module, "CLOUDFORMATION_WAITS_S", 0.0)
    endpoint.end(seconds=0.0, invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:remover")
    ((status, reason),) = answers
    assert status == "FAILED"
    assert reason.endswith(": delete the stack again once it is not")


def test_it_answers_before_cloudformation_stops_waiting(
    endpoint: Endpoint, answers: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint.module, "BUSY", (*endpoint.module.BUSY, "InService"))
    endpoint.serve(endpoint.release("one"))
    # A call that began late has more time than CloudFormation.
    endpoint.end(seconds=900, waited=endpoint.module.CLOUDFORMATION_WAITS_S - 0.5)
    ((status, reason),) = answers
    assert status == "FAILED"
    assert reason.endswith(": delete the stack again once it is not")


@pytest.mark.parametrize("keep", [False, True])
def test_executions_that_run_are_stopped(
    endpoint: Endpoint, answers: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    states = endpoint.aws.client("stepfunctions")
    machine = states.create_state_machine(name=endpoint.name, definition=json.dumps(WAITS), roleArn=ROLE)
    monkeypatch.setenv("WORKFLOWS", json.dumps([machine["stateMachineArn"], f"{machine['stateMachineArn']}-gone"]))
    runs = [states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"] for _ in range(2)]

    endpoint.end(keep=keep)

    assert answers == [("SUCCESS", "")]
    for run in runs:
        ended = states.describe_execution(executionArn=run)
        assert (ended["status"], ended["error"]) == ("ABORTED", "StackDeleted")


@pytest.fixture
def invoked(
    endpoint: Endpoint, load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """What Lambda was asked to invoke; the cleaner really runs."""
    requests: list[dict[str, Any]] = []
    cleaner = load_function("release_cleaner")
    client = endpoint.module.boto3.client

    def invoke(**request: Any) -> dict[str, Any]:
        requests.append(request)
        in_time = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
        try:
            answered = cleaner.handler(json.loads(request["Payload"]), in_time)
        except Exception as error:
            fault = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(fault).encode())}
        return {"Payload": io.BytesIO(json.dumps(answered).encode())}

    def with_lambda(service: str, **options: Any) -> Any:
        return SimpleNamespace(invoke=invoke) if service == "lambda" else client(service, **options)

    monkeypatch.setattr(endpoint.module, "boto3", SimpleNamespace(client=with_lambda))
    return requests


@pytest.mark.parametrize("keep", [False, True])
def test_a_release_that_runs_leaves_no_copy_of_a_post(
    endpoint: Endpoint, answers: list[tuple[str, str]], invoked: list[dict[str, Any]], keep: bool
) -> None:
    kept, run = endpoint.release("one"), endpoint.release("two", outcome="running")
    for release in (kept, run):
        endpoint.aws.client("s3").put_object(Bucket=endpoint.bucket, Key=f"runs/{release}/train/a", Body=b"a")

    endpoint.end(keep=keep)

    assert answers == [("SUCCESS", "")]
    assert [request["FunctionName"] for request in invoked] == ["cleaner"]
    own = f"runs/{endpoint.name}-"
    listed = endpoint.aws.client("s3").list_objects_v2(Bucket=endpoint.bucket, Prefix=own)["Contents"]
    assert [found["Key"] for found in listed] == [f"runs/{kept}/train/a"]
    assert endpoint.left() == ({kept} if keep else set())


def test_a_release_that_already_serves_is_kept_and_told(
    endpoint: Endpoint,
    answers: list[tuple[str, str]],
    published: Callable[[], list[str]],
    invoked: list[dict[str, Any]],
) -> None:
    endpoint.serve(endpoint.release("one", outcome="running"))
    endpoint.end(keep=True)
    assert answers == [("SUCCESS", "")]
    assert endpoint.left() == {f"{endpoint.name}-one"}
    assert len(published()) == 1
    # Under destroy the endpoint goes first.
    endpoint.end()
    assert (endpoint.status(), endpoint.left()) == (None, set())


@pytest.mark.parametrize("keep", [False, True])
def test_executions_that_do_not_stop_are_not_waited_for_without_end(
    endpoint: Endpoint, answers: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    endpoint.release("one")
    monkeypatch.setenv("WORKFLOWS", '["machine"]')
    monkeypatch.setattr(endpoint.module, "_running", lambda states, machine: ["execution"])
    monkeypatch.setattr(endpoint.module, "CLOUDFORMATION_WAITS_S", 0.0)
    stopping = SimpleNamespace(stop_execution=lambda **execution: None)
    client = endpoint.module.boto3.client
    with_states = SimpleNamespace(
        client=lambda service, **options: stopping if service == "stepfunctions" else client(service, **options)
    )
    monkeypatch.setattr(endpoint.module, "boto3", with_states)
    endpoint.end(keep=keep, seconds=0.3)
    ((status, reason),) = answers
    assert (status, reason) == (
        ("SUCCESS", "")
        if keep
        else ("FAILED", "1 executions of machine are being stopped: delete the stack again once it is not")
    )


def test_a_configuration_that_the_function_may_not_describe_is_named_all_the_same(
    endpoint: Endpoint,
    answers: list[tuple[str, str]],
    published: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, by_hand = endpoint.release("one"), f"by-hand-{endpoint.name}"
    endpoint.make(by_hand)
    endpoint.serve(by_hand)
    remover = endpoint.module.Remover
    make = remover.__init__

    def without_permission(self: Any, deadline: float) -> None:
        make(self, deadline)
        describe = self._sagemaker.describe_endpoint_config

        def describe_own(EndpointConfigName: str) -> Any:
            if EndpointConfigName == by_hand:
                raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeEndpointConfig")
            return describe(EndpointConfigName=EndpointConfigName)

        self._sagemaker.describe_endpoint_config = describe_own

    monkeypatch.setattr(remover, "__init__", without_permission)
    endpoint.end(keep=True)
    assert answers == [("SUCCESS", "")]
    (message,) = published()
    assert f"configurations: {by_hand}, {one}\n" in message
    assert f"and that of the configuration {by_hand}, whose price is unknown here" in message
    endpoint.sagemaker.delete_model(ModelName=by_hand)
    endpoint.sagemaker.delete_endpoint_config(EndpointConfigName=by_hand)


def test_the_price_is_that_of_what_runs(endpoint: Endpoint) -> None:
    instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    serverless = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5, "ProvisionedConcurrency": 1}}
    configuration = {
        "ProductionVariants": [
            {"VariantName": "idle", **instances},
            {"VariantName": "unknown", **instances},
            {"VariantName": "serverless", **serverless},
        ],
        "ShadowProductionVariants": [{"VariantName": "shadow", **instances}],
    }
    running = {
        "EndpointConfigName": "one",
        "ProductionVariants": [{"VariantName": "idle", "CurrentInstanceCount": 0}, {"VariantName": "unknown"}],
        "ShadowProductionVariants": [{"VariantName": "shadow", "CurrentInstanceCount": 3}],
    }
    cost = endpoint.module.Remover(0.0)._cost(running, {"one": configuration})
    assert cost.startswith("0.575 dollars per hour ")
    assert cost.endswith(" and its serverless variants by use and for provisioned concurrency")


def test_what_is_kept_is_named_and_priced(
    endpoint: Endpoint, answers: list[tuple[str, str]], published: Callable[[], list[str]]
) -> None:
    one, two = endpoint.release("one"), endpoint.release("two")
    endpoint.release("gone", cleaned=True)
    endpoint.serve(two)

    endpoint.end(keep=True)

    assert answers == [("SUCCESS", "")]
    assert endpoint.status() == "InService"
    (message,) = published()
    assert f"endpoint: {endpoint.name} (InService)" in message
    assert message.startswith(f"{endpoint.name} is kept, and is billed\n")
    assert f"configurations: {one}, {two}\nmodels: {one}, {two}\n" in message
    assert "costs: 0.230 dollars per hour at the prices of us-east-1" in message


def test_configurations_and_models_without_an_endpoint_are_not_said_to_be_billed(
    endpoint: Endpoint, answers: list[tuple[str, str]], published: Callable[[], list[str]]
) -> None:
    endpoint.release("one")
    endpoint.end(keep=True)
    (message,) = published()
    assert message.startswith(f"{endpoint.name} does not exist; its configurations and models are kept\n")
    assert "endpoint: none" in message
    assert "costs: nothing per hour" in message
    assert "keeps serving" not in message


def test_an_unknown_price_is_said_to_be_so(
    endpoint: Endpoint, answers: list[tuple[str, str]], published: Callable[[], list[str]]
) -> None:
    endpoint.serve(endpoint.release("one", instance_type="ml.p5.48xlarge"))
    endpoint.end(keep=True)
    (message,) = published()
    assert "0.000 dollars per hour" in message
    assert "and that of ml.p5.48xlarge, whose price is unknown here" in message


def test_nothing_is_told_where_nothing_stays(
    endpoint: Endpoint, answers: list[tuple[str, str]], published: Callable[[], list[str]]
) -> None:
    endpoint.end(keep=True)
    assert (answers, published()) == ([("SUCCESS", "")], [])


@pytest.mark.parametrize(("keep", "status"), [(True, "SUCCESS"), (False, "FAILED")])
def test_what_is_kept_stops_no_stack_from_being_deleted(
    endpoint: Endpoint,
    answers: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    http_server: Any,
    answer: Any,
    keep: bool,
    status: str,
) -> None:
    endpoint.release("one")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", http_server.url)
    http_server.answers = [answer(400, b'{"__type": "AccessDeniedException", "message": "not authorized"}')]
    endpoint.end(keep=keep)
    ((answered, reason),) = answers
    assert answered == status
    assert "AccessDeniedException" in reason


def test_only_a_deletion_does_anything(endpoint: Endpoint, answers: list[tuple[str, str]]) -> None:
    name = endpoint.release("one")
    for kind in ("Create", "Update"):
        endpoint.module.handler({"RequestType": kind, "ResourceProperties": {}}, None)
    assert answers == [("SUCCESS", "")] * 2
    assert endpoint.left() == {name}
