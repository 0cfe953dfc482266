import json
import uuid
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
SCHEDULER_ROLE = "arn:aws:iam::123456789012:role/workflow"


def _template(model_data: str, model_name: str, *, unit: str = "minutes") -> str:
    def attribute(resource: str, name: str) -> dict[str, Any]:
        return {"Fn::GetAtt": [resource, name]}

    container = {"Image": "program:1", "ModelDataUrl": model_data, "Environment": {"MODEL_NAME": model_name}}
    variant = {
        "VariantName": "v",
        "ModelName": attribute("Model", "ModelName"),
        "InitialInstanceCount": "1",
        "InstanceType": "ml.m5.large",
    }
    target = {
        "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:none",
        "RoleArn": SCHEDULER_ROLE,
        "Input": "{}",
    }
    resources = {
        "Model": ("AWS::SageMaker::Model", {"PrimaryContainer": container, "ExecutionRoleArn": ROLE}),
        "Configuration": ("AWS::SageMaker::EndpointConfig", {"ProductionVariants": [variant]}),
        "Endpoint": (
            "AWS::SageMaker::Endpoint",
            {"EndpointConfigName": attribute("Configuration", "EndpointConfigName")},
        ),
        "Schedule": (
            "AWS::Scheduler::Schedule",
            {
                "ScheduleExpression": f"rate(7 {unit})",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": target,
            },
        ),
    }
    return json.dumps(
        {
            "Resources": {name: {"Type": kind, "Properties": given} for name, (kind, given) in resources.items()},
            "Outputs": {"Endpoint": {"Value": attribute("Endpoint", "EndpointName")}},
        }
    )


def test_an_endpoint_of_a_template_is_made_updated_rolled_back_and_deleted(
    embedded_aws: EmbeddedAws, model_data: str, eventually: Callable[..., Any]
) -> None:
    formation, sagemaker = embedded_aws.client("cloudformation"), embedded_aws.client("sagemaker")
    runtime = embedded_aws.client("sagemaker-runtime")
    stack = f"stack-{uuid.uuid4().hex[:8]}"

    def status() -> str:
        (found,) = formation.describe_stacks(StackName=stack)["Stacks"]
        answer: str = found["StackStatus"]
        return answer

    def resource(logical_id: str) -> str:
        found = formation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        answer: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return answer

    formation.create_stack(StackName=stack, TemplateBody=_template(model_data, "one"))
    eventually(lambda: status() == "CREATE_COMPLETE", seconds=60)
    (made,) = formation.describe_stacks(StackName=stack)["Stacks"]
    (output,) = made["Outputs"]
    endpoint = output["OutputValue"]

    def serving() -> str:
        answer: str = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}")["CustomAttributes"]
        return answer

    assert serving() == "model=one"
    assert resource("Endpoint").endswith(f":endpoint/{endpoint}")
    first = resource("Model")
    schedules = embedded_aws.client("scheduler")
    assert schedules.get_schedule(Name=resource("Schedule"))["ScheduleExpression"] == "rate(7 minutes)"

    formation.update_stack(StackName=stack, TemplateBody=_template(model_data, "two", unit="days"))
    eventually(lambda: status() == "UPDATE_COMPLETE", seconds=60)
    assert serving() == "model=two"
    assert resource("Model") != first
    models = str(sagemaker.list_models(NameContains="Model-", MaxResults=100)["Models"])
    assert (first in models, resource("Model") in models) == (False, True)
    assert schedules.get_schedule(Name=resource("Schedule"))["ScheduleExpression"] == "rate(7 days)"

    formation.update_stack(StackName=stack, TemplateBody=_template(model_data, "broken"))
    eventually(lambda: status() == "UPDATE_ROLLBACK_COMPLETE", seconds=60)
    events = formation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("did not pass the ping health check" in reason for reason in reasons)
    assert serving() == "model=two"

    formation.delete_stack(StackName=stack)
    eventually(lambda: endpoint not in str(sagemaker.list_endpoints(NameContains="Endpoint-")), seconds=60)
