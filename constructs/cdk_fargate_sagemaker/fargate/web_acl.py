"""A web application firewall in front of a load balancer."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from aws_cdk import ArnFormat, Duration, RemovalPolicy
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from .._checks import check_duration, check_number, check_sequence, plain, refusal
from .._construct_tree import stack_of
from .._interfaces import AnyKey
from .._lives import name_of_this_life
from .._log_checks import check_log_settings
from .._log_key import log_key
from .._number_token import is_token
from .._readable_help import CallSignature, readable
from ._identity import check_place, claimant, exported_arn, identity
from ._network_checks import check_application_load_balancer

# The groups, and the rules of each, as AWS documents them in November 2026.
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
_MANAGED_RULES: Mapping[str, Sequence[str]] = {
    "AWSManagedRulesAmazonIpReputationList": (
        "AWSManagedIPReputationList",
        "AWSManagedReconnaissanceList",
        "AWSManagedIPDDoSList",
    ),
    "AWSManagedRulesKnownBadInputsRuleSet": (
        "JavaDeserializationRCE_HEADER",
        "JavaDeserializationRCE_BODY",
        "JavaDeserializationRCE_URIPATH",
        "JavaDeserializationRCE_QUERYSTRING",
        "Host_localhost_HEADER",
        "PROPFIND_METHOD",
        "ExploitablePaths_URIPATH",
        "Log4JRCE_HEADER",
        "Log4JRCE_QUERYSTRING",
        "Log4JRCE_BODY",
        "Log4JRCE_URIPATH",
        "ReactJSRCE_BODY",
    ),
    "AWSManagedRulesCommonRuleSet": (
        "NoUserAgent_HEADER",
        "UserAgent_BadBots_HEADER",
        "SizeRestrictions_QUERYSTRING",
        "SizeRestrictions_Cookie_HEADER",
        "SizeRestrictions_BODY",
        "SizeRestrictions_URIPATH",
        "EC2MetaDataSSRF_BODY",
        "EC2MetaDataSSRF_COOKIE",
        "EC2MetaDataSSRF_URIPATH",
        "EC2MetaDataSSRF_QUERYARGUMENTS",
        "GenericLFI_QUERYARGUMENTS",
        "GenericLFI_URIPATH",
        "GenericLFI_BODY",
        "RestrictedExtensions_URIPATH",
        "RestrictedExtensions_QUERYARGUMENTS",
        "GenericRFI_QUERYARGUMENTS",
        "GenericRFI_BODY",
        "GenericRFI_URIPATH",
        "CrossSiteScripting_COOKIE",
        "CrossSiteScripting_QUERYARGUMENTS",
        "CrossSiteScripting_BODY",
        "CrossSiteScripting_URIPATH",
    ),
}
# https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
FEWEST_REQUESTS, MOST_REQUESTS = 10, 2_000_000_000
_EVALUATION_WINDOWS = (60, 120, 300, 600)
_EVALUATION_WINDOW = readable(Duration.minutes(5))
_PROTECTED_BY = "cdk-fargate-sagemaker:protected-by"
_SECRET_HEADERS = ("authorization", "cookie")


class WebAcl(Construct):
    """Blocks requests that AWS's managed rules recognise as attacks, and clients that send too many requests.

    The rules are the IP reputation list, known bad inputs, and the common rule set, which refuses bodies above 8 KiB:
    behind a load balancer WAF inspects the first 8,192 bytes of a body and no more.
    https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-setting-body-inspection-limit.html
    Blocked and allowed requests are logged without their authorization and cookie headers.

    Args:
        load_balancer: the ALB that is protected.
        requests_per_address: requests that one address may send in `evaluation_window`, 10 to 2,000,000,000; further
            ones are refused with 403 until it sends fewer. Default: 2000.
        evaluation_window: the time over which an address's requests are counted: 1, 2, 5 or 10 minutes. WAF checks the
            count every few seconds, so a shorter window stops a burst sooner. Default: 5 minutes.
        excluded_rules: names of managed rules that only count, such as `SizeRestrictions_BODY` for a service that
            accepts large bodies. Default: every rule blocks.
        log_retention: how long the logs are kept. Default: three months.
        log_encryption_key: the key that encrypts the logs. The owner of an imported key must allow CloudWatch Logs to
            use it; the app warns with the statement to add. Default: a key of its own, rotated every year.
        removal_policy: what happens to logs and key when they leave the stack. Default: they are kept.

    Raises:
        InvalidArgumentError: a limit that WAF does not support, a rule that no group contains, a network load balancer,
            a load balancer of another region, or one that another `WebAcl` of this app protects.

    Example:
        ```python
        WebAcl(self, "Firewall", load_balancer=web.load_balancer, excluded_rules=["SizeRestrictions_BODY"])
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        load_balancer: elbv2.IApplicationLoadBalancer,
        requests_per_address: int = 2000,
        evaluation_window: Duration = _EVALUATION_WINDOW,
        excluded_rules: Sequence[str] = (),
        log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
        log_encryption_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        check_application_load_balancer(load_balancer, "WAF protects no other kind; pass web.load_balancer")
        remedy = "make the WebAcl in a stack of {}"
        check_place(self, "load_balancer", load_balancer, load_balancer.load_balancer_arn, remedy)
        check_number(
            "requests_per_address", requests_per_address, at_least=FEWEST_REQUESTS, at_most=MOST_REQUESTS, whole=True
        )
        seconds = _checked_window(evaluation_window)
        excluded_rules = _checked_rules(excluded_rules)
        check_log_settings(
            log_retention=log_retention, log_encryption_key=log_encryption_key, removal_policy=removal_policy
        )
        _claim(load_balancer, self)
        rules = [_rate_rule(requests_per_address, seconds)]
        rules += [
            _managed_rule(name, priority, excluded_rules) for priority, name in enumerate(_MANAGED_RULES, start=1)
        ]
        self._cfn_web_acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow=wafv2.CfnWebACL.AllowActionProperty()),
            rules=rules,
            visibility_config=_visibility("WebAcl"),
        )
        wafv2.CfnWebACLAssociation(
            self,
            "Association",
            resource_arn=load_balancer.load_balancer_arn,
            web_acl_arn=self._cfn_web_acl.attr_arn,
        )
        self._log(log_retention, log_encryption_key, removal_policy)

    @property
    def cfn_web_acl(self) -> wafv2.CfnWebACL:
        """The web ACL."""
        return self._cfn_web_acl

    @property
    def log_group(self) -> logs.LogGroup:
        """The log of blocked and allowed requests."""
        return self._log_group

    def _log(self, retention: logs.RetentionDays, key: kms.IKey | None, removal_policy: RemovalPolicy) -> None:
        # WAF writes only to log groups with this prefix.
        name = name_of_this_life(self, "aws-waf-logs-")
        self._log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=name,
            retention=retention,
            encryption_key=log_key(self, given=key, removal_policy=removal_policy),
            removal_policy=removal_policy,
        )
        destination = stack_of(self).format_arn(
            service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        logging = wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self._cfn_web_acl.attr_arn,
            log_destination_configs=[destination],
            redacted_fields=[
                wafv2.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in _SECRET_HEADERS
            ],
        )
        logging.node.add_dependency(self._log_group)


def _claim(load_balancer: elbv2.IApplicationLoadBalancer, web_acl: WebAcl) -> None:
    """Claims the load balancer for `web_acl`: WAF associates each resource with only one web ACL.

    https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-associating-aws-resource.html
    """
    # Two imports of one load balancer are two constructs with the same ARN, so the claim is recorded for the whole app.
    arn = load_balancer.load_balancer_arn
    name = identity(arn, elbv2.CfnLoadBalancer) or exported_arn(load_balancer, arn) or load_balancer.node.path
    other = claimant(web_acl, _PROTECTED_BY, name)
    if other is not None:
        raise refusal(
            "load_balancer",
            plain(f"{load_balancer.node.path}, which {other} protects"),
            "one WebAcl for a load balancer",
            "remove one of the two",
        )


def _checked_window(given: Any) -> float:
    check_duration("evaluation_window", given, whole="seconds")
    seconds: float = given.to_seconds()
    if not is_token(seconds) and seconds not in _EVALUATION_WINDOWS:
        raise refusal("evaluation_window", given, "1, 2, 5 or 10 minutes", "WAF counts over no other time")
    return seconds


def _checked_rules(given: Any) -> tuple[str, ...]:
    known = [rule for rules in _MANAGED_RULES.values() for rule in rules]
    rules = tuple(check_sequence("excluded_rules", given, "a list of managed rules' names"))
    for rule in rules:
        if rule not in known:
            close = get_close_matches(str(rule), known, n=1, cutoff=0.5)
            remedy = f"did you mean {close[0]}?" if close else "AWS's page of managed rule groups lists them"
            raise refusal("excluded_rules", rule, f"a rule of {', '.join(_MANAGED_RULES)}", remedy)
    return rules


def _rate_rule(requests_per_address: int, seconds: float) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="RateLimit",
        priority=0,
        action=wafv2.CfnWebACL.RuleActionProperty(block=wafv2.CfnWebACL.BlockActionProperty()),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=requests_per_address, evaluation_window_sec=seconds
            )
        ),
        visibility_config=_visibility("RateLimit"),
    )


def _managed_rule(name: str, priority: int, excluded_rules: tuple[str, ...]) -> wafv2.CfnWebACL.RuleProperty:
    count = wafv2.CfnWebACL.RuleActionProperty(count=wafv2.CfnWebACL.CountActionProperty())
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                # WAF ignores a rule name that the group does not contain.
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count)
                    for rule in excluded_rules
                ]
                or None,
            )
        ),
        visibility_config=_visibility(name),
    )


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
