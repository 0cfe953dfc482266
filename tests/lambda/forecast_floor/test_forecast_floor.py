"""The function in the embedded AWS, whose clock is the real one: the morning of these services is now."""

import json
from datetime import datetime, timedelta
from typing import Any

import botocore.awsrequest
import botocore.compat
import pytest

from tests.scaled_service import Killed

from .conftest import MORNING, KeptService, at

EARLIER = MORNING - timedelta(hours=2)
RAISED = MORNING - timedelta(minutes=30)
NOON = MORNING + timedelta(hours=6)
DAY = timedelta(days=1)


def test_the_floor_rises_before_the_morning(kept: KeptService) -> None:
    kept.report_load()
    decision = kept.look(EARLIER)
    assert (decision["action"], decision["floor"], decision["highest"]) == ("plan", 2, 8)
    assert kept.actions[at(RAISED)] == 8
    assert kept.actions[at(NOON)] == 2
    assert kept.minimum == 8
    # The hour after it finds its own minimum, and nothing to change but what is over.
    later = kept.look(MORNING)
    assert (later["action"], later["floor"]) == ("plan", 8)
    assert kept.minimum == 8
    assert at(RAISED) not in kept.actions
    assert kept.look(MORNING)["changed_actions"] == 0


def test_three_reports_a_minute_are_one_task(kept: KeptService) -> None:
    kept.monkeypatch.setenv("CPU_REPORTS_A_MINUTE", "3")
    kept.report_load()
    assert kept.look(EARLIER)["highest"] == 3


def test_a_deployment_loses_the_raised_floor_for_ten_minutes(kept: KeptService) -> None:
    kept.report_load()
    kept.look(EARLIER)
    assert kept.minimum == 8
    kept.set_bounds(2, 20)
    decision = kept.look(MORNING + timedelta(minutes=3))
    assert decision["action"] == "plan"
    assert kept.actions[at(MORNING + timedelta(minutes=13))] == 8


def test_it_yields_to_a_person_and_goes_on_once_the_declared_bounds_are_back(kept: KeptService) -> None:
    kept.report_load()
    kept.look(EARLIER)
    assert kept.minimum == 8
    assert [each["Subject"] for each in kept.notified()] == [f"{kept.name}: floor of the next 48 hours up to 8 tasks"]
    kept.set_bounds(5, 20)
    assert kept.look(MORNING)["action"] == "yield"
    assert (kept.actions, kept.minimum) == ({}, 5)
    assert kept.look(MORNING + timedelta(hours=1))["action"] == "yield"
    (told,) = kept.notified()
    assert told["Subject"] == f"{kept.name}: the floor stopped, somebody else set the bounds"
    assert "somebody set the minimum to 5; the app declares 2" in told["Message"]
    assert told["Message"].endswith("The floor continues once the declared bounds are restored.")
    kept.set_bounds(2, 20)
    assert kept.look(MORNING + timedelta(hours=2))["action"] == "plan"
    assert kept.actions[at(NOON)] == 2
    assert len(kept.notified()) == 1
    assert [action for action, _ in kept.records] == ["plan", "yield", "yield", "plan"]


def test_another_maximum_is_somebody_elses_too(kept: KeptService) -> None:
    kept.report_load()
    kept.set_bounds(2, 40)
    assert kept.look(EARLIER)["action"] == "yield"
    assert kept.actions == {}


def test_a_person_stops_and_resumes_it(kept: KeptService) -> None:
    kept.report_load()
    kept.look(EARLIER)
    assert kept.minimum == 8
    kept.notified()
    assert kept.look(MORNING, stop=True)["why"] == "somebody stopped the floor"
    assert (kept.actions, kept.minimum) == ({}, 2)
    assert kept.notified()[0]["Message"].endswith(
        "The floor's scheduled actions are removed. The floor continues once somebody resumes it."
    )
    assert kept.look(MORNING + timedelta(hours=1))["action"] == "yield"
    assert kept.look(MORNING + timedelta(hours=2), resume=True)["action"] == "plan"
    assert kept.actions


def test_a_stop_that_was_cut_off_is_made_again(kept: KeptService) -> None:
    kept.report_load()
    kept.look(EARLIER)
    assert kept.minimum == 8
    events = kept.function.CLIENTS.scaling.meta.events

    def killed(**_: Any) -> None:
        raise Killed

    events.register("before-call.application-autoscaling.DeleteScheduledAction", killed)
    with pytest.raises(Killed):
        kept.look(MORNING, stop=True)
    events.unregister("before-call.application-autoscaling.DeleteScheduledAction", killed)
    kept.look(MORNING, stop=True)
    assert (kept.actions, kept.minimum) == ({}, 2)


def test_a_dry_run_records_and_reports_and_changes_nothing(kept: KeptService) -> None:
    kept.configure(dry_run=True)
    kept.report_load()
    kept.look(EARLIER)
    assert (kept.actions, kept.minimum) == ({}, 2)
    assert kept.records == [("plan", "at least 2 tasks now, up to 8 within 48 hours, as past days needed")]
    (told,) = kept.notified()
    assert "dry run, floor of the next 48 hours up to 8 tasks" in told["Subject"]
    assert f"{RAISED:%a %H:%M} at least 8" in told["Message"]
    kept.set_bounds(5, 20)
    kept.look(MORNING)
    (told,) = kept.notified()
    assert told["Subject"].startswith(f"{kept.name}: dry run, the floor stopped")
    assert "are removed" not in told["Message"]


def test_without_data_it_keeps_what_is_written(kept: KeptService) -> None:
    kept.report_load()
    kept.look(EARLIER)
    before = kept.actions
    assert kept.minimum == 8
    # In the afternoon nothing has been reported since the morning; the floor was over by then.
    kept.set_bounds(2, 20)
    decision = kept.look(MORNING + timedelta(hours=7))
    assert (decision["action"], decision["changed_actions"]) == ("hold", 0)
    assert "have data, needed 75%" in decision["why"]
    assert kept.actions == before


def test_without_any_history_the_declared_minimum_holds(kept: KeptService) -> None:
    kept.report_load(days=2)
    assert "too few; the declared minimum stays" in kept.look(MORNING)["why"] or kept.actions == {}
    assert (kept.actions, kept.minimum) == ({}, 2)


def test_it_holds_while_its_stack_is_deployed(kept: KeptService, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.report_load()
    kept.function.CLIENTS.stacks.meta.events.register(
        "after-call.*.DescribeStacks",
        lambda parsed, **_: parsed["Stacks"][0].update(StackStatus="UPDATE_IN_PROGRESS"),
    )
    assert kept.look(EARLIER)["why"] == "a deployment is in progress"
    assert kept.actions == {}


def test_what_it_sees_is_put_as_metrics(kept: KeptService) -> None:
    kept.report_load()
    kept.look(EARLIER)
    found = kept.client("cloudwatch").list_metrics(
        Namespace="ForecastFloor", Dimensions=[{"Name": "ServiceName", "Value": kept.name}]
    )["Metrics"]
    assert {each["MetricName"] for each in found} == {"Floor", "Needed", "Forecast", "Missed"}


def test_killed_anywhere_the_next_look_writes_what_is_missing(kept: KeptService) -> None:
    kept.report_load()
    kept.look(MORNING)
    whole, calls = kept.actions, kept.calls
    assert calls > 12
    for number in range(3, calls, 3):
        kept.look(MORNING, stop=True)
        kept.set_bounds(2, 20)
        kept.kill_before_call(number)
        with pytest.raises(Killed):
            kept.look(MORNING, resume=True)
        kept.kill_before_call(None)
        kept.look(MORNING, resume=True)
        assert kept.actions == whole, number


def test_a_throttled_call_is_made_again(kept: KeptService) -> None:
    kept.report_load()
    refused: list[str] = []

    def throttled(request: Any, **_: Any) -> botocore.awsrequest.AWSResponse | None:
        if len(refused) == 2:
            return None
        refused.append(request.url)
        body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()

        class Raw:
            def stream(self, **_: Any) -> Any:
                yield body

        return botocore.awsrequest.AWSResponse(request.url, 400, botocore.compat.HTTPHeaders(), Raw())

    kept.function.CLIENTS.scaling.meta.events.register(
        "before-send.application-autoscaling.PutScheduledAction", throttled
    )
    kept.look(EARLIER)
    assert len(refused) == 2
    assert kept.actions[at(RAISED)] == 8


@pytest.mark.parametrize(("by_hand", "left"), [(None, 2), (6, 6)], ids=["ours", "somebody-elses"])
def test_it_is_gone_with_its_stack(
    kept: KeptService, http_server: Any, answer: Any, by_hand: int | None, left: int
) -> None:
    kept.report_load()
    kept.look(EARLIER)
    assert kept.minimum == 8
    if by_hand:
        kept.set_bounds(by_hand, 20)
    http_server.answers = [answer(200)]
    request = {
        "ResponseURL": http_server.url,
        "StackId": kept.stack,
        "RequestId": "1",
        "LogicalResourceId": "End",
        "PhysicalResourceId": "End",
    }
    kept.function.handler({**request, "RequestType": "Create"}, None)
    assert kept.actions
    kept.function.handler({**request, "RequestType": "Delete"}, None)
    assert (kept.actions, kept.minimum) == ({}, left)
    assert [json.loads(body)["Status"] for _, body in http_server.requests] == ["SUCCESS", "SUCCESS"]


def test_cloudformation_is_answered_whatever_failed(
    kept: KeptService, http_server: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setattr(kept.function.floor_end, "end", fail)
    http_server.answers = [answer(200)]
    event = {"RequestType": "Delete", "ResponseURL": http_server.url, "LogicalResourceId": "End"}
    kept.function.handler({**event, "StackId": kept.stack, "RequestId": "1", "PhysicalResourceId": "End"}, None)
    ((_, body),) = http_server.requests
    told = json.loads(body)
    assert (told["Status"], told["Reason"]) == ("FAILED", "KeyError: 'unforeseen'")


def test_the_tuner_and_the_floor_leave_each_others_alone(kept: KeptService) -> None:
    """The one changes a policy's target, the other the minimum by scheduled actions."""
    scaling = kept.client("application-autoscaling")
    policy = {
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 61.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    }
    scaling.put_scaling_policy(**kept.resource, **policy)
    kept.report_load()
    kept.look(EARLIER)
    assert kept.minimum == 8
    policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] = 62.0  # type: ignore[index]
    scaling.put_scaling_policy(**kept.resource, **policy)
    assert kept.minimum == 8
    assert kept.look(MORNING)["action"] == "plan"
    (found,) = scaling.describe_scaling_policies(**kept.resource)["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 62


def test_the_time_of_the_event_is_the_time_of_the_decision(kept: KeptService) -> None:
    kept.report_load()
    assert datetime.fromisoformat(kept.look(EARLIER)["at"]) == EARLIER
