"""Reviewers sign in at the load balancer as soon as the settings name their identity provider."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from app import compose
from stacks.nag_packs import check_with_cdk_nag
from stacks.settings import load_settings

CONTEXT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
PROVIDERS = {
    "oidc": {
        "issuer": "https://id.example",
        "authorization_endpoint": "https://id.example/authorize",
        "token_endpoint": "https://id.example/token",
        "user_info_endpoint": "https://id.example/userinfo",
        "client_id": "reviews",
        "client_secret_name": "moderation/dev/reviewers",
    },
    "cognito": {
        "user_pool_arn": "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_example",
        "client_id": "client",
        "domain": "reviewers-example",
    },
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_opens_the_page(tmp_path: Path, provider: str) -> None:
    context = {
        **CONTEXT,
        "service.certificate_arn": CERTIFICATE,
        "reviewers.sign_in": provider,
        "network.vpc_endpoints": True,
        "network.s3_prefix_list": "pl-1a2b3c",
        "network.dynamodb_prefix_list": "pl-4d5e6f",
        **{f"reviewers.{provider}_{name}": value for name, value in PROVIDERS[provider].items()},
    }
    app = cdk.App(context=context, outdir=str(tmp_path))
    check_with_cdk_nag(app)
    compose(app, load_settings(context))
    app.synth()
    template = json.loads((tmp_path / "moderation-dev-service.template.json").read_text())["Resources"]
    actions = [
        rule["Properties"]["Actions"][0]["Type"]
        for rule in template.values()
        if rule["Type"] == "AWS::ElasticLoadBalancingV2::ListenerRule"
    ]
    assert actions == [f"authenticate-{provider}"] * 2
    (task,) = (one["Properties"] for one in template.values() if one["Type"] == "AWS::ECS::TaskDefinition")
    names = {variable["Name"] for variable in task["ContainerDefinitions"][0]["Environment"]}
    assert {"REVIEW_SIGNER", "REVIEW_TABLE"} <= names
    # The load balancer's keys are at a public address.
    (tasks,) = (
        one["Properties"]
        for one in template.values()
        if one["Type"] == "AWS::EC2::SecurityGroup" and one["Properties"]["GroupDescription"].startswith("Tasks")
    )
    (rule,) = tasks["SecurityGroupEgress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("0.0.0.0/0", 443, 443)
