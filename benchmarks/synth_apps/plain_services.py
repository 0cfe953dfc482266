"""The resources of `library_services.py`, written with the CDK's own classes: `python plain_services.py COUNT`."""

import sys

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

app = cdk.App()
env = cdk.Environment(region="us-east-1")
vpc = ec2.Vpc(cdk.Stack(app, "Network", env=env), "Vpc", nat_gateways=1)
for number in range(int(sys.argv[1])):
    stack = cdk.Stack(app, f"Service{number}", env=env)
    key = kms.Key(stack, "LogKey", enable_key_rotation=True)
    key.grant_encrypt_decrypt(iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com"))
    log_group = logs.LogGroup(stack, "Logs", retention=logs.RetentionDays.THREE_MONTHS, encryption_key=key)
    cluster = ecs.Cluster(stack, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.DISABLED)
    task_definition = ecs.FargateTaskDefinition(stack, "TaskDefinition", cpu=1024, memory_limit_mib=2048)
    parameters = ecs.LinuxParameters(stack, "LinuxParameters", init_process_enabled=True)
    parameters.add_tmpfs(
        ecs.Tmpfs(
            container_path="/tmp",
            size=64,
            mount_options=[ecs.TmpfsMountOption.NOEXEC, ecs.TmpfsMountOption.NOSUID, ecs.TmpfsMountOption.NODEV],
        )
    )
    task_definition.add_container(
        "app",
        image=ecs.ContainerImage.from_registry("httpd:2.4"),
        user="1000:1000",
        readonly_root_filesystem=True,
        linux_parameters=parameters,
        port_mappings=[ecs.PortMapping(container_port=8080)],
        stop_timeout=cdk.Duration.seconds(60),
        logging=ecs.LogDrivers.aws_logs(stream_prefix="app", log_group=log_group),
    )
    entrance = ec2.SecurityGroup(stack, "LoadBalancerSecurityGroup", vpc=vpc, allow_all_outbound=False)
    entrance.add_ingress_rule(ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.tcp(80))
    load_balancer = elbv2.ApplicationLoadBalancer(
        stack, "LoadBalancer", vpc=vpc, security_group=entrance, drop_invalid_header_fields=True
    )
    access_logs = s3.Bucket(
        stack,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        versioned=True,
        lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
    )
    load_balancer.log_access_logs(access_logs)
    tasks = ec2.SecurityGroup(stack, "ServiceSecurityGroup", vpc=vpc)
    service = ecs.FargateService(
        stack,
        "Service",
        cluster=cluster,
        task_definition=task_definition,
        security_groups=[tasks],
        circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
        min_healthy_percent=100,
        max_healthy_percent=200,
    )
    targets = elbv2.ApplicationTargetGroup(
        stack,
        "Targets",
        vpc=vpc,
        port=8080,
        protocol=elbv2.ApplicationProtocol.HTTP,
        targets=[service],
        health_check=elbv2.HealthCheck(path="/", interval=cdk.Duration.seconds(10)),
        deregistration_delay=cdk.Duration.seconds(30),
    )
    load_balancer.add_listener("Http", port=80, open=False, default_target_groups=[targets])
    scaling = service.auto_scale_task_count(min_capacity=2, max_capacity=10)
    scaling.scale_on_cpu_utilization("CpuAverage", target_utilization_percent=50)
    step = applicationautoscaling.StepScalingAction(
        stack,
        "Spikes",
        scaling_target=scaling,
        adjustment_type=applicationautoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
        metric_aggregation_type=applicationautoscaling.MetricAggregationType.MAXIMUM,
        cooldown=cdk.Duration.minutes(2),
    )
    step.add_adjustment(adjustment=3, lower_bound=0)
    alarm = cloudwatch.Alarm(
        stack,
        "SpikesAlarm",
        metric=service.metric_cpu_utilization(statistic=cloudwatch.Stats.MAXIMUM, period=cdk.Duration.minutes(1)),
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        threshold=80,
        evaluation_periods=1,
    )
    alarm.add_alarm_action(cloudwatch_actions.ApplicationScalingAction(step))
app.synth()
