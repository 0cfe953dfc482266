import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService, ServiceScaling, SpikeScaling, TrackingPolicy


@pytest.fixture
def make(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> Callable[..., Any]:
    """Makes the service `Api` with defaults, save those given."""

    def make_service(**props: Any) -> ScaledFargateService:
        placed = {} if "cluster" in props else {"vpc": vpc}
        return ScaledFargateService(stack, "Api", **{"image": image, **placed, **props})

    return make_service


@pytest.fixture
def certificate(stack: cdk.Stack) -> certificatemanager.ICertificate:
    return certificatemanager.Certificate.from_certificate_arn(
        stack, "Certificate", "arn:aws:acm:us-east-1:123456789012:certificate/1"
    )


def only(template: Any, type_: Any) -> Any:
    (resource,) = template.find_resources(type_).values()
    return resource["Properties"]


def test_never_renders_the_desired_count(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    SpikeScaling(stack, "Spikes", service=make(min_tasks=4, max_tasks=9))

    assert "DesiredCount" not in json.dumps(only(Template.from_stack(stack), "AWS::ECS::Service"))


def test_scales_between_the_bounds_on_the_average_cpu(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(
        min_tasks=3,
        max_tasks=30,
        target_percent=62.5,
        scale_in_cooldown=cdk.Duration.minutes(10),
        scale_out_cooldown=cdk.Duration.seconds(30),
    )

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {"MinCapacity": 3, "MaxCapacity": 30, "ScalableDimension": "ecs:service:DesiredCount"},
    )
    assert only(template, "AWS::ApplicationAutoScaling::ScalingPolicy")["TargetTrackingScalingPolicyConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "TargetValue": 62.5,
        "DisableScaleIn": False,
        "ScaleInCooldown": 600,
        "ScaleOutCooldown": 30,
    }


def test_a_deployment_keeps_every_task_and_is_rolled_back_when_it_fails(
    stack: cdk.Stack, make: Callable[..., Any]
) -> None:
    make()

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service",
        {
            "DeploymentConfiguration": {
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
            }
        },
    )


def test_tasks_run_in_private_subnets_without_a_public_address(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service",
        {
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "AssignPublicIp": "DISABLED",
                    "Subnets": ["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
                }
            }
        },
    )


def test_tasks_run_in_isolated_subnets_where_the_vpc_has_no_others(stack: cdk.Stack, image: ecs.ContainerImage) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Isolated",
        vpc_id="vpc-22222222",
        vpc_cidr_block="10.1.0.0/16",
        availability_zones=["us-east-1a"],
        isolated_subnet_ids=["subnet-eeeeeeee"],
    )
    ScaledFargateService(stack, "Api", vpc=vpc, image=image)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service", {"NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-eeeeeeee"]}}}
    )


def test_the_container_is_confined(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {
            "ContainerDefinitions": [
                {
                    "User": "1000:1000",
                    "ReadonlyRootFilesystem": True,
                    "LinuxParameters": {
                        "InitProcessEnabled": True,
                        "Tmpfs": [{"ContainerPath": "/tmp", "Size": 64, "MountOptions": ["noexec", "nosuid", "nodev"]}],
                    },
                }
            ]
        },
    )


def test_nothing_is_writable_where_no_folder_is_given(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(tmpfs_mib={})

    container = only(Template.from_stack(stack), "AWS::ECS::TaskDefinition")["ContainerDefinitions"][0]
    assert "Tmpfs" not in container["LinuxParameters"]
    assert "MountPoints" not in container


def test_task_size_architecture_port_and_environment_reach_the_task(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(
        cpu=512,
        memory_mib=1024,
        cpu_architecture=ecs.CpuArchitecture.ARM64,
        container_port=9000,
        environment={"MODE": "quick"},
    )

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {
            "Cpu": "512",
            "Memory": "1024",
            "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
            "ContainerDefinitions": [
                {
                    "PortMappings": [{"ContainerPort": 9000, "Protocol": "tcp"}],
                    "Environment": [{"Name": "MODE", "Value": "quick"}],
                }
            ],
        },
    )


def test_secrets_are_references_to_their_values(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    secret = secretsmanager.Secret(stack, "Secret")
    make(secrets={"TOKEN": ecs.Secret.from_secrets_manager(secret)})

    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {"ContainerDefinitions": [{"Secrets": [{"Name": "TOKEN", "ValueFrom": stack.resolve(secret.secret_arn)}]}]},
    )


def test_container_logs_are_encrypted_and_kept_three_months(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    template = Template.from_stack(stack)
    (key_id,) = template.find_resources("AWS::KMS::Key")
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"RetentionInDays": 90, "KmsKeyId": {"Fn::GetAtt": [key_id, "Arn"]}}
    )
    template.has_resource_properties(
        "AWS::KMS::Key",
        {
            "EnableKeyRotation": True,
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Principal": {
                                    "Service": {
                                        "Fn::Join": [
                                            "",
                                            ["logs.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}],
                                        ]
                                    }
                                },
                                "Condition": Match.object_like({"ArnLike": Match.any_value()}),
                            }
                        )
                    ]
                )
            },
        },
    )


def test_a_given_key_encrypts_the_logs(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    key = kms.Key(stack, "Key")
    make(log_encryption_key=key)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::KMS::Key", 1)
    template.has_resource_properties("AWS::Logs::LogGroup", {"KmsKeyId": stack.resolve(key.key_arn)})


def test_the_load_balancer_is_internal_and_drops_invalid_headers(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    Template.from_stack(stack).has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {
            "Scheme": "internal",
            "Subnets": ["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
            "LoadBalancerAttributes": Match.array_with(
                [{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"}]
            ),
        },
    )


def test_the_load_balancer_logs_to_a_bucket_of_its_own(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()

    bucket = stack.resolve(service.access_logs_bucket.bucket_name)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {
            "LoadBalancerAttributes": Match.array_with(
                [
                    {"Key": "access_logs.s3.enabled", "Value": "true"},
                    {"Key": "access_logs.s3.bucket", "Value": bucket},
                ]
            )
        },
    )
    template.has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Allow",
                                "Action": "s3:PutObject",
                                "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                            }
                        )
                    ]
                )
            }
        },
    )


def test_the_bucket_admits_the_logs_before_they_are_switched_on(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    template = Template.from_stack(stack)
    (policy_id,) = template.find_resources("AWS::S3::BucketPolicy")
    (load_balancer,) = template.find_resources("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    assert policy_id in load_balancer["DependsOn"]


def test_the_load_balancer_logs_to_a_given_bucket(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    bucket = s3.Bucket(stack, "Bucket")
    make(access_logs_bucket=bucket)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::S3::Bucket", 1)
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {
            "LoadBalancerAttributes": Match.array_with(
                [{"Key": "access_logs.s3.bucket", "Value": stack.resolve(bucket.bucket_name)}]
            )
        },
    )


def test_without_a_certificate_http_forwards_to_the_tasks(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()

    assert only(Template.from_stack(stack), "AWS::ElasticLoadBalancingV2::Listener") == {
        "Port": 80,
        "Protocol": "HTTP",
        "LoadBalancerArn": stack.resolve(service.load_balancer.load_balancer_arn),
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": stack.resolve(service.target_group.target_group_arn)}],
    }


def test_with_a_certificate_https_forwards_and_http_redirects(
    stack: cdk.Stack, make: Callable[..., Any], certificate: certificatemanager.ICertificate
) -> None:
    service = make(certificate=certificate)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::ElasticLoadBalancingV2::Listener", 2)
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::Listener",
        {
            "Protocol": "HTTPS",
            "Port": 443,
            "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
            "Certificates": [{"CertificateArn": certificate.certificate_arn}],
            "DefaultActions": [
                {"Type": "forward", "TargetGroupArn": stack.resolve(service.target_group.target_group_arn)}
            ],
        },
    )
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::Listener",
        {
            "Protocol": "HTTP",
            "DefaultActions": [
                {
                    "Type": "redirect",
                    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
                }
            ],
        },
    )


def test_a_certificate_given_later_replaces_no_listener(vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    def listener_ids(with_certificate: Any) -> set[Any]:
        stack = cdk.Stack(cdk.App(), "Stack")
        network = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-11111111",
            vpc_cidr_block="10.0.0.0/16",
            availability_zones=["a"],
            private_subnet_ids=["s"],
        )
        arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
        ScaledFargateService(
            stack,
            "Api",
            vpc=network,
            image=ecs.ContainerImage.from_registry("image"),
            certificate=certificatemanager.Certificate.from_certificate_arn(stack, "Certificate", arn)
            if with_certificate
            else None,
        )
        return set(Template.from_stack(stack).find_resources("AWS::ElasticLoadBalancingV2::Listener"))

    assert listener_ids(False) < listener_ids(True)


def test_the_load_balancer_is_reached_from_the_vpc_and_reaches_its_tasks_alone(
    stack: cdk.Stack, make: Callable[..., Any]
) -> None:
    service = make()

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": Match.string_like_regexp("Load balancer"),
            "SecurityGroupIngress": [Match.object_like({"CidrIp": "10.0.0.0/16", "FromPort": 80, "ToPort": 80})],
            "SecurityGroupEgress": Match.absent(),
        },
    )
    assert only(template, "AWS::EC2::SecurityGroupEgress") == {
        "Description": "Load balancer to target",
        "GroupId": stack.resolve(service.load_balancer_security_group.security_group_id),
        "DestinationSecurityGroupId": stack.resolve(service.service_security_group.security_group_id),
        "IpProtocol": "tcp",
        "FromPort": 8080,
        "ToPort": 8080,
    }


def test_tasks_are_reached_from_their_load_balancer_alone(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make(container_port=9000)

    template = Template.from_stack(stack)
    assert only(template, "AWS::EC2::SecurityGroupIngress") == {
        "Description": "Load balancer to target",
        "GroupId": stack.resolve(service.service_security_group.security_group_id),
        "SourceSecurityGroupId": stack.resolve(service.load_balancer_security_group.security_group_id),
        "IpProtocol": "tcp",
        "FromPort": 9000,
        "ToPort": 9000,
    }
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": Match.string_like_regexp("Tasks"), "SecurityGroupIngress": Match.absent()},
    )


def test_named_clients_alone_reach_the_load_balancer(
    stack: cdk.Stack, make: Callable[..., Any], certificate: certificatemanager.ICertificate
) -> None:
    make(certificate=certificate, clients=[ec2.Peer.ipv4("192.168.0.0/24")])

    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "SecurityGroupIngress": [
                Match.object_like({"CidrIp": "192.168.0.0/24", "FromPort": 80}),
                Match.object_like({"CidrIp": "192.168.0.0/24", "FromPort": 443}),
            ]
        },
    )


def test_tasks_connect_over_https_to_named_destinations_alone(
    stack: cdk.Stack, make: Callable[..., Any], vpc: ec2.IVpc
) -> None:
    endpoints = ec2.SecurityGroup(stack, "EndpointsGroup", vpc=vpc, allow_all_outbound=False)
    service = make(destinations=[endpoints, ec2.Peer.prefix_list("pl-1a2b3c"), ec2.Peer.ipv4("10.9.0.0/16")])
    database = ec2.Connections(
        security_groups=[ec2.SecurityGroup(stack, "Database", vpc=vpc)], default_port=ec2.Port.tcp(5432)
    )
    database.allow_default_port_from(service)

    template = Template.from_stack(stack)
    tasks = stack.resolve(service.service_security_group.security_group_id)
    separate = [
        rule["Properties"]
        for rule in template.find_resources("AWS::EC2::SecurityGroupEgress").values()
        if rule["Properties"]["GroupId"] == tasks
    ]
    inline = template.to_json()["Resources"][tasks["Fn::GetAtt"][0]]["Properties"].get("SecurityGroupEgress", [])
    assert sorted(rule["FromPort"] for rule in [*separate, *inline]) == [443, 443, 443, 5432]
    assert {rule["IpProtocol"] for rule in [*separate, *inline]} == {"tcp"}
    assert [rule["CidrIp"] for rule in inline] == ["10.9.0.0/16"]
    assert "pl-1a2b3c" in [rule.get("DestinationPrefixListId") for rule in separate]
    # The rules are there before the first task has to pull its image.
    (ecs_service,) = template.find_resources("AWS::ECS::Service").values()
    of_rules = [
        name
        for name, rule in template.find_resources("AWS::EC2::SecurityGroupEgress").items()
        if rule["Properties"] in separate and rule["Properties"]["FromPort"] == 443
    ]
    assert set(of_rules) <= set(ecs_service["DependsOn"])


def test_the_internet_reaches_it_where_that_was_asked_for(
    stack: cdk.Stack, make: Callable[..., Any], certificate: certificatemanager.ICertificate
) -> None:
    make(internet_facing=True, certificate=certificate)

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {"Scheme": "internet-facing", "Subnets": ["subnet-cccccccc", "subnet-dddddddd"]},
    )
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "SecurityGroupIngress": Match.array_with(
                [Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 443, "ToPort": 443})]
            )
        },
    )


def test_health_checks_and_draining_are_settings(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(
        health_check_path="/health",
        health_check_interval=cdk.Duration.seconds(20),
        health_check_grace_period=cdk.Duration.minutes(3),
        deregistration_delay=cdk.Duration.seconds(90),
    )

    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 20,
            "TargetGroupAttributes": Match.array_with([{"Key": "deregistration_delay.timeout_seconds", "Value": "90"}]),
        },
    )
    template.has_resource_properties("AWS::ECS::Service", {"HealthCheckGracePeriodSeconds": 180})


def test_deletion_protection_is_a_setting(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(deletion_protection=True)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {"LoadBalancerAttributes": Match.array_with([{"Key": "deletion_protection.enabled", "Value": "true"}])},
    )


@pytest.mark.parametrize(
    ("removal_policy", "rendered"), [(cdk.RemovalPolicy.DESTROY, "Delete"), (cdk.RemovalPolicy.RETAIN, "Retain")]
)
def test_the_removal_policy_covers_logs_access_logs_and_key(
    stack: cdk.Stack, make: Callable[..., Any], removal_policy: cdk.RemovalPolicy, rendered: str
) -> None:
    make(removal_policy=removal_policy)

    template = Template.from_stack(stack)
    for type_ in ("AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::KMS::Key"):
        template.has_resource(type_, {"DeletionPolicy": rendered})


def test_runs_in_a_given_cluster_and_its_vpc(stack: cdk.Stack, make: Callable[..., Any], vpc: ec2.IVpc) -> None:
    cluster = ecs.Cluster(stack, "Shared", vpc=vpc)
    service = make(cluster=cluster)

    template = Template.from_stack(stack)
    template.resource_count_is("AWS::ECS::Cluster", 1)
    template.has_resource_properties("AWS::ECS::Service", {"Cluster": stack.resolve(cluster.cluster_name)})
    assert service.cluster.cluster_name == cluster.cluster_name


def test_container_insights_are_off_unless_asked_for(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make()

    assert only(Template.from_stack(stack), "AWS::ECS::Cluster")["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "disabled"}
    ]


def test_container_insights_are_on_where_asked_for(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    make(container_insights=ecs.ContainerInsights.ENHANCED)

    assert only(Template.from_stack(stack), "AWS::ECS::Cluster")["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "enhanced"}
    ]


def test_grants_reach_the_role_of_the_tasks(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    service = make()
    s3.Bucket(stack, "Data").grant_read(service)

    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": [Match.object_like({"Action": ["s3:GetObject*", "s3:GetBucket*", "s3:List*"]})]
            },
            "Roles": [stack.resolve(service.task_definition.task_role.role_name)],
        },
    )


def test_scaling_reads_back_what_was_declared(make: Callable[..., Any]) -> None:
    service = make(min_tasks=3, max_tasks=8, target_percent=55)

    assert service.scaling == ServiceScaling(
        min_tasks=3,
        max_tasks=8,
        tracking=(
            TrackingPolicy(
                metric="ECSServiceAverageCPUUtilization",
                target=55,
                scale_in_cooldown_seconds=300,
                scale_out_cooldown_seconds=60,
            ),
        ),
    )


def test_scaling_reads_back_the_lowest_of_several_targets(make: Callable[..., Any]) -> None:
    service = make(target_percent=55)
    service.scalable_target.scale_on_cpu_utilization("Lower", target_utilization_percent=45)

    assert service.scaling.target_percent == 45


@pytest.mark.parametrize(
    ("name", "metric", "statistic"),
    [
        ("metric_cpu_average", "CPUUtilization", "Average"),
        ("metric_cpu_maximum", "CPUUtilization", "Maximum"),
        ("metric_running_tasks", "CPUUtilization", "SampleCount"),
        ("metric_request_count", "RequestCount", "Sum"),
    ],
)
def test_metrics_are_of_one_minute(make: Callable[..., Any], name: str, metric: str, statistic: str) -> None:
    made = getattr(make(), name)()

    assert (made.metric_name, made.statistic, made.period.to_seconds()) == (metric, statistic, 60)


def test_takes_numbers_known_at_deployment_only(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    number = cdk.CfnParameter(stack, "Number", type="Number").value_as_number
    make(min_tasks=number, max_tasks=number, target_percent=number)

    Template.from_stack(stack).has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": {"Ref": "Number"}}
    )


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"min_tasks": 0}, "min_tasks: got 0, allowed: a whole number, at least 1"),
        ({"min_tasks": 5, "max_tasks": 4}, r"min_tasks: got 5, allowed: at most max_tasks \(4\)"),
        ({"target_percent": 0}, "target_percent: got 0, allowed: a number, 1 to 100"),
        ({"target_percent": 101}, "target_percent: got 101, allowed: a number, 1 to 100"),
        ({"target_percent": float("nan")}, "target_percent: got nan, allowed: a number, 1 to 100"),
        ({"cpu": 1000}, "cpu: got 1000, allowed: 256, 512, 1024"),
        ({"memory_mib": 1000}, "memory_mib: got 1000, allowed: 2048 to 8192 in steps of 1024 with cpu=1024"),
        ({"user": "root"}, "user: got 'root', allowed: any user but root"),
        ({"user": "0:1000"}, "user: got '0:1000', allowed: any user but root"),
        ({"user": ""}, "user: got '', allowed: any user but root"),
        ({"internet_facing": True}, "certificate: got none with internet_facing=True, allowed: an ACM certificate"),
    ],
)
def test_fails_when_a_setting_is_impossible(make: Callable[..., Any], props: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make(**props)


def test_fails_when_neither_vpc_nor_cluster_is_given(stack: cdk.Stack, image: ecs.ContainerImage) -> None:
    with pytest.raises(ValueError, match=r"^vpc and cluster: got neither, allowed: exactly one"):
        ScaledFargateService(stack, "Api", image=image)


def test_fails_when_both_vpc_and_cluster_are_given(stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage) -> None:
    with pytest.raises(ValueError, match=r"^vpc and cluster: got both, allowed: exactly one"):
        ScaledFargateService(stack, "Api", image=image, vpc=vpc, cluster=ecs.Cluster(stack, "Shared", vpc=vpc))


def test_fails_when_container_insights_are_asked_of_a_given_cluster(
    stack: cdk.Stack, vpc: ec2.IVpc, make: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=r"^container_insights: got ENABLED with a cluster, allowed: with vpc only"):
        make(cluster=ecs.Cluster(stack, "Shared", vpc=vpc), container_insights=ecs.ContainerInsights.ENABLED)


def test_fails_when_the_vpc_has_public_subnets_only(stack: cdk.Stack, image: ecs.ContainerImage) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Public",
        vpc_id="vpc-22222222",
        vpc_cidr_block="10.1.0.0/16",
        availability_zones=["a"],
        public_subnet_ids=["s"],
    )
    with pytest.raises(ValueError, match=r"^vpc: got one with public subnets only"):
        ScaledFargateService(
            stack,
            "Api",
            vpc=vpc,
            image=image,
        )


def test_fails_when_the_access_logs_would_be_encrypted_with_a_key(stack: cdk.Stack, make: Callable[..., Any]) -> None:
    bucket = s3.Bucket(stack, "Bucket", encryption=s3.BucketEncryption.KMS)

    with pytest.raises(ValueError, match=r"^access_logs_bucket: got one with a KMS key"):
        make(access_logs_bucket=bucket)
