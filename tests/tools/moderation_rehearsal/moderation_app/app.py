"""A moderation system in one file: every resource type that the reference system has, and programs of a few lines.

With a bucket of models in the context (`models`, `model`) there is an endpoint too that a deployment releases.
"""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_ecs_patterns as ecs_patterns
from aws_cdk import aws_elasticloadbalancingv2 as elasticloadbalancing
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions

from cdk_fargate_sagemaker.monitoring import EndpointAlarms
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    EndpointScaling,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
    TrafficShifting,
)

ENDPOINT = "moderation-fixture"
NOTIFY = """
import json, os, urllib.request, boto3
def handler(event, context):
    secrets = boto3.client("secretsmanager")
    url = secrets.get_secret_value(SecretId=os.environ["SLACK_WEBHOOK_SECRET_ARN"])["SecretString"]
    for record in event["Records"]:
        body = json.dumps({"text": record["Sns"]["Message"]}).encode()
        urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=5)
"""


def task(resource: str, arguments: object, following: str, **more: object) -> dict[str, object]:
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "NotifySlackFailure", "Output": "{% $states.errorOutput %}"}]
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "Next": following}
    return {**state, "Catch": caught, **more}


def definition(role: str, training: str, inference: str, bucket: str, topic: str, mode: str) -> dict[str, object]:
    name = "{% $states.context.Execution.Name %}"
    output = f"s3://{bucket}/models/"
    absent = [
        {"ErrorEquals": ["SageMaker.SageMakerException"], "Next": "Endpoint-Creating-Step"},
    ]
    endpoint = {"EndpointName": ENDPOINT, "EndpointConfigName": name}
    return {
        "QueryLanguage": "JSONata",
        "StartAt": "Train",
        "States": {
            "Train": task(
                "sagemaker:createTrainingJob.sync",
                {
                    "TrainingJobName": name,
                    "RoleArn": role,
                    "AlgorithmSpecification": {"TrainingImage": training, "TrainingInputMode": "File"},
                    "HyperParameters": {"mode": mode},
                    "InputDataConfig": [
                        {
                            "ChannelName": "train",
                            "DataSource": {
                                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/posts/"}
                            },
                        }
                    ],
                    "OutputDataConfig": {"S3OutputPath": output},
                    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
                    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                },
                "Model-Creating-Step",
            ),
            "Model-Creating-Step": task(
                "sagemaker:createModel",
                {
                    "ModelName": name,
                    "ExecutionRoleArn": role,
                    "PrimaryContainer": {
                        "Image": inference,
                        "ModelDataUrl": "{% $states.input.ModelArtifacts.S3ModelArtifacts %}",
                        "Environment": {"MODEL_NAME": name},
                    },
                },
                "EndpointConfig-Step",
            ),
            "EndpointConfig-Step": task(
                "sagemaker:createEndpointConfig",
                {
                    "EndpointConfigName": name,
                    "ProductionVariants": [
                        {
                            "VariantName": "AllTraffic",
                            "ModelName": name,
                            "InitialInstanceCount": 1,
                            "InstanceType": "ml.m5.large",
                        }
                    ],
                },
                "Endpoint-Describing-Step",
            ),
            "Endpoint-Describing-Step": task(
                "aws-sdk:sagemaker:describeEndpoint",
                {"EndpointName": ENDPOINT},
                "Endpoint-Updating-Step",
                Catch=absent,
            ),
            "Endpoint-Creating-Step": task("sagemaker:createEndpoint", endpoint, "Wait"),
            "Endpoint-Updating-Step": task("sagemaker:updateEndpoint", endpoint, "Wait"),
            "Wait": {"Type": "Wait", "Seconds": 10, "Next": "Describe"},
            "Describe": task("aws-sdk:sagemaker:describeEndpoint", {"EndpointName": ENDPOINT}, "In-Service"),
            "In-Service": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Condition": "{% $states.input.EndpointStatus in ['Creating', 'Updating'] %}",
                        "Next": "Wait",
                    },
                    {
                        "Condition": "{% $states.input.EndpointStatus = 'InService' and "
                        "$states.input.EndpointConfigName = $states.context.Execution.Name %}",
                        "Next": "Released",
                    },
                ],
                "Default": "NotifySlackFailure",
            },
            "Released": {"Type": "Succeed"},
            "NotifySlackFailure": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Arguments": {"TopicArn": topic, "Message": "{% $string($states.input) %}"},
                "Next": "Failed",
            },
            "Failed": {"Type": "Fail", "Error": "ReleaseFailed", "Cause": "see the alert"},
        },
    }


def may(grantee: iam.IGrantable, actions: list[str], *resources: str) -> None:
    grantee.grant_principal.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=list(resources)))


class Alerts(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str) -> None:
        super().__init__(scope, id)
        key = kms.Key(self, "Key", enable_key_rotation=True, removal_policy=cdk.RemovalPolicy.DESTROY)
        # Rules of the other stacks publish.
        key.grant_encrypt_decrypt(iam.ServicePrincipal("events.amazonaws.com"))
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        secret = secretsmanager.Secret(self, "SlackWebhook")
        lost = sqs.Queue(self, "Lost", enforce_ssl=True, encryption=sqs.QueueEncryption.KMS_MANAGED)
        notifier = lambda_.Function(
            self,
            "Notifier",
            code=lambda_.Code.from_inline(NOTIFY),
            handler="index.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            timeout=cdk.Duration.seconds(20),
            dead_letter_queue=lost,
            log_group=logs.LogGroup(self, "NotifierLogs", retention=logs.RetentionDays.ONE_MONTH),
            environment={"SLACK_WEBHOOK_SECRET_ARN": secret.secret_arn},
        )
        secret.grant_read(notifier)
        self.topic.add_subscription(subscriptions.LambdaSubscription(notifier))
        cdk.CfnOutput(self, "AlertsTopicArn", value=self.topic.topic_arn)
        cdk.CfnOutput(self, "SlackWebhookSecretName", value=secret.secret_name)


class Model(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, id)
        access = s3.Bucket(self, "Access", enforce_ssl=True)
        data = s3.Bucket(self, "Data", enforce_ssl=True, versioned=True, server_access_logs_bucket=access)
        role = iam.Role(self, "SageMakerRole", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        data.grant_read_write(role)
        training, inference = (
            ModelImage.from_asset(name).bind(self, name.title(), puller=role) for name in ("training", "inference")
        )
        may(
            role,
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            "arn:aws:logs:*:*:log-group:/aws/sagemaker/*",
        )
        may(role, ["cloudwatch:PutMetricData"], "*")
        mode = self.node.try_get_context("mode") or "ok"
        machine = stepfunctions.StateMachine(
            self,
            "Release",
            definition_body=stepfunctions.DefinitionBody.from_string(
                cdk.Stack.of(self).to_json_string(
                    definition(
                        role.role_arn,
                        training,
                        inference,
                        data.bucket_name,
                        topic.topic_arn,
                        mode,
                    )
                )
            ),
            logs=stepfunctions.LogOptions(
                destination=logs.LogGroup(self, "ReleaseLogs"), level=stepfunctions.LogLevel.ALL
            ),
            tracing_enabled=True,
        )
        topic.grant_publish(machine)
        role.grant_pass_role(machine.role)
        jobs = [f"sagemaker:{action}" for action in ("AddTags", "DescribeTrainingJob", "ListTags", "StopTrainingJob")]
        may(machine, ["sagemaker:CreateTrainingJob", *jobs], "arn:aws:sagemaker:*:*:training-job/*")
        may(machine, ["sagemaker:CreateModel"], "arn:aws:sagemaker:*:*:model/*")
        may(
            machine,
            [f"sagemaker:{action}" for action in ("CreateEndpoint", "CreateEndpointConfig", "UpdateEndpoint")],
            "arn:aws:sagemaker:*:*:endpoint-config/*",
            f"arn:aws:sagemaker:*:*:endpoint/{ENDPOINT}",
        )
        may(machine, ["sagemaker:DescribeEndpoint"], f"arn:aws:sagemaker:*:*:endpoint/{ENDPOINT}")
        may(
            machine,
            ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            "arn:aws:events:*:*:rule/StepFunctionsGetEventsForSageMakerTrainingJobsRule",
        )
        events.Rule(
            self,
            "Ended",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail={"stateMachineArn": [machine.state_machine_arn], "status": ["ABORTED", "TIMED_OUT"]},
            ),
            targets=[targets.SnsTopic(topic)],
        )
        events.Rule(
            self,
            "Weekly",
            schedule=events.Schedule.rate(cdk.Duration.days(7)),
            targets=[targets.SfnStateMachine(machine)],
        )
        cdk.CfnOutput(self, "DataBucketName", value=data.bucket_name)
        cdk.CfnOutput(self, "PostsPrefix", value="posts/")
        cdk.CfnOutput(self, "ReleaseWorkflowArn", value=machine.state_machine_arn)
        cdk.CfnOutput(self, "EndpointName", value=ENDPOINT)


class Service(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        vpc = ec2.Vpc(self, "Vpc", availability_zones=["us-east-1a", "us-east-1b"], nat_gateways=1)
        vpc.add_flow_log("FlowLog")
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        vpc.add_interface_endpoint("Logs", service=ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS)
        cluster = ecs.Cluster(self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED)
        token = secretsmanager.Secret(self, "Token", secret_string_value=cdk.SecretValue.unsafe_plain_text("s3cr3t"))
        pattern = ecs_patterns.ApplicationLoadBalancedFargateService(
            self,
            "Service",
            cluster=cluster,
            cpu=256,
            memory_limit_mib=512,
            min_healthy_percent=100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            task_image_options=ecs_patterns.ApplicationLoadBalancedTaskImageOptions(
                image=ecs.ContainerImage.from_asset("api"),
                container_port=8080,
                environment={
                    "ENDPOINT_NAME": ENDPOINT,
                    "THRESHOLD": self.node.try_get_context("threshold") or "0.5",
                    "PORT": "8080",
                },
                secrets={"TOKEN": ecs.Secret.from_secrets_manager(token)},
            ),
        )
        task_role = pattern.task_definition.task_role
        may(task_role, ["sagemaker:InvokeEndpoint"], f"arn:aws:sagemaker:*:*:endpoint/{ENDPOINT}")
        pattern.load_balancer.log_access_logs(s3.Bucket(self, "Logs", enforce_ssl=True))
        service = pattern.service
        resource = service.node.default_child
        assert isinstance(resource, ecs.CfnService)
        resource.add_property_deletion_override("DesiredCount")  # a deploy must not reset it
        scaling = service.auto_scale_task_count(min_capacity=2, max_capacity=10)
        scaling.scale_on_cpu_utilization("Cpu", target_utilization_percent=60)
        scaling.scale_on_schedule("Morning", schedule=autoscaling.Schedule.cron(hour="8", minute="0"), min_capacity=2)
        hot = float(self.node.try_get_context("spike") or 80)
        spike = service.metric_cpu_utilization(statistic="Maximum", period=cdk.Duration.minutes(1))
        scaling.scale_on_metric(
            "Spike",
            metric=spike,
            scaling_steps=[
                autoscaling.ScalingInterval(upper=hot, change=0),
                autoscaling.ScalingInterval(lower=hot, change=3),
            ],
            adjustment_type=autoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
            cooldown=cdk.Duration.minutes(3),
            evaluation_periods=1,
        )
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name="moderation-fixture")
        line = cloudwatch.HorizontalAnnotation(value=hot, label="spike")
        dashboard.add_widgets(cloudwatch.GraphWidget(left=[spike], left_annotations=[line]))
        failing = pattern.load_balancer.metrics.http_code_elb(elasticloadbalancing.HttpCodeElb.ELB_5XX_COUNT)
        share = cloudwatch.MathExpression(expression="100 * failing", using_metrics={"failing": failing})
        share.create_alarm(self, "FailingShare", alarm_name="fixture-share", threshold=1, evaluation_periods=1)
        alarm = failing.create_alarm(self, "Failing", threshold=1, evaluation_periods=1)
        cloudwatch.CompositeAlarm(
            self, "Degraded", alarm_rule=cloudwatch.AlarmRule.from_alarm(alarm, cloudwatch.AlarmState.ALARM)
        )
        cdk.CfnOutput(self, "ClusterName", value=cluster.cluster_name)
        cdk.CfnOutput(self, "ServiceName", value=service.service_name)
        cdk.CfnOutput(self, "TaskDefinitionArn", value=pattern.task_definition.task_definition_arn)
        cdk.CfnOutput(self, "LoadBalancerUrl", value=f"http://{pattern.load_balancer.load_balancer_dns_name}")
        cdk.CfnOutput(self, "DashboardName", value="moderation-fixture")


class DeclaredEndpoint(cdk.Stack):
    def __init__(self, scope: cdk.App, id: str, *, models: str, topic: sns.ITopic) -> None:
        super().__init__(scope, id)
        scaling = EndpointScaling(min_instances=2, max_instances=4, invocations_per_instance=900)
        configuration = EndpointConfiguration(variants=[EndpointVariant(scaling=scaling)])
        metrics = EndpointMetrics(endpoint_name="declared-fixture", configuration=configuration)
        # Nothing about time here: a machine that is busy elsewhere is slow.
        alarms = EndpointAlarms(
            self, "Alarms", endpoint=metrics, alerts_topic=topic, model_latency=cdk.Duration.minutes(5)
        )
        InferenceEndpoint(
            self,
            "Endpoint",
            endpoint_name=metrics.endpoint_name,
            image=ModelImage.from_asset("inference"),
            model_bucket=s3.Bucket.from_bucket_name(self, "Models", models),
            model_key=self.node.get_context("model"),
            environment={"MODEL_NAME": self.node.get_context("model")},
            configuration=configuration,
            traffic_shifting=TrafficShifting.canary(
                instances=1,
                wait=cdk.Duration.minutes(1),
                bake=cdk.Duration.minutes(1),
                rollback_alarms=alarms.guardrail_alarms,
            ),
        )


app = cdk.App()
alerts = Alerts(app, "fixture-alerts")
Model(app, "fixture-model", topic=alerts.topic)
Service(app, "fixture-service", env=cdk.Environment(region="us-east-1"))
if models := app.node.try_get_context("models"):
    DeclaredEndpoint(app, "fixture-endpoint", models=models, topic=alerts.topic)
app.synth()
