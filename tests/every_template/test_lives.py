"""A stack can be destroyed and deployed again, and deployed again after its first deployment failed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.every_template.assembly import Assembly
from tests.every_template.conftest import PROJECT, example, reference_system

KEPT = ("Retain", "RetainExceptOnCreate")
# Of these a rollback of the first deployment could not delete what it made: DynamoDB refuses to delete a protected
# table, S3 a bucket to which the load balancer has written.
KEPT_FROM_THE_START = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
# The examples that are apps of their own, beside those of `assembly`.
APPS = ("copilot/copilot_service.py", "migration/migrated_service.py", "stages/staged_pipeline.py")
# CDK Pipelines makes it in a stack that can have no function which empties it; docs/deploy-to-many-accounts.md says so.
REPLICATION_BUCKET = "CrossRegionCodePipelineReplicationBucket"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The reference system with `removal_policy` destroy."""
    folder = tmp_path_factory.mktemp("dev")
    reference_system("dev", folder)
    return Assembly(folder)


def resources(assembly: Assembly) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack, template in assembly.templates.items():
        for name, resource in template["Resources"].items():
            yield f"{stack} {name} ({resource['Type']})", resource


def policies(resource: dict[str, Any]) -> set[str]:
    return {resource.get(policy, "Delete") for policy in ("DeletionPolicy", "UpdateReplacePolicy")}


def fixed_names(resource: dict[str, Any]) -> dict[str, Any]:
    """The names that a template gives, unless the stack's id is in them, which no other life of it has."""
    return {
        key: value
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and '{"Ref": "AWS::StackId"}' not in json.dumps(value)
    }


def in_the_way(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """The resources that outlive their stack under a name that its next life wants."""
    return {
        name: fixed
        for name, resource in resources(assembly)
        if policies(resource) & set(KEPT) and (fixed := fixed_names(resource))
    }


def test_what_outlives_its_stack_has_no_fixed_name(assembly: Assembly) -> None:
    assert not in_the_way(assembly)


def test_neither_has_it_in_the_examples_that_are_apps_of_their_own(tmp_path: Path) -> None:
    for app in APPS:
        folder = tmp_path / app
        folder.mkdir(parents=True)
        example(PROJECT / "examples" / app, folder)
        for manifest in folder.rglob("manifest.json"):
            found = in_the_way(Assembly(manifest.parent))
            assert not {name for name in found if REPLICATION_BUCKET not in name}, app


def test_a_failed_first_deployment_leaves_only_what_a_rollback_cannot_delete(assembly: Assembly) -> None:
    left = {
        name: resource["Type"]
        for name, resource in resources(assembly)
        if resource.get("DeletionPolicy") == "Retain" and resource["Type"] not in KEPT_FROM_THE_START
    }
    # What the example of a pattern has of the plain CDK has the CDK's defaults.
    assert not {name for name in left if not name.startswith("Shop.template.json Log")}


def test_state_machines_log_where_the_accounts_one_policy_is_not_filled(assembly: Assembly) -> None:
    names = {name: properties for name, properties in assembly.resources("AWS::Logs::LogGroup")}
    for template in assembly.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] != "AWS::StepFunctions::StateMachine":
                continue
            (destination,) = resource["Properties"]["LoggingConfiguration"]["Destinations"]
            group, _ = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"]
            assert names[group]["LogGroupName"].startswith("/aws/vendedlogs/states/")


def test_under_destroy_nothing_is_kept(dev: Assembly) -> None:
    kept = [name for name, resource in resources(dev) if policies(resource) & set(KEPT)]
    assert not kept


def test_under_destroy_nothing_is_protected(dev: Assembly) -> None:
    for name, resource in resources(dev):
        properties = resource.get("Properties", {})
        assert properties.get("DeletionProtectionEnabled", False) is False, name
        attributes = properties.get("LoadBalancerAttributes", [])
        assert {"Key": "deletion_protection.enabled", "Value": "true"} not in attributes, name


def test_under_destroy_every_bucket_is_emptied_once_nothing_writes_to_it(dev: Assembly) -> None:
    buckets = 0
    for template in dev.templates.values():
        found = template["Resources"]
        emptied = {
            resource["Properties"]["BucketName"]["Ref"]: name
            for name, resource in found.items()
            if resource["Type"] == "Custom::EmptiedBucket"
        }
        for name, resource in found.items():
            if resource["Type"] == "AWS::S3::Bucket":
                buckets += 1
                tags = resource["Properties"]["Tags"]
                assert {"Key": "cdk-fargate-sagemaker:ends-with-its-stack", "Value": "true"} in tags
                assert name in emptied
            if resource["Type"] == "AWS::ElasticLoadBalancingV2::LoadBalancer":
                logs = {entry["Key"]: entry["Value"] for entry in resource["Properties"]["LoadBalancerAttributes"]}
                assert emptied[logs["access_logs.s3.bucket"]["Ref"]] in resource["DependsOn"]
    assert buckets == 3


def test_the_lives_of_a_stack_differ_in_names_that_begin_as_aws_demands(tmp_path: Path) -> None:
    reference_system("prod", tmp_path)
    lives = []
    for life in ("51af3dc0-da77-11e4-872e", "c1a8b3f0-5f0e-11ef-9f0d"):
        assembly = Assembly(tmp_path)
        assembly.set_stack_id(life)
        lives.append({properties.get("LogGroupName") for _, properties in assembly.resources("AWS::Logs::LogGroup")})
    assert lives[0] & lives[1] == {None}


def test_a_custom_resource_is_deleted_before_its_function_loses_a_permission(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        found = template["Resources"]
        for name, resource in found.items():
            if not resource["Type"].startswith("Custom::"):
                continue
            function, _ = resource["Properties"]["ServiceToken"]["Fn::GetAtt"]
            role, _ = found[function]["Properties"]["Role"]["Fn::GetAtt"]
            policies_of_role = {
                policy
                for policy, properties in found.items()
                if properties["Type"] == "AWS::IAM::Policy" and {"Ref": role} in properties["Properties"]["Roles"]
            }
            assert policies_of_role <= needed(found, name), f"{name} of {function}"


def needed(found: dict[str, Any], name: str) -> set[str]:
    """The resources that CloudFormation deletes after `name`, because it depends on them."""
    reached: set[str] = set()
    following = [name]
    while following:
        resource = found[following.pop()]
        depends = resource.get("DependsOn", [])
        named = {depends} if isinstance(depends, str) else set(depends)
        text = json.dumps(resource.get("Properties", {}))
        named |= {other for other in found if f'{{"Ref": "{other}"}}' in text or f'"Fn::GetAtt": ["{other}"' in text}
        following += named - reached
        reached |= named
    return reached
