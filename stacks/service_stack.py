from collections.abc import Sequence
from pathlib import Path
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import CpuStep, RetryQueue, ScaledFargateService, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import (
    FallbackAlarms,
    FargatePrice,
    ReviewAlarms,
    ReviewDashboard,
    ServiceAlarms,
    ServiceDashboard,
)
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.review import CognitoIdentity, OidcIdentity, ReviewerAccess, ReviewerSignIn, ReviewQueue
from cdk_fargate_sagemaker.sagemaker import ModelReleaseWorkflow
from cdk_fargate_sagemaker.tuning import TargetTuner
from stacks.access_logs_bucket import AccessLogsBucket
from stacks.removal import removal_policy
from stacks.settings import ReviewerSettings, Settings

_CONTAINERS = Path(__file__).parents[1] / "container"
_CHANGE_LOG = Path(__file__).parent / "changes.yaml"
# The namespace of the ML API's own metrics.
_NAMESPACE = "Moderation/Api"
# The public keys of a load balancer that authenticates are at a public address, of which AWS publishes no list.
_ANYWHERE = (ec2.Peer.any_ipv4(),)
# A post may contain any text: moderators must also see texts that look like an attack. Only its length is checked.
_RULES_OF_WHAT_POSTS_SAY = (
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "JavaDeserializationRCE_BODY",
    "Log4JRCE_BODY",
    "ReactJSRCE_BODY",
)
# The time that a stopping task has to send the data that it holds in memory.
_STOP_TIMEOUT = cdk.Duration.seconds(60)


class ServiceStack(cdk.Stack):
    """The ML API on Fargate, its spike scaling, and its dashboard."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        vpc: ec2.IVpc,
        destinations: Sequence[ec2.IPeer] | None,
        alerts: AlertsTopic,
        workflow: ModelReleaseWorkflow,
        reviews: ReviewQueue,
        env: cdk.Environment,
    ) -> None:
        super().__init__(scope, id, env=env, description="Moderation: ML API")
        removal = removal_policy(settings)
        service_settings = settings.service
        service_name = f"moderation-{settings.environment}"
        access_logs = AccessLogsBucket(
            self, "AccessLogs", removal_policy=removal, log_encryption_key=alerts.encryption_key
        )
        identity = _identity(self, settings.reviewers)
        unscored = RetryQueue(self, "Unscored", alerts_topic=alerts, removal_policy=removal)
        api = ScaledFargateService(
            self,
            "Api",
            vpc=vpc,
            image=ecs.ContainerImage.from_asset(str(_CONTAINERS / "api"), platform=ecr_assets.Platform.LINUX_AMD64),
            cpu=service_settings.cpu,
            memory_mib=service_settings.memory_mib,
            environment={
                "ENDPOINT_NAME": workflow.endpoint_name,
                "THRESHOLD": str(service_settings.flag_threshold),
                "DEADLINE_MS": str(service_settings.deadline_ms),
                "FALLBACK_POLICY": service_settings.fallback_policy,
                "UNSCORED_QUEUE_URL": unscored.queue.queue_url,
                "SERVICE_NAME": service_name,
                "STOP_TIMEOUT_SECONDS": str(_STOP_TIMEOUT.to_seconds()),
                **reviews.environment,
            },
            secrets=reviews.secrets,
            health_check_path="/health",
            min_tasks=service_settings.min_tasks,
            max_tasks=service_settings.max_tasks,
            target_percent=service_settings.target_percent,
            certificate=(
                acm.Certificate.from_certificate_arn(self, "Certificate", service_settings.certificate_arn)
                if service_settings.certificate_arn
                else None
            ),
            destinations=destinations if destinations and identity is None else _ANYWHERE,
            access_logs_bucket=access_logs,
            stop_timeout=_STOP_TIMEOUT,
            removal_policy=removal,
        )
        _acknowledge_inside_the_vpc(api, settings)
        if service_settings.requests_per_minute is not None:
            WebAcl(
                self,
                "Firewall",
                load_balancer=api.load_balancer,
                requests_per_address=service_settings.requests_per_minute,
                evaluation_window=cdk.Duration.minutes(1),
                excluded_rules=_RULES_OF_WHAT_POSTS_SAY,
                log_encryption_key=alerts.encryption_key,
                removal_policy=removal,
            )
        workflow.grant_invoke(api)
        unscored.grant_use(api)
        reviews.grant_use(api)
        spikes = SpikeScaling(
            self,
            "Spikes",
            service=api,
            steps=CpuStep(
                threshold_percent=service_settings.spike_threshold_percent, add_tasks=service_settings.spike_tasks
            ),
        )
        fallbacks = FallbackAlarms(
            self, "Fallbacks", namespace=_NAMESPACE, service_name=service_name, alerts_topic=alerts
        )
        alarms = ServiceAlarms(
            self, "Alarms", service=api, alerts_topic=alerts, deployment_alarms=fallbacks.guardrail_alarms
        )
        price = FargatePrice(vcpu_hour=service_settings.usd_vcpu_hour, gib_hour=service_settings.usd_gib_hour)
        monitor = ServiceDashboard(
            self,
            "Monitor",
            service=api,
            spike_scaling=spikes,
            alarms=alarms,
            team_metrics=[fallbacks.fallbacks, fallbacks.breaker_open],
            price=price,
            change_log=_CHANGE_LOG,
            dashboard_name=f"moderation-{settings.environment}-api",
        )
        if service_settings.tuner_ceiling_percent is not None:
            tuner = TargetTuner(
                self,
                "Tuner",
                service=api,
                guardrail_alarms=[alarms.degraded],
                alerts_topic=alerts,
                dashboard=monitor,
                ceiling_percent=service_settings.tuner_ceiling_percent,
                price=price,
                removal_policy=removal,
            )
            cdk.CfnOutput(self, "TunerWorkflowArn", value=tuner.state_machine.state_machine_arn)
            cdk.CfnOutput(self, "TunerTableName", value=tuner.table.table_name)
            cdk.CfnOutput(self, "TunedTargetParameterName", value=tuner.parameter_name)
        ReviewDashboard(
            self, "ReviewMonitor", reviews=reviews, dashboard_name=f"moderation-{settings.environment}-reviews"
        )
        ReviewAlarms(
            self,
            "ReviewAlarms",
            reviews=reviews,
            namespace=_NAMESPACE,
            service_name=service_name,
            alerts_topic=alerts,
            min_precision=settings.reviewers.minimum_precision,
            min_recall=settings.reviewers.minimum_recall,
            starts=workflow if settings.reviewers.release_when_worse else None,
        )
        if identity is not None:
            ReviewerSignIn(
                self,
                "SignIn",
                service=api,
                identity=identity,
                access=_access(settings.reviewers),
                oauth_scope=settings.reviewers.oauth_scope,
            )
        scheme = "https" if service_settings.certificate_arn else "http"
        cdk.CfnOutput(self, "ClusterName", value=api.cluster.cluster_name)
        cdk.CfnOutput(self, "ServiceName", value=api.service.service_name)
        cdk.CfnOutput(self, "TaskDefinitionArn", value=api.task_definition.task_definition_arn)
        cdk.CfnOutput(self, "LoadBalancerUrl", value=f"{scheme}://{api.load_balancer.load_balancer_dns_name}")
        cdk.CfnOutput(self, "DashboardName", value=monitor.dashboard.dashboard_name)


def _access(settings: ReviewerSettings) -> ReviewerAccess | None:
    if settings.subjects is not None:
        return ReviewerAccess.by_subjects(settings.subjects)
    if settings.required_group is not None:
        return ReviewerAccess.by_group(settings.required_group)
    if settings.required_claim is not None and settings.required_claim_value is not None:
        return ReviewerAccess.by_claim(settings.required_claim, settings.required_claim_value)
    return None


def _identity(scope: Construct, settings: ReviewerSettings) -> OidcIdentity | CognitoIdentity | None:
    match settings.sign_in:
        case "oidc":
            return OidcIdentity(
                issuer=settings.oidc_issuer or "",
                authorization_endpoint=settings.oidc_authorization_endpoint or "",
                token_endpoint=settings.oidc_token_endpoint or "",
                user_info_endpoint=settings.oidc_user_info_endpoint or "",
                client_id=settings.oidc_client_id or "",
                client_secret=cdk.SecretValue.secrets_manager(settings.oidc_client_secret_name or ""),
            )
        case "cognito":
            return CognitoIdentity(
                user_pool=cognito.UserPool.from_user_pool_arn(scope, "Reviewers", settings.cognito_user_pool_arn or ""),
                user_pool_client=cognito.UserPoolClient.from_user_pool_client_id(
                    scope, "ReviewersClient", settings.cognito_client_id or ""
                ),
                user_pool_domain=cognito.UserPoolDomain.from_domain_name(
                    scope, "ReviewersDomain", settings.cognito_domain or ""
                ),
            )
    return None


def _acknowledge_inside_the_vpc(api: ScaledFargateService, settings: Settings) -> None:
    balancer = cdk.Validations.of(api.load_balancer)
    if settings.service.requests_per_minute is None:
        inside = "The load balancer is internal, and the setting service.requests_per_minute is empty: no firewall."
        balancer.acknowledge(cdk.Acknowledgment(id="NIST.800.53.R5-ALBWAFEnabled", reason=inside))
    if settings.service.certificate_arn is None:
        plain = "The setting service.certificate_arn is empty: inside the VPC the load balancer then speaks HTTP."
        balancer.acknowledge(
            cdk.Acknowledgment(id="NIST.800.53.R5-ALBHttpToHttpsRedirection", reason=plain),
            cdk.Acknowledgment(id="NIST.800.53.R5-ELBv2ACMCertificateRequired", reason=plain),
        )
        checks = ("CKV_AWS_2", "CKV_AWS_103")
        listener = cast(cdk.CfnResource, api.listener.node.default_child)
        listener.add_metadata("checkov", {"skip": [{"id": check, "comment": plain} for check in checks]})
    balancer.acknowledge(
        cdk.Acknowledgment(
            id="NIST.800.53.R5-ELBDeletionProtectionEnabled",
            reason="It stores nothing. Deletion protection would prevent the deletion of its stack, and the rollback "
            "of a first deployment that fails.",
        )
    )
