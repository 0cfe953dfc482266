"""Checks of a release workflow's arguments and of their combinations."""

import re
from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from ..._checks import check_duration, check_flags, check_kind, check_number, plain, refusal
from ..._interfaces import check_bucket, check_key, check_topic
from ..._lives import check_removal_policy
from ..._log_checks import check_log_retention
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..endpoint._endpoint_name import check_endpoint_name
from ..machines._environment import check_environment
from ..machines._interfaces import check_model_image
from ..machines.model_image import ModelImage
from ..rollback.rollback_workflow import check_poll_interval
from ..sources.labelled_data import LabelledData
from ..sources.review_decisions import ReviewDecisions
from ..stages.processing_job import ProcessingJob
from ..stages.release_stage import ReleaseStage, check_stage
from ._release_definition import ReleaseStages

# This leaves 23 of SageMaker's 63 characters for a hyphen and the execution's name.
_LONGEST_ENDPOINT_NAME = 40
LEAST_KEPT = 2
_RATE = re.compile(r"rate\((1 (minute|hour|day)|(?!1 )[1-9]\d* (minutes|hours|days))\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_CRON_FIELDS = 6


def checked_stages(*, source: Any, preprocess: Any, train: Any, evaluate: Any, check: Any) -> ReleaseStages:
    """Returns the stages of a workflow; refuses an argument that is not a stage for its slot.

    Raises:
        InvalidArgumentError: see above.
    """
    for slot, stage in (("source", source), ("train", train), ("evaluate", evaluate)):
        check_stage(slot, stage)
    preparing, checking = _listed("preprocess", preprocess), _listed("check", check)
    jobs = sum(isinstance(stage, ProcessingJob) for stage in preparing)
    if jobs > 1:
        raise refusal(
            "preprocess",
            plain(f"{jobs} ProcessingJobs"),
            "one, and other stages",
            "its job has the release's name; have one program do both",
        )
    return ReleaseStages(source=source, preprocess=preparing, train=train, evaluate=evaluate, check=checking)


def _listed(slot: str, stages: Any) -> tuple[ReleaseStage, ...]:
    listed = tuple(stages) if isinstance(stages, list | tuple) else () if stages is None else (stages,)
    for stage in listed:
        if stage is None:
            raise refusal(slot, plain("none within a list"), "a list of stages", "leave it out of the list")
        check_stage(slot, stage)
    return listed


def check_release_arguments(
    *,
    endpoint_name: str,
    inference_image: ModelImage,
    data_bucket: s3.IBucket,
    alerts_topic: sns.ITopic,
    keep_releases: int,
    schedule: events.Schedule | None,
    start_on_new_data: bool,
    start_on_new_labels: int | None,
    configuration: EndpointConfiguration | None,
    traffic_shifting: TrafficShifting | None,
    inference_environment: Mapping[str, str] | None,
    encryption_key: kms.IKey | None,
    poll_interval: Duration | None,
    in_service_within: Duration | None,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy,
) -> None:
    """Refuses invalid arguments of a `ModelReleaseWorkflow`; the error names the argument.

    Raises:
        InvalidArgumentError: see above.
    """
    check_endpoint_name(endpoint_name, longest=_LONGEST_ENDPOINT_NAME)
    check_model_image("inference_image", inference_image)
    check_bucket("data_bucket", data_bucket)
    check_topic("alerts_topic", alerts_topic)
    if configuration is not None:
        check_kind("configuration", configuration, EndpointConfiguration)
    if traffic_shifting is not None:
        check_kind("traffic_shifting", traffic_shifting, TrafficShifting)
    if schedule is not None:
        check_kind(
            "schedule",
            schedule,
            events.Schedule,
            "an events.Schedule",
            "give events.Schedule.expression('rate(7 days)')",
        )
        check_schedule("schedule", schedule.expression_string)
    check_flags(start_on_new_data=start_on_new_data)
    check_number(
        "keep_releases",
        keep_releases,
        at_least=LEAST_KEPT,
        whole=True,
        remedy="the current one and one to go back to stay",
    )
    if start_on_new_labels is not None:
        check_number("start_on_new_labels", start_on_new_labels, at_least=1, whole=True)
    if inference_environment is not None:
        check_environment("inference_environment", inference_environment)
    if encryption_key is not None:
        check_key("encryption_key", encryption_key)
    if poll_interval is not None:
        check_poll_interval(poll_interval)
    if in_service_within is not None:
        # The time limit of the whole workflow is computed from it.
        check_duration("in_service_within", in_service_within, above_zero=True, whole="seconds", token=False)
    check_log_retention(log_retention)
    check_removal_policy(removal_policy)


def check_schedule(name: str, expression: str) -> None:
    """Refuses an expression that EventBridge would refuse when the rule is deployed.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html

    Args:
        name: the argument or setting that has the expression.
        expression: `cron(…)` or `rate(…)`.

    Raises:
        InvalidArgumentError: see above.
    """
    if Token.is_unresolved(expression) or _RATE.fullmatch(expression):
        return
    found = _CRON.fullmatch(expression)
    fields = found[1].split() if found else []
    # Day of the month and day of the week exclude each other; EventBridge requires a ? for the unused one.
    if len(fields) != _CRON_FIELDS or (fields[2] == "?") == (fields[4] == "?"):
        raise refusal(
            name,
            expression,
            "rate(1 day), rate(7 days), or cron(…) of minute, hour, day of the month, month, day of the week, year",
            "write ? for one of the two days, as cron(0 3 ? * MON *)",
        )


def check_starts(
    stages: ReleaseStages,
    *,
    schedule: events.Schedule | None,
    start_on_new_data: bool,
    start_on_new_labels: int | None,
) -> None:
    """Refuses a trigger whose releases would lack their input, or that would never start one.

    Raises:
        InvalidArgumentError: see above.
    """
    if start_on_new_labels is not None and reviews_of(stages.source) is None:
        raise refusal(
            "start_on_new_labels",
            start_on_new_labels,
            "none without reviews of the source",
            "there are no labels to count; give source=LabelledData(reviews=ReviewDecisions(table=…))",
        )
    starts: dict[str, object] = {
        "schedule": schedule,
        "start_on_new_data": start_on_new_data or None,
        "start_on_new_labels": start_on_new_labels,
    }
    needed = "source" if stages.source is None else "train" if stages.train is None else None
    for name, start in starts.items():
        if needed is not None and start is not None:
            raise refusal(
                name,
                start,
                f"none without {needed}",
                "whoever starts an execution gives it the input that it needs then; leave it out",
            )
    if start_on_new_data and not isinstance(stages.source, LabelledData):
        raise refusal(
            "start_on_new_data",
            start_on_new_data,
            f"False with {type(stages.source).__name__}",
            "it sees objects below the prefix of LabelledData alone; give a schedule",
        )


def reviews_of(source: ReleaseStage | None) -> ReviewDecisions | None:
    """Returns the reviewers' decisions that a source merges; None if it merges none."""
    reviews = getattr(source, "reviews", None)
    return reviews if isinstance(reviews, ReviewDecisions) else None
