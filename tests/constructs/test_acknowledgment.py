import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker import _acknowledgment
from cdk_fargate_sagemaker._acknowledgment import Acknowledgment, acknowledge

WILDCARD = "AwsSolutions-IAM5[Resource::*]"
INLINE = "NIST.800.53.R5-IAMNoInlinePolicy"


def acknowledged(stack: cdk.Stack) -> iam.Role:
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    acknowledge(role, Acknowledgment(id=WILDCARD, reason="It knows no resources."))
    acknowledge(role, Acknowledgment(id=INLINE, reason="It is of this role."))
    # After the acknowledgement, as the CDK makes it at the first statement.
    role.add_to_policy(iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]))
    return role


def suppressions(stack: cdk.Stack, kind: str) -> object:
    (resource,) = Template.from_stack(stack).find_resources(kind).values()
    return resource.get("Metadata", {}).get("cdk_nag")


@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::IAM::Policy"])
def test_cdk_nag_2_finds_them_in_each_resource(kind: str, stack: cdk.Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_acknowledgment, "_installed_cdk_nag", lambda: 2)
    acknowledged(stack)
    assert suppressions(stack, kind) == {
        "rules_to_suppress": [
            {"id": "AwsSolutions-IAM5", "reason": "It knows no resources.", "applies_to": ["Resource::*"]},
            {"id": INLINE, "reason": "It is of this role."},
        ]
    }


@pytest.mark.parametrize("installed", [None, 3])
def test_without_cdk_nag_2_templates_say_nothing(
    installed: int | None, stack: cdk.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_acknowledgment, "_installed_cdk_nag", lambda: installed)
    acknowledged(stack)
    assert suppressions(stack, "AWS::IAM::Policy") is None


def test_a_release_without_validations_has_them_in_the_metadata_too(
    stack: cdk.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cdk, "Validations")
    entries = [entry for entry in acknowledged(stack).node.metadata if entry.type == "aws:cdk:acknowledged-rules"]
    assert [entry.data for entry in entries] == [{WILDCARD: "It knows no resources."}, {INLINE: "It is of this role."}]
