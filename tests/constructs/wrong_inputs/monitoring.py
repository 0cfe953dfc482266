import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk_fargate_sagemaker.monitoring import EndpointDashboard
from cdk_fargate_sagemaker.sagemaker import EndpointMetrics
from tests.constructs.minimal.fargate import vpc
from tests.constructs.minimal.monitoring import (
    endpoint_alarms,
    fallback_alarms,
    model_drift,
    release_workflow,
    review_alarms,
    service_alarms,
    workflow_alarms,
)
from tests.constructs.minimal.notifications import slack_notifier
from tests.constructs.wrong_inputs import WrongInput

_TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"


class _StartsNothing:
    def start_on(self, alarm: object) -> None:
        raise NotImplementedError


def _in_another_region(stack: cdk.Stack) -> object:
    here = cdk.Stack(cdk.App(), "Here", env=cdk.Environment(region="us-east-1", account="123456789012"))
    topic = sns.Topic.from_topic_arn(here, "Topic", "arn:aws:sns:eu-west-1:123456789012:alerts")
    return endpoint_alarms(here, alerts_topic=topic)


def _external(stack: cdk.Stack) -> ecs.FargateService:
    task = ecs.FargateTaskDefinition(stack, "Task")
    task.add_container("Main", image=ecs.ContainerImage.from_registry("nginx:1.29"))
    return ecs.FargateService(
        stack,
        "Service",
        cluster=ecs.Cluster(stack, "Cluster", vpc=vpc(stack)),
        task_definition=task,
        deployment_controller=ecs.DeploymentController(type=ecs.DeploymentControllerType.CODE_DEPLOY),
    )


def _imported(stack: cdk.Stack) -> ecs.IFargateService:
    return ecs.FargateService.from_fargate_service_arn(
        stack, "Imported", "arn:aws:ecs:us-east-1:123456789012:service/shop/web"
    )


def _unnamed(stack: cdk.Stack) -> cloudwatch.Alarm:
    metric = cloudwatch.Metric(namespace="Shop", metric_name="Slow")
    return cloudwatch.Alarm(stack, "Unnamed", metric=metric, threshold=1, evaluation_periods=1)


WRONG = [
    WrongInput(
        "no-name-of-a-service",
        lambda stack: review_alarms(stack, service_name=""),
        "service_name: got '', allowed: the name of the service's metrics, 1 to 255 ",
    ),
    WrongInput(
        "a-share-of-fallbacks",
        lambda stack: fallback_alarms(stack, fallback_percent=0),
        "fallback_percent: got 0, allowed: a number, above 0, at most 100",
    ),
    WrongInput(
        "a-service-for-its-name",
        lambda stack: fallback_alarms(stack, service_name=5),
        "service_name: got 5, allowed: the name of the service's metrics",
    ),
    WrongInput(
        "a-table-for-the-queue",
        lambda stack: review_alarms(stack, reviews="reviews"),
        "reviews: got 'reviews', allowed: a ReviewQueue, made here or imported",
    ),
    WrongInput(
        "a-number-for-the-service-name",
        lambda stack: review_alarms(stack, service_name=1),
        "service_name: got 1, allowed: the name of the service's metrics",
    ),
    WrongInput(
        "names-for-deployment-alarms",
        lambda stack: service_alarms(stack, deployment_alarms=["slow"]),
        "deployment_alarms: got 'slow', allowed: alarms of aws_cloudwatch that this app makes with an alarm_name",
    ),
    WrongInput(
        "a-deployment-alarm-without-a-name",
        lambda stack: service_alarms(stack, deployment_alarms=[_unnamed(stack)]),
        "deployment_alarms: got the alarm Stack/Unnamed without a name, allowed: alarms of aws_cloudwatch that this ",
    ),
    WrongInput(
        "no-response-time",
        lambda stack: service_alarms(stack, response_time=cdk.Duration.seconds(0)),
        "response_time: got 0 seconds, allowed: a Duration, above 0",
    ),
    WrongInput(
        "zero-for-response-time",
        lambda stack: service_alarms(stack, response_time=0),
        "response_time: got 0, allowed: a Duration, above 0",
    ),
    WrongInput(
        "a-number-for-response-time",
        lambda stack: service_alarms(stack, response_time=5),
        "response_time: got 5, allowed: a Duration, above 0; give Duration.seconds(5)",
    ),
    WrongInput(
        "text-for-response-time",
        lambda stack: service_alarms(stack, response_time="1s"),
        "response_time: got '1s', allowed: a Duration",
    ),
    WrongInput(
        "text-for-error-percent",
        lambda stack: service_alarms(stack, server_error_percent="1"),
        "server_error_percent: got '1', allowed: a number, above 0, at most 100; leave the quotes out",
    ),
    WrongInput(
        "a-share-for-percentile",
        lambda stack: service_alarms(stack, response_time_percentile=0.95),
        "response_time_percentile: got 0.95, allowed: a number, 1 to 100; give 95 for 95 %",
    ),
    WrongInput(
        "a-share-for-cpu",
        lambda stack: service_alarms(stack, cpu_maximum_percent=0.9),
        "cpu_maximum_percent: got 0.9, allowed: a number, 1 to 100; give 90 for 90 %",
    ),
    WrongInput(
        "a-number-for-minutes",
        lambda stack: service_alarms(stack, cpu_saturated_for=10),
        "cpu_saturated_for: got 10, allowed: a Duration of whole minutes, 1 minute to 1 day; give Duration.minutes(10)",
    ),
    WrongInput(
        "half-a-minute",
        lambda stack: service_alarms(stack, at_maximum_for=cdk.Duration.seconds(90)),
        "at_maximum_for: got 1 minute 30 seconds, allowed: a Duration of whole minutes, 1 minute to 1 day",
    ),
    WrongInput(
        "two-days-of-minutes",
        lambda stack: service_alarms(stack, at_maximum_for=cdk.Duration.days(2)),
        "at_maximum_for: got 2 days, allowed: a Duration of whole minutes, 1 minute to 1 day",
    ),
    WrongInput(
        "half-a-failure",
        lambda stack: service_alarms(stack, task_failures=2.5),
        "task_failures: got 2.5, allowed: a whole number, at least 1",
    ),
    WrongInput(
        "no-failure",
        lambda stack: service_alarms(stack, task_failures=0),
        "task_failures: got 0, allowed: a whole number, at least 1",
    ),
    WrongInput(
        "a-topics-arn",
        lambda stack: service_alarms(stack, alerts_topic=_TOPIC),
        f"alerts_topic: got '{_TOPIC}', allowed: an sns.ITopic; import it with sns.Topic.from_",
    ),
    WrongInput(
        "a-notifier-for-its-topic",
        lambda stack: endpoint_alarms(stack, alerts_topic=slack_notifier(stack)),
        "alerts_topic: got a SlackNotifier, allowed: an sns.ITopic",
    ),
    WrongInput(
        "a-queue-for-a-topic",
        lambda stack: workflow_alarms(stack, alerts_topic=sqs.Queue(stack, "Queue")),
        "alerts_topic: got a Queue, allowed: an sns.ITopic",
    ),
    WrongInput(
        "a-topic-of-another-region",
        _in_another_region,
        "alerts_topic: got 'arn:aws:sns:eu-west-1:123456789012:alerts', allowed: a topic of us-east-1, ",
    ),
    WrongInput(
        "bands-without-a-load-balancer",
        lambda stack: service_alarms(stack, service=_imported(stack), anomaly_bands=True),
        "anomaly_bands: got True for a service without a load balancer, allowed: with one only; pass load_balancer",
    ),
    WrongInput(
        "stopping-deployments-of-an-import",
        lambda stack: service_alarms(stack, service=_imported(stack), stop_deployments=True),
        "stop_deployments: got True for an imported service, allowed: for a service that this app makes; leave it out",
    ),
    WrongInput(
        "stopping-code-deploy",
        lambda stack: service_alarms(stack, service=_external(stack), stop_deployments=True),
        "stop_deployments: got True for a service with the deployment controller CODE_DEPLOY, allowed: with ECS; ",
    ),
    WrongInput(
        "no-model-latency",
        lambda stack: endpoint_alarms(stack, model_latency=cdk.Duration.millis(0)),
        "model_latency: got 0 millis, allowed: a Duration, above 0",
    ),
    WrongInput(
        "an-endpoints-name",
        lambda stack: endpoint_alarms(stack, endpoint="moderation"),
        "endpoint: got 'moderation', allowed: EndpointMetrics or InferenceEndpoint or ModelReleaseWorkflow; give ",
    ),
    WrongInput(
        "half-a-percent-of-precision",
        lambda stack: review_alarms(stack, min_precision=0.7),
        "min_precision: got 0.7, allowed: a number, 1 to 100; give 70 for 70 %",
    ),
    WrongInput(
        "more-recall-than-there-is",
        lambda stack: review_alarms(stack, min_recall=101),
        "min_recall: got 101, allowed: a number, 1 to 100",
    ),
    WrongInput(
        "a-workflows-name-to-start",
        lambda stack: review_alarms(stack, min_recall=50, starts="release"),
        "starts: got 'release', allowed: a ModelReleaseWorkflow",
    ),
    WrongInput(
        "a-workflow-that-nothing-starts",
        lambda stack: review_alarms(stack, starts=release_workflow(stack)),
        "starts: got a ModelReleaseWorkflow, allowed: None without a minimum; give min_precision or min_recall",
    ),
    WrongInput(
        "a-table-to-compare-with",
        lambda stack: model_drift(stack, reviews="reviews"),
        "reviews: got 'reviews', allowed: a ReviewQueue, made here or imported",
    ),
    WrongInput(
        "the-name-of-an-endpoint-that-drifts",
        lambda stack: model_drift(stack, workflow="moderation"),
        "workflow: got 'moderation', allowed: ModelReleaseWorkflow",
    ),
    WrongInput(
        "a-fifth-of-drift",
        lambda stack: model_drift(stack, max_score_drift=0.2),
        "max_score_drift: got 0.2, allowed: a number, 1 to 100; give 20 for 20 %",
    ),
    WrongInput(
        "a-first-stage-that-may-not-drift",
        lambda stack: model_drift(stack, max_first_stage_drift=0),
        "max_first_stage_drift: got 0, allowed: a number, 1 to 100",
    ),
    WrongInput(
        "more-drift-than-there-is",
        lambda stack: model_drift(stack, max_length_drift=101),
        "max_length_drift: got 101, allowed: a number, 1 to 100",
    ),
    WrongInput(
        "a-word-for-a-drift",
        lambda stack: model_drift(stack, max_vocabulary_drift="much"),
        "max_vocabulary_drift: got 'much', allowed: a number, 1 to 100",
    ),
    WrongInput(
        "fewer-violations-than-none",
        lambda stack: model_drift(stack, violation_percent=-1),
        "violation_percent: got -1, allowed: a number, 0 to 100",
    ),
    WrongInput(
        "a-workflows-name-to-start-by-drift",
        lambda stack: model_drift(stack, starts="release"),
        "starts: got 'release', allowed: a ModelReleaseWorkflow",
    ),
    WrongInput(
        "a-workflow-that-no-drift-starts",
        lambda stack: model_drift(
            stack,
            max_score_drift=None,
            max_length_drift=None,
            max_vocabulary_drift=None,
            max_first_stage_drift=None,
            starts=_StartsNothing(),
        ),
        "starts: got a StartsNothing, allowed: None without a maximum; give one of max_score_drift, "
        "max_length_drift, max_vocabulary_drift, max_first_stage_drift",
    ),
    WrongInput(
        "a-namespace-of-awss",
        lambda stack: model_drift(stack, metric_namespace="AWS/Drift"),
        "metric_namespace: got 'AWS/Drift', allowed: 1 to 255 letters, digits and . - _ / #, and no AWS/ in front",
    ),
    WrongInput(
        "alarms-for-the-drift-of-a-dashboard",
        lambda stack: EndpointDashboard(
            stack, "Monitor", endpoint=EndpointMetrics(endpoint_name="moderation"), drift="drift"
        ),
        "drift: got 'drift', allowed: ModelDrift",
    ),
    WrongInput(
        "150-percent-of-errors",
        lambda stack: endpoint_alarms(stack, model_error_percent=150),
        "model_error_percent: got 150, allowed: a number, above 0, at most 100",
    ),
    WrongInput(
        "a-number-for-days",
        lambda stack: workflow_alarms(stack, release_within=7),
        "release_within: got 7, allowed: a Duration of whole days, 1 day to 7 days; give Duration.days(7)",
    ),
    WrongInput(
        "a-day-and-a-half",
        lambda stack: workflow_alarms(stack, release_within=cdk.Duration.hours(36)),
        "release_within: got 1 day 12 hours, allowed: a Duration of whole days, 1 day to 7 days",
    ),
    WrongInput(
        "a-fortnight",
        lambda stack: workflow_alarms(stack, release_within=cdk.Duration.days(14)),
        "release_within: got 14 days, allowed: a Duration of whole days, 1 day to 7 days",
    ),
    WrongInput(
        "no-namespace",
        lambda stack: fallback_alarms(stack, namespace=""),
        "namespace: got '', allowed: the namespace of the service's metrics, 1 to 255 letters, digits",
    ),
    WrongInput(
        "a-namespace-of-two-lines",
        lambda stack: fallback_alarms(stack, namespace="Forum\nPosts"),
        "namespace: got 'Forum\\nPosts', allowed: the namespace of the service's metrics, 1 to 255 letters",
    ),
    WrongInput(
        "no-service-name",
        lambda stack: fallback_alarms(stack, service_name=""),
        "service_name: got '', allowed: the name of the service's metrics, 1 to 255 characters of ASCII",
    ),
]
