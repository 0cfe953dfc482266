"""Whoever has SageMaker make encrypted volumes may use their key, as SageMaker asks of it.

https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.every_template.assembly import Assembly

CHANGES = ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
FOR_AWS_ALONE = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def tasks(definition: Mapping[str, Any], operation: str) -> Iterator[dict[str, Any]]:
    """The arguments of each task that calls an operation of SageMaker's, whichever way it does."""
    for state in definition["States"].values():
        called = state.get("Resource", "").rpartition(":::")[2].removeprefix("aws-sdk:").removesuffix(".sync")
        if called == f"sagemaker:{operation}":
            yield state["Arguments"]


def found_in(part: Any, member: str) -> Iterator[str]:
    """Every value of a member of that name, at any depth."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name == member and isinstance(value, str):
                yield value
            yield from found_in(value, member)
    elif isinstance(part, list):
        for item in part:
            yield from found_in(item, member)


def configuration_keys(assembly: Assembly) -> set[str]:
    """The keys that endpoint configurations name, those of releases and those of templates."""
    released = {
        arguments["KmsKeyId"]
        for _, _, definition in assembly.state_machines()
        for arguments in tasks(definition, "createEndpointConfig")
        if "KmsKeyId" in arguments
    }
    declared = {
        properties["KmsKeyId"]
        for _, properties in assembly.resources("AWS::SageMaker::EndpointConfig")
        if "KmsKeyId" in properties
    }
    return released | declared


def may_make_volumes(assembly: Assembly, role: str, key: str) -> bool:
    """Whether a role may give an AWS service, and nobody else, a grant on the key, and look at the key."""
    grants = assembly.allowing(role, "kms:CreateGrant", key)
    assert all(grant.conditions == FOR_AWS_ALONE for grant in grants), "a grant for whomever the role likes"
    looks = [look for look in assembly.allowing(role, "kms:DescribeKey", key) if not look.conditions]
    return bool(grants) and bool(looks)


def test_who_may_change_an_endpoint_may_use_its_configurations_key(assembly: Assembly) -> None:
    endpoint = assembly.arn("sagemaker", "endpoint/")
    changing = {
        statement.role
        for statement in assembly.statements
        for action in CHANGES
        for resource in statement.resources
        if statement.allows(action, resource) and resource.startswith(endpoint)
    }
    releases = [
        definition for _, _, definition in assembly.state_machines() if any(tasks(definition, "updateEndpoint"))
    ]
    assert len(changing) >= len(releases)
    refused = {(r, k) for r in changing for k in configuration_keys(assembly) if not may_make_volumes(assembly, r, k)}
    assert refused == set()


def test_what_changes_an_endpoint_is_allowed_to(assembly: Assembly) -> None:
    for _, role, definition in assembly.state_machines():
        for operation in ("createEndpoint", "updateEndpoint"):
            for arguments in tasks(definition, operation):
                name = arguments["EndpointName"]
                arn = assembly.arn("sagemaker", f"endpoint/{name}")
                configuration = assembly.arn("sagemaker", f"endpoint-config/{name}-execution")
                action = f"sagemaker:{operation[0].upper()}{operation[1:]}"
                assert assembly.allowing(role, action, arn)
                assert assembly.allowing(role, action, configuration)


@pytest.mark.parametrize("job", ["Training", "Processing", "Transform"])
def test_a_job_or_who_starts_it_may_use_its_volumes_key(assembly: Assembly, job: str) -> None:
    for _, caller, definition in assembly.state_machines():
        for arguments in tasks(definition, f"create{job}Job"):
            # A transform job acts as the role of its model, which a release has made as this one.
            roles = set(found_in(arguments, "RoleArn")) or {
                model["ExecutionRoleArn"] for model in tasks(definition, "createModel")
            }
            for key in found_in(arguments, "VolumeKmsKeyId"):
                assert roles
                assert any(may_make_volumes(assembly, role, key) for role in (caller, *roles))


@pytest.mark.parametrize("job", ["Training", "Processing", "Transform"])
def test_a_job_may_encrypt_what_it_writes(assembly: Assembly, job: str) -> None:
    """`KmsKeyId` of an output: the execution role needs kms:Encrypt, and the data key that S3 makes of it.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputDataConfig.html
    """
    for _, _, definition in assembly.state_machines():
        for arguments in tasks(definition, f"create{job}Job"):
            roles = set(found_in(arguments, "RoleArn")) or {
                model["ExecutionRoleArn"] for model in tasks(definition, "createModel")
            }
            for key in found_in(arguments, "KmsKeyId"):
                for action in ("kms:Encrypt", "kms:GenerateDataKey"):
                    assert [role for role in roles if not assembly.allowing(role, action, key)] == []


def test_an_endpoint_may_encrypt_what_it_captures(assembly: Assembly) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DataCaptureConfig.html"""
    for _, _, definition in assembly.state_machines():
        roles = {model["ExecutionRoleArn"] for model in tasks(definition, "createModel")}
        for arguments in tasks(definition, "createEndpointConfig"):
            for key in found_in(arguments.get("DataCaptureConfig", {}), "KmsKeyId"):
                assert [role for role in roles if not assembly.allowing(role, "kms:GenerateDataKey", key)] == []
