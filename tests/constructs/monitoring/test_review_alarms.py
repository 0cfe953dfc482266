from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.monitoring import ReviewAlarms
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import LabelledData, ModelImage, ModelReleaseWorkflow, ReviewDecisions, TrainingJob
from tests.constructs.construct_tree import logical_id


def test_a_post_that_was_left_out_is_an_alarm_and_no_data_is_none(stack: cdk.Stack, topic: sns.ITopic) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    alarms = ReviewAlarms(
        stack, "Alarms", reviews=reviews, namespace="Forum/Api", service_name="forum", alerts_topic=topic
    )
    (alarm,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    assert alarm["Properties"] == {
        "AlarmActions": [stack.resolve(topic.topic_arn)],
        "AlarmDescription": "forum: the day's quota of posts for reviewers is used up; no more are stored",
        "AlarmName": alarm["Properties"]["AlarmName"],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "DatapointsToAlarm": 1,
        "Dimensions": [{"Name": "service", "Value": "forum"}],
        "EvaluationPeriods": 1,
        "MetricName": "ReviewOverQuota",
        "Namespace": "Forum/Api",
        "OKActions": [stack.resolve(topic.topic_arn)],
        "Period": 300,
        "Statistic": "Sum",
        "Threshold": 1,
        "TreatMissingData": "notBreaching",
    }
    assert alarm["Properties"]["AlarmName"].endswith("-QuotaUsedUp")
    assert alarms.quota_used_up.node.path == "Stack/Alarms/QuotaUsedUp"
    assert (alarms.precision_low, alarms.recall_low) == (None, None)


def test_a_model_below_its_minimum_is_an_alarm_judged_once_a_day(stack: cdk.Stack, topic: sns.ITopic) -> None:
    alarms = ReviewAlarms(
        stack,
        "Alarms",
        reviews=ReviewQueue(stack, "Reviews"),
        namespace="Forum/Api",
        service_name="forum",
        alerts_topic=topic,
        min_precision=70,
        min_recall=42.5,
    )
    template = Template.from_stack(stack)
    for alarm, metric, minimum in (
        (alarms.precision_low, "PrecisionAtMost", 70),
        (alarms.recall_low, "RecallAtMost", 42.5),
    ):
        assert alarm is not None
        (properties,) = (
            one["Properties"]
            for name, one in template.find_resources("AWS::CloudWatch::Alarm").items()
            if name == logical_id(alarm)
        )
        assert f"the minimum of {minimum} %" in properties["AlarmDescription"]
        chosen = ("ComparisonOperator", "MetricName", "Namespace", "Period", "Statistic", "Threshold")
        assert tuple(properties[name] for name in (*chosen, "TreatMissingData", "EvaluationPeriods")) == (
            "LessThanThreshold",
            metric,
            "Reviews",
            86_400,
            "Minimum",
            minimum,
            "ignore",
            1,
        )
        assert properties["AlarmActions"] == properties["OKActions"] == [stack.resolve(topic.topic_arn)]
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "ScheduleExpression": "cron(10 0 * * ? *)",
            "Targets": [Match.object_like({"Input": '{"look":"daily"}'})],
        },
    )


def release(stack: cdk.Stack, reviews: Any, **given: Any) -> ModelReleaseWorkflow:
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")
    return ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="forum",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket(stack, "Data"),
        alerts_topic=sns.Topic(stack, "Alerts"),
        source=LabelledData(reviews=reviews),
        **given,
    )


@pytest.mark.parametrize("given", [{}, {"start_on_new_labels": 500}])
def test_an_alarm_starts_a_release_of_an_earlier_stack(given: dict[str, Any]) -> None:
    app = cdk.App()
    models, services = cdk.Stack(app, "Models"), cdk.Stack(app, "Services")
    reviews = ReviewQueue(models, "Reviews")
    workflow = release(models, ReviewDecisions(table=reviews.table), **given)
    ReviewAlarms(
        services,
        "Alarms",
        reviews=reviews,
        namespace="Forum/Api",
        service_name="forum",
        min_precision=70,
        min_recall=50,
        starts=workflow,
    )
    template = Template.from_stack(services)
    alarms = {
        name: one["Properties"]["MetricName"] for name, one in template.find_resources("AWS::CloudWatch::Alarm").items()
    }
    started_by = []
    for rule in template.find_resources("AWS::Events::Rule").values():
        pattern = rule["Properties"]["EventPattern"]
        assert pattern["detail-type"] == ["CloudWatch Alarm State Change"]
        assert pattern["detail"] == {"state": {"value": ["ALARM"]}}
        ((arn,),) = ([one["Fn::GetAtt"] for one in pattern["resources"]],)
        started_by.append(alarms[arn[0]])
        (target,) = rule["Properties"]["Targets"]
        assert "ReleaseStarter" in str(target["Arn"])
        assert "Undelivered" in str(target["DeadLetterConfig"])
    assert sorted(started_by) == ["PrecisionAtMost", "RecallAtMost"]
    # One function, whatever starts it.
    starters = [
        one["Properties"]["Environment"]["Variables"]
        for one in Template.from_stack(models).find_resources("AWS::Lambda::Function").values()
        if one["Properties"]["Handler"] == "release_starter.handler"
    ]
    assert [starter.get("NEW_LABELS") for starter in starters] == [("500" if given else None)]


def test_refuses_to_start_what_has_nothing_new_to_train_on(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    with pytest.raises(
        InvalidArgumentError, match=r"^reviews: got none, allowed: ReviewDecisions of the source with start_on; "
    ):
        ReviewAlarms(
            stack,
            "Alarms",
            reviews=reviews,
            namespace="Forum/Api",
            service_name="forum",
            min_recall=50,
            starts=release(stack, None),
        )
