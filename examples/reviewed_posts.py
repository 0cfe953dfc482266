"""A team's own service, whose flagged posts are reviewed by people whom the team's identity provider signs in."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk_fargate_sagemaker.fargate import CpuStep, ScaledFargateService, ServiceVpc, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ReviewDashboard
from cdk_fargate_sagemaker.review import OidcIdentity, ReviewerAccess, ReviewerSignIn, ReviewQueue

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"


class ReviewedPosts(cdk.Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=cdk.Environment(region="us-east-1"))
        reviews = ReviewQueue(
            self,
            "Reviews",
            # Two of a hundred posts without a flag are reviewed too: they show which violations are missed.
            sample_percent=2,
            second_percent=10,
            lease=cdk.Duration.minutes(5),
            ttl=cdk.Duration.days(90),
        )
        api = ScaledFargateService(
            self,
            "Forum",
            vpc=ServiceVpc(self, "Vpc"),
            image=ecs.ContainerImage.from_ecr_repository(
                ecr.Repository.from_repository_name(self, "Repository", "forum-moderation"), "3.0.1"
            ),
            environment={"ENDPOINT_NAME": "forum", "SERVICE_NAME": "forum", **reviews.environment},
            secrets=reviews.secrets,
            health_check_path="/health",
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", CERTIFICATE),
            deletion_protection=True,
        )
        reviews.grant_use(api)
        SpikeScaling(self, "Spikes", service=api, steps=CpuStep(threshold_percent=80, add_tasks=3))
        WebAcl(self, "Firewall", load_balancer=api.load_balancer)

        ReviewerSignIn(
            self,
            "SignIn",
            service=api,
            identity=OidcIdentity(
                issuer="https://id.example.com",
                authorization_endpoint="https://id.example.com/authorize",
                token_endpoint="https://id.example.com/token",
                user_info_endpoint="https://id.example.com/userinfo",
                client_id="forum-reviews",
                client_secret=cdk.SecretValue.secrets_manager("forum/reviews"),
            ),
            # Only these of the provider's users are reviewers.
            access=ReviewerAccess.by_claim("groups", "forum-moderators"),
        )
        ReviewDashboard(self, "ReviewMonitor", reviews=reviews, dashboard_name="forum-reviews")


app = cdk.App()
ReviewedPosts(app, "ReviewedPosts")
app.synth()
