"""Flags single properties whose change in one direction is always worth a look.

The table says the direction. A value that only the deployment knows is compared as text, and never flagged by size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.judges.flagged import flag, what
from cdk_review.judges.further_rules import FURTHER_RULES
from cdk_review.judges.rule import Rule, rules_of
from cdk_review.reference_text import as_list, number_of, shown, text_of

_BLOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")

RULES = [
    *rules_of(
        "DynamoDB::Table",
        ("SSESpecification.SSEEnabled", "off", "encryption", "high", "encryption with a KMS key"),
        ("SSESpecification.KMSMasterKeyId", "gone", "encryption", "medium", "the key that encrypts it"),
        (
            "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
            "off",
            "retention",
            "high",
            "point-in-time recovery",
        ),
        (
            "PointInTimeRecoverySpecification.RecoveryPeriodInDays",
            "lower",
            "retention",
            "medium",
            "days to which it can be restored",
            35,
        ),
        ("DeletionProtectionEnabled", "off", "retention", "high", "deletion protection"),
        ("ProvisionedThroughput.ReadCapacityUnits", "lower", "capacity", "medium", "read capacity units"),
        ("ProvisionedThroughput.WriteCapacityUnits", "lower", "capacity", "medium", "write capacity units"),
        ("StreamSpecification", "gone", "removed", "medium", "its stream"),
        ("BillingMode", ("PAY_PER_REQUEST", "PROVISIONED"), "capacity", "medium", "its capacity", "PROVISIONED"),
    ),
    *rules_of(
        "S3::Bucket",
        ("BucketEncryption", "gone", "encryption", "high", "encryption by a setting of the bucket"),
        ("PublicAccessBlockConfiguration", "gone", "public", "critical", "the block of public access"),
        *(
            (
                f"PublicAccessBlockConfiguration.{name}",
                "off",
                "public",
                "critical",
                f"the block of public access ({name})",
            )
            for name in _BLOCKED
        ),
        (
            "AccessControl",
            ("Private", "LogDeliveryWrite", "AuthenticatedRead", "PublicRead", "PublicReadWrite"),
            "public",
            "critical",
            "its access control list",
            "Private",
        ),
        ("VersioningConfiguration.Status", ("Enabled", "Suspended", None), "retention", "high", "versioning"),
        ("ObjectLockEnabled", "off", "retention", "high", "object lock"),
        ("LoggingConfiguration", "gone", "logging", "medium", "its access log"),
        ("WebsiteConfiguration", "on", "public", "high", "serving as a web site"),
    ),
    *rules_of(
        "Logs::LogGroup",
        ("RetentionInDays", "lower", "retention", "medium", "days that logs are kept"),
        ("RetentionInDays", "gone", "retention", "medium", "a limit to how long logs are kept and billed"),
        ("KmsKeyId", "gone", "encryption", "high", "the key that encrypts it"),
    ),
    *rules_of(
        "SQS::Queue",
        ("MessageRetentionPeriod", "lower", "retention", "high", "seconds that messages are kept", 345_600),
        ("RedrivePolicy", "gone", "loosened", "high", "its dead-letter queue"),
        ("RedrivePolicy.maxReceiveCount", "lower", "loosened", "low", "tries before the dead-letter queue"),
        ("KmsMasterKeyId", "gone", "encryption", "high", "the key that encrypts it"),
        ("SqsManagedSseEnabled", (True, None, False), "encryption", "high", "encryption"),
    ),
    *rules_of("SNS::Topic", ("KmsMasterKeyId", "gone", "encryption", "high", "the key that encrypts it")),
    *rules_of(
        "KMS::Key",
        ("EnableKeyRotation", "off", "encryption", "medium", "rotation of the key"),
        ("Enabled", (True, None, False), "encryption", "critical", "that the key is enabled"),
        ("PendingWindowInDays", "lower", "retention", "medium", "days before it is deleted", 30),
    ),
    *rules_of(
        "Kinesis::Stream",
        ("StreamEncryption", "gone", "encryption", "high", "encryption"),
        ("RetentionPeriodHours", "lower", "retention", "high", "hours that records are kept", 24),
    ),
    *rules_of(
        "EFS::FileSystem",
        ("Encrypted", "off", "encryption", "high", "encryption"),
        ("BackupPolicy.Status", ("ENABLED", None, "DISABLED"), "retention", "high", "backups"),
    ),
    *rules_of("EC2::Volume", ("Encrypted", "off", "encryption", "high", "encryption")),
    *rules_of(
        "ECR::Repository",
        ("ImageScanningConfiguration.ScanOnPush", "off", "loosened", "medium", "the scan of images on push"),
        (
            "ImageTagMutability",
            ("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE"),
            "loosened",
            "medium",
            "whether tags can be moved",
            "MUTABLE",
        ),
    ),
    *(
        rule
        for database in ("RDS::DBInstance", "RDS::DBCluster", "DocDB::DBCluster", "Neptune::DBCluster")
        for rule in rules_of(
            database,
            ("StorageEncrypted", "off", "encryption", "critical", "encryption of its storage"),
            ("BackupRetentionPeriod", "lower", "retention", "high", "days that backups are kept", 1),
            ("DeletionProtection", "off", "retention", "high", "deletion protection"),
            ("MultiAZ", "off", "capacity", "high", "a standby in another zone"),
            ("PubliclyAccessible", "on", "public", "critical", "an address in the internet"),
            ("EnableCloudwatchLogsExports", "shorter", "logging", "medium", "the logs that it exports"),
            ("EnableIAMDatabaseAuthentication", "off", "loosened", "low", "sign-in by IAM"),
            ("AllocatedStorage", "lower", "capacity", "medium", "storage"),
        )
    ),
    *rules_of(
        "ElastiCache::ReplicationGroup",
        ("AtRestEncryptionEnabled", "off", "encryption", "high", "encryption at rest"),
        ("TransitEncryptionEnabled", "off", "encryption", "high", "encryption in transit"),
        ("AutomaticFailoverEnabled", "off", "capacity", "high", "automatic failover"),
        ("SnapshotRetentionLimit", "lower", "retention", "high", "days that snapshots are kept", 0),
    ),
    *rules_of(
        "OpenSearchService::Domain",
        ("EncryptionAtRestOptions.Enabled", "off", "encryption", "high", "encryption at rest"),
        ("NodeToNodeEncryptionOptions.Enabled", "off", "encryption", "high", "encryption between nodes"),
        ("DomainEndpointOptions.EnforceHTTPS", "off", "encryption", "high", "that only HTTPS is served"),
    ),
    *rules_of(
        "Redshift::Cluster",
        ("Encrypted", "off", "encryption", "high", "encryption"),
        ("PubliclyAccessible", "on", "public", "critical", "an address in the internet"),
    ),
    *rules_of(
        "ElasticLoadBalancingV2::LoadBalancer",
        ("Scheme", ("internal", "internet-facing"), "public", "critical", "its scheme", "internet-facing"),
    ),
    *rules_of(
        "ElasticLoadBalancingV2::Listener",
        ("Protocol", ("HTTPS", "HTTP"), "encryption", "critical", "its protocol"),
        ("Protocol", ("TLS", "TCP"), "encryption", "critical", "its protocol"),
        ("SslPolicy", "gone", "encryption", "medium", "its TLS policy"),
    ),
    *rules_of(
        "ElasticLoadBalancingV2::TargetGroup",
        ("HealthCheckEnabled", (True, None, False), "loosened", "high", "its health check"),
        ("HealthCheckPath", "other", "loosened", "low", "the path of its health check"),
        ("UnhealthyThresholdCount", "higher", "loosened", "medium", "failed checks until a target is unhealthy"),
        ("HealthCheckIntervalSeconds", "higher", "loosened", "medium", "seconds between health checks", 30),
        ("Protocol", ("HTTPS", "HTTP"), "encryption", "medium", "its protocol"),
    ),
    *rules_of(
        "ECS::Service",
        ("DesiredCount", "lower", "capacity", "high", "desired tasks"),
        (
            "DeploymentConfiguration.MinimumHealthyPercent",
            "lower",
            "capacity",
            "high",
            "healthy tasks during a deployment, in per cent",
            100,
        ),
        (
            "DeploymentConfiguration.DeploymentCircuitBreaker.Enable",
            "off",
            "loosened",
            "high",
            "the deployment circuit breaker",
        ),
        (
            "DeploymentConfiguration.DeploymentCircuitBreaker.Rollback",
            "off",
            "loosened",
            "high",
            "the rollback of a failed deployment",
        ),
        ("DeploymentConfiguration.Alarms.Enable", "off", "loosened", "high", "the alarms that stop a deployment"),
        ("DeploymentConfiguration.Alarms.Rollback", "off", "loosened", "high", "the rollback on an alarm"),
        (
            "DeploymentConfiguration.Alarms.AlarmNames",
            "shorter",
            "loosened",
            "high",
            "the alarms that stop a deployment",
        ),
        (
            "NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp",
            ("DISABLED", "ENABLED"),
            "public",
            "high",
            "public addresses of its tasks",
            "DISABLED",
        ),
        ("EnableExecuteCommand", "on", "widened", "medium", "commands inside running tasks (ECS Exec)"),
        ("HealthCheckGracePeriodSeconds", "higher", "loosened", "low", "seconds without a health check after a start"),
        ("AvailabilityZoneRebalancing", ("ENABLED", None, "DISABLED"), "capacity", "low", "rebalancing between zones"),
        ("LoadBalancers", "shorter", "removed", "high", "its load balancers"),
    ),
    *rules_of("ECS::Cluster", ("ClusterSettings", "shorter", "logging", "low", "its settings (Container Insights)")),
    *rules_of(
        "ECS::TaskDefinition",
        ("Cpu", "lower", "capacity", "medium", "CPU units of a task"),
        ("Memory", "lower", "capacity", "medium", "MiB of a task"),
        ("TaskRoleArn", "other", "widened", "medium", "the role that its containers run as"),
        ("NetworkMode", ("awsvpc", "bridge", "host"), "public", "medium", "its network mode"),
    ),
    *rules_of(
        "AutoScaling::AutoScalingGroup",
        ("MinSize", "lower", "capacity", "high", "least instances"),
        ("MaxSize", "lower", "capacity", "medium", "most instances"),
        ("DesiredCapacity", "lower", "capacity", "medium", "desired instances"),
        ("NotificationConfigurations", "shorter", "silenced", "medium", "its notifications"),
    ),
    *rules_of(
        "Lambda::Function",
        ("MemorySize", "lower", "capacity", "medium", "MiB of memory", 128),
        ("Timeout", "lower", "capacity", "medium", "seconds until it is stopped", 3),
        ("ReservedConcurrentExecutions", "lower", "capacity", "medium", "reserved concurrency"),
        ("DeadLetterConfig", "gone", "loosened", "high", "its dead-letter queue"),
        ("TracingConfig.Mode", ("Active", "PassThrough", None), "logging", "low", "tracing"),
        ("VpcConfig", "gone", "public", "medium", "its place in the VPC"),
        ("KmsKeyArn", "gone", "encryption", "medium", "the key that encrypts its environment"),
        ("Role", "other", "widened", "medium", "the role that it runs as"),
        ("CodeSigningConfigArn", "gone", "loosened", "high", "code signing"),
        ("LoggingConfig", "gone", "logging", "low", "its log settings"),
    ),
    *rules_of(
        "Lambda::Alias",
        ("ProvisionedConcurrencyConfig", "gone", "capacity", "medium", "its provisioned concurrency"),
        (
            "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions",
            "lower",
            "capacity",
            "medium",
            "provisioned concurrency",
        ),
    ),
    *rules_of(
        "SNS::Subscription",
        ("FilterPolicy", "on", "silenced", "medium", "a filter, and is not sent what does not match"),
        ("FilterPolicy", "other", "silenced", "low", "its filter"),
        ("RedrivePolicy", "gone", "loosened", "medium", "its dead-letter queue"),
    ),
    *rules_of(
        "EC2::VPCEndpoint",
        ("PolicyDocument", "gone", "widened", "medium", "the policy that limits what it is used for"),
    ),
    *rules_of("Lambda::Url", ("AuthType", ("AWS_IAM", "NONE"), "public", "critical", "who may call its URL")),
    *rules_of(
        "Lambda::EventSourceMapping",
        ("Enabled", (True, None, False), "silenced", "high", "that it reads its source"),
        ("FilterCriteria", "on", "silenced", "medium", "a filter, and does not read what does not match"),
        ("FilterCriteria", "other", "silenced", "low", "its filter"),
        ("DestinationConfig", "gone", "loosened", "high", "where failed records go"),
        ("FunctionResponseTypes", "shorter", "loosened", "medium", "the report of failed items of a batch"),
        ("BisectBatchOnFunctionError", "off", "loosened", "low", "that a failed batch is halved"),
    ),
    *rules_of(
        "Events::Rule",
        ("State", ("ENABLED", "DISABLED"), "silenced", "high", "its state", "ENABLED"),
    ),
    *rules_of(
        "Scheduler::Schedule",
        ("State", ("ENABLED", "DISABLED"), "silenced", "high", "its state", "ENABLED"),
        ("Target.DeadLetterConfig", "gone", "loosened", "medium", "its dead-letter queue"),
    ),
    *rules_of(
        "StepFunctions::StateMachine",
        ("RoleArn", "other", "widened", "medium", "the role that it runs as"),
        ("LoggingConfiguration", "gone", "logging", "medium", "its log"),
        (
            "LoggingConfiguration.Level",
            ("ALL", "ERROR", "FATAL", "OFF", None),
            "logging",
            "medium",
            "the level of its log",
        ),
        ("TracingConfiguration.Enabled", "off", "logging", "low", "tracing"),
        ("EncryptionConfiguration", "gone", "encryption", "medium", "the key that encrypts it"),
    ),
    *rules_of(
        "SageMaker::EndpointConfig",
        ("KmsKeyId", "gone", "encryption", "high", "the key that encrypts its volumes"),
        ("EnableNetworkIsolation", "off", "public", "high", "network isolation"),
        ("DataCaptureConfig.EnableCapture", "off", "logging", "medium", "data capture"),
    ),
    *rules_of(
        "SageMaker::Endpoint",
        ("DeploymentConfig.AutoRollbackConfiguration", "gone", "loosened", "high", "its automatic rollback"),
        (
            "DeploymentConfig.AutoRollbackConfiguration.Alarms",
            "shorter",
            "loosened",
            "high",
            "the alarms that roll it back",
        ),
        ("DeploymentConfig", "gone", "loosened", "high", "its gradual deployment"),
    ),
    *rules_of(
        "SageMaker::Model",
        ("EnableNetworkIsolation", "off", "public", "high", "network isolation"),
        ("VpcConfig", "gone", "public", "medium", "its place in the VPC"),
    ),
    *rules_of(
        "SageMaker::NotebookInstance",
        ("DirectInternetAccess", ("Disabled", "Enabled"), "public", "high", "access to the internet", "Enabled"),
        ("RootAccess", ("Disabled", "Enabled"), "widened", "medium", "root access", "Enabled"),
    ),
    *rules_of(
        "Cognito::UserPool",
        ("MfaConfiguration", ("ON", "OPTIONAL", "OFF"), "loosened", "high", "multi-factor sign-in", "OFF"),
        (
            "AdminCreateUserConfig.AllowAdminCreateUserOnly",
            "off",
            "public",
            "critical",
            "that only administrators add users",
        ),
        ("DeletionProtection", ("ACTIVE", "INACTIVE"), "retention", "high", "deletion protection", "INACTIVE"),
        ("Policies.PasswordPolicy.MinimumLength", "lower", "loosened", "medium", "characters of a password", 8),
    ),
    *rules_of(
        "CloudTrail::Trail",
        ("IsLogging", "off", "logging", "critical", "that it logs"),
        ("EnableLogFileValidation", "off", "logging", "high", "the validation of log files"),
        ("IsMultiRegionTrail", "off", "logging", "high", "that it covers all regions"),
        ("KMSKeyId", "gone", "encryption", "high", "the key that encrypts it"),
    ),
    *rules_of(
        "CloudFront::Distribution",
        ("DistributionConfig.WebACLId", "gone", "public", "high", "its web ACL"),
        (
            "DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy",
            ("https-only", "redirect-to-https", "allow-all"),
            "encryption",
            "high",
            "what it takes of HTTP",
        ),
        (
            "DistributionConfig.ViewerCertificate.MinimumProtocolVersion",
            (
                "TLSv1.3_2025",
                "TLSv1.2_2025",
                "TLSv1.2_2021",
                "TLSv1.2_2019",
                "TLSv1.2_2018",
                "TLSv1.1_2016",
                "TLSv1_2016",
                "TLSv1",
                "SSLv3",
            ),
            "encryption",
            "medium",
            "the least TLS",
        ),
        ("DistributionConfig.Logging", "gone", "logging", "medium", "its access log"),
    ),
    *rules_of(
        "ApiGateway::Method",
        ("AuthorizationType", ("AWS_IAM", "NONE"), "public", "critical", "who may call it"),
        ("AuthorizationType", ("COGNITO_USER_POOLS", "NONE"), "public", "critical", "who may call it"),
        ("AuthorizationType", ("CUSTOM", "NONE"), "public", "critical", "who may call it"),
        ("ApiKeyRequired", "off", "public", "medium", "that a key is needed"),
    ),
    *rules_of(
        "ApiGatewayV2::Route",
        ("AuthorizationType", ("AWS_IAM", "NONE"), "public", "critical", "who may call it"),
        ("AuthorizationType", ("JWT", "NONE"), "public", "critical", "who may call it"),
        ("AuthorizationType", ("CUSTOM", "NONE"), "public", "critical", "who may call it"),
    ),
    *rules_of(
        "ApiGateway::Stage",
        ("AccessLogSetting", "gone", "logging", "medium", "its access log"),
        ("TracingEnabled", "off", "logging", "low", "tracing"),
    ),
    *rules_of("EC2::Subnet", ("MapPublicIpOnLaunch", "on", "public", "high", "public addresses")),
    *rules_of(
        "EC2::Instance",
        ("Monitoring", "off", "logging", "low", "detailed monitoring"),
        ("DisableApiTermination", "off", "retention", "medium", "termination protection"),
    ),
    *rules_of(
        "SecretsManager::RotationSchedule",
        ("RotationRules.AutomaticallyAfterDays", "higher", "loosened", "medium", "days between rotations"),
    ),
    *rules_of(
        "WAFv2::WebACL",
        ("DefaultAction.Allow", "on", "public", "high", "that what no rule matches is allowed"),
        ("VisibilityConfig.CloudWatchMetricsEnabled", "off", "logging", "low", "metrics"),
    ),
    *rules_of(
        "ApplicationAutoScaling::ScalableTarget",
        ("MinCapacity", "lower", "capacity", "high", "the minimum"),
        ("MaxCapacity", "lower", "scaling", "medium", "the maximum"),
        ("SuspendedState.DynamicScalingOutSuspended", "on", "scaling", "high", "the suspension of scaling out"),
        ("SuspendedState.ScheduledScalingSuspended", "on", "scaling", "medium", "the suspension of schedules"),
        ("ScheduledActions", "shorter", "scaling", "high", "its schedules"),
    ),
]

_INSTANCE = re.compile(r"(?P<family>[a-z]+)\d+[a-z-]*\.(?P<size>\w+)")
_SIZES = {"nano": 0.25, "micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0}
_BY_TYPE: dict[str, list[Rule]] = {}
for _rule in (*RULES, *FURTHER_RULES):
    _BY_TYPE.setdefault(_rule.type, []).append(_rule)


def property_flags(stack: StackChange) -> Iterator[Flag]:
    """A flag for each property that changed in the direction which its rule names."""
    for change in stack.changes:
        if not change.both:
            continue
        said: set[str] = set()
        for rule in _BY_TYPE.get(change.type, []):
            # A whole block that goes is one finding, not one a property.
            if any(rule.path.startswith(f"{path}.") or rule.path == path for path in said):
                continue
            for of_what, old, new in _places(change.was, change.now, rule.path):
                sentence = _sentence(rule, f"{what(change)}{of_what}", old, new)
                if sentence is not None:
                    said.add(rule.path)
                    yield flag(change, rule.kind, rule.severity, sentence)


def value_at(properties: dict[str, Any], path: str) -> Any:
    """What stands at a dotted path, or None; a dot within a name is written `\\.`."""
    value: Any = properties
    for name in path.split(".") if "\\" not in path else _parts(path):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _parts(path: str) -> list[str]:
    return [name.replace("\\.", ".") for name in re.split(r"(?<!\\)\.", path)]


_NAMES = ("Name", "Id", "Key", "RuleName", "DeviceName", "Region", "ResourcePath")


def _places(was: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """What stands at a path before and after; of a list each element that is on both sides, with its name."""
    first, brackets, rest = path.partition("[]")
    old, new = value_at(was, first), value_at(now, first)
    if not brackets:
        yield "", old, new
        return
    others = {_named(item, number): item for number, item in enumerate(as_list(new))}
    for number, item in enumerate(as_list(old)):
        name = _named(item, number)
        if name not in others:
            continue
        if not rest:
            yield "", item, others[name]
            continue
        for of_what, before, after in _places(item, others[name], rest.removeprefix(".")):
            yield f", {name}{of_what}" if not name.isdigit() else of_what, before, after


def _named(item: Any, number: int) -> str:
    names = [text_of(item[name]) for name in _NAMES if name in item] if isinstance(item, dict) else []
    return names[0] if names else str(number)


def _sentence(rule: Rule, subject: str, old: Any, new: Any) -> str | None:
    if old == new:
        return None
    if rule.worse == "gains":
        more = [item for item in as_list(new) if item in rule.default and item not in as_list(old)]
        return f"{subject}: {rule.says} gains {', '.join(map(shown, more))}" if more else None
    if rule.worse == "smaller":
        return f"{subject}: {rule.says} is {new}, was {old}" if _rank_of_size(old, new) else None
    before, after = (rule.default if value is None else value for value in (old, new))
    if rule.worse == "zero":
        return f"{subject}: {rule.says} is 0" if number_of(after) == 0 and number_of(before) != 0 else None
    if isinstance(rule.worse, tuple):
        ranks = [_rank(value, rule.worse) for value in (before, after)]
        if None in ranks or ranks[0] == ranks[1] or _at(ranks, 0) > _at(ranks, 1):
            return None
        return f"{subject}: {rule.says} is {shown(after)}, was {shown(before)}"
    if rule.worse in ("lower", "higher"):
        for first, second, case in _numbers(before, after):
            if first != second and (second < first) == (rule.worse == "lower"):
                return f"{subject}: {rule.says}: {shown(second)} instead of {shown(first)}{case}"
        return None
    if rule.worse == "other":
        if not _is_set(old) or not _is_set(new):
            return None
        return f"{subject}: {rule.says} is {shown(after)}, was {shown(before)}"
    if rule.worse == "gone":
        return f"{subject} loses {rule.says}" if _is_set(old) and not _is_set(new) else None
    if rule.worse == "off":
        return f"{subject} loses {rule.says}" if _is_true(old) and not _is_true(new) else None
    if rule.worse == "on":
        gained = (not _is_true(old) and _is_true(new)) or (isinstance(new, dict) and "Ref" not in new and old is None)
        return f"{subject} gains {rule.says}" if gained else None
    lost = [item for item in old if item not in new] if isinstance(old, list) and isinstance(new, list) else []
    if isinstance(old, list) and old and not new:
        lost = old
    return f"{subject} loses {len(lost)} of {len(old)} of {rule.says}" if lost and len(new or []) < len(old) else None


def _numbers(before: Any, after: Any) -> Iterator[tuple[float, float, str]]:
    """Both numbers; of what depends on a condition, those of each case."""
    old, new = _cases(before), _cases(after)
    if old.keys() == new.keys():
        pairs = [(old[case], new[case]) for case in old]
    else:
        pairs = [(first, second) for first in old.values() for second in new.values()]
    for first, second in ((number_of(one), number_of(other)) for one, other in pairs):
        if first is not None and second is not None:
            yield first, second, " in one case" if len(pairs) > 1 else ""


def _cases(value: Any) -> dict[str, Any]:
    branches = value.get("Fn::If") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(branches, list) or len(branches) != 3:
        return {"": value}
    return {f"{branches[0]} {met}": branch for met, branch in zip((True, False), branches[1:], strict=True)}


def _rank_of_size(old: Any, new: Any) -> bool:
    """Whether an instance type is smaller than another of its family, of whatever generation."""
    parts = [_INSTANCE.search(text_of(value)) for value in (old, new)]
    if parts[0] is None or parts[1] is None or parts[0]["family"] != parts[1]["family"]:
        return False
    sizes = [_size(part["size"]) for part in parts if part is not None]
    return sizes[1] < sizes[0]


def _size(name: str) -> float:
    found = re.fullmatch(r"(\d*)xlarge", name)
    return 8.0 * int(found[1] or 1) if found else _SIZES.get(name, 0.0)


def _rank(value: Any, order: tuple[Any, ...]) -> int | None:
    texts = [None if item is None else text_of(item).lower() for item in order]
    text = None if value is None else text_of(value).lower()
    return texts.index(text) if text in texts else None


def _at(ranks: list[int | None], index: int) -> int:
    rank = ranks[index]
    return -1 if rank is None else rank


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _is_set(value: Any) -> bool:
    return value not in (None, "", [], {}, False)
