from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, WebAcl


@pytest.fixture
def load_balancer(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> Any:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image).load_balancer


def rules(stack: cdk.Stack) -> dict[str, Any]:
    (acl,) = Template.from_stack(stack).find_resources("AWS::WAFv2::WebACL").values()
    return {rule["Name"]: rule for rule in acl["Properties"]["Rules"]}


def test_one_address_is_limited(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer, requests_per_address=500)

    rule = rules(stack)["RateLimit"]
    assert rule["Action"] == {"Block": {}}
    assert rule["Statement"] == {
        "RateBasedStatement": {"AggregateKeyType": "IP", "Limit": 500, "EvaluationWindowSec": 300}
    }


def test_one_address_is_limited_by_the_minute(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer, evaluation_window=cdk.Duration.minutes(1))

    assert rules(stack)["RateLimit"]["Statement"]["RateBasedStatement"]["EvaluationWindowSec"] == 60


def test_managed_rules_block(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer)

    managed = {name: rule for name, rule in rules(stack).items() if name != "RateLimit"}
    assert list(managed) == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    ]
    assert [rule["Priority"] for rule in managed.values()] == [1, 2, 3]
    for name, rule in managed.items():
        assert rule["OverrideAction"] == {"None": {}}
        assert rule["Statement"] == {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name}}


def test_an_excluded_rule_only_counts(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer, excluded_rules=("SizeRestrictions_BODY",))

    statement = rules(stack)["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    assert statement["RuleActionOverrides"] == [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]


def test_protects_the_load_balancer(stack: cdk.Stack, load_balancer: Any) -> None:
    acl = WebAcl(stack, "WebAcl", load_balancer=load_balancer)

    Template.from_stack(stack).has_resource_properties(
        "AWS::WAFv2::WebACLAssociation",
        {
            "ResourceArn": stack.resolve(load_balancer.load_balancer_arn),
            "WebACLArn": stack.resolve(acl.cfn_web_acl.attr_arn),
        },
    )


def test_logs_without_what_is_secret(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer)

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Logs::LogGroup",
        {
            # It ends with the stack's id: one that is kept is not in the way of the next deployment.
            "LogGroupName": {
                "Fn::Join": [
                    "",
                    [
                        Match.string_like_regexp("^aws-waf-logs-"),
                        {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
                    ],
                ]
            },
            "KmsKeyId": Match.any_value(),
        },
    )
    template.has_resource_properties(
        "AWS::WAFv2::LoggingConfiguration",
        {"RedactedFields": [{"SingleHeader": {"Name": "authorization"}}, {"SingleHeader": {"Name": "cookie"}}]},
    )


@pytest.mark.parametrize("limit", [9, 2_000_000_001])
def test_fails_when_the_limit_is_one_that_waf_does_not_take(stack: cdk.Stack, load_balancer: Any, limit: int) -> None:
    with pytest.raises(
        ValueError, match=f"^requests_per_address: got {limit}, allowed: a whole number, 10 to 2000000000"
    ):
        WebAcl(stack, "WebAcl", load_balancer=load_balancer, requests_per_address=limit)


def imported(scope: Any, id: str, *, arn: Any) -> elbv2.IApplicationLoadBalancer:
    return elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        scope, id, load_balancer_arn=arn, security_group_id="sg-11111111"
    )


def arn(name: str) -> str:
    return f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/{name}/50dc6c495c0c9188"


def test_fails_when_another_one_protects_the_load_balancer(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer)
    other = cdk.Stack(cdk.Stage.of(stack), "Other")

    with pytest.raises(
        ValueError,
        match=r"^load_balancer: got Stack/Api/LoadBalancer, which Stack/WebAcl protects, allowed: one WebAcl for a "
        "load balancer; remove one of the two$",
    ):
        WebAcl(other, "Second", load_balancer=load_balancer)


def test_fails_when_one_load_balancer_is_imported_for_two(stack: cdk.Stack) -> None:
    WebAcl(stack, "WebAcl", load_balancer=imported(stack, "One", arn=arn("shop")))

    with pytest.raises(ValueError, match=r"^load_balancer: got Stack/Two, which Stack/WebAcl protects, allowed: one"):
        WebAcl(stack, "Second", load_balancer=imported(stack, "Two", arn=arn("shop")))


def test_each_load_balancer_may_have_one(stack: cdk.Stack, load_balancer: Any) -> None:
    WebAcl(stack, "WebAcl", load_balancer=load_balancer)
    WebAcl(stack, "Second", load_balancer=imported(stack, "Shop", arn=arn("shop")))
    WebAcl(stack, "Third", load_balancer=imported(stack, "Till", arn=arn("till")))
    for name in ("Fourth", "Fifth"):
        known_later = cdk.CfnParameter(stack, f"{name}Arn").value_as_string
        WebAcl(stack, name, load_balancer=imported(stack, f"{name}Balancer", arn=known_later))

    Template.from_stack(stack).resource_count_is("AWS::WAFv2::WebACLAssociation", 5)
