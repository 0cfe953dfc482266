from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import ReviewAlarms
from cdk_fargate_sagemaker.review import ReviewQueue


def test_a_post_that_was_left_out_is_an_alarm_and_no_data_is_none(stack, topic):
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
