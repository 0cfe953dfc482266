"""How an update moves traffic, and what moves it back."""

import base64
import collections
import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.plug_in.sagemaker.share import Share
from tests.access import make_queue

Configuration = Callable[..., str]
Eventually = Callable[..., Any]
PATIENCE = 60.0


def _invoke(aws: EmbeddedAws, endpoint: str, body: bytes = b"{}", **more: str) -> str:
    answer = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=body, ContentType="application/json", **more
    )
    return str(answer["CustomAttributes"]).removeprefix("model=")


@pytest.fixture
def settled(embedded_aws: EmbeddedAws, eventually: Eventually) -> Callable[[str], dict[str, Any]]:
    def wait(endpoint: str) -> dict[str, Any]:
        def described() -> Any:
            answer = embedded_aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)
            return answer if answer["EndpointStatus"] in ("InService", "Failed") else None

        answer: dict[str, Any] = eventually(described, seconds=PATIENCE)
        return answer

    return wait


@pytest.fixture
def alarm(embedded_aws: EmbeddedAws, endpoint: str) -> Iterator[str]:
    """One on the endpoint's own server errors."""
    name = f"errors-{uuid.uuid4().hex[:8]}"
    cloudwatch = embedded_aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "v"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    yield name
    cloudwatch.delete_alarms(AlarmNames=[name])


class Clients:
    """Invoke without pause from several threads until the block is left; count what answered and what failed."""

    def __init__(self, aws: EmbeddedAws, endpoint: str) -> None:
        self.models: collections.Counter[str] = collections.Counter()
        self.failures: list[Exception] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(aws, endpoint)) for _ in range(3)]

    def _send(self, aws: EmbeddedAws, endpoint: str) -> None:
        while not self._over.is_set():
            try:
                self.models[_invoke(aws, endpoint)] += 1
            except ClientError as error:
                self.failures.append(error)

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *of: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def _routing(kind: str, wait_seconds: int, **more: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait_seconds, **more}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 5}}


PERCENT = "CAPACITY_PERCENT"


def test_a_part_of_all_requests_is_evenly_spread() -> None:
    tenth = Share(0.1)
    assert [index for index in range(30) if tenth.take()] == [9, 19, 29]
    assert not any(Share(0).take() for _ in range(5))
    assert all(Share(1.0).take() for _ in range(5))


@pytest.mark.parametrize(
    "deployment",
    [
        _routing("ALL_AT_ONCE", 20),
        _routing("CANARY", 40, CanarySize={"Type": PERCENT, "Value": 20}),
        _routing("LINEAR", 20, LinearStepSize={"Type": PERCENT, "Value": 25}),
        {"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": PERCENT, "Value": 50}, "WaitIntervalInSeconds": 20}},
    ],
    ids=["all at once", "canary", "linear", "rolling"],
)
def test_no_request_fails_while_the_traffic_moves(
    embedded_aws: EmbeddedAws,
    endpoint: str,
    configuration: Configuration,
    settled: Any,
    eventually: Eventually,
    deployment: dict[str, Any],
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    old = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    new = configuration("second")
    with Clients(embedded_aws, endpoint) as clients:
        eventually(lambda: clients.models[old], seconds=PATIENCE)
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=deployment)
        pending = sagemaker.describe_endpoint(EndpointName=endpoint)
        assert pending["PendingDeploymentSummary"]["EndpointConfigName"] == new
        described = settled(endpoint)
        answered = clients.models[new]
        eventually(lambda: clients.models[new] > answered, seconds=PATIENCE)
    assert clients.failures == []
    assert set(clients.models) == {old, new}
    assert described["EndpointConfigName"] == new
    assert described["LastDeploymentConfig"] == deployment


def test_a_canary_is_the_part_that_was_asked_for_until_an_alarm_takes_it_back(
    embedded_aws: EmbeddedAws,
    endpoint: str,
    configuration: Configuration,
    settled: Any,
    eventually: Eventually,
    alarm: str,
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    old = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    new = configuration("second")
    # By the fixture's wait scale it bakes for a minute and a half: longer than it takes to count.
    canary = _with_alarms(_routing("CANARY", 1800, CanarySize={"Type": PERCENT, "Value": 10}), alarm)
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=canary)
    eventually(lambda: _invoke(embedded_aws, endpoint) == new, seconds=PATIENCE)
    assert sum(_invoke(embedded_aws, endpoint) == new for _ in range(50)) == 5
    embedded_aws.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="by hand")
    assert settled(endpoint)["EndpointConfigName"] == old


@contextlib.contextmanager
def _tripped_alarm(cloudwatch: Any) -> Iterator[str]:
    name = f"tripped-{uuid.uuid4().hex[:8]}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="None",
        MetricName="None",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    yield name
    cloudwatch.delete_alarms(AlarmNames=[name])


def _with_alarms(deployment: dict[str, Any], *names: str) -> dict[str, Any]:
    alarms = [{"AlarmName": name} for name in names]
    return {**deployment, "AutoRollbackConfiguration": {"Alarms": alarms}}


def test_real_server_errors_roll_an_update_back(
    embedded_aws: EmbeddedAws, endpoint: str, configuration: Configuration, settled: Any, alarm: str
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    old = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    deployment = _with_alarms(_routing("CANARY", 1200, CanarySize={"Type": PERCENT, "Value": 20}), alarm)
    with Clients(embedded_aws, endpoint) as clients:
        sagemaker.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=configuration("erring", ERROR="500"), DeploymentConfig=deployment
        )
        described = settled(endpoint)
    assert described["EndpointConfigName"] == old
    assert alarm in described["FailureReason"]
    assert "PendingDeploymentSummary" not in described
    assert clients.failures, "the canary was invoked"
    assert _invoke(embedded_aws, endpoint) == old
    cloudwatch = embedded_aws.client("cloudwatch")
    assert cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"] == "ALARM"


def test_an_alarm_brings_the_old_fleet_back_as_long_as_it_is_there(
    embedded_aws: EmbeddedAws,
    endpoint: str,
    configuration: Configuration,
    settled: Any,
    eventually: Eventually,
    alarm: str,
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    old = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    new = configuration("second")
    baking = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
    policy = {"BlueGreenUpdatePolicy": {**baking, "TerminationWaitInSeconds": 1800}}
    sagemaker.update_endpoint(
        EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=_with_alarms(policy, alarm)
    )
    eventually(lambda: _invoke(embedded_aws, endpoint) == new, seconds=PATIENCE)
    embedded_aws.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="by hand")
    assert settled(endpoint)["EndpointConfigName"] == old
    assert _invoke(embedded_aws, endpoint) == old


def test_an_alarm_that_is_up_already_lets_no_update_begin(
    embedded_aws: EmbeddedAws, endpoint: str, configuration: Configuration, settled: Any
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    old = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    with _tripped_alarm(embedded_aws.client("cloudwatch")) as name:
        sagemaker.update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=configuration("second"),
            DeploymentConfig=_with_alarms(_routing("ALL_AT_ONCE", 0), name),
        )
        described = settled(endpoint)
    assert (described["EndpointConfigName"], name in described["FailureReason"]) == (old, True)


def test_weights_and_instances_are_changed_and_retained(
    embedded_aws: EmbeddedAws, endpoint: str, configuration: Configuration, settled: Any
) -> None:
    sagemaker = embedded_aws.client("sagemaker")

    def variant() -> tuple[float, int]:
        (found,) = settled(endpoint)["ProductionVariants"]
        return found["CurrentWeight"], found["DesiredInstanceCount"]

    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredWeight": 3, "DesiredInstanceCount": 4}],
    )
    assert variant() == (3.0, 4)
    sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=configuration("second"),
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
    )
    assert variant() == (1.0, 4)
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configuration("third"))
    assert variant() == (1.0, 1)
    with pytest.raises(ClientError, match='The variant name\\(s\\) "none" is/are not present'):
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "none", "DesiredWeight": 3}]
        )


def test_a_variant_that_is_scaled_is_neither_removed_nor_moved_to_other_instances(
    embedded_aws: EmbeddedAws, endpoint: str, configuration: Configuration, settled: Any
) -> None:
    sagemaker, scaling = embedded_aws.client("sagemaker"), embedded_aws.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/v",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=4)
    assert settled(endpoint)["ProductionVariants"][0]["DesiredInstanceCount"] == 2, "its minimum"
    tracked = {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    scaling.put_scaling_policy(
        **target,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracked,
    )
    sagemaker.update_endpoint(
        EndpointName=endpoint, EndpointConfigName=configuration("same"), RetainAllVariantProperties=True
    )
    assert settled(endpoint)["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    model = configuration("other")
    other = f"{model}-large"
    variant = {"VariantName": "v", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge"}
    sagemaker.create_endpoint_config(EndpointConfigName=other, ProductionVariants=[variant])
    with pytest.raises(ClientError, match=r'The variant\(s\) "\[v\]" must be deregistered as scalable targets with'):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=other)
    scaling.deregister_scalable_target(**target)
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=other)
    assert settled(endpoint)["EndpointConfigName"] == other
    with pytest.raises(ClientError, match="Could not find endpoint"):
        scaling.register_scalable_target(
            **{**target, "ResourceId": "endpoint/none/variant/v"}, MinCapacity=1, MaxCapacity=2
        )


def test_shadows_hear_and_are_not_heard_and_what_was_said_is_captured(
    embedded_aws: EmbeddedAws, configuration: Configuration, bucket: str, tmp_path: Path, eventually: Eventually
) -> None:
    sagemaker = embedded_aws.client("sagemaker")
    model, heard = configuration("loud"), tmp_path / "heard"
    shadow = configuration("shadow", HEARD=str(heard), ERROR="500")
    name = f"endpoint-{uuid.uuid4().hex[:6]}"
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "v",
                "ModelName": model,
                "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
            }
        ],
        ShadowProductionVariants=[
            {
                "VariantName": "s",
                "ModelName": shadow,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": 0.5,
            }
        ],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 50,
            "DestinationS3Uri": f"s3://{bucket}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
        },
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    described = eventually(
        lambda: (now := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] == "InService" and now,
        seconds=PATIENCE,
    )
    assert described["ProductionVariants"][0]["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
    assert described["ShadowProductionVariants"][0]["VariantName"] == "s"
    assert described["DataCaptureConfig"]["CurrentSamplingPercentage"] == 50
    bodies = [f"[{index}]".encode() for index in range(8)]
    assert {_invoke(embedded_aws, name, body) for body in bodies} == {model}
    eventually(lambda: heard.exists() and sorted(heard.read_bytes().splitlines()) == bodies[1::2], seconds=PATIENCE)

    s3 = embedded_aws.client("s3")

    def captured() -> list[Any]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"captured/{name}/v/").get("Contents", [])
        texts = [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode() for item in found]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    lines = eventually(lambda: len(now := captured()) == 4 and now, seconds=PATIENCE)
    data = [line["captureData"] for line in lines]
    assert sorted(one["endpointInput"]["data"].encode() for one in data) == bodies[1::2]
    assert {one["endpointOutput"]["encoding"] for one in data} == {"JSON"}
    sagemaker.delete_endpoint(EndpointName=name)


def test_a_program_that_crashes_is_started_again(
    embedded_aws: EmbeddedAws, endpoint: str, eventually: Eventually
) -> None:
    with pytest.raises(ClientError, match="ModelError"):
        _invoke(embedded_aws, endpoint, b"crash")

    def answers() -> bool:
        with contextlib.suppress(ClientError):
            return bool(_invoke(embedded_aws, endpoint))
        return False

    eventually(answers, seconds=PATIENCE)


def test_invocations_become_metrics(embedded_aws: EmbeddedAws, endpoint: str, eventually: Eventually) -> None:
    for body in (b"{}", b"{}", b"bad"):
        with contextlib.suppress(ClientError):
            _invoke(embedded_aws, endpoint, body)
    cloudwatch = embedded_aws.client("cloudwatch")
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "v"}]

    def statistic(metric: str, name: str) -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=dimensions,
            StartTime="2020-01-01T00:00:00Z",
            EndTime="2100-01-01T00:00:00Z",
            Period=3600,
            Statistics=[name],
        )["Datapoints"]
        return float(sum(point[name] for point in points))

    eventually(lambda: statistic("Invocations", "Sum") == 3, seconds=PATIENCE)
    assert statistic("Invocation4XXErrors", "Sum") == 1
    assert statistic("Invocation5XXErrors", "Sum") == 0
    assert statistic("ModelLatency", "SampleCount") == 3
    assert statistic("ModelLatency", "Minimum") > 0


def test_lists_come_page_by_page_and_sorted(embedded_aws: EmbeddedAws, configuration: Configuration) -> None:
    mark = uuid.uuid4().hex[:8]
    made = [configuration(f"{mark}-{index}") for index in range(3)]
    sagemaker = embedded_aws.client("sagemaker")
    wanted = {"NameContains": mark, "SortBy": "Name", "SortOrder": "Ascending"}
    first = sagemaker.list_endpoint_configs(**wanted, MaxResults=2)
    second = sagemaker.list_endpoint_configs(**wanted, MaxResults=2, NextToken=first["NextToken"])
    assert [page["EndpointConfigName"] for page in first["EndpointConfigs"] + second["EndpointConfigs"]] == made
    assert "NextToken" not in second
    assert [model["ModelName"] for model in sagemaker.list_models(NameContains=mark)["Models"]] == made[::-1]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.list_models(NextToken=base64.b64encode(b"no").decode())


def test_an_endpoints_states_are_events(
    embedded_aws: EmbeddedAws, configuration: Configuration, eventually: Eventually
) -> None:
    queues, events = embedded_aws.client("sqs"), embedded_aws.client("events")
    name = f"endpoint-{uuid.uuid4().hex[:6]}"
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint State Change"],
        "detail": {"EndpointName": [name]},
    }
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    url, arn = make_queue(embedded_aws, name, takes_from=rule)
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    embedded_aws.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=configuration("broken"))
    (message,) = eventually(lambda: queues.receive_message(QueueUrl=url).get("Messages"), seconds=PATIENCE)
    detail = json.loads(message["Body"])["detail"]
    assert (detail["EndpointStatus"], detail["CreationTime"] > 1_000_000_000_000) == ("FAILED", True)
    embedded_aws.client("sagemaker").delete_endpoint(EndpointName=name)
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
