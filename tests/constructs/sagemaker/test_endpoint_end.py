"""What becomes of the endpoint when the workflow's stack is deleted."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    ModelReleaseWorkflow,
)

MakeWorkflow = Callable[..., ModelReleaseWorkflow]
DELETIONS = {
    "logs:DeleteLogGroup",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
    "ssm:DeleteParameter",
}


def template_of(make_workflow: MakeWorkflow, **given: Any) -> Template:
    return Template.from_stack(cdk.Stack.of(make_workflow(**given)))


def end(template: Template) -> tuple[str, Mapping[str, Any]]:
    ((name, resource),) = template.find_resources("Custom::EndpointEnd").items()
    return name, resource


def may(template: Template) -> set[str]:
    """What the function may do."""
    policies = template.find_resources("AWS::IAM::Policy")
    return {
        action
        for policy in policies.values()
        if any(role["Ref"].startswith("ReleaseEndRemoverRole") for role in policy["Properties"]["Roles"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def needed(template: Template, name: str) -> Iterator[str]:
    depends = template.to_json()["Resources"][name].get("DependsOn", [])
    yield from [depends] if isinstance(depends, str) else depends


def test_under_destroy_the_endpoint_ends_with_the_stack(make_workflow: MakeWorkflow) -> None:
    template = template_of(make_workflow, removal_policy=cdk.RemovalPolicy.DESTROY)
    assert end(template)[1]["Properties"]["Keep"] == "false"
    assert may(template) >= DELETIONS
    assert "sns:Publish" not in may(template)


def test_the_cleaner_can_be_called_for_a_release_that_runs_and_is_there_until_then(template: Template) -> None:
    resources = template.to_json()["Resources"]
    (policy,) = [name for name in needed(template, end(template)[0]) if name.startswith("ReleaseEndGoesOn")]
    (statement,) = resources[policy]["Properties"]["PolicyDocument"]["Statement"]
    called = [arn["Fn::GetAtt"][0] for arn in statement["Resource"]]
    (own,) = [name for name in called if name.startswith("ReleaseEndRemover")]
    (cleaner,) = [name for name in called if name != own]
    assert resources[own]["Properties"]["Environment"]["Variables"]["CLEANER"] == {"Ref": cleaner}
    assert cleaner.startswith("ReleaseRecordsCleaner")
    assert cleaner in needed(template, end(template)[0])


@pytest.mark.parametrize("policy", [cdk.RemovalPolicy.RETAIN, cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE])
def test_under_retain_nothing_can_be_deleted_and_what_stays_is_told(
    make_workflow: MakeWorkflow, policy: cdk.RemovalPolicy
) -> None:
    template = template_of(make_workflow, removal_policy=policy)
    assert end(template)[1]["Properties"]["Keep"] == "true"
    assert not may(template) & DELETIONS
    assert may(template) >= {"sns:Publish", "sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig"}


def test_it_is_asked_before_anything_goes_that_endpoint_or_function_need(template: Template) -> None:
    name, _ = end(template)
    kinds = {template.to_json()["Resources"][needs]["Type"] for needs in needed(template, name)}
    assert kinds >= {
        "AWS::DynamoDB::Table",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::StepFunctions::StateMachine",
    }
    before = list(needed(template, name))
    for prefix in ("ReleaseSageMakerRole", "ReleaseStateMachine", "ReleaseRollbackStateMachine", "ReleaseEndGoesOn"):
        assert any(needs.startswith(prefix) for needs in before), prefix


def test_whatever_starts_or_reports_an_execution_ends_before_executions_are_stopped(
    make_workflow: MakeWorkflow, everything: Any
) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    template = Template.from_stack(cdk.Stack.of(make_workflow(stack=stack, **everything(stack))))
    name, _ = end(template)
    rules = [rule for rule in template.find_resources("AWS::Events::Rule") if rule.startswith("Release")]
    assert len(rules) >= 4
    for rule in rules:
        assert name in needed(template, rule), rule


def test_the_scaling_of_the_variants_is_taken_away_where_they_scale(make_workflow: MakeWorkflow) -> None:
    scaling = EndpointScaling(min_instances=1, max_instances=2, invocations_per_instance=600)
    configuration = EndpointConfiguration(variants=[EndpointVariant(name="both", scaling=scaling)])
    template = template_of(make_workflow, removal_policy=cdk.RemovalPolicy.DESTROY, configuration=configuration)
    (function,) = [
        properties
        for resource in template.find_resources("AWS::Lambda::Function").values()
        if "SCALED_VARIANTS" in (properties := resource["Properties"].get("Environment", {}).get("Variables", {}))
    ]
    assert function["SCALED_VARIANTS"] == '["both"]'
    assert "application-autoscaling:DeregisterScalableTarget" in may(template)


def test_a_key_that_it_makes_ends_with_it_too(make_workflow: MakeWorkflow) -> None:
    template = template_of(make_workflow, removal_policy=cdk.RemovalPolicy.DESTROY)
    keys = {name: key["DeletionPolicy"] for name, key in template.find_resources("AWS::KMS::Key").items()}
    assert {policy for name, policy in keys.items() if name.startswith("ReleaseKey")} == {"Delete"}
    tables = template.find_resources("AWS::DynamoDB::Table").values()
    assert not any(table["Properties"].get("DeletionProtectionEnabled") for table in tables)
