"""Property rules beyond the core of a service: databases, entry points, sign-in, clusters, builds, backups."""

from __future__ import annotations

from cdk_review.judges.rule import rules_of

ANYWHERE = ("0.0.0.0/0", "::/0")
_TLS = ("TLS_1_3", "TLS_1_2", "TLS_1_0")

FURTHER_RULES = [
    *rules_of(
        "RDS::DBInstance",
        ("DBInstanceClass", "smaller", "capacity", "medium", "its class"),
        ("MonitoringInterval", "zero", "logging", "low", "seconds between enhanced metrics", 0),
        ("EnablePerformanceInsights", "off", "logging", "low", "Performance Insights"),
        ("AutoMinorVersionUpgrade", (True, None, False), "loosened", "low", "upgrades of minor versions"),
        ("DeleteAutomatedBackups", (False, None, True), "retention", "medium", "the deletion of backups with it"),
    ),
    *rules_of(
        "RDS::DBCluster",
        ("ServerlessV2ScalingConfiguration.MinCapacity", "lower", "capacity", "medium", "minimum capacity units"),
        ("ServerlessV2ScalingConfiguration.MaxCapacity", "lower", "capacity", "medium", "maximum capacity units"),
        ("EnableHttpEndpoint", "on", "widened", "medium", "the Data API"),
        ("BacktrackWindow", "lower", "retention", "medium", "seconds of its backtrack window"),
    ),
    *(
        rule
        for group in ("RDS::DBParameterGroup", "RDS::DBClusterParameterGroup")
        for rule in rules_of(
            group,
            *(
                (f"Parameters.{name}", ("1", "0"), "encryption", "high", f"that only TLS is taken ({name})")
                for name in (r"rds\.force_ssl", "require_secure_transport")
            ),
        )
    ),
    *rules_of(
        "DynamoDB::GlobalTable",
        ("Replicas", "shorter", "removed", "high", "its replicas"),
        ("Replicas[].DeletionProtectionEnabled", "off", "retention", "high", "deletion protection"),
        (
            "Replicas[].PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
            "off",
            "retention",
            "high",
            "point-in-time recovery",
        ),
        ("SSESpecification.SSEEnabled", "off", "encryption", "high", "encryption with a KMS key"),
    ),
    *rules_of(
        "S3::Bucket",
        ("ReplicationConfiguration", "gone", "retention", "high", "its replication"),
        ("NotificationConfiguration", "gone", "silenced", "high", "its notifications"),
        ("ObjectLockConfiguration", "gone", "retention", "high", "the retention of locked objects"),
        (
            "ObjectLockConfiguration.Rule.DefaultRetention.Days",
            "lower",
            "retention",
            "high",
            "days that objects are locked",
        ),
        (
            "ObjectLockConfiguration.Rule.DefaultRetention.Mode",
            ("COMPLIANCE", "GOVERNANCE"),
            "retention",
            "high",
            "the mode in which objects are locked",
        ),
        (
            "OwnershipControls.Rules[].ObjectOwnership",
            ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"),
            "widened",
            "medium",
            "who owns objects",
        ),
        ("CorsConfiguration.CorsRules[].AllowedOrigins", "gains", "widened", "medium", "pages that may call", ("*",)),
    ),
    *rules_of(
        "SQS::Queue",
        ("VisibilityTimeout", "lower", "loosened", "low", "seconds until a message is taken again", 30),
    ),
    *rules_of(
        "ECS::TaskDefinition",
        (
            "Volumes[].EFSVolumeConfiguration.TransitEncryption",
            ("ENABLED", None, "DISABLED"),
            "encryption",
            "high",
            "encryption in transit",
        ),
        ("ContainerDefinitions[].Memory", "lower", "capacity", "medium", "MiB of a container"),
        ("ContainerDefinitions[].Cpu", "lower", "capacity", "low", "CPU units of a container"),
    ),
    *rules_of("Events::Archive", ("RetentionDays", "lower", "retention", "medium", "days that events are kept")),
    *rules_of("Pipes::Pipe", ("DesiredState", ("RUNNING", "STOPPED"), "silenced", "high", "its state", "RUNNING")),
    *rules_of("Glue::Trigger", ("StartOnCreation", "off", "silenced", "medium", "that it starts")),
    *(
        rule
        for template, below in (("EC2::LaunchTemplate", "LaunchTemplateData."), ("EC2::Instance", ""))
        for rule in rules_of(
            template,
            (
                f"{below}MetadataOptions.HttpTokens",
                ("required", "optional", None),
                "loosened",
                "high",
                "metadata tokens",
            ),
            (f"{below}BlockDeviceMappings[].Ebs.Encrypted", "off", "encryption", "high", "encryption"),
            (f"{below}InstanceType", "smaller", "capacity", "medium", "its instance type"),
        )
    ),
    *rules_of("EC2::NetworkAclEntry", ("CidrBlock", "gains", "public", "high", "its addresses", ANYWHERE)),
    *rules_of(
        "AutoScaling::AutoScalingGroup",
        ("HealthCheckType", ("ELB", "EC2", None), "loosened", "medium", "what its health is judged by"),
        ("HealthCheckGracePeriod", "higher", "loosened", "low", "seconds without a health check after a start", 0),
    ),
    *rules_of("Logs::LogGroup", ("DataProtectionPolicy", "gone", "loosened", "high", "its masks of personal data")),
    *rules_of(
        "Logs::MetricFilter", ("FilterPattern", "other", "silenced", "medium", "what it finds and alarms may count on")
    ),
    *rules_of("Logs::SubscriptionFilter", ("FilterPattern", "other", "silenced", "low", "what it hands on")),
    *rules_of(
        "Cognito::UserPool",
        (
            "UserPoolAddOns.AdvancedSecurityMode",
            ("ENFORCED", "AUDIT", "OFF", None),
            "loosened",
            "high",
            "protection from stolen passwords",
        ),
        *(
            (
                f"Policies.PasswordPolicy.{name}",
                (True, None, False),
                "loosened",
                "medium",
                f"a rule of passwords ({name})",
            )
            for name in ("RequireLowercase", "RequireNumbers", "RequireSymbols", "RequireUppercase")
        ),
    ),
    *rules_of(
        "Cognito::UserPoolClient",
        ("RefreshTokenValidity", "higher", "loosened", "medium", "how long a sign-in lasts", 30),
        ("AllowedOAuthFlows", "gains", "loosened", "high", "its flows", ("implicit",)),
        ("PreventUserExistenceErrors", ("ENABLED", "LEGACY", None), "loosened", "medium", "what it says of accounts"),
        ("EnableTokenRevocation", (True, None, False), "loosened", "medium", "that tokens can be revoked"),
    ),
    *rules_of("Cognito::IdentityPool", ("AllowUnauthenticatedIdentities", "on", "public", "critical", "guests")),
    *rules_of(
        "ApiGateway::RestApi",
        ("EndpointConfiguration.Types[]", ("PRIVATE", "REGIONAL"), "public", "critical", "its endpoint"),
        ("EndpointConfiguration.Types[]", ("PRIVATE", "EDGE"), "public", "critical", "its endpoint"),
        ("DisableExecuteApiEndpoint", "off", "public", "high", "that its own address is off"),
    ),
    *rules_of(
        "ApiGateway::Stage",
        ("MethodSettings[].ThrottlingRateLimit", "gone", "loosened", "high", "a limit of requests"),
        ("MethodSettings[].ThrottlingRateLimit", "higher", "loosened", "low", "requests a second"),
        ("MethodSettings[].LoggingLevel", ("INFO", "ERROR", "OFF"), "logging", "medium", "the level of its log"),
    ),
    *rules_of(
        "ApiGatewayV2::Stage",
        ("AccessLogSettings", "gone", "logging", "medium", "its access log"),
        ("DefaultRouteSettings.ThrottlingRateLimit", "gone", "loosened", "high", "a limit of requests"),
    ),
    *rules_of(
        "ApiGatewayV2::Api",
        ("CorsConfiguration.AllowOrigins", "gains", "widened", "medium", "pages that may call", ("*",)),
        ("DisableExecuteApiEndpoint", "off", "public", "high", "that its own address is off"),
    ),
    *rules_of("ApiGateway::DomainName", ("SecurityPolicy", _TLS, "encryption", "high", "the minimum TLS version")),
    *rules_of(
        "AppSync::GraphQLApi",
        *(
            ("AuthenticationType", (kind, "API_KEY"), "public", "high", "who may call it")
            for kind in ("AWS_IAM", "AMAZON_COGNITO_USER_POOLS", "OPENID_CONNECT", "AWS_LAMBDA")
        ),
        ("LogConfig", "gone", "logging", "medium", "its log"),
    ),
    *rules_of("Lambda::Url", ("Cors.AllowOrigins", "gains", "widened", "medium", "pages that may call", ("*",))),
    *rules_of(
        "Lambda::EventInvokeConfig",
        ("DestinationConfig.OnFailure", "gone", "loosened", "high", "where failed events go"),
        ("MaximumRetryAttempts", "lower", "loosened", "medium", "tries after a failure", 2),
        ("MaximumEventAgeInSeconds", "lower", "loosened", "low", "seconds that an event may wait", 21_600),
    ),
    *rules_of(
        "CloudFront::Distribution",
        (
            "DistributionConfig.Origins[].CustomOriginConfig.OriginProtocolPolicy",
            ("https-only", "match-viewer", "http-only"),
            "encryption",
            "high",
            "how it fetches",
        ),
        (
            "DistributionConfig.Restrictions.GeoRestriction.RestrictionType",
            ("whitelist", "none"),
            "public",
            "medium",
            "which countries it serves",
        ),
        (
            "DistributionConfig.CacheBehaviors[].ViewerProtocolPolicy",
            ("https-only", "redirect-to-https", "allow-all"),
            "encryption",
            "high",
            "what it takes of HTTP",
        ),
    ),
    *rules_of(
        "ElastiCache::ReplicationGroup",
        ("NumCacheClusters", "lower", "capacity", "high", "nodes"),
        ("NumNodeGroups", "lower", "capacity", "high", "shards"),
        ("ReplicasPerNodeGroup", "lower", "capacity", "high", "replicas of a shard"),
        ("CacheNodeType", "smaller", "capacity", "medium", "its node type"),
        ("MultiAZEnabled", "off", "capacity", "high", "nodes in several zones"),
    ),
    *rules_of(
        "ElastiCache::ServerlessCache",
        ("SnapshotRetentionLimit", "lower", "retention", "high", "days that snapshots are kept", 0),
    ),
    *rules_of(
        "OpenSearchService::Domain",
        ("ClusterConfig.InstanceCount", "lower", "capacity", "high", "nodes"),
        ("ClusterConfig.ZoneAwarenessEnabled", "off", "capacity", "high", "nodes in several zones"),
        (
            "DomainEndpointOptions.TLSSecurityPolicy",
            (
                "Policy-Min-TLS-1-2-PFS-2023-10",
                "Policy-Min-TLS-1-2-2019-07",
                "Policy-Min-TLS-1-0-2019-07",
            ),
            "encryption",
            "high",
            "the minimum TLS version",
        ),
        ("AdvancedSecurityOptions.Enabled", "off", "loosened", "high", "access control of its own"),
    ),
    *rules_of(
        "MSK::Cluster",
        ("NumberOfBrokerNodes", "lower", "capacity", "high", "brokers"),
        (
            "EncryptionInfo.EncryptionInTransit.ClientBroker",
            ("TLS", "TLS_PLAINTEXT", "PLAINTEXT"),
            "encryption",
            "high",
            "encryption in transit",
        ),
    ),
    *rules_of("Kinesis::Stream", ("ShardCount", "lower", "capacity", "medium", "shards")),
    *rules_of(
        "Redshift::Cluster",
        ("NumberOfNodes", "lower", "capacity", "high", "nodes"),
        ("AutomatedSnapshotRetentionPeriod", "lower", "retention", "high", "days that snapshots are kept", 1),
    ),
    *rules_of(
        "EKS::Cluster",
        ("ResourcesVpcConfig.EndpointPrivateAccess", "off", "public", "medium", "an address in the VPC"),
        ("EncryptionConfig", "gone", "encryption", "high", "the key that encrypts secrets"),
        ("Logging.ClusterLogging.EnabledTypes", "shorter", "logging", "medium", "its logs"),
    ),
    *rules_of(
        "Backup::BackupPlan",
        ("BackupPlan.BackupPlanRule", "shorter", "retention", "high", "its rules"),
        (
            "BackupPlan.BackupPlanRule[].Lifecycle.DeleteAfterDays",
            "lower",
            "retention",
            "high",
            "days that backups are kept",
        ),
    ),
    *rules_of("Backup::BackupVault", ("LockConfiguration", "gone", "retention", "critical", "its lock")),
    *(
        rule
        for identity in ("IAM::Role", "IAM::User")
        for rule in rules_of(
            identity,
            ("PermissionsBoundary", "gone", "widened", "high", "its permissions boundary"),
            ("MaxSessionDuration", "higher", "widened", "low", "seconds that a session lasts", 3600),
        )
    ),
    *rules_of("GuardDuty::Detector", ("Enable", "off", "logging", "critical", "that it watches")),
    *rules_of("Config::ConfigurationRecorder", ("RecordingGroup.AllSupported", "off", "logging", "high", "all types")),
    *rules_of("CodeBuild::Project", ("Environment.PrivilegedMode", "on", "widened", "high", "privileged builds")),
    *rules_of(
        "Athena::WorkGroup",
        (
            "WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration",
            "gone",
            "encryption",
            "high",
            "encryption of results",
        ),
        ("WorkGroupConfiguration.EnforceWorkGroupConfiguration", "off", "loosened", "medium", "that it is enforced"),
        ("WorkGroupConfiguration.BytesScannedCutoffPerQuery", "gone", "cost", "medium", "its limit of a query"),
    ),
    *rules_of(
        "KinesisFirehose::DeliveryStream",
        ("DeliveryStreamEncryptionConfigurationInput", "gone", "encryption", "high", "encryption"),
    ),
    *rules_of("Route53::HostedZone", ("QueryLoggingConfig", "gone", "logging", "medium", "its log of queries")),
    *rules_of("Synthetics::Canary", ("StartCanaryAfterCreation", "off", "silenced", "medium", "that it runs")),
]
