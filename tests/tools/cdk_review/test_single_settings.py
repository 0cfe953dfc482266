"""Single settings of many types, made worse, and made otherwise: each resource in a stack of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_review.assembly import read_assembly
from cdk_review.flag import Flag
from cdk_review.review import review
from tests.tools.cdk_review.shop import write_assembly


def nested(path: str, value: Any) -> dict[str, Any]:
    """A value below dotted names; a name in brackets is a list of one."""
    for name in reversed(path.split(".")):
        value = {name.removesuffix("[]"): [value]} if name.endswith("[]") else {name: value}
    return dict(value)


LISTENS = {"Type": "forward", "TargetGroupArn": "arn"}
APPROVAL = {"Name": "Approve", "Actions": [{"Name": "ask", "ActionTypeId": {"Category": "Approval"}}]}
RULE = {"RuleName": "daily", "ScheduleExpression": "cron(0 5 * * ? *)"}
DISK = {"DeviceName": "/dev/xvda"}
VOLUME = {"Name": "files", "EFSVolumeConfiguration": {"FilesystemId": "fs-1"}}
MANAGED = {"Name": "common", "OverrideAction": {"None": {}}, "Priority": 1}
GROUP = {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}
CONTAINER = {"Name": "web", "Image": "shop/web:1"}
VARIANT = {"VariantName": "first", "InitialInstanceCount": 2}
EXPIRY = {"Status": "Enabled", "ExpirationInDays": 365}
EACH = {
    "Type": "Map",
    "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}},
    "End": True,
}
SERVE = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sagemaker:createEndpointConfig", "End": True}
STEPS = "StepScalingPolicyConfiguration"
STEP = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}
TRACKING = "TargetTrackingScalingPolicyConfiguration"


def errors(**stat: Any) -> list[dict[str, Any]]:
    """What an alarm on an expression is made of."""
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": stat.pop("MetricName", "HTTPCode_Target_5XX_Count")}
    return [
        {"Id": "share", "Expression": "100 * errors"},
        {"Id": "errors", "ReturnData": False, "MetricStat": {"Metric": metric, "Stat": "p99", "Period": 60} | stat},
    ]


def slow_requests(period: int) -> str:
    """A graph of a trimmed count, with a line."""
    metrics = [["Shop", "Seconds", {"stat": "TC(1:)", "period": period}]]
    lines = {"horizontal": [{"label": "too many: 10", "value": 10}]}
    graph = {"type": "metric", "properties": {"title": "Slow", "metrics": metrics, "annotations": lines}}
    return json.dumps({"widgets": [graph]})


# The type; where the setting is; before; after, or None where it is gone; the kind of the flag.
BAD: dict[str, tuple[str, str, Any, Any, str]] = {
    "another period of a trimmed count": (
        "CloudWatch::Dashboard",
        "DashboardBody",
        slow_requests(60),
        slow_requests(300),
        "period",
    ),
    "a database of a smaller class": (
        "RDS::DBInstance",
        "DBInstanceClass",
        "db.m6g.xlarge",
        "db.m6g.large",
        "capacity",
    ),
    "a database nobody watches": ("RDS::DBInstance", "MonitoringInterval", 60, 0, "logging"),
    "insights are off": ("RDS::DBInstance", "EnablePerformanceInsights", True, False, "logging"),
    "no TLS to a database": (
        "RDS::DBParameterGroup",
        "Parameters",
        {"rds.force_ssl": "1"},
        {"rds.force_ssl": "0"},
        "encryption",
    ),
    "a serverless database idles": (
        "RDS::DBCluster",
        "ServerlessV2ScalingConfiguration",
        {"MinCapacity": 2, "MaxCapacity": 8},
        {"MinCapacity": 0.5, "MaxCapacity": 8},
        "capacity",
    ),
    "a database opened by the Data API": ("RDS::DBCluster", "EnableHttpEndpoint", False, True, "widened"),
    "a bucket that is not replicated": ("S3::Bucket", "ReplicationConfiguration", {"Role": "arn"}, None, "retention"),
    "a bucket that reports no events": (
        "S3::Bucket",
        "NotificationConfiguration",
        {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        None,
        "silenced",
    ),
    "objects are locked for a day": (
        "S3::Bucket",
        "ObjectLockConfiguration.Rule.DefaultRetention.Days",
        365,
        1,
        "retention",
    ),
    "ACLs are back": (
        "S3::Bucket",
        "OwnershipControls.Rules[].ObjectOwnership",
        "BucketOwnerEnforced",
        "ObjectWriter",
        "widened",
    ),
    "a queue's messages come back early": ("SQS::Queue", "VisibilityTimeout", 300, 10, "loosened"),
    "a queue becomes another": ("SQS::Queue", "FifoQueue", None, True, "replaced"),
    "a key is off": ("KMS::Key", "Enabled", True, False, "encryption"),
    "ECS deploys from outside": ("ECS::Service", "DeploymentController.Type", "ECS", "EXTERNAL", "replaced"),
    "a service without tasks": ("ECS::Service", "DesiredCount", 2, 0, "capacity"),
    "an image that moves": (
        "ECS::TaskDefinition",
        "ContainerDefinitions",
        [CONTAINER],
        [CONTAINER | {"Image": "shop/web:latest"}],
        "loosened",
    ),
    "files travel in the clear": (
        "ECS::TaskDefinition",
        "Volumes",
        [VOLUME | {"EFSVolumeConfiguration": {"FilesystemId": "fs-1", "TransitEncryption": "ENABLED"}}],
        [VOLUME],
        "encryption",
    ),
    "a container with less memory": (
        "ECS::TaskDefinition",
        "ContainerDefinitions",
        [CONTAINER | {"Memory": 1024}],
        [CONTAINER | {"Memory": 256}],
        "capacity",
    ),
    "executions are express": ("StepFunctions::StateMachine", "StateMachineType", "STANDARD", "EXPRESS", "replaced"),
    "an archive is short": ("Events::Archive", "RetentionDays", 90, 7, "retention"),
    "a rule is off": ("Events::Rule", "State", "ENABLED", "DISABLED", "silenced"),
    "a pipe stops": ("Pipes::Pipe", "DesiredState", "RUNNING", "STOPPED", "silenced"),
    "a managed rule counts": (
        "WAFv2::WebACL",
        "Rules",
        [MANAGED | {"Statement": {"ManagedRuleGroupStatement": GROUP}}],
        [MANAGED | {"OverrideAction": {"Count": {}}, "Statement": {"ManagedRuleGroupStatement": GROUP}}],
        "loosened",
    ),
    "a rule of a managed group counts": (
        "WAFv2::WebACL",
        "Rules",
        [MANAGED | {"Statement": {"ManagedRuleGroupStatement": GROUP}}],
        [
            MANAGED
            | {
                "Statement": {
                    "ManagedRuleGroupStatement": GROUP
                    | {"RuleActionOverrides": [{"Name": "NoUserAgent_HEADER", "ActionToUse": {"Count": {}}}]}
                }
            }
        ],
        "loosened",
    ),
    "a network's list lets all in": ("EC2::NetworkAclEntry", "CidrBlock", "10.0.0.0/8", "0.0.0.0/0", "public"),
    "an instance's metadata without a token": (
        "EC2::LaunchTemplate",
        "LaunchTemplateData.MetadataOptions.HttpTokens",
        "required",
        "optional",
        "loosened",
    ),
    "a disk that is not encrypted": (
        "EC2::LaunchTemplate",
        "LaunchTemplateData.BlockDeviceMappings",
        [DISK | {"Ebs": {"Encrypted": True}}],
        [DISK | {"Ebs": {"Encrypted": False}}],
        "encryption",
    ),
    "logs that go nowhere": ("Logs::LogGroup", "DataProtectionPolicy", {"Name": "mask"}, None, "loosened"),
    "what a filter of logs finds": ("Logs::MetricFilter", "FilterPattern", "ERROR", "FATAL", "silenced"),
    "people are not asked twice": ("Cognito::UserPool", "MfaConfiguration", "ON", "OFF", "loosened"),
    "stolen passwords are taken": (
        "Cognito::UserPool",
        "UserPoolAddOns.AdvancedSecurityMode",
        "ENFORCED",
        "OFF",
        "loosened",
    ),
    "a sign-in lasts a year": ("Cognito::UserPoolClient", "RefreshTokenValidity", 1, 365, "loosened"),
    "tokens in the address": (
        "Cognito::UserPoolClient",
        "AllowedOAuthFlows",
        ["code"],
        ["code", "implicit"],
        "loosened",
    ),
    "who has an account": (
        "Cognito::UserPoolClient",
        "PreventUserExistenceErrors",
        "ENABLED",
        "LEGACY",
        "loosened",
    ),
    "guests get credentials": ("Cognito::IdentityPool", "AllowUnauthenticatedIdentities", False, True, "public"),
    "an API that nobody guards": ("ApiGateway::Method", "AuthorizationType", "CUSTOM", "NONE", "public"),
    "an API in the internet": (
        "ApiGateway::RestApi",
        "EndpointConfiguration.Types",
        ["PRIVATE"],
        ["REGIONAL"],
        "public",
    ),
    "an API without a limit": (
        "ApiGateway::Stage",
        "MethodSettings",
        [{"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": 100}],
        [{"HttpMethod": "*", "ResourcePath": "/*"}],
        "loosened",
    ),
    "an HTTP API of anybody": ("ApiGatewayV2::Route", "AuthorizationType", "JWT", "NONE", "public"),
    "any page may call": (
        "ApiGatewayV2::Api",
        "CorsConfiguration.AllowOrigins",
        ["https://shop.example"],
        ["*"],
        "widened",
    ),
    "an old TLS of a domain": ("ApiGateway::DomainName", "SecurityPolicy", "TLS_1_2", "TLS_1_0", "encryption"),
    "a GraphQL API by key": ("AppSync::GraphQLApi", "AuthenticationType", "AWS_IAM", "API_KEY", "public"),
    "a function that never runs": ("Lambda::Function", "ReservedConcurrentExecutions", 10, 0, "capacity"),
    "a function's first limit": ("Lambda::Function", "ReservedConcurrentExecutions", None, 0, "capacity"),
    "a function is cut off": ("Lambda::Function", "Timeout", 60, 5, "capacity"),
    "a failure goes nowhere": (
        "Lambda::EventInvokeConfig",
        "DestinationConfig",
        {"OnFailure": {"Destination": "arn"}},
        None,
        "loosened",
    ),
    "a failure is not tried again": ("Lambda::EventInvokeConfig", "MaximumRetryAttempts", 2, 0, "loosened"),
    "a site by HTTP alone": (
        "CloudFront::Distribution",
        "DistributionConfig.Origins[].CustomOriginConfig.OriginProtocolPolicy",
        "https-only",
        "http-only",
        "encryption",
    ),
    "a site for all countries": (
        "CloudFront::Distribution",
        "DistributionConfig.Restrictions.GeoRestriction",
        {"RestrictionType": "whitelist", "Locations": ["JP"]},
        {"RestrictionType": "none"},
        "public",
    ),
    "a smaller cache": ("ElastiCache::ReplicationGroup", "NumCacheClusters", 3, 1, "capacity"),
    "fewer nodes of a search": ("OpenSearchService::Domain", "ClusterConfig.InstanceCount", 3, 1, "capacity"),
    "an old TLS of a search": (
        "OpenSearchService::Domain",
        "DomainEndpointOptions.TLSSecurityPolicy",
        "Policy-Min-TLS-1-2-2019-07",
        "Policy-Min-TLS-1-0-2019-07",
        "encryption",
    ),
    "fewer brokers": ("MSK::Cluster", "NumberOfBrokerNodes", 3, 2, "capacity"),
    "brokers in the clear": (
        "MSK::Cluster",
        "EncryptionInfo.EncryptionInTransit.ClientBroker",
        "TLS",
        "TLS_PLAINTEXT",
        "encryption",
    ),
    "fewer shards": ("Kinesis::Stream", "ShardCount", 4, 1, "capacity"),
    "a cluster's address": ("EKS::Cluster", "ResourcesVpcConfig.EndpointPublicAccess", False, True, "public"),
    "a cluster's address for all": (
        "EKS::Cluster",
        "ResourcesVpcConfig.PublicAccessCidrs",
        ["203.0.113.0/24"],
        ["0.0.0.0/0"],
        "public",
    ),
    "backups end early": (
        "Backup::BackupPlan",
        "BackupPlan.BackupPlanRule[]",
        RULE | {"Lifecycle": {"DeleteAfterDays": 365}},
        RULE | {"Lifecycle": {"DeleteAfterDays": 7}},
        "retention",
    ),
    "backups can be deleted": ("Backup::BackupVault", "LockConfiguration", {"MinRetentionDays": 30}, None, "retention"),
    "no boundary": ("IAM::Role", "PermissionsBoundary", "arn:aws:iam::111122223333:policy/limits", None, "widened"),
    "a session of twelve hours": ("IAM::Role", "MaxSessionDuration", 3600, 43200, "widened"),
    "nobody watches the account": ("GuardDuty::Detector", "Enable", True, False, "logging"),
    "group health": ("AutoScaling::AutoScalingGroup", "HealthCheckType", "ELB", "EC2", "loosened"),
    "a build that may do all": ("CodeBuild::Project", "Environment.PrivilegedMode", False, True, "widened"),
    "nobody approves": (
        "CodePipeline::Pipeline",
        "Stages",
        [{"Name": "Build"}, APPROVAL, {"Name": "Deploy"}],
        [{"Name": "Build"}, {"Name": "Deploy"}],
        "loosened",
    ),
    "results in the clear": (
        "Athena::WorkGroup",
        "WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration",
        {"EncryptionOption": "SSE_KMS"},
        None,
        "encryption",
    ),
    "deliveries in the clear": (
        "KinesisFirehose::DeliveryStream",
        "DeliveryStreamEncryptionConfigurationInput",
        {"KeyType": "CUSTOMER_MANAGED_CMK"},
        None,
        "encryption",
    ),
    "requests are cut off": (
        "ElasticLoadBalancingV2::TargetGroup",
        "TargetGroupAttributes",
        [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}],
        [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
        "loosened",
    ),
    "a listener answers by itself": (
        "ElasticLoadBalancingV2::Listener",
        "DefaultActions",
        [LISTENS],
        [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        "removed",
    ),
    "a minimum in one case": (
        "ApplicationAutoScaling::ScalableTarget",
        "MinCapacity",
        2,
        {"Fn::If": ["IsProduction", 2, 1]},
        "capacity",
    ),
    "a minimum in the other case": (
        "ApplicationAutoScaling::ScalableTarget",
        "MinCapacity",
        {"Fn::If": ["IsProduction", 4, 1]},
        {"Fn::If": ["IsProduction", 2, 1]},
        "capacity",
    ),
    "a table's second region": (
        "DynamoDB::GlobalTable",
        "Replicas",
        [{"Region": "us-east-1"}, {"Region": "eu-west-1"}],
        [{"Region": "us-east-1"}],
        "removed",
    ),
    "a cluster's address by default": (
        "EKS::Cluster",
        "ResourcesVpcConfig",
        {"SubnetIds": ["subnet-1"], "EndpointPublicAccess": False},
        {"SubnetIds": ["subnet-1"]},
        "public",
    ),
    "a cluster's callers by default": (
        "EKS::Cluster",
        "ResourcesVpcConfig",
        {"SubnetIds": ["subnet-1"], "PublicAccessCidrs": ["203.0.113.0/24"]},
        {"SubnetIds": ["subnet-1"]},
        "public",
    ),
    "a job runs each hour": (
        "Events::Rule",
        "ScheduleExpression",
        "cron(0/5 * * * ? *)",
        "cron(0 * * * ? *)",
        "silenced",
    ),
    "a job runs each day": (
        "Scheduler::Schedule",
        "ScheduleExpression",
        "rate(1 hour)",
        "cron(0 3 * * ? *)",
        "silenced",
    ),
    "a job runs twice a year": (
        "Events::Rule",
        "ScheduleExpression",
        "cron(0 3 1 * ? *)",
        "cron(0 3 1 JAN,JUL ? *)",
        "silenced",
    ),
    "a bucket without a KMS key": (
        "S3::Bucket",
        "BucketEncryption.ServerSideEncryptionConfiguration[].ServerSideEncryptionByDefault",
        {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"},
        {"SSEAlgorithm": "AES256"},
        "encryption",
    ),
    "a task in the host's network": ("ECS::TaskDefinition", "NetworkMode", None, "host", "public"),
    "a warehouse's snapshots": ("Redshift::Cluster", "AutomatedSnapshotRetentionPeriod", 14, 1, "retention"),
    "a serverless cache's snapshots": ("ElastiCache::ServerlessCache", "SnapshotRetentionLimit", 7, 0, "retention"),
    "few requests are captured": (
        "SageMaker::EndpointConfig",
        "DataCaptureConfig",
        {"EnableCapture": True, "InitialSamplingPercentage": 100},
        {"EnableCapture": True, "InitialSamplingPercentage": 1},
        "logging",
    ),
    "an expression's statistic": ("CloudWatch::Alarm", "Metrics", errors(), errors(Stat="Average"), "loosened"),
    "an expression's metric": (
        "CloudWatch::Alarm",
        "Metrics",
        errors(),
        errors(MetricName="HTTPCode_Target_2XX_Count"),
        "loosened",
    ),
    "a Map goes on": (
        "StepFunctions::StateMachine",
        "Definition",
        {"StartAt": "Each", "States": {"Each": EACH}},
        {"StartAt": "Each", "States": {"Each": EACH | {"ToleratedFailurePercentage": 50}}},
        "catch",
    ),
    "a failure is a success": (
        "StepFunctions::StateMachine",
        "Definition",
        {"StartAt": "End", "States": {"End": {"Type": "Fail"}}},
        {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}},
        "catch",
    ),
    "a step begins later": (
        "ApplicationAutoScaling::ScalingPolicy",
        STEPS,
        {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [STEP]},
        {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [STEP | {"MetricIntervalLowerBound": 10}]},
        "scaling",
    ),
    "a step sets the tasks": (
        "ApplicationAutoScaling::ScalingPolicy",
        STEPS,
        {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [STEP]},
        {"AdjustmentType": "ExactCapacity", "StepAdjustments": [STEP]},
        "scaling",
    ),
    "tasks leave at once": (
        "ApplicationAutoScaling::ScalingPolicy",
        TRACKING,
        {"TargetValue": 60},
        {"TargetValue": 60, "ScaleInCooldown": 10},
        "scaling",
    ),
    "a smaller instance of an endpoint": (
        "SageMaker::EndpointConfig",
        "ProductionVariants",
        [VARIANT | {"InstanceType": "ml.m5.2xlarge"}],
        [VARIANT | {"InstanceType": "ml.m6g.large"}],
        "capacity",
    ),
    "a smaller instance of a workflow's endpoint": (
        "StepFunctions::StateMachine",
        "Definition.States.Serve",
        SERVE | {"Arguments": {"ProductionVariants": [VARIANT | {"InstanceType": "ml.m5.2xlarge"}]}},
        SERVE | {"Arguments": {"ProductionVariants": [VARIANT | {"InstanceType": "ml.m5.large"}]}},
        "capacity",
    ),
    "objects end in a whole bucket": (
        "S3::Bucket",
        "LifecycleConfiguration.Rules[]",
        EXPIRY | {"Id": "old", "Prefix": "logs/"},
        EXPIRY | {"Id": "old"},
        "retention",
    ),
    "a token in plain text": (
        "Lambda::Function",
        "Environment.Variables",
        {"COLOUR": "blue"},
        {"API_TOKEN": "not-in-a-template"},
        "secret",
    ),
    "a log of queries": (
        "Route53::HostedZone",
        "QueryLoggingConfig",
        {"CloudWatchLogsLogGroupArn": "arn"},
        None,
        "logging",
    ),
}

HARMLESS: dict[str, tuple[str, str, Any, Any]] = {
    "a class of the next generation": ("RDS::DBInstance", "DBInstanceClass", "db.m6g.large", "db.m7g.large"),
    "a window for maintenance": (
        "RDS::DBInstance",
        "PreferredMaintenanceWindow",
        "sun:05:00-sun:06:00",
        "sat:05:00-sat:06:00",
    ),
    "insights are on": ("RDS::DBInstance", "EnablePerformanceInsights", False, True),
    "TLS to a database": ("RDS::DBParameterGroup", "Parameters", {"rds.force_ssl": "0"}, {"rds.force_ssl": "1"}),
    "a bucket that reports events": (
        "S3::Bucket",
        "NotificationConfiguration",
        None,
        {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
    ),
    "uploads that end": (
        "S3::Bucket",
        "LifecycleConfiguration.Rules[]",
        None,
        {"Id": "uploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ),
    "objects move to a cheaper class": (
        "S3::Bucket",
        "LifecycleConfiguration.Rules[]",
        None,
        {"Id": "cold", "Status": "Enabled", "Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]},
    ),
    "a longer time for a message": ("SQS::Queue", "VisibilityTimeout", 30, 300),
    "long polls": ("SQS::Queue", "ReceiveMessageWaitTimeSeconds", None, 20),
    "a topic's name for people": ("SNS::Topic", "DisplayName", None, "Shop"),
    "one more tag of an image": (
        "ECS::TaskDefinition",
        "ContainerDefinitions",
        [CONTAINER],
        [CONTAINER | {"Image": "shop/web:2"}],
    ),
    "one more container": (
        "ECS::TaskDefinition",
        "ContainerDefinitions",
        [CONTAINER],
        [CONTAINER, CONTAINER | {"Name": "sidecar", "Essential": False}],
    ),
    "tags reach tasks": ("ECS::Service", "PropagateTags", "NONE", "SERVICE"),
    "a newer platform": ("ECS::Service", "PlatformVersion", "1.4.0", "LATEST"),
    "a rule is on": ("Events::Rule", "State", "DISABLED", "ENABLED"),
    "a rule in words": ("Events::Rule", "Description", None, "every night"),
    "a longer archive": ("Events::Archive", "RetentionDays", 7, 90),
    "a rule is stricter": (
        "WAFv2::WebACL",
        "Rules",
        [MANAGED | {"OverrideAction": {"Count": {}}, "Statement": {"ManagedRuleGroupStatement": GROUP}}],
        [MANAGED | {"Statement": {"ManagedRuleGroupStatement": GROUP}}],
    ),
    "metadata with a token": (
        "EC2::LaunchTemplate",
        "LaunchTemplateData.MetadataOptions.HttpTokens",
        "optional",
        "required",
    ),
    "longer passwords": ("Cognito::UserPool", "Policies.PasswordPolicy.MinimumLength", 8, 14),
    "a shorter sign-in": ("Cognito::UserPoolClient", "RefreshTokenValidity", 30, 1),
    "a guarded API": ("ApiGateway::Method", "AuthorizationType", "NONE", "AWS_IAM"),
    "a limit of an API": (
        "ApiGateway::Stage",
        "MethodSettings",
        [{"HttpMethod": "*", "ResourcePath": "/*"}],
        [{"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": 100}],
    ),
    "one more page may call": (
        "ApiGatewayV2::Api",
        "CorsConfiguration.AllowMethods",
        ["GET"],
        ["GET", "HEAD"],
    ),
    "a function has longer": ("Lambda::Function", "Timeout", 3, 30),
    "a function on ARM": ("Lambda::Function", "Architectures", ["x86_64"], ["arm64"]),
    "a function keeps more for itself": ("Lambda::Function", "ReservedConcurrentExecutions", 5, 10),
    "more disk": ("Lambda::Function", "EphemeralStorage.Size", 512, 2048),
    "a larger batch": ("Lambda::EventSourceMapping", "BatchSize", 10, 100),
    "HTTP/3": ("CloudFront::Distribution", "DistributionConfig.HttpVersion", "http2", "http2and3"),
    "more nodes of a search": ("OpenSearchService::Domain", "ClusterConfig.InstanceCount", 2, 3),
    "more shards": ("Kinesis::Stream", "ShardCount", 1, 2),
    "backups end later": (
        "Backup::BackupPlan",
        "BackupPlan.BackupPlanRule[]",
        RULE | {"Lifecycle": {"DeleteAfterDays": 7}},
        RULE | {"Lifecycle": {"DeleteAfterDays": 365}},
    ),
    "a boundary": ("IAM::Role", "PermissionsBoundary", None, "arn:aws:iam::111122223333:policy/limits"),
    "a shorter session": ("IAM::Role", "MaxSessionDuration", 43200, 3600),
    "a minimum in one case more": (
        "ApplicationAutoScaling::ScalableTarget",
        "MinCapacity",
        2,
        {"Fn::If": ["IsProduction", 4, 2]},
    ),
    "the same in both cases": (
        "ApplicationAutoScaling::ScalableTarget",
        "MinCapacity",
        {"Fn::If": ["IsProduction", 2, 2]},
        2,
    ),
    "a cluster's address is written out": (
        "EKS::Cluster",
        "ResourcesVpcConfig",
        {"SubnetIds": ["subnet-1"]},
        {"SubnetIds": ["subnet-1"], "EndpointPublicAccess": True, "PublicAccessCidrs": ["0.0.0.0/0"]},
    ),
    "a rate in other words": ("Events::Rule", "ScheduleExpression", "rate(1 day)", "cron(0 5 * * ? *)"),
    "days of the week by their numbers": (
        "Events::Rule",
        "ScheduleExpression",
        "cron(0 5 ? * MON-FRI *)",
        "cron(0 5 ? * 2-6 *)",
    ),
    "a cooldown is written out": (
        "ApplicationAutoScaling::ScalingPolicy",
        TRACKING,
        {"TargetValue": 60, "ScaleInCooldown": 300},
        {"TargetValue": 60},
    ),
    "a life cycle's rule is renamed": (
        "S3::Bucket",
        "LifecycleConfiguration.Rules[]",
        EXPIRY | {"Id": "old"},
        EXPIRY | {"Id": "expired"},
    ),
    "what is about tokens": (
        "Lambda::Function",
        "Environment.Variables",
        {"COLOUR": "blue"},
        {"TOKENIZER": "bert-base", "TOKEN_BUCKET": "tokens-of-the-shop"},
    ),
    "one more region": (
        "DynamoDB::GlobalTable",
        "Replicas",
        [{"Region": "us-east-1"}],
        [{"Region": "us-east-1"}, {"Region": "eu-west-1"}],
    ),
    "targets leave more slowly": (
        "ElasticLoadBalancingV2::TargetGroup",
        "TargetGroupAttributes",
        [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
        [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}],
    ),
}


@pytest.fixture(scope="module")
def flags_by_case(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Flag]]:
    cases = {case: row[:4] for case, row in BAD.items()} | HARMLESS
    names = {case: f"case-{number}" for number, case in enumerate(cases)}
    sides: list[dict[str, Any]] = [{}, {}]
    for case, (kind, path, *values) in cases.items():
        for side, value in zip(sides, values, strict=True):
            properties = {} if value is None else nested(path, value)
            conditions = {"IsProduction": {"Fn::Equals": [{"Ref": "AWS::StackName"}, "production"]}}
            resources = {"It": {"Type": f"AWS::{kind}", "Properties": properties}}
            side[names[case]] = {"Conditions": conditions, "Resources": resources}
    folder = tmp_path_factory.mktemp("settings")
    base, head = (write_assembly(folder / name, side) for name, side in zip(("base", "head"), sides, strict=True))
    found = review(read_assembly(base), read_assembly(head))
    return {case: [flag for flag in found.flags if flag.stack == name] for case, name in names.items()}


def test_a_function_that_never_runs_is_critical(flags_by_case: dict[str, list[Flag]]) -> None:
    cases = ("a function that never runs", "a function's first limit")

    assert [flag.severity for case in cases for flag in flags_by_case[case]] == ["critical", "critical"]


@pytest.mark.parametrize("case", BAD)
def test_flags_a_worse_setting_by_name(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    assert (BAD[case][4], "It") in {(flag.kind, flag.logical_id) for flag in flags_by_case[case]}


@pytest.mark.parametrize("case", HARMLESS)
def test_flags_nothing_in_another_setting(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    assert flags_by_case[case] == []
