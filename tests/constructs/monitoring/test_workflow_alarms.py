import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import WorkflowAlarms
from cdk_fargate_sagemaker.sagemaker import ModelReleaseWorkflow
from tests.constructs.monitoring.template_alarms import alarms


def test_an_event_that_nobody_was_told_of(stack: cdk.Stack, workflow: ModelReleaseWorkflow) -> None:
    WorkflowAlarms(stack, "Alarms", workflow=workflow)
    alarm = alarms(stack)["Undelivered"]
    assert alarm["AlarmName"].startswith("Stack-Alarms-")
    assert alarm["AlarmDescription"].startswith("moderation: an execution ended, and its notification could not be")
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    (dimension,) = alarm["Dimensions"]
    assert dimension["Value"] == stack.resolve(workflow.rollback.undelivered_events.queue_name)
    assert (alarm["Statistic"], alarm["Period"]) == ("Maximum", 60)
    assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (1, 1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    # SQS reports nothing of a queue that nobody used for six hours: nothing waits in it.
    assert alarm["TreatMissingData"] == "notBreaching"


def test_a_rollback_that_did_not_end_well(stack: cdk.Stack, workflow: ModelReleaseWorkflow) -> None:
    WorkflowAlarms(stack, "Alarms", workflow=workflow)
    alarm = alarms(stack)["RollbackFailed"]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    # Without a rollback there is no data, and nothing went wrong.
    assert alarm["TreatMissingData"] == "notBreaching"
    counted, *parts = alarm["Metrics"]
    assert counted["Expression"] == "FILL(failed, 0) + FILL(timed_out, 0) + FILL(aborted, 0)"
    assert {(part["MetricStat"]["Stat"], part["MetricStat"]["Period"]) for part in parts} == {("Sum", 300)}
    metrics = [part["MetricStat"]["Metric"] for part in parts]
    assert [metric["MetricName"] for metric in metrics] == [
        "ExecutionsFailed",
        "ExecutionsTimedOut",
        "ExecutionsAborted",
    ]
    machine = stack.resolve(workflow.rollback.state_machine.state_machine_arn)
    assert all(metric["Dimensions"] == [{"Name": "StateMachineArn", "Value": machine}] for metric in metrics)


def test_nobody_waits_for_releases_unless_asked(stack: cdk.Stack, workflow: ModelReleaseWorkflow) -> None:
    assert WorkflowAlarms(stack, "Alarms", workflow=workflow).no_release is None
    assert set(alarms(stack)) == {"Undelivered", "RollbackFailed"}


def test_releases_that_do_not_come(stack: cdk.Stack, workflow: ModelReleaseWorkflow) -> None:
    WorkflowAlarms(stack, "Alarms", workflow=workflow, release_within=cdk.Duration.days(7))
    alarm = alarms(stack)["NoRelease"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("ExecutionsSucceeded", "Sum")
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (86400, 7, 7)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    # A workflow that is never started has no data at all.
    assert alarm["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("given", [cdk.Duration.days(8), cdk.Duration.hours(36), cdk.Duration.minutes(5)])
def test_fails_when_cloudwatch_cannot_look_back_so_far(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, given: cdk.Duration
) -> None:
    with pytest.raises(ValueError, match=r"release_within: got .*, allowed: a Duration of whole days, 1 day to 7 days"):
        WorkflowAlarms(stack, "Alarms", workflow=workflow, release_within=given)


def test_the_topic_is_told(stack: cdk.Stack, workflow: ModelReleaseWorkflow, topic: sns.ITopic) -> None:
    WorkflowAlarms(stack, "Alarms", workflow=workflow, alerts_topic=topic, release_within=cdk.Duration.days(7))
    assert len(alarms(stack)) == 3
    for alarm in alarms(stack).values():
        assert alarm["AlarmActions"] == [topic.topic_arn]
        assert alarm["OKActions"] == [topic.topic_arn]


def test_sagemakers_own_word_that_the_endpoint_is_gone(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, topic: sns.ITopic
) -> None:
    WorkflowAlarms(stack, "Alarms", workflow=workflow, alerts_topic=topic)
    template = Template.from_stack(stack)
    (rule,) = [
        rule
        for rule in template.find_resources("AWS::Events::Rule").values()
        if rule["Properties"].get("EventPattern", {}).get("detail-type") == ["SageMaker Endpoint State Change"]
    ]
    assert rule["Properties"]["EventPattern"]["source"] == ["aws.sagemaker"]
    detail = rule["Properties"]["EventPattern"]["detail"]
    assert detail["EndpointName"] == ["moderation"]
    assert {"DELETING", "FAILED", "OUT_OF_SERVICE"} <= set(detail["EndpointStatus"])
    # What a release does is none of it.
    assert not {"CREATING", "UPDATING", "IN_SERVICE", "ROLLING_BACK"} & set(detail["EndpointStatus"])
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == stack.resolve(topic.topic_arn)
    assert target["DeadLetterConfig"]["Arn"] == stack.resolve(workflow.rollback.undelivered_events.queue_arn)
    # It goes before the endpoint does, when the stack is deleted.
    ends = template.find_resources("Custom::EndpointEnd")
    assert set(ends) <= set(rule["DependsOn"])


def test_there_is_no_rule_without_anybody_to_notify(stack: cdk.Stack, workflow: ModelReleaseWorkflow) -> None:
    WorkflowAlarms(stack, "Alarms", workflow=workflow)
    rules = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    patterns = [rule["Properties"].get("EventPattern", {}) for rule in rules]
    assert all(pattern.get("source") != ["aws.sagemaker"] for pattern in patterns)
