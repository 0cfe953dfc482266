import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import jsonata
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    AthenaUnload,
    DataCapture,
    DynamoDbExport,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    EvaluationGate,
    ModelImage,
    ModelReleaseWorkflow,
    ProcessingJob,
    TrafficShifting,
    TrainingJob,
    VpcPlacement,
)

MakeWorkflow = Callable[..., ModelReleaseWorkflow]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> ModelImage:
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return ModelImage.from_asset(folder)


@pytest.fixture(scope="session")
def make_workflow(image: ModelImage) -> MakeWorkflow:
    """A workflow in a stack of its own, with what a test does not give."""

    def make(stack: cdk.Stack | None = None, **given: Any) -> ModelReleaseWorkflow:
        stack = stack or cdk.Stack(cdk.App(), "Stack")
        defaults: dict[str, Any] = {
            "endpoint_name": "moderation-dev",
            "training_image": image,
            "inference_image": image,
            "data_bucket": s3.Bucket(stack, "Data"),
            "alerts_topic": AlertsTopic(stack, "Alerts").topic,
        }
        return ModelReleaseWorkflow(stack, "Release", **(defaults | given))

    return make


@pytest.fixture(scope="session")
def everything(image: ModelImage) -> Callable[[cdk.Stack], dict[str, Any]]:
    """What a workflow is given that has every state and every permission."""

    def given(stack: cdk.Stack) -> dict[str, Any]:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-11111111",
            availability_zones=["us-east-1a"],
            private_subnet_ids=["subnet-aaaaaaaa"],
        )
        group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-22222222")
        placement = VpcPlacement(vpc=vpc, security_groups=[group])
        data = s3.Bucket.from_bucket_name(stack, "Warehouse", "warehouse")
        alarm = cloudwatch.Alarm.from_alarm_arn(
            stack, "Alarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:latency"
        )
        return {
            "extract": AthenaUnload(
                query="SELECT text, label FROM posts WHERE source = 'reviews \"2026\"'",
                database="moderation",
                tables=["posts"],
                bucket=data,
                prefix="posts/",
            ),
            "reviews": DynamoDbExport(
                table=dynamodb.Table.from_table_attributes(
                    stack,
                    "Reviewed",
                    table_name="reviewed",
                    encryption_key=kms.Key.from_key_arn(
                        stack, "ReviewedKey", "arn:aws:kms:us-east-1:123456789012:key/reviewed"
                    ),
                ),
                max_runtime=cdk.Duration.minutes(3),
            ),
            "start_on_new_labels": 500,
            "preprocess": ProcessingJob(image=image, arguments=["--strip"], vpc=placement),
            "train": TrainingJob(spot_max_wait=cdk.Duration.hours(6), vpc=placement),
            "gate": EvaluationGate(minimum_recall=0.5, maximum_average_precision_drop=0.02),
            "configuration": EndpointConfiguration(
                variants=[
                    EndpointVariant(
                        scaling=EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600)
                    )
                ],
                data_capture=DataCapture(bucket=data),
                vpc=placement,
            ),
            "traffic_shifting": TrafficShifting.canary(percent=10, rollback_alarms=[alarm]),
            "schedule": events.Schedule.cron(week_day="MON", hour="3", minute="0"),
        }

    return given


@pytest.fixture(scope="session")
def template(make_workflow: MakeWorkflow) -> Template:
    return Template.from_stack(cdk.Stack.of(make_workflow()))


@pytest.fixture(scope="session")
def definition_of() -> Callable[..., dict[str, Any]]:
    """A state machine of a template as JSON, by the end of its name; references in it are `<LogicalId.Attribute>`."""

    def shown(part: Any) -> str:
        match part:
            case str():
                return part
            case {"Fn::GetAtt": [resource, attribute]}:
                return f"<{resource}.{attribute}>"
            case {"Ref": name}:
                return f"<{name}>"
        return "<" + json.dumps(part).replace('"', "") + ">"

    def definition(template: Template, name: str = "-release") -> dict[str, Any]:
        machines = template.find_resources("AWS::StepFunctions::StateMachine").values()
        (machine,) = [m for m in machines if m["Properties"]["StateMachineName"].endswith(name)]
        parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
        parsed: dict[str, Any] = json.loads("".join(map(shown, parts)))
        return parsed

    return definition


@pytest.fixture(scope="session")
def definition(template: Template, definition_of: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return definition_of(template)


@pytest.fixture(scope="session")
def rollback(template: Template, definition_of: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return definition_of(template, "-rollback")


@pytest.fixture(scope="session")
def evaluated() -> Callable[..., Any]:
    """What a part of a state is worth: each text of the form `{% … %}` in it evaluated, as Step Functions does."""

    def evaluate(part: Any, variables: dict[str, Any] | None = None, **states: Any) -> Any:
        match part:
            case dict():
                return {key: evaluate(value, variables, **states) for key, value in part.items()}
            case list():
                return [evaluate(value, variables, **states) for value in part]
            case str() if part.startswith("{%"):
                null = jsonata.utils.Utils.NULL_VALUE
                bindings = {name: null if value is None else value for name, value in (variables or {}).items()}
                expression = jsonata.Jsonata.jsonata(part[2:-2].strip())
                expression.register_lambda("parse", json.loads)
                return expression.evaluate(None, bindings | {"states": states})
        return part

    return evaluate


@pytest.fixture(scope="session")
def decided(evaluated: Callable[..., Any]) -> Callable[..., tuple[str, Any]]:
    """Where a choice goes, and what it assigns on the way."""

    def decide(choice: dict[str, Any], variables: dict[str, Any] | None = None, **states: Any) -> tuple[str, Any]:
        for rule in choice["Choices"]:
            if evaluated(rule["Condition"], variables, **states) is True:
                return rule["Next"], evaluated(rule.get("Assign", {}), variables, **states)
        return choice["Default"], evaluated(choice.get("Assign", {}), variables, **states)

    return decide
