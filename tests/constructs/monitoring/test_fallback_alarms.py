import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.monitoring import FallbackAlarms, ServiceAlarms
from tests.constructs.minimal.fargate import scaled_fargate_service
from tests.constructs.monitoring.template_alarms import alarms


@pytest.fixture
def made(stack: cdk.Stack) -> FallbackAlarms:
    return FallbackAlarms(stack, "Fallbacks", namespace="Forum/Api", service_name="forum", fallback_percent=2)


def test_the_share_is_of_all_posts_of_the_service(stack: cdk.Stack, made: FallbackAlarms) -> None:
    alarm = alarms(stack)["Fallbacks"]
    share, *parts = alarm["Metrics"]
    assert share["Expression"] == "100 * fallbacks / MAX([decisions, fallbacks])"
    metrics = {part["Id"]: part["MetricStat"] for part in parts}
    assert {id: each["Metric"]["MetricName"] for id, each in metrics.items()} == {
        "fallbacks": "Fallbacks",
        "decisions": "Decisions",
    }
    for each in metrics.values():
        assert each["Metric"]["Namespace"] == "Forum/Api"
        assert each["Metric"]["Dimensions"] == [{"Name": "service", "Value": "forum"}]
        assert (each["Stat"], each["Period"]) == ("Sum", 60)
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (2, "GreaterThanThreshold")
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 5)


def test_a_breaker_and_lost_posts_are_seen_in_any_task(stack: cdk.Stack, made: FallbackAlarms) -> None:
    found = alarms(stack)
    assert (found["BreakerOpen"]["MetricName"], found["BreakerOpen"]["Statistic"]) == ("BreakerOpen", "Maximum")
    assert (found["LostPosts"]["MetricName"], found["LostPosts"]["Statistic"]) == ("LostPosts", "Sum")
    assert found["LostPosts"]["EvaluationPeriods"] == 1


def test_no_posts_change_nothing_and_no_lost_post_is_fine(stack: cdk.Stack, made: FallbackAlarms) -> None:
    rules = {name: alarm["TreatMissingData"] for name, alarm in alarms(stack).items()}
    assert rules == {"Fallbacks": "ignore", "BreakerOpen": "ignore", "LostPosts": "notBreaching"}


def test_the_topic_is_notified_of_each(stack: cdk.Stack, topic: sns.ITopic) -> None:
    FallbackAlarms(stack, "Fallbacks", namespace="Forum/Api", service_name="forum", alerts_topic=topic)
    arn = stack.resolve(topic.topic_arn)
    assert [(alarm["AlarmActions"], alarm["OKActions"]) for alarm in alarms(stack).values()] == [([arn], [arn])] * 3


def test_a_deployment_stops_when_the_model_is_not_asked_any_more(stack: cdk.Stack) -> None:
    service = scaled_fargate_service(stack)
    made = FallbackAlarms(stack, "Fallbacks", namespace="Forum/Api", service_name="forum")
    ServiceAlarms(stack, "Alarms", service=service, deployment_alarms=made.guardrail_alarms)
    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::Service",
        {
            "DeploymentConfiguration": {
                "Alarms": {
                    "Enable": True,
                    "Rollback": True,
                    "AlarmNames": Match.array_with(
                        [
                            # Beside those of the service's own guardrail.
                            Match.string_like_regexp("-Latency$"),
                            Match.string_like_regexp("-Fallbacks$"),
                            Match.string_like_regexp("-BreakerOpen$"),
                        ]
                    ),
                }
            }
        },
    )


def test_the_share_is_a_metric_for_whoever_draws_it(made: FallbackAlarms) -> None:
    assert made.metric_fallback_percent(period=cdk.Duration.minutes(5)).period.to_minutes() == 5
