"""The real CDK CLI against the embedded AWS: every resource type of the app is made, changed and deleted again."""

import collections
import contextlib
import dataclasses
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_rehearsal.cdk_command import CdkCommand
from cdk_rehearsal.docker_stand_in import write_program
from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.processes.process_registry import ProcessRegistry
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.deployed_service import DeployedService
from moderation_rehearsal.slack_receiver import SlackReceiver
from moderation_rehearsal.stack_outputs import StackOutputs
from moderation_rehearsal.workflow_execution import WorkflowExecution
from tests.denied_calls import DeniedCalls

MODELS = "fixture-models"
# The letters that make a post a violation, by the model's key.
LETTERS = {"one/model.tar.gz": "x", "two/model.tar.gz": "y"}


@dataclasses.dataclass(frozen=True)
class Deployed:
    aws: EmbeddedAws
    cdk: Callable[..., None]
    folder: Path
    outputs: StackOutputs


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, denied_calls: DeniedCalls) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deploy")
    app = Path(__file__).parent / "moderation_app"
    assembly = folder / "cdk.out"
    with EmbeddedAws(cloud_assembly=assembly, wait_scale=0.02) as aws:
        recording = _recording(write_program(folder / "docker", engine="process", docker="docker"), folder)
        command = CdkCommand(
            app_folder=app,
            environment=aws.child_environment | {"CDK_DOCKER": str(recording)},
            registry=ProcessRegistry(folder / "processes"),
            alive=lambda: aws.running,
        )

        def cdk(*arguments: str, model: str = "one/model.tar.gz") -> None:
            context = (f"--context=models={MODELS}", f"--context=model={model}")
            command.run([*arguments, f"--output={assembly}", *context], cwd=app, log=folder / f"{arguments[0]}.log")

        _put_models(aws.client("s3"))

        command.run(["bootstrap", "aws://123456789012/us-east-1"], cwd=folder, log=folder / "bootstrap.log")
        cdk("deploy", "--all", "--require-approval=never", f"--outputs-file={folder / 'outputs.json'}")
        yield Deployed(aws, cdk, folder, StackOutputs.of(json.loads((folder / "outputs.json").read_text())))
        assert denied_calls.unexpected(aws) == []


def _recording(docker: Path, folder: Path) -> Path:
    """What calls `docker` and writes down each call, an argument a line, after what keeps attestations out."""
    program = folder / "recording-docker"
    program.write_text(
        f"""#!/bin/sh
{{ printf '%s\\n' "BUILDX_NO_DEFAULT_ATTESTATIONS=$BUILDX_NO_DEFAULT_ATTESTATIONS" "$@"; echo; }} >'{folder}'/call.$$
exec '{docker}' "$@"
"""
    )
    program.chmod(0o755)
    return program


def _put_models(s3: Any) -> None:
    s3.create_bucket(Bucket=MODELS)
    for key, letters in LETTERS.items():
        archive, model = io.BytesIO(), json.dumps(list(letters)).encode()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            entry = tarfile.TarInfo("model.json")
            entry.size = len(model)
            tar.addfile(entry, io.BytesIO(model))
        s3.put_object(Bucket=MODELS, Key=key, Body=archive.getvalue())


def _resources(aws: EmbeddedAws, stack: str) -> dict[str, dict[str, Any]]:
    found = aws.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {resource["ResourceType"]: resource for resource in found}


def test_images_are_built_before_they_are_used(deployed: Deployed) -> None:
    log = (deployed.folder / "deploy.log").read_text()
    assert log.count("docker build") >= 3 or log.count("Building") >= 3


def test_images_for_sagemaker_are_built_with_manifests_that_it_takes(deployed: Deployed) -> None:
    """By the CDK's own command line: SageMaker refuses OCI's manifests, and indexes, which attestations make."""
    calls = [path.read_text().split("\n") for path in deployed.folder.glob("call.*")]
    builds = [call for call in calls if call[1] == "build"]
    assert len(builds) == 3
    assert all(call[0] == "BUILDX_NO_DEFAULT_ATTESTATIONS=1" for call in builds)
    outputs = [[word for word in call if word.startswith("--output")] for call in builds]
    # The API's image, which Fargate runs, is as Docker makes it.
    assert sorted(outputs) == [[], ["--output=type=docker"], ["--output=type=docker"]]
    assert [call[2].rpartition(":")[0] != "" for call in calls if call[1] == "push"] == [True] * 3


def test_what_ministack_lacks_is_made(deployed: Deployed) -> None:
    made = _resources(deployed.aws, "fixture-service")
    ec2 = deployed.aws.client("ec2")
    address = made["AWS::EC2::EIP"]["PhysicalResourceId"]
    assert ec2.describe_addresses(PublicIps=[address])["Addresses"]
    gateway = made["AWS::EC2::NatGateway"]["PhysicalResourceId"]
    described = ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0]
    assert described["State"] == "available"
    flow_log = made["AWS::EC2::FlowLog"]["PhysicalResourceId"]
    assert ec2.describe_flow_logs(FlowLogIds=[flow_log])["FlowLogs"]
    composite = made["AWS::CloudWatch::CompositeAlarm"]["PhysicalResourceId"]
    cloudwatch = deployed.aws.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[composite], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert alarm["AlarmRule"].startswith("ALARM(")
    (share,) = cloudwatch.describe_alarms(AlarmNames=["fixture-share"])["MetricAlarms"]
    assert share["StateValue"] == "INSUFFICIENT_DATA", "nothing was measured yet"
    every = ec2.describe_security_groups()["SecurityGroups"]
    groups = [group for group in every if group["GroupName"].startswith("fixture-service-ServiceLBSecurityGroup")]
    egress = [rule for group in groups for rule in group["IpPermissionsEgress"] if rule.get("FromPort") == 8080]
    assert egress, "the load balancer's security group lets its targets be reached"
    assert egress[0]["UserIdGroupPairs"][0]["GroupId"].startswith("sg-")


def test_the_service_scales_as_its_template_says(deployed: Deployed) -> None:
    outputs = deployed.outputs
    service = DeployedService(deployed.aws.client, cluster=outputs.cluster_name, service=outputs.service_name)
    assert service.desired_count() == 2
    scaling = deployed.aws.client("application-autoscaling")
    of_service = {"ServiceNamespace": "ecs", "ResourceId": service.resource_id}
    policies = scaling.describe_scaling_policies(**of_service)["ScalingPolicies"]
    assert sorted(policy["PolicyType"] for policy in policies) == ["StepScaling", "TargetTrackingScaling"]
    assert scaling.describe_scheduled_actions(**of_service)["ScheduledActions"][0]["Schedule"] == "cron(0 8 * * ? *)"


def test_the_container_is_as_the_task_definition_declares(deployed: Deployed) -> None:
    outputs = deployed.outputs
    service = DeployedService(deployed.aws.client, cluster=outputs.cluster_name, service=outputs.service_name)
    container = service.container()
    assert container.environment == {
        "ENDPOINT_NAME": "moderation-fixture",
        "THRESHOLD": "0.5",
        "PORT": "8080",
        "TOKEN": "s3cr3t",
    }
    assert "s3cr3t" not in repr(container)


def test_a_secrets_name_and_reference_are_as_on_aws(deployed: Deployed) -> None:
    secret = _resources(deployed.aws, "fixture-alerts")["AWS::SecretsManager::Secret"]
    assert secret["PhysicalResourceId"].startswith("arn:aws:secretsmanager:us-east-1:123456789012:secret:SlackWebhook")
    secrets = deployed.aws.client("secretsmanager")
    by_name = secrets.describe_secret(SecretId=deployed.outputs.slack_webhook_secret_name)
    assert by_name["ARN"] == secret["PhysicalResourceId"]


def test_a_failing_job_ends_in_a_slack_message_and_a_redeploy_changes_the_workflow(
    deployed: Deployed, eventually: Callable[..., Any]
) -> None:
    aws, outputs = deployed.aws, deployed.outputs
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{outputs.cluster_name}/{outputs.service_name}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=3,
    )
    changes = ("--context=mode=fail", "--context=threshold=0.7")
    deployed.cdk("deploy", "--all", "--require-approval=never", *changes)
    service = DeployedService(aws.client, cluster=outputs.cluster_name, service=outputs.service_name)
    assert service.container().environment["THRESHOLD"] == "0.7"
    assert service.desired_count() == 3, "a deploy leaves the desired count alone"
    aws.client("s3").put_object(
        Bucket=outputs.data_bucket_name, Key="posts/posts.jsonl", Body=json.dumps({"text": "a", "label": 0}).encode()
    )
    slack = SlackReceiver()
    try:
        secrets = aws.client("secretsmanager")
        secrets.put_secret_value(SecretId=outputs.slack_webhook_secret_name, SecretString=slack.url)
        execution = WorkflowExecution(aws.client("stepfunctions"), outputs.release_workflow_arn)
        execution.follow(timeout_seconds=60, alive=lambda: aws.running, on_state=lambda run: None)
        with pytest.raises(StepError, match=r"state Train failed: States\.TaskFailed: AlgorithmError: the posts are"):
            execution.require_success()
        assert execution.failed_state == "Train"
        assert [run.name for run in execution.states] == ["Train", "NotifySlackFailure", "Failed"]
        eventually(lambda: slack.messages)
        assert "the posts are not to my taste" in slack.messages[0]
    finally:
        slack.stop()


class Client:
    """Asks the declared endpoint about a post, again and again until the block is left."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.answers: collections.Counter[tuple[str, str]] = collections.Counter()
        self.failures: list[str] = []
        self._runtime = aws.client("sagemaker-runtime")
        self._over = threading.Event()

    def ask(self) -> tuple[str, str]:
        """Which model answered, and how probable a violation `x` is to it."""
        answer = self._runtime.invoke_endpoint(
            EndpointName="declared-fixture", ContentType="application/json", Body=json.dumps({"text": "x"})
        )
        model = str(answer["CustomAttributes"]).removeprefix("model=")
        return model, json.loads(answer["Body"].read())["predictions"]

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        def go_on() -> None:
            while not self._over.wait(0.05):
                try:
                    self.answers[self.ask()] += 1
                except ClientError as failure:
                    self.failures.append(str(failure))

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


def _scaled_variants(aws: EmbeddedAws) -> list[tuple[str, int, int]]:
    found = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return [(target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) for target in found["ScalableTargets"]]


def test_a_declared_endpoint_goes_over_to_a_new_model_and_answers_every_request(deployed: Deployed) -> None:
    sagemaker, client = deployed.aws.client("sagemaker"), Client(deployed.aws)
    scaled = [("endpoint/declared-fixture/variant/primary", 2, 4)]
    one, two = LETTERS
    assert client.ask() == (one, "0.9")
    assert _scaled_variants(deployed.aws) == scaled
    before = sagemaker.describe_endpoint(EndpointName="declared-fixture")
    with client.asking():
        deployed.cdk("deploy", "fixture-endpoint", "--exclusively", "--require-approval=never", model=two)
    assert client.ask() == (two, "0.1")
    assert client.failures == []
    assert set(client.answers) == {(one, "0.9"), (two, "0.1")}
    after = sagemaker.describe_endpoint(EndpointName="declared-fixture")
    assert after["EndpointArn"] == before["EndpointArn"]
    assert after["CreationTime"] == before["CreationTime"], "updated, not made again"
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    routing = after["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (routing["Type"], routing["CanarySize"]["Value"]) == ("CANARY", 1)
    assert len(after["LastDeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]) == 3
    # CloudFormation takes the old ones away, once nothing uses them any more.
    assert len(sagemaker.list_models(NameContains="Endpoint")["Models"]) == 1
    assert len(sagemaker.list_endpoint_configs(NameContains="Endpoint")["EndpointConfigs"]) == 1
    assert _scaled_variants(deployed.aws) == scaled


def test_destroy_takes_everything_back(deployed: Deployed) -> None:
    made = _resources(deployed.aws, "fixture-service")
    deployed.cdk("destroy", "--all", "--force")
    left = deployed.aws.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack["StackName"] for stack in left if stack["StackStatus"] != "DELETE_COMPLETE"] == ["CDKToolkit"]
    scaling = deployed.aws.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert _scaled_variants(deployed.aws) == []
    sagemaker = deployed.aws.client("sagemaker")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_models()["Models"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    address = made["AWS::EC2::EIP"]["PhysicalResourceId"]
    everything = deployed.aws.client("ec2").describe_addresses()["Addresses"]
    assert address not in [item["PublicIp"] for item in everything]


def test_a_failing_command_is_told_in_the_clis_words(deployed: Deployed) -> None:
    with pytest.raises(StepError, match=r"cdk deploy ended with status 1:[\s\S]*no-such-stack"):
        deployed.cdk("deploy", "no-such-stack")
