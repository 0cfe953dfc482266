"""Tunes the tracked CPU target of a service: raises it in small steps while guardrails, latency and cost allow."""

import json
import re
from collections.abc import Sequence
from typing import Unpack

from aws_cdk import (
    ArnFormat,
    CustomResource,
    Duration,
    Fn,
    Lazy,
    RemovalPolicy,
)
from aws_cdk import aws_applicationautoscaling as applicationautoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk.interfaces.aws_applicationautoscaling import IScalableTargetRef
from constructs import Construct

from cdk_fargate_sagemaker.fargate import AnyService
from cdk_fargate_sagemaker.fargate._service_parts import ServiceParts
from cdk_fargate_sagemaker.monitoring import FargatePrice, ServiceDashboard
from cdk_fargate_sagemaker.monitoring._task_hour import task_hour

from .._acknowledgment import Acknowledgment, acknowledge
from .._allow import allow
from .._checkov_skips import skip_checkov
from .._checks import check_flags, check_kind, plain, refusal
from .._construct_tree import stack_of
from .._inline_policy import acknowledge_inline_policy
from .._interfaces import AnyKey, AnyTopic, check_topic, checked_grantee
from .._lives import VENDED_STATES, is_kept, kept_from_the_start, name_of_this_life
from .._log_checks import check_log_settings
from .._log_key import log_key
from .._managed_queue_key import explain_managed_key
from .._metric_options import MetricOptions, with_options
from .._packaged_function import PackagedFunction
from .._readable_help import CallSignature, readable
from .._topic_publishers import allow_publishing
from ._cpu_reports import cpu_reports
from ._tuned_policy import (
    CeilingInBetween,
    SpikeThresholds,
    checked_alarms,
    checked_board,
    claim,
    cpu_policy,
    full_name,
)
from ._tuner_definition import tuner_definition
from .observation import Observation
from .tuner_settings import DEFAULTS, STATED_SKEW, check_settings

_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"
_LOOK_EVERY = Duration.hours(1)
_OBSERVATION = Observation(DEFAULTS.observation)
_COOL_OFF = readable(Duration.seconds(DEFAULTS.cool_off.total_seconds()))
_DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class TargetTuner(Construct):
    """Raises a service's CPU target by a point every two days, and reverts it within a minute of a guardrail alarm.

    A higher target needs fewer tasks; how high it can be before users notice depends on the service's own traffic. The
    tuner makes a step once the current target has held for the whole observation: no guardrail alarm, no slow drift of
    latency, and no more task-hours per request than in the same hours before, with 95 % confidence. The target stays
    low enough that the observed hottest task does not trigger spike scaling in normal operation. A guardrail alarm
    reverts a step within a minute. The exception is an alarm on the hottest task's CPU during a deployment of the
    service, because tasks may be hot while they start. A target at which alarms fired more often than at lower ones, or
    which costs more, is given up, and tuning settles below it.

    The live target is held in an SSM parameter, which the policy reads at every deployment and the tuner writes: a
    deployment, changed or not, keeps a tuned target. A changed `target_percent` in the code does not change it either:
    that is only the start of tuning. A state machine runs every hour, after each deployment, and when a guardrail alarm
    fires. It changes nothing while a deployment is in progress, data are missing, or a guardrail is not OK, and reports
    when that has lasted for three days. If another user or program changed the target, it notifies and stops. Start it
    with `{"stop": true}` to stop tuning, or with `{"resume": true}` to continue from the policy's target.

    Every change is recorded in `table` with the figures that led to it, drawn as a vertical line on the dashboard, and
    reported to the topic. The rules are those that `fargate-capacity tune` replays.

    Example:
        ```python
        alarms = ServiceAlarms(self, "Alarms", service=web, alerts_topic=topic)
        TargetTuner(
            self,
            "Tuner",
            service=web,
            guardrail_alarms=[alarms.degraded],
            alerts_topic=topic,
            dashboard=ServiceDashboard(self, "Dashboard", service=web, alarms=alarms),
            ceiling_percent=70,
        )
        ```

    Args:
        service: a `ScaledFargateService`, a service of `aws_ecs_patterns` (the whole construct), or any other ECS
            service, of the same stack.
        guardrail_alarms: the alarms that revert a step, such as `ServiceAlarms.degraded`.
        alerts_topic: is notified of every change, and when the tuner stops or fails. The owner of a key of another
            account must allow this account; the app warns with the statement to add.
        scalable_target: the service's task count, whose CPU policy is tuned. Default: what
            `service.auto_scale_task_count(…)` made; required for a service on which it was not called.
        load_balancer: the ALB in front of it, whose latency is compared. Default: the one that the service was attached
            to before the tuner was made; if there is none, only the guardrail alarms watch latency, and an annotation
            reports that.
        dashboard: the dashboard that shows changes. Default: none.
        ceiling_percent: the target never goes above it, 1 to 100. Like the other numbers and durations here, it has to
            be known at synthesis; a token is refused. Default: 65.
        step_percent: percentage points that a step adds, at most 10. Default: 1.
        observation: how long a target is observed before the next step. Default: two days.
        cool_off: after a revert, no step for this long, at least an hour; a further alarm within it reverts twice as
            much. Default: 7 days.
        final_margin_percent: tuning settles this many percentage points below the highest target that held, once the
            next one has failed `attempts` times. Default: 2.
        attempts: how often a target may fail before it is given up. Default: 2.
        max_latency_ratio: the maximum of mean latency since the step / that of the same hours before; above it the step
            is reverted. None: only the guardrail alarms watch latency. Default: 1.25.
        skew: the hottest task's CPU / the average, at least 1, with which synthesis checks the ceiling; the deployed
            tuner observes the ratio. Default: 1.15.
        price: Fargate's on-demand price in the service's region and architecture. Default: none, and savings are
            reported in task-hours only.
        dry_run: decides, records and reports what it would do, and changes nothing. Default: off.
        log_encryption_key: encrypts the logs. The owner of an imported key must allow CloudWatch Logs to use it; the
            app warns with the statement to add. Default: keys of their own, rotated every year.
        removal_policy: what happens to the records when they leave the stack. Default: they are kept.

    Raises:
        InvalidArgumentError: no guardrail alarm, a service of another region, no scalable target, none or several CPU
            policies on it, a load balancer or task count that is another service's, a policy of another stack or that
            another tuner tunes, a price for a service whose task size is not known in this app, or a setting out of
            its range.

    Synthesis fails when the ceiling is above 95 % of the threshold of a spike scaling on the CPU maximum / `skew`, or
    below the target that is declared.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: AnyService,
        guardrail_alarms: Sequence[cloudwatch.IAlarm],
        alerts_topic: AnyTopic,
        scalable_target: IScalableTargetRef | None = None,
        load_balancer: elbv2.IApplicationLoadBalancer | None = None,
        dashboard: ServiceDashboard | cloudwatch.Dashboard | None = None,
        ceiling_percent: float = DEFAULTS.ceiling,
        step_percent: float = DEFAULTS.step,
        observation: Observation = _OBSERVATION,
        cool_off: Duration = _COOL_OFF,
        final_margin_percent: float = DEFAULTS.final_margin,
        attempts: int = DEFAULTS.attempts,
        max_latency_ratio: float | None = DEFAULTS.max_latency_ratio,
        skew: float = STATED_SKEW,
        price: FargatePrice | None = None,
        dry_run: bool = False,
        log_encryption_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        guardrail_alarms = checked_alarms(guardrail_alarms)
        check_settings(
            ceiling_percent=ceiling_percent,
            step_percent=step_percent,
            observation=observation,
            cool_off=cool_off,
            final_margin_percent=final_margin_percent,
            attempts=attempts,
            max_latency_ratio=max_latency_ratio,
            skew=skew,
        )
        check_flags(dry_run=dry_run)
        if price is not None:
            check_kind("price", price, FargatePrice, "a FargatePrice")
        check_topic("alerts_topic", alerts_topic)
        board = checked_board(dashboard)
        check_log_settings(log_encryption_key=log_encryption_key, removal_policy=removal_policy)
        parts = ServiceParts.of(self, service, scalable_target=scalable_target, load_balancer=load_balancer)
        metrics, load_balancer = parts.metrics, parts.load_balancer
        scalable_target = parts.required_scalable_target()
        if max_latency_ratio is not None:
            parts.say_what_is_not_known(self, load_balancer="latency is left to the guardrail alarms")
        policy, initial = cpu_policy(scalable_target)
        stack = stack_of(self)
        if stack_of(policy) is not stack:
            raise refusal(
                "service",
                plain(f"one of the stack {stack_of(policy).stack_name}"),
                f"one of the tuner's own, {stack.stack_name}",
                "make the tuner where the service is made",
            )
        claim(parts, self)
        self._dry_run = dry_run
        self._metrics = metrics
        # The name has a root of its own: no parameter name may begin with aws or ssm, but a stack name may.
        path = self.node.path.removeprefix(f"{stack.node.path}/")
        self._parameter_name = f"/target-tuner/{stack.stack_name}/{_NO_NAME.sub('-', path)}"
        self._table = dynamodb.Table(
            self,
            "Record",
            partition_key=dynamodb.Attribute(name="tuner", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="entry", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=is_kept(removal_policy),
            removal_policy=kept_from_the_start(removal_policy),
        )
        acknowledge(
            self._table,
            Acknowledgment(
                id="NIST.800.53.R5-DynamoDBInBackupPlan",
                reason="It can be restored to any second of the last 35 days, and the live target is in the policy.",
            ),
        )
        skip_checkov(
            self._table,
            {
                "CKV_AWS_119": "It holds CPU targets and measurements, nothing about a person; DynamoDB encrypts it "
                "with its own key. With a customer key, KMS refusing the tuner would keep it from taking a target "
                "back.",
            },
        )
        given_environment: dict[str, str | None] = {
            "CLUSTER_NAME": metrics.cluster_name,
            "SERVICE_NAME": metrics.service_name,
            **cpu_reports(metrics),
            "POLICY_NAME": policy.policy_name,
            "PARAMETER_NAME": self._parameter_name,
            "TABLE_NAME": self._table.table_name,
            "STACK_ARN": stack.stack_id,
            "ALERTS_TOPIC_ARN": alerts_topic.topic_arn,
            "GUARDRAILS": stack.to_json_string([alarm.alarm_name for alarm in guardrail_alarms]),
            "LOAD_BALANCER": full_name(load_balancer) if load_balancer else None,
            "DASHBOARD_NAME": board.dashboard_name if board else None,
            # A spike scaling may be declared after the tuner.
            "SPIKE_THRESHOLDS": Lazy.string(SpikeThresholds(stack, scalable_target)),
            "SETTINGS": json.dumps(
                {
                    "ceiling": ceiling_percent,
                    "step": step_percent,
                    "observation": str(observation),
                    "cool_off_seconds": cool_off.to_seconds(),
                    "final_margin": final_margin_percent,
                    "attempts": attempts,
                    "max_latency_ratio": max_latency_ratio if load_balancer else None,
                    "task_hour_price": task_hour(price, parts.service) if price else None,
                    "currency": price.currency if price else None,
                    "dry_run": dry_run,
                }
            ),
        }
        key = log_key(self, given=log_encryption_key, removal_policy=RemovalPolicy.DESTROY)
        self._packaged = PackagedFunction(
            self,
            "Tuner",
            name="target_tuner",
            description=f"Tunes the target of {scalable_target.node.path}",
            # Its lease on the record lasts 15 seconds longer than the function may run.
            timeout=Duration.minutes(1),
            # For the CPU that comes with the memory: a faster start reverts a target sooner.
            memory_mib=512,
            environment={name: value for name, value in given_environment.items() if value is not None},
            log_encryption_key=key,
        )
        self._grant_function(alerts_topic, board)
        self._hold_target(policy, initial)
        self._state_machine = self._make_state_machine(alerts_topic, key, service_name=scalable_target.node.path)
        self._start_by_events(guardrail_alarms)
        self.node.add_validation(CeilingInBetween(ceiling_percent, initial, skew, scalable_target))

    @property
    def state_machine(self) -> sfn.StateMachine:
        """The tuner's workflow: it observes, decides, applies and reports. Start it with `{"stop": true}` or
        `{"resume": true}`.
        """
        return self._state_machine

    @property
    def table(self) -> dynamodb.Table:
        """The tuner's state, its latest look, and every decision with the figures that led to it."""
        return self._table

    @property
    def parameter_name(self) -> str:
        """The SSM parameter that holds the live target, percent."""
        return self._parameter_name

    def grant_stop_and_resume(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows `grantee` to start the state machine, with `{"stop": true}` or `{"resume": true}`."""
        return self._state_machine.grant_start_execution(checked_grantee(grantee))

    def metric_failed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Failed executions of the tuner (sum over 5 minutes)."""
        return with_options(self._state_machine.metric_failed(), options)

    def _grant_function(self, alerts_topic: sns.ITopic, dashboard: cloudwatch.Dashboard | None) -> None:
        stack, role = stack_of(self), self._packaged.role
        allow(
            role,
            [
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            self._table.table_arn,
        )
        allow(
            role,
            ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"],
            stack.format_arn(service="ssm", resource="parameter", resource_name=self._parameter_name.lstrip("/")),
        )
        allow(
            role,
            [
                "application-autoscaling:DescribeScalingPolicies",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
            ],
            "*",
            wildcard_reason="The actions that read scaling policies, composite alarms and metrics, and X-Ray's, "
            "support no resource-level permissions.",
        )
        allow(
            role,
            ["ecs:DescribeServices"],
            stack.format_arn(
                service="ecs",
                resource="service",
                resource_name=f"{self._metrics.cluster_name}/{self._metrics.service_name}",
            ),
        )
        allow(role, ["cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"], stack.stack_id)
        allow_publishing(role, alerts_topic)
        if not self._dry_run:
            self._grant_changes(dashboard)

    def _grant_changes(self, dashboard: cloudwatch.Dashboard | None) -> None:
        stack, role = stack_of(self), self._packaged.role
        allow(
            role,
            ["application-autoscaling:PutScalingPolicy"],
            stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*"),
            conditions={
                "StringEquals": {
                    "application-autoscaling:service-namespace": "ecs",
                    "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
                }
            },
            wildcard_reason="AWS gives a scalable target's ARN an id that no template knows; a condition keeps it to "
            "the task counts of ECS services.",
        )
        # When the target changes, AWS replaces the policy's alarms with the caller's permissions.
        allow(
            role,
            ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"],
            stack.format_arn(
                service="cloudwatch",
                resource="alarm",
                resource_name=f"TargetTracking-service/{self._metrics.cluster_name}/{self._metrics.service_name}-*",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            wildcard_reason="The alarms of this service's tracking policies end in an id that AWS makes.",
        )
        if dashboard is not None:
            allow(role, ["cloudwatch:GetDashboard", "cloudwatch:PutDashboard"], dashboard.dashboard_arn)

    def _hold_target(self, policy: applicationautoscaling.CfnScalingPolicy, initial: float) -> None:
        live = CustomResource(
            self,
            "LiveTarget",
            service_token=self._packaged.function.function_arn,
            resource_type="Custom::LiveTarget",
            service_timeout=Duration.minutes(5),
            properties={"Name": self._parameter_name, "Initial": f"{initial:g}"},
        )
        # The role's policy must exist before the custom resource invokes the function.
        live.node.add_dependency(self._packaged.role)
        # The name comes from the custom resource, so that CloudFormation resolves it only once the parameter exists.
        # Each later deployment resolves it again, and gets the value that the tuner wrote.
        policy.add_property_override(f"{_CONFIGURATION}.TargetValue", Fn.join("", ["{{resolve:ssm:", live.ref, "}}"]))

    def _make_state_machine(self, alerts_topic: sns.ITopic, key: kms.IKey, *, service_name: str) -> sfn.StateMachine:
        role = iam.Role(
            self,
            "Role",
            description=f"The tuner of {service_name}",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        )
        allow(role, ["lambda:InvokeFunction"], self._packaged.function.function_arn)
        allow_publishing(role, alerts_topic)
        acknowledge_inline_policy(role)
        acknowledge(
            role,
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="The CDK's actions for X-Ray and for log delivery support no resource-level permissions.",
            ),
        )
        definition = tuner_definition(
            self,
            function_arn=self._packaged.function.function_arn,
            topic_arn=alerts_topic.topic_arn,
            name=self.node.path,
            dry_run=self._dry_run,
        )
        return sfn.StateMachine(
            self,
            "StateMachine",
            comment=f"Tunes the target of {service_name}",
            definition_body=sfn.DefinitionBody.from_chainable(definition),
            query_language=sfn.QueryLanguage.JSONATA,
            role=role,
            timeout=Duration.minutes(30),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=name_of_this_life(self, VENDED_STATES),
                    retention=logs.RetentionDays.THREE_MONTHS,
                    encryption_key=key,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=True,
            ),
        )

    def _start_by_events(self, guardrail_alarms: Sequence[cloudwatch.IAlarm]) -> None:
        undelivered = sqs.Queue(
            self,
            "Undelivered",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        last_queue = "It is the dead-letter queue of the rules; a person reads its messages."
        acknowledge(
            undelivered,
            Acknowledgment(id="AwsSolutions-SQS3", reason=last_queue),
            Acknowledgment(id="Serverless-SQSRedrivePolicy", reason=last_queue),
        )
        explain_managed_key(undelivered)
        starter = iam.Role(
            self,
            "Starter",
            description=f"Starts {self.node.path}",
            assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
        )
        acknowledge_inline_policy(starter)
        target = targets.SfnStateMachine(self._state_machine, role=starter, dead_letter_queue=undelivered)
        events.Rule(
            self,
            "EveryHour",
            description="The tuner checks whether the target may rise",
            schedule=events.Schedule.rate(_LOOK_EVERY),
            targets=[target],
        )
        events.Rule(
            self,
            "Guardrail",
            description="The tuner reverts a step",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                resources=[alarm.alarm_arn for alarm in guardrail_alarms],
                detail={"state": {"value": ["ALARM"]}},
            ),
            targets=[target],
        )
        events.Rule(
            self,
            "Deployed",
            description="The tuner draws its changes on a dashboard that was just deployed",
            event_pattern=events.EventPattern(
                source=["aws.cloudformation"],
                detail_type=["CloudFormation Stack Status Change"],
                detail={"stack-id": [stack_of(self).stack_id], "status-details": {"status": list(_DEPLOYED)}},
            ),
            targets=[target],
        )
