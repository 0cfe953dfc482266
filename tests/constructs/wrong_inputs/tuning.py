import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb

from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from tests.constructs.minimal.fargate import scaled_fargate_service
from tests.constructs.minimal.tuning import alarm, forecast_floor, target_tuner
from tests.constructs.wrong_inputs import WrongInput

_ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow"


def _whole_alarms(stack: cdk.Stack) -> object:
    service = scaled_fargate_service(stack)
    alarms = ServiceAlarms(stack, "Alarms", service=service)
    return target_tuner(stack, service=service, guardrail_alarms=[alarms])


WRONG = [
    WrongInput(
        "an-operator-by-name",
        lambda stack: forecast_floor(stack).grant_stop_and_resume("on-call"),
        "grantee: got 'on-call', allowed: an iam.IGrantable",
    ),
    WrongInput(
        "one-alarm-for-a-list",
        lambda stack: target_tuner(stack, guardrail_alarms=alarm(stack)),
        "guardrail_alarms: got an AlarmBase, allowed: alarms, at least one; ",
    ),
    WrongInput(
        "no-alarm",
        lambda stack: target_tuner(stack, guardrail_alarms=[]),
        "guardrail_alarms: got an empty list, allowed: alarms, at least one; ",
    ),
    WrongInput(
        "an-alarms-arn",
        lambda stack: target_tuner(stack, guardrail_alarms=[_ALARM]),
        f"guardrail_alarms: got '{_ALARM}', allowed: alarms, at least one; ",
    ),
    WrongInput(
        "a-construct-of-alarms",
        _whole_alarms,
        "guardrail_alarms: got a ServiceAlarms, allowed: alarms, at least one; ",
    ),
    WrongInput(
        "no-topic",
        lambda stack: target_tuner(stack, alerts_topic=None),
        "alerts_topic: got none, allowed: an sns.ITopic",
    ),
    WrongInput(
        "a-share-for-the-ceiling",
        lambda stack: target_tuner(stack, ceiling_percent=0.75),
        "ceiling_percent: got 0.75, allowed: a number, 1 to 100; give 75 for 75 %",
    ),
    WrongInput(
        "text-for-the-ceiling",
        lambda stack: target_tuner(stack, ceiling_percent="75"),
        "ceiling_percent: got '75', allowed: a number, 1 to 100; leave the quotes out",
    ),
    WrongInput(
        "a-skew-below-one",
        lambda stack: target_tuner(stack, skew=0.9),
        "skew: got 0.9, allowed: a number, at least 1",
    ),
    WrongInput(
        "a-number-for-a-price",
        lambda stack: target_tuner(stack, price=0.05),
        "price: got 0.05, allowed: a FargatePrice",
    ),
    WrongInput(
        "days-for-a-cool-off",
        lambda stack: target_tuner(stack, cool_off=7),
        "cool_off: got 7, allowed: a Duration of whole seconds, at least 1 hour; ",
    ),
    WrongInput(
        "half-an-attempt",
        lambda stack: target_tuner(stack, attempts=1.5),
        "attempts: got 1.5, allowed: a whole number, at least 1",
    ),
    WrongInput(
        "a-ratio-below-one",
        lambda stack: target_tuner(stack, max_latency_ratio=0.25),
        "max_latency_ratio: got 0.25, allowed: a number, above 1; give None",
    ),
    WrongInput(
        "an-unknown-observation",
        lambda stack: target_tuner(stack, observation="two days"),
        "observation: got 'two days', allowed: two_days, seven_days, matching_weekdays; choose one of Observation",
    ),
    WrongInput(
        "a-days-observation",
        lambda stack: target_tuner(stack, observation=cdk.Duration.days(2)),
        "observation: got 2 days, allowed: two_days, seven_days, matching_weekdays; choose one of Observation",
    ),
    WrongInput(
        "a-table-for-a-dashboard",
        lambda stack: target_tuner(stack, dashboard=dynamodb.Table.from_table_name(stack, "Posts", "posts")),
        "dashboard: got a TableBase, allowed: a ServiceDashboard or a dashboard of CloudWatch",
    ),
    WrongInput(
        "no-topic-for-the-floor",
        lambda stack: forecast_floor(stack, alerts_topic=None),
        "alerts_topic: got none, allowed: an sns.ITopic",
    ),
    WrongInput(
        "a-share-for-the-utilization",
        lambda stack: forecast_floor(stack, utilization_percent=0.6),
        "utilization_percent: got 0.6, allowed: a number, 1 to 100; give 60 for 60 %",
    ),
    WrongInput(
        "an-unknown-look-back",
        lambda stack: forecast_floor(stack, look_back="months"),
        "look_back: got 'months', allowed: days, weeks; choose one of LookBack",
    ),
    WrongInput(
        "a-lead-of-20-minutes",
        lambda stack: forecast_floor(stack, lead=cdk.Duration.minutes(20)),
        "lead: got 20 minutes, allowed: 0 to 2 hours, a multiple of 15 minutes",
    ),
    WrongInput(
        "a-lead-of-half-a-day",
        lambda stack: forecast_floor(stack, lead=cdk.Duration.hours(12)),
        "lead: got 12 hours, allowed: a Duration of whole minutes, at most 2 hours",
    ),
    WrongInput(
        "a-number-for-the-lead",
        lambda stack: forecast_floor(stack, lead=30),
        "lead: got 30, allowed: a Duration of whole minutes, at most 2 hours; give Duration.minutes(30)",
    ),
    WrongInput(
        "a-city-for-a-zone",
        lambda stack: forecast_floor(stack, time_zone="Berlin"),
        "time_zone: got 'Berlin', allowed: a name of the IANA database, as Asia/Tokyo",
    ),
    WrongInput(
        "a-day-in-words",
        lambda stack: forecast_floor(stack, holidays=["Christmas"]),
        "holidays: got 'Christmas', allowed: days, as 2026-12-25",
    ),
    WrongInput(
        "one-day-for-a-list",
        lambda stack: forecast_floor(stack, holidays="2026-12-25"),
        "holidays: got '2026-12-25', allowed: days, as 2026-12-25; put it in a list",
    ),
    WrongInput(
        "a-table-for-the-floors-dashboard",
        lambda stack: forecast_floor(stack, dashboard=dynamodb.Table.from_table_name(stack, "Posts", "posts")),
        "dashboard: got a TableBase, allowed: ServiceDashboard",
    ),
    WrongInput(
        "text-for-the-dry-run",
        lambda stack: forecast_floor(stack, dry_run="yes"),
        "dry_run: got 'yes', allowed: True or False",
    ),
]
