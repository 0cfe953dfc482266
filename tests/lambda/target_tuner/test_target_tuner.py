"""The function against the embedded AWS: a real policy, parameter, table, alarm, dashboard and topic."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def watched(tuned: Any, began: datetime) -> Any:
    """A service that was looked at once, with ten days of data."""
    tuned.report_metrics(began - 4 * DAY, began + 10 * DAY)
    tuned.run(began)
    return tuned


def test_a_step_is_made_in_every_place_and_told_and_drawn(watched: Any, began: datetime) -> None:
    assert watched.run(began + 2 * DAY - HOUR)["action"] == "hold"
    assert watched.notified() == []

    decision = watched.run(began + 2 * DAY)

    assert (decision["action"], decision["origin"], decision["target"]) == ("step", 60, 61)
    assert watched.targets == (61, 61, 61)
    assert watched.decisions == [("step", 60, 61)]
    (message,) = watched.notified()
    assert message["Subject"] == f"{watched.name}: target 60 -> 61 % (step)"
    assert message["Message"].startswith("60 % held for 2 days.\n")
    lines = [widget["properties"]["annotations"]["vertical"] for widget in watched.widgets[:2]]
    at = (began + 2 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    step = {"value": at, "label": "target 60 → 61 % (tuner: step)", "color": "#2ca02c"}
    assert lines == [[{"value": "2026-11-01T00:00:00Z", "label": "larger tasks"}, step], [step]]


def test_says_what_tuning_saved_so_far(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)
    watched.notified()
    watched.run(began + 4 * DAY)
    (message,) = watched.notified()
    assert "Saved so far: 0.0 task-hours, $0.00; a request costs +0.0% task-hours" in message["Message"]
    figures = json.loads(watched.item(f"decision#{(began + 4 * DAY).isoformat()}#step")["figures"]["S"])
    assert (figures["saved_task_hours"], figures["saved_money"], figures["currency"]) == (0, 0, "$")
    assert (figures["step_cost"]["hours"], figures["total_cost"]["hours"]) == (48, 48)


def test_takes_a_step_back_that_takes_more_tasks_for_the_same_requests(tuned: Any, began: datetime) -> None:
    tuned.report_metrics(began - 4 * DAY, began + 2 * DAY)
    # Two reports an hour: two tasks where one was.
    for _ in range(2):
        tuned.report_cpu(began + 2 * DAY, began + 5 * DAY)
    tuned.report_latency(began + 2 * DAY, began + 5 * DAY)
    tuned.run(began)
    tuned.run(began + 2 * DAY)
    tuned.notified()
    decision = tuned.run(began + 4 * DAY)
    assert (decision["action"], decision["target"]) == ("revert", 60)
    assert decision["why"].startswith("61 % costs more than 60 %: +100.0% task-hours per request")
    assert "Saved so far: -0.8 task-hours, -$0.04" in tuned.notified()[0]["Message"]


def test_three_reports_a_minute_are_one_task(tuned: Any, began: datetime) -> None:
    tuned.monkeypatch.setenv("CPU_REPORTS_A_MINUTE", "3")
    tuned.report_metrics(began - 4 * DAY, began + 2 * DAY)
    for _ in range(6):
        tuned.report_cpu(began + 2 * DAY, began + 5 * DAY)
    tuned.report_latency(began + 2 * DAY, began + 5 * DAY)
    tuned.run(began)
    tuned.run(began + 2 * DAY)
    tuned.notified()
    tuned.run(began + 4 * DAY)
    assert "Saved so far: -1.3 task-hours, -$0.07" in tuned.notified()[0]["Message"]


def test_reports_once_that_it_has_had_to_wait(watched: Any, began: datetime) -> None:
    watched.client("cloudwatch").delete_alarms(AlarmNames=[watched.name])
    found = [watched.run(began + day * DAY)["action"] for day in (2, 4, 5, 6)]
    assert found == ["hold", "hold", "wait", "hold"]
    (message,) = watched.notified()
    assert message["Subject"] == f"{watched.name}: tuning is waiting at 60 %"
    assert "the guardrail is unknown, not OK" in message["Message"]


def test_the_dashboards_target_line_follows(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)

    target, headroom, spike = watched.widgets[0]["properties"]["annotations"]["horizontal"]
    assert (target["value"], target["label"]) == (61, "target: 61")
    assert [edge["value"] for edge in headroom] == [61, 80]
    assert spike["value"] == 80
    assert "annotations" not in watched.widgets[2]["properties"]


def test_what_a_deployment_of_the_dashboard_removed_is_drawn_again_and_told_once(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)
    drawn = watched.widgets
    watched.put_dashboard()

    watched.run(began + 2 * DAY + HOUR)

    assert watched.widgets == drawn
    assert len(watched.notified()) == 1


def test_a_dashboard_that_is_gone_stops_nothing(watched: Any, began: datetime) -> None:
    watched.client("cloudwatch").delete_dashboards(DashboardNames=[watched.name])
    watched.run(began + 2 * DAY)
    assert watched.targets == (61, 61, 61)


def test_the_rest_of_the_policy_stays_as_it_is(watched: Any, began: datetime) -> None:
    before = watched.policy
    watched.run(began + 2 * DAY)
    assert watched.policy == {**before, "TargetValue": 61}


def test_a_guardrail_alarm_takes_the_step_back_whatever_the_hour(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)
    fired = began + 2 * DAY + 7 * MINUTE

    decision = watched.run(fired, **watched.alarm_event(fired))

    assert (decision["action"], decision["why"]) == ("revert", "a guardrail alarm fired at 61 %")
    assert watched.targets == (60, 60, 60)
    again = watched.run(fired, **watched.alarm_event(fired))
    assert again["action"] == "hold"
    assert watched.decisions == [("step", 60, 61), ("revert", 61, 60)]
    figures = json.loads(watched.item(f"decision#{fired.isoformat()}#revert")["figures"]["S"])
    assert figures["alarms"] == {watched.name: "alarm"}
    assert figures["policy_target"] == 61


def test_an_alarm_that_is_still_on_takes_it_back_where_its_event_was_lost(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)
    watched.set_alarm("ALARM")
    assert watched.run(began + 2 * DAY + HOUR)["action"] == "revert"


@pytest.mark.parametrize("state", ["INSUFFICIENT_DATA", "ALARM"])
def test_holds_while_a_guardrail_is_not_ok(watched: Any, began: datetime, state: str) -> None:
    watched.set_alarm(state)
    assert watched.run(began + 3 * DAY)["action"] == "hold"
    assert watched.targets == (60, 60, 60)
    watched.set_alarm("OK")
    assert watched.run(began + 3 * DAY + HOUR)["action"] == "step"


def test_holds_where_a_guardrail_was_deleted(watched: Any, began: datetime) -> None:
    watched.client("cloudwatch").delete_alarms(AlarmNames=[watched.name])
    assert watched.run(began + 3 * DAY)["why"] == "the guardrail is unknown, not OK"


def test_holds_while_data_are_missing_and_goes_on_when_those_hours_are_past(tuned: Any, began: datetime) -> None:
    tuned.report_metrics(began, began + 10 * DAY, skipped=3)
    tuned.run(began)

    assert tuned.run(began + 2 * DAY)["why"] == "data are missing"
    assert json.loads(tuned.item("latest")["figures"]["S"])["hours_without_data"] == 3
    assert tuned.run(began + 2 * DAY + 3 * HOUR)["action"] == "step"


def test_a_slow_drift_of_latency_takes_the_step_back(tuned: Any, began: datetime) -> None:
    tuned.report_metrics(began, began + 2 * DAY, latency=0.1)
    tuned.report_metrics(began + 2 * DAY, began + 4 * DAY, latency=0.13)
    tuned.run(began)
    tuned.run(began + 2 * DAY)
    assert tuned.targets[0] == 61

    decision = tuned.run(began + 4 * DAY)

    assert decision["why"] == "latency is 1.30 times that of the same hours before the step, above 1.25"
    assert tuned.targets == (60, 60, 60)


def test_the_same_weekdays_are_compared_where_that_is_asked_for(tuned: Any, began: datetime) -> None:
    tuned.configure(observation="matching_weekdays")
    tuned.report_metrics(began - 5 * DAY, began - 3 * DAY, latency=0.13)
    tuned.report_metrics(began - 3 * DAY, began + 2 * DAY, latency=0.1)
    tuned.report_metrics(began + 2 * DAY, began + 4 * DAY, latency=0.13)
    tuned.run(began)
    tuned.run(began + 2 * DAY)
    assert tuned.run(began + 4 * DAY)["action"] == "step"


def test_holds_during_a_deployment_of_the_service(watched: Any, began: datetime) -> None:
    # The embedded AWS completes a deployment at once, and makes no second one.
    watched.answer_with(
        "services",
        "DescribeServices",
        lambda answer: answer["services"][0]["deployments"][0],
        rolloutState="IN_PROGRESS",
    )
    assert watched.run(began + 2 * DAY)["why"] == "a deployment is in progress"


def deploy(watched: Any) -> None:
    watched.answer_with(
        "services",
        "DescribeServices",
        lambda answer: answer["services"][0]["deployments"][0],
        rolloutState="IN_PROGRESS",
    )


def test_tasks_that_are_hot_while_a_deployment_starts_them_take_nothing_back(watched: Any, began: datetime) -> None:
    watched.guard_by_composite()
    watched.run(began + 2 * DAY)
    deploy(watched)
    watched.fire("-cpu", "-degraded")
    fired = began + 2 * DAY + 7 * MINUTE

    decision = watched.run(fired, **watched.alarm_event(fired, suffix="-degraded"))

    assert (decision["action"], decision["why"]) == ("hold", "a deployment is in progress")
    assert watched.targets == (61, 61, 61)
    figures = json.loads(watched.item("latest")["figures"]["S"])
    assert figures["alarms"] == {f"{watched.name}-degraded": "alarm"}
    assert figures["hot_start"] is True


@pytest.mark.parametrize("firing", [("-cpu", "", "-degraded"), ("", "-degraded"), ("-degraded",)])
def test_any_other_alarm_takes_the_step_back_during_a_deployment_too(
    watched: Any, began: datetime, firing: tuple[Any, ...]
) -> None:
    watched.guard_by_composite()
    watched.run(began + 2 * DAY)
    deploy(watched)
    watched.fire(*firing)
    fired = began + 2 * DAY + 7 * MINUTE

    assert watched.run(fired, **watched.alarm_event(fired, suffix="-degraded"))["action"] == "revert"


def test_a_hot_cpu_takes_the_step_back_without_a_deployment(watched: Any, began: datetime) -> None:
    watched.guard_by_composite()
    watched.run(began + 2 * DAY)
    watched.fire("-cpu", "-degraded")
    fired = began + 2 * DAY + 7 * MINUTE

    assert watched.run(fired, **watched.alarm_event(fired, suffix="-degraded"))["action"] == "revert"


def test_a_cpu_that_is_hot_when_the_deployment_is_over_takes_the_step_back(watched: Any, began: datetime) -> None:
    watched.guard_by_composite()
    watched.run(began + 2 * DAY)
    states = iter(["IN_PROGRESS", "COMPLETED"])
    watched.function.CLIENTS.services.meta.events.register(
        "after-call.*.DescribeServices",
        lambda parsed, **_: parsed["services"][0]["deployments"][0].update(rolloutState=next(states)),
    )
    watched.fire("-cpu", "-degraded")
    fired = began + 2 * DAY + 7 * MINUTE
    assert watched.run(fired, **watched.alarm_event(fired, suffix="-degraded"))["action"] == "hold"

    assert watched.run(began + 2 * DAY + HOUR)["action"] == "revert"


def test_holds_while_the_stack_is_updated(watched: Any, began: datetime) -> None:
    watched.answer_with(
        "stacks", "DescribeStacks", lambda answer: answer["Stacks"][0], StackStatus="UPDATE_IN_PROGRESS"
    )
    assert watched.run(began + 2 * DAY)["why"] == "a deployment is in progress"


def test_reverts_while_the_stack_is_updated(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)
    watched.answer_with(
        "stacks", "DescribeStacks", lambda answer: answer["Stacks"][0], StackStatus="UPDATE_IN_PROGRESS"
    )
    fired = began + 2 * DAY + MINUTE
    assert watched.run(fired, **watched.alarm_event(fired))["action"] == "revert"


def test_says_so_and_stops_when_somebody_else_changed_the_policy(watched: Any, began: datetime) -> None:
    watched.put_policy(45)

    decision = watched.run(began + 2 * DAY)

    assert (decision["action"], decision["why"]) == (
        "stop",
        "the policy has 45 %, not 60 %: somebody else changed it",
    )
    (message,) = watched.notified()
    assert message["Subject"] == f"{watched.name}: tuning stopped at 60 %"
    assert "until somebody resumes" in message["Message"]
    assert watched.run(began + 9 * DAY)["action"] == "hold"
    assert watched.policy["TargetValue"] == 45
    assert watched.notified() == []


def test_stops_when_somebody_else_changed_the_parameter(watched: Any, began: datetime) -> None:
    watched.client("ssm").put_parameter(Name=watched.parameter_name, Value="45", Overwrite=True)
    assert watched.run(began + 2 * DAY)["why"].startswith("the parameter has 45 %, not 60 %")


def test_stops_when_the_policy_is_gone(watched: Any, began: datetime) -> None:
    watched.client("application-autoscaling").delete_scaling_policy(**watched.resource, PolicyName="cpu")
    assert watched.run(began + 2 * DAY)["why"].startswith("the policy is gone")


def test_a_person_stops_it_and_resumes_it_from_what_the_policy_has_then(watched: Any, began: datetime) -> None:
    watched.run(began + HOUR, stop=True)
    assert watched.run(began + 3 * DAY)["action"] == "hold"
    watched.put_policy(63)

    assert watched.run(began + 3 * DAY, resume=True)["why"] == "somebody resumed the tuner at 63 %"

    assert watched.targets == (63, 63, 63)
    assert [message["Subject"].partition(": ")[2] for message in watched.notified()] == [
        "tuning stopped at 60 %",
        "tuning resumed at 63 %",
    ]
    assert watched.run(began + 5 * DAY)["target"] == 64
    assert watched.state["initial"] == 60


def test_a_former_target_that_a_deployment_put_is_replaced_by_the_live_one(watched: Any, began: datetime) -> None:
    watched.run(began + 2 * DAY)
    watched.run(began + 4 * DAY)
    assert watched.targets == (62, 62, 62)
    watched.put_policy(60)  # the stack is younger than these looks

    decision = watched.run(began + 4 * DAY + HOUR)

    assert (decision["action"], decision["origin"], decision["target"]) == ("restore", 60, 62)
    assert watched.targets == (62, 62, 62)
    assert watched.state["before"] == 61


def test_a_dry_run_decides_and_tells_and_changes_nothing(tuned: Any, began: datetime) -> None:
    tuned.configure(dry_run=True)
    tuned.report_metrics(began - 4 * DAY, began + 10 * DAY)
    before = tuned.widgets
    for hours in range(0, 24 * 5, 6):
        assert not tuned.run(began + hours * HOUR)["pending"]

    assert tuned.targets == (60, 60, 60)
    assert tuned.widgets == before
    assert [message["Subject"].partition(": ")[2] for message in tuned.notified()] == [
        "dry run, the target would change 60 -> 61 %",
        "dry run, the target would change 60 -> 61 %",
    ]


def test_two_executions_at_once_do_not_both_act(watched: Any, began: datetime) -> None:
    given = {"time": (began + 2 * DAY).isoformat()}
    watched.invoke("look", given)
    key = {"tuner": {"S": watched.resource["ResourceId"]}, "entry": {"S": "state"}}
    watched.client("dynamodb").update_item(
        TableName=watched.name,
        Key=key,
        UpdateExpression="SET lease_owner = :other, lease_until = :later",
        ExpressionAttributeValues={":other": {"S": "another"}, ":later": {"N": "99999999999"}},
    )

    with pytest.raises(Exception, match="another execution changes this target") as error:
        watched.invoke("apply", given)

    # The state machine repeats what fails by this name.
    assert error.type.__name__ == "BusyError"
    assert watched.policy["TargetValue"] == 60


def test_reaches_the_ceiling_and_settles_there(tuned: Any, began: datetime) -> None:
    tuned.configure(ceiling=61)
    tuned.report_metrics(began - 4 * DAY, began + 10 * DAY)
    for days in (0, 2, 4, 6):
        tuned.run(began + days * DAY)
    assert tuned.decisions == [("step", 60, 61), ("settle", 61, 61)]
    assert tuned.state["phase"] == "settled"
