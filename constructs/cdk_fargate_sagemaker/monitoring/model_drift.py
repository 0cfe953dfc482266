"""Drift: how served posts differ from those that a model was validated on."""

from typing import Unpack

from aws_cdk import Duration, Names
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_fargate_sagemaker.review import IReviewQueue
from cdk_fargate_sagemaker.sagemaker import ModelReleaseWorkflow

from .. import _statistics as statistics
from .._allow import allow
from .._checks import check_interface, check_kind, check_percent, refusal
from .._interfaces import AnyTopic
from .._key_use import allow_key, through_dynamodb
from .._last_queue import last_queue
from .._metric_names import check_namespace
from .._metric_options import MetricOptions, with_options
from .._number_token import number_text
from .._packaged_function import PackagedFunction
from .._readable_help import CallSignature
from .._topic_publishers import alarm_action
from .review_alarms import StartsOnAlarm

_DAY = Duration.days(1)
_MEASURED_EVERY = Duration.minutes(5)
_MAXIMUM = 20
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_SCORE, _LENGTH, _VOCABULARY = "ScoreDrift", "LengthDrift", "VocabularyDrift"
_FIRST_STAGE = "FirstStageDrift"


class ModelDrift(Construct):
    """Compares the posts that the current release serves with its validation posts, and notifies when they differ.

    Once a day, at 00:20 UTC, a function compares three distributions: of scores, of text lengths, and of vocabulary
    (the share of a text that did not occur in the training posts). For a cascade it also compares the share of posts
    that the first stage answers. The drift is the largest difference between the two cumulative distributions, in
    percent (the Kolmogorov-Smirnov statistic): 0 if they are the same, 100 if they do not overlap. It covers the latest
    whole days with 1,000 posts together, at most 7 days, and has a 95 % interval.

    An alarm fires when the **lower bound** of the drift is above its maximum. While the drift is exactly at its
    maximum, an alarm is false on at most one day of 1,000, for any distributions and any number of posts; while it is
    lower, less often. A day without data changes nothing.

    It needs no reviews: it reads the queue's table, in which the service counts the posts that it serves, and the
    record of the release. A release is compared with its own validation posts and the posts that it served itself. The
    function reads counts, never a post.

    Example:
        ```python
        drift = ModelDrift(self, "Drift", reviews=reviews, workflow=workflow, alerts_topic=topic, violation_percent=3)
        EndpointDashboard(self, "Monitor", endpoint=workflow, drift=drift)
        ```

    Args:
        reviews: the review queue in which the service counts served posts, made in this app or imported.
        workflow: the workflow that releases the model. It has a gate, and its training writes
            `validation_profile.json`, like that of the reference system.
        alerts_topic: is notified when an alarm fires and when it is over. The owner of an imported topic must allow
            alarms to publish; the app warns with the statement to add. Default: the alarms notify nobody.
        max_score_drift: maximum drift of the scores, 1 to 100 percent; None for no alarm. Default: 20.
        max_length_drift: maximum drift of the lengths, 1 to 100 percent; None for no alarm. Default: 20.
        max_vocabulary_drift: maximum drift of the vocabulary, 1 to 100 percent; None for no alarm. Default: 20.
        max_first_stage_drift: maximum difference between the shares of served and of validation posts that a cascade's
            first stage answers, 1 to 100 percentage points; None for no alarm, for a model that never has a first
            stage. Default: 20; the alarm has no data while the model has no first stage.
        violation_percent: share of violations in the served posts, 0 to 100 percent, if it differs from that in the
            labelled posts, which are then weighted accordingly. Default: the same share as in the labelled posts.
        starts: a workflow that starts a release when one of the alarms fires (`ModelReleaseWorkflow.start_on`).
            Default: a person does.
        metric_namespace: the CloudWatch namespace of the metrics. Default: `ModelDrift`.

    Raises:
        InvalidArgumentError: an argument of the wrong type, a percentage out of range, or a workflow to start without a
            maximum or without decisions to train on.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        reviews: IReviewQueue,
        workflow: ModelReleaseWorkflow,
        alerts_topic: AnyTopic | None = None,
        max_score_drift: float | None = _MAXIMUM,
        max_length_drift: float | None = _MAXIMUM,
        max_vocabulary_drift: float | None = _MAXIMUM,
        max_first_stage_drift: float | None = _MAXIMUM,
        violation_percent: float | None = None,
        starts: StartsOnAlarm | None = None,
        metric_namespace: str = "ModelDrift",
    ) -> None:
        super().__init__(scope, id)
        check_kind("reviews", reviews, IReviewQueue, "a ReviewQueue, made here or imported")
        check_kind("workflow", workflow, ModelReleaseWorkflow)
        maxima = {
            "max_score_drift": max_score_drift,
            "max_length_drift": max_length_drift,
            "max_vocabulary_drift": max_vocabulary_drift,
            "max_first_stage_drift": max_first_stage_drift,
        }
        for name, percent in maxima.items():
            if percent is not None:
                check_percent(name, percent, at_least=1)
        if violation_percent is not None:
            check_percent("violation_percent", violation_percent, at_least=0)
        if starts is not None:
            check_interface("starts", starts, "start_on", "a ModelReleaseWorkflow")
            if all(percent is None for percent in maxima.values()):
                raise refusal("starts", starts, "None without a maximum", f"give one of {', '.join(maxima)}")
        check_namespace("metric_namespace", metric_namespace)
        self._namespace = metric_namespace
        self._endpoint_name = workflow.endpoint_name
        self._function = self._measure(reviews, workflow, violation_percent)
        self._action = alarm_action(self, alerts_topic) if alerts_topic is not None else None
        self._name = Names.unique_resource_name(self, max_length=200, separator="-")
        self._score_drift = self._alarm(
            _SCORE, max_score_drift, "the scores of served posts differ from those of the validation posts"
        )
        self._length_drift = self._alarm(
            _LENGTH, max_length_drift, "served posts are longer or shorter than the validation posts"
        )
        self._vocabulary_drift = self._alarm(
            _VOCABULARY,
            max_vocabulary_drift,
            "served posts have another share of text that the model was not trained on than the validation posts",
        )
        self._first_stage_drift = self._alarm(
            _FIRST_STAGE,
            max_first_stage_drift,
            "the cascade's first stage answers another share of the posts that are served than of the validation posts",
        )
        if starts is not None:
            for alarm in (self._score_drift, self._length_drift, self._vocabulary_drift, self._first_stage_drift):
                if alarm is not None:
                    starts.start_on(alarm)

    @property
    def score_drift(self) -> cloudwatch.Alarm | None:
        """Alarm on the drift of the scores; None without `max_score_drift`."""
        return self._score_drift

    @property
    def length_drift(self) -> cloudwatch.Alarm | None:
        """Alarm on the drift of the texts' lengths; None without `max_length_drift`."""
        return self._length_drift

    @property
    def vocabulary_drift(self) -> cloudwatch.Alarm | None:
        """Alarm on the drift of the texts' vocabulary; None without `max_vocabulary_drift`."""
        return self._vocabulary_drift

    @property
    def first_stage_drift(self) -> cloudwatch.Alarm | None:
        """Alarm on the drift of the first stage's share; None without `max_first_stage_drift`."""
        return self._first_stage_drift

    @property
    def measuring_function(self) -> lambda_.Function:
        """The function that publishes the metrics once a day."""
        return self._function

    @property
    def metric_namespace(self) -> str:
        """The CloudWatch namespace of the metrics."""
        return self._namespace

    def metric_score_drift(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """The drift of the scores from those of the validation posts, percent (maximum over the day)."""
        return self._metric(_SCORE, options)

    def metric_score_drift_interval(
        self, **options: "Unpack[MetricOptions]"
    ) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """The two ends of the 95 % interval of the scores' drift, percent."""
        return self._interval(_SCORE, options)

    def metric_score_drift_at_least(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Lower bound of the scores' drift, percent; the true drift is lower on at most one day of 1,000."""
        return self._metric(f"{_SCORE}AtLeast", options)

    def metric_length_drift(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """The drift of the texts' lengths from those of the validation posts, percent (maximum over the day)."""
        return self._metric(_LENGTH, options)

    def metric_length_drift_interval(
        self, **options: "Unpack[MetricOptions]"
    ) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """The two ends of the 95 % interval of the lengths' drift, percent."""
        return self._interval(_LENGTH, options)

    def metric_length_drift_at_least(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Lower bound of the lengths' drift, percent; the true drift is lower on at most one day of 1,000."""
        return self._metric(f"{_LENGTH}AtLeast", options)

    def metric_vocabulary_drift(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """The drift of the texts' vocabulary from that of the validation posts, percent (maximum over the day).

        A text's vocabulary is the share of its trigrams of characters that the training posts did not have.
        """
        return self._metric(_VOCABULARY, options)

    def metric_vocabulary_drift_interval(
        self, **options: "Unpack[MetricOptions]"
    ) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """The two ends of the 95 % interval of the vocabulary's drift, percent."""
        return self._interval(_VOCABULARY, options)

    def metric_vocabulary_drift_at_least(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Lower bound of the vocabulary's drift, percent; the true drift is lower on at most one day of 1,000."""
        return self._metric(f"{_VOCABULARY}AtLeast", options)

    def metric_first_stage_drift(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """The drift of the share that a cascade's first stage answers from that of the validation posts, percent
        (maximum over the day). No data while the model has no first stage.
        """
        return self._metric(_FIRST_STAGE, options)

    def metric_first_stage_drift_interval(
        self, **options: "Unpack[MetricOptions]"
    ) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """The two ends of the 95 % interval of the drift of the first stage's share, percent."""
        return self._interval(_FIRST_STAGE, options)

    def metric_first_stage_drift_at_least(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Lower bound of the drift of the first stage's share, percent; the true drift is lower on at most one day of
        1,000.
        """
        return self._metric(f"{_FIRST_STAGE}AtLeast", options)

    def metric_measuring_failed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How often the measurement of the drift failed (sum over five minutes)."""
        return with_options(self._function.metric_errors(period=_MEASURED_EVERY, label="failed"), options)

    def _metric(self, name: str, options: MetricOptions) -> cloudwatch.Metric:
        metric = cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={"endpoint": self._endpoint_name},
            statistic=statistics.MAXIMUM,
            period=_DAY,
        )
        return with_options(metric, options)

    def _interval(self, name: str, options: MetricOptions) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        return self._metric(f"{name}Low", options), self._metric(f"{name}High", options)

    def _alarm(self, id: str, maximum: float | None, what: str) -> cloudwatch.Alarm | None:
        if maximum is None:
            return None
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=f"{self._endpoint_name}: {what}, by more than the maximum of {number_text(maximum)} %",
            metric=self._metric(f"{id}AtLeast", {}),
            threshold=maximum,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            # A day without served posts, or without validation data to compare with, shows nothing about the model.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        return alarm

    def _measure(
        self, reviews: IReviewQueue, workflow: ModelReleaseWorkflow, violation_percent: float | None
    ) -> lambda_.Function:
        releases = workflow.records.table
        missed = last_queue(self, "Missed")
        packaged = PackagedFunction(
            self,
            "Measures",
            name="drift_measures",
            description=f"Measures the drift of {workflow.endpoint_name}",
            timeout=Duration.minutes(2),
            environment={
                "TABLE_NAME": reviews.table.table_name,
                "RELEASES_TABLE": releases.table_name,
                "ENDPOINT_NAME": workflow.endpoint_name,
                "METRIC_NAMESPACE": self._namespace,
                **({} if violation_percent is None else {"VIOLATION_PERCENT": number_text(violation_percent)}),
            },
            dead_letter_queue=missed,
            log_encryption_key=releases.encryption_key,
        )
        allow(
            packaged.role,
            ["dynamodb:Query"],
            reviews.table.table_arn,
            # Only counts of served posts: no texts of users, no data of reviewers.
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["served#*"]}},
        )
        allow(
            packaged.role,
            ["dynamodb:GetItem", "dynamodb:Query"],
            releases.table_arn,
            conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [workflow.endpoint_name]}},
        )
        keys = {key.node.path: key for key in (reviews.encryption_key, releases.encryption_key) if key is not None}
        for key in keys.values():
            allow_key(packaged.role, key, ["kms:Decrypt"], conditions=through_dynamodb(self))
        allow(
            packaged.role,
            ["cloudwatch:PutMetricData"],
            "*",
            conditions={"StringEquals": {"cloudwatch:namespace": self._namespace}},
            wildcard_reason="Metrics and X-Ray traces have no ARN; a condition limits the metrics to one namespace.",
        )
        events.Rule(
            self,
            "Daily",
            description=f"Measures the drift of {workflow.endpoint_name}",
            # Once per day, because the rate of false alarms is stated per day. At this time the counts of the day
            # before are complete.
            schedule=events.Schedule.cron(minute="20", hour="0"),
            targets=[
                targets.LambdaFunction(packaged.function, dead_letter_queue=missed, max_event_age=Duration.hours(12))
            ],
        )
        return packaged.function
