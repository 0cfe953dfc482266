"""What a release workflow may be given, and what goes together."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from ..._checks import check_duration, check_kind, check_number, refusal
from ..._interfaces import check_bucket, check_key, check_topic
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..endpoint._endpoint_name import check_endpoint_name
from ..machines._environment import check_environment
from ..machines._interfaces import check_model_image
from ..machines.model_image import ModelImage
from ..rollback.rollback_workflow import check_poll_interval
from ..sources.athena_unload import AthenaUnload
from ..sources.dynamodb_export import DynamoDbExport
from ..sources.review_limits import ReviewLimits
from ..stages.evaluation_gate import EvaluationGate
from ..stages.function_step import FunctionStep
from ..stages.processing_job import ProcessingJob
from ..stages.training_job import TrainingJob
from ..stages.transform_job import TransformJob

# It leaves 23 of SageMaker's 63 for the execution's name.
_LONGEST_ENDPOINT_NAME = 40
LEAST_KEPT = 2


def check_release_arguments(
    *,
    endpoint_name: str,
    inference_image: ModelImage,
    training_image: ModelImage | None,
    data_bucket: s3.IBucket,
    alerts_topic: sns.ITopic,
    data_prefix: str,
    extract: Any,
    reviews: DynamoDbExport | None,
    review_limits: ReviewLimits | None,
    preprocess: Any,
    train: Any,
    evaluate: Any,
    gate: EvaluationGate | None,
    score_current: TransformJob | None,
    check: Any,
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
    """Refuses what a `ModelReleaseWorkflow` cannot work with, by the names of its arguments.

    Raises:
        InvalidArgumentError: see above.
    """
    check_endpoint_name(endpoint_name, longest=_LONGEST_ENDPOINT_NAME)
    check_model_image("inference_image", inference_image)
    if training_image is not None:
        check_model_image("training_image", training_image)
    check_bucket("data_bucket", data_bucket)
    check_topic("alerts_topic", alerts_topic)
    _check_data_prefix(data_prefix)
    _check_step("extract", extract, (AthenaUnload, DynamoDbExport, FunctionStep), has_default=True)
    _check_step("preprocess", preprocess, (ProcessingJob, FunctionStep))
    _check_step("train", train, (TrainingJob,), has_default=True)
    _check_step("evaluate", evaluate, (FunctionStep,), has_default=True)
    _check_step("check", check, (FunctionStep,), has_default=True)
    for name, given, kind in (
        ("reviews", reviews, DynamoDbExport),
        ("review_limits", review_limits, ReviewLimits),
        ("gate", gate, EvaluationGate),
        ("score_current", score_current, TransformJob),
        ("configuration", configuration, EndpointConfiguration),
        ("traffic_shifting", traffic_shifting, TrafficShifting),
    ):
        if given is not None:
            check_kind(name, given, kind)
    if schedule is not None:
        check_kind(
            "schedule",
            schedule,
            events.Schedule,
            "an events.Schedule",
            "give events.Schedule.expression('rate(7 days)')",
        )
    check_kind("start_on_new_data", start_on_new_data, bool, "True or False")
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
        # The time of the whole workflow is computed from it.
        check_duration("in_service_within", in_service_within, above_zero=True, whole="seconds", token=False)
    check_kind("log_retention", log_retention, logs.RetentionDays, "a logs.RetentionDays")
    check_kind("removal_policy", removal_policy, RemovalPolicy)
    _check_together(
        extract=extract,
        reviews=reviews,
        review_limits=review_limits,
        train=train,
        training_image=training_image,
        evaluate=evaluate,
        gate=gate,
        score_current=score_current,
        schedule=schedule,
        start_on_new_data=start_on_new_data,
        start_on_new_labels=start_on_new_labels,
    )


def _check_together(
    *,
    extract: Any,
    reviews: DynamoDbExport | None,
    review_limits: ReviewLimits | None,
    train: Any,
    training_image: ModelImage | None,
    evaluate: Any,
    gate: EvaluationGate | None,
    score_current: TransformJob | None,
    schedule: events.Schedule | None,
    start_on_new_data: bool,
    start_on_new_labels: int | None,
) -> None:
    if evaluate is None:
        for name, given in (("gate", gate), ("score_current", score_current)):
            if given is not None:
                raise refusal(name, given, "none without evaluate", "there is nothing to judge; leave it out")
    if start_on_new_labels is not None and reviews is None:
        raise refusal("reviews", None, "a DynamoDbExport with start_on_new_labels", "there are no labels to count")
    if review_limits is not None and reviews is None:
        raise refusal("reviews", None, "a DynamoDbExport with review_limits", "there are no decisions to limit")
    starts: dict[str, object] = {
        "schedule": schedule,
        "start_on_new_data": start_on_new_data or None,
        "start_on_new_labels": start_on_new_labels,
    }
    needed = "extract" if extract is None else "train" if train is None else None
    for name, start in starts.items():
        if needed is not None and start is not None:
            raise refusal(
                name,
                start,
                f"none without {needed}",
                "whoever starts an execution gives it the input that it needs then; leave it out",
            )
    if start_on_new_data and isinstance(extract, AthenaUnload | DynamoDbExport):
        raise refusal(
            "start_on_new_data",
            start_on_new_data,
            f"False with {type(extract).__name__}",
            "it sees objects below data_prefix alone; give a schedule",
        )
    if reviews is not None and (extract is None or isinstance(extract, FunctionStep)):
        raise refusal(
            "reviews",
            reviews,
            f"none with extract={'None' if extract is None else 'FunctionStep(…)'}",
            "the library's own extraction merges decisions with posts; leave one of them out",
        )
    if train is None and training_image is not None:
        raise refusal("training_image", training_image, "none without train", "nobody runs it; leave it out")
    if train is not None and training_image is None:
        raise refusal(
            "training_image", None, "a ModelImage", "give the image that trains, or leave training out with train=None"
        )


def _check_step(name: str, step: Any, kinds: tuple[type, ...], *, has_default: bool = False) -> None:
    if step is None or (has_default and step == "default"):
        return
    names = [kind.__name__ for kind in kinds]
    remedy = None
    if FunctionStep in kinds and hasattr(step, "function_arn"):
        remedy = f"give {name}=FunctionStep(function=…)"
    elif DynamoDbExport in kinds and hasattr(step, "table_arn"):
        remedy = f"give {name}=DynamoDbExport(table=…)"
    elif hasattr(step, "bind") and ProcessingJob in kinds:
        remedy = f"give {name}=ProcessingJob(image=…)"
    allowed = ", ".join([*names, *(["'default'"] if has_default else [])])
    check_kind(name, step, kinds, f"{allowed} or None", remedy)


def _check_data_prefix(data_prefix: str) -> None:
    check_kind("data_prefix", data_prefix, str, "text")
    if Token.is_unresolved(data_prefix):
        return
    if not data_prefix.endswith("/") or data_prefix.startswith(("/", "runs/", "models/", "sides/")):
        raise refusal(
            "data_prefix",
            data_prefix,
            "a prefix that ends with a slash and begins with none, not below runs/, models/ or sides/",
            "the workflow writes there",
        )
