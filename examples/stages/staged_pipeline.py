"""One service in two accounts and two regions: a Stage for each place, and a pipeline that deploys them in order."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import pipelines
from constructs import Construct, IConstruct

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling, WebAcl
from cdk_fargate_sagemaker.monitoring import ServiceAlarms
from cdk_fargate_sagemaker.notifications import AlertsTopic

STAGING, PRODUCTION = "111122223333", "444455556666"
CONNECTION = f"arn:aws:codestar-connections:eu-central-1:{STAGING}:connection/00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What differs from account to account and from region to region. Synthesis looks nothing up."""

    account: str
    region: str
    vpc_id: str
    private_subnets: tuple[str, str]
    public_subnets: tuple[str, str]
    certificate_id: str
    min_tasks: int
    max_tasks: int

    @property
    def env(self) -> cdk.Environment:
        return cdk.Environment(account=self.account, region=self.region)

    @property
    def certificate_arn(self) -> str:
        return f"arn:aws:acm:{self.region}:{self.account}:certificate/{self.certificate_id}"


PLACES = {
    "Staging": Place(
        account=STAGING,
        region="eu-central-1",
        vpc_id="vpc-11111111",
        private_subnets=("subnet-11111111", "subnet-22222222"),
        public_subnets=("subnet-33333333", "subnet-44444444"),
        certificate_id="00000000-0000-0000-0000-000000000001",
        min_tasks=1,
        max_tasks=4,
    ),
    "Frankfurt": Place(
        account=PRODUCTION,
        region="eu-central-1",
        vpc_id="vpc-55555555",
        private_subnets=("subnet-55555555", "subnet-66666666"),
        public_subnets=("subnet-77777777", "subnet-88888888"),
        certificate_id="00000000-0000-0000-0000-000000000002",
        min_tasks=3,
        max_tasks=30,
    ),
    "Virginia": Place(
        account=PRODUCTION,
        region="us-east-1",
        vpc_id="vpc-99999999",
        private_subnets=("subnet-99999999", "subnet-aaaaaaaa"),
        public_subnets=("subnet-bbbbbbbb", "subnet-cccccccc"),
        certificate_id="00000000-0000-0000-0000-000000000003",
        min_tasks=3,
        max_tasks=30,
    ),
}


class Shop(cdk.Stack):
    def __init__(self, scope: Construct, id: str, *, place: Place) -> None:
        super().__init__(scope, id, env=place.env)
        shop = ScaledFargateService(
            self,
            "Shop",
            vpc=ec2.Vpc.from_vpc_attributes(
                self,
                "Vpc",
                vpc_id=place.vpc_id,
                vpc_cidr_block="10.0.0.0/16",
                availability_zones=[f"{place.region}a", f"{place.region}b"],
                private_subnet_ids=list(place.private_subnets),
                private_subnet_route_table_ids=["rtb-11111111", "rtb-22222222"],
                public_subnet_ids=list(place.public_subnets),
                public_subnet_route_table_ids=["rtb-33333333", "rtb-33333333"],
            ),
            image=ecs.ContainerImage.from_registry("public.ecr.aws/nginx/nginx-unprivileged:1.29"),
            certificate=certificatemanager.Certificate.from_certificate_arn(self, "Certificate", place.certificate_arn),
            internet_facing=True,
            deletion_protection=True,
            min_tasks=place.min_tasks,
            max_tasks=place.max_tasks,
        )
        SpikeScaling(self, "Spikes", service=shop)
        WebAcl(self, "Firewall", load_balancer=shop.load_balancer)
        # A topic in each place: an alarm notifies a topic of its own region only.
        ServiceAlarms(self, "Alarms", service=shop, alerts_topic=AlertsTopic(self, "Alerts"))


class ShopStage(cdk.Stage):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=PLACES[id].env)
        Shop(self, "Shop", place=PLACES[id])


class Pipeline(cdk.Stack):
    """In the account of staging. Each deployment assumes the roles that `cdk bootstrap` made in the other account."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, env=PLACES["Staging"].env)
        # Matters of style in what CDK Pipelines writes, of which cfn-lint takes one for a fault of an action.
        self.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E3703", "W3005"]}})
        # The clone, not its files alone: a review compares with another commit.
        source = pipelines.CodePipelineSource.connection(
            "example/shop", "main", connection_arn=CONNECTION, code_build_clone_output=True
        )
        pipeline = pipelines.CodePipeline(
            self,
            "Pipeline",
            pipeline_type=codepipeline.PipelineType.V2,
            cross_account_keys=True,
            enable_key_rotation=True,
            synth=pipelines.ShellStep(
                "Synth",
                input=source,
                commands=["pip install --requirement requirements.txt", "npm ci", "npx cdk synth --quiet"],
            ),
        )
        pipeline.add_stage(ShopStage(self, "Staging"))
        review = pipelines.ShellStep(
            "Review",
            input=source,
            commands=[
                "pip install --requirement requirements.txt cdk-fargate-sagemaker-tools",
                'npm ci && export PATH="$PWD/node_modules/.bin:$PATH"',
                "git fetch --quiet origin production",
                "cdk-review --git origin/production --fail-on critical",
            ],
        )
        approval = pipelines.ManualApprovalStep("Approve", comment="Read the log of Review, and the staging dashboard")
        approval.add_step_dependency(review)
        # The stages of a wave are deployed at the same time.
        production = pipeline.add_wave("Production", pre=[review, approval])
        production.add_stage(ShopStage(self, "Frankfurt"))
        production.add_stage(ShopStage(self, "Virginia"))
        pipeline.build_pipeline()
        acknowledge_pipeline(self, pipeline)


def acknowledge_pipeline(stack: cdk.Stack, pipeline: pipelines.CodePipeline) -> None:
    """Says why the findings of cdk-nag about what CDK Pipelines makes are right as they are. The stages have none."""
    actions = [f"s3:{verb}*" for verb in ("Abort", "DeleteObject", "GetBucket", "GetObject", "List")]
    granted = [f"Action::{action}" for action in (*actions, "kms:GenerateDataKey*", "kms:ReEncrypt*")]
    granted += ["Resource::*", f"Resource::arn:*:iam::{STAGING}:role/*"]
    for resource in pipeline.node.find_all():
        if isinstance(resource, cdk.CfnResource):
            name, where = stack.resolve(resource.logical_id), f"eu-central-1:{STAGING}"
            if resource.cfn_resource_type == "AWS::S3::Bucket":
                granted.append(f"Resource::<{name}.Arn>/*")
            if resource.cfn_resource_type == "AWS::CodeBuild::Project":
                granted.append(f"Resource::arn:aws:logs:{where}:log-group:/aws/codebuild/<{name}>:*")
                granted.append(f"Resource::arn:aws:codebuild:{where}:report-group/<{name}>-*")
    reason = "CDK Pipelines lets its own steps use its own buckets, key, projects and the roles of cdk bootstrap."
    buckets = [pipeline.pipeline.artifact_bucket]
    for support in pipeline.pipeline.cross_region_support.values():
        buckets.append(support.replication_bucket)
        granted.append(f"Resource::arn:aws:s3:::{stack.resolve(support.replication_bucket.bucket_name)}/*")
    acknowledge(
        stack, reason, "NIST.800.53.R5-IAMNoInlinePolicy", *(f"AwsSolutions-IAM5[{grant}]" for grant in granted)
    )
    for bucket in buckets:
        acknowledge(
            bucket,
            "It holds artifacts of the pipeline, which another run makes again.",
            "AwsSolutions-S1",
            *(f"NIST.800.53.R5-S3Bucket{kind}Enabled" for kind in ("Logging", "Replication", "Versioning")),
        )


def acknowledge(scope: IConstruct, reason: str, *findings: str) -> None:
    if hasattr(cdk, "Validations"):  # releases of the CDK that cdk-nag 3 takes
        cdk.Validations.of(scope).acknowledge(*(cdk.Acknowledgment(id=id, reason=reason) for id in findings))


app = cdk.App()
Pipeline(app, "ShopPipeline")
app.synth()
