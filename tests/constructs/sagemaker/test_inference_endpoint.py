import json
import subprocess
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.sagemaker import (
    DataCapture,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    InferenceEndpoint,
    ModelImage,
    ServerlessInference,
    ShadowVariant,
    TrafficShifting,
    VpcPlacement,
)
from cdk_fargate_sagemaker.sagemaker.configuration._endpoint_requests import (
    deployment_request,
    endpoint_config_settings,
)
from stacks.nag_packs import check_with_cdk_nag
from tests.constructs.construct_tree import logical_id
from tests.constructs.read_only import public_attributes

PROJECT = Path(__file__).parents[3]
SCALING = EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600)


@pytest.fixture
def bucket(stack: cdk.Stack) -> s3.Bucket:
    return s3.Bucket(stack, "Models", encryption_key=kms.Key(stack, "ModelsKey", enable_key_rotation=True))


@pytest.fixture
def make(stack: cdk.Stack, image: ModelImage, bucket: s3.IBucket) -> Any:
    def make_endpoint(id: str = "Endpoint", **given: Any) -> InferenceEndpoint:
        defaults: dict[str, Any] = {"image": image, "model_bucket": bucket, "model_key": "models/1/model.tar.gz"}
        return InferenceEndpoint(stack, id, **(defaults | given))

    return make_endpoint


def properties(stack: cdk.Stack, kind: str) -> Any:
    (resource,) = Template.from_stack(stack).find_resources(kind).values()
    return resource["Properties"]


def statements(stack: cdk.Stack, endpoint: InferenceEndpoint) -> dict[str, Any]:
    """What the endpoint's role may do: each action with its resources."""
    role = stack.resolve(endpoint.role.role_name)["Ref"]
    allowed: dict[str, Any] = {}
    for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values():
        if {"Ref": role} in policy["Properties"]["Roles"]:
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                for action in actions if isinstance(actions, list) else [actions]:
                    allowed.setdefault(action, []).append(statement["Resource"])
    return allowed


def test_a_model_is_served_behind_a_name(stack: cdk.Stack, make: Any) -> None:
    make(endpoint_name="moderation", environment={"LEVEL": "info"})
    model = properties(stack, "AWS::SageMaker::Model")
    assert model["PrimaryContainer"]["Environment"] == {"LEVEL": "info"}
    assert model["PrimaryContainer"]["ModelDataUrl"]["Fn::Join"][1][2] == "/models/1/model.tar.gz"
    assert model["EnableNetworkIsolation"] is True
    assert properties(stack, "AWS::SageMaker::Endpoint")["EndpointName"] == "moderation"


def test_a_change_replaces_model_and_configuration_without_a_clash_of_names(stack: cdk.Stack, make: Any) -> None:
    make()
    # CloudFormation makes a new name for what it replaces, and refuses to replace what a template names.
    assert "ModelName" not in properties(stack, "AWS::SageMaker::Model")
    assert "EndpointConfigName" not in properties(stack, "AWS::SageMaker::EndpointConfig")


def test_the_configuration_says_what_the_workflow_would_send(stack: cdk.Stack, make: Any, bucket: s3.IBucket) -> None:
    configuration = EndpointConfiguration(
        variants=[EndpointVariant(count=2, volume_gib=20, startup_timeout=cdk.Duration.minutes(5))],
        shadow=ShadowVariant(percent=20),
        data_capture=DataCapture(bucket=bucket),
    )
    endpoint = make(configuration=configuration)
    sent = endpoint_config_settings(
        configuration, model_name=endpoint.cfn_model.attr_model_name, volume_key_id=endpoint.encryption_key.key_arn
    )
    assert properties(stack, "AWS::SageMaker::EndpointConfig") == stack.resolve(sent)


def test_a_serverless_configuration_says_what_the_workflow_would_send(stack: cdk.Stack, make: Any) -> None:
    serverless = ServerlessInference(memory_mib=3072, max_concurrency=5, provisioned_concurrency=1)
    configuration = EndpointConfiguration(variants=[EndpointVariant(serverless=serverless)])
    endpoint = make(configuration=configuration)
    sent = endpoint_config_settings(configuration, model_name=endpoint.cfn_model.attr_model_name, volume_key_id="")
    assert properties(stack, "AWS::SageMaker::EndpointConfig") == stack.resolve(sent)


@pytest.mark.parametrize(
    "shifting",
    [
        TrafficShifting.all_at_once(),
        TrafficShifting.canary(percent=10, max_duration=cdk.Duration.hours(1)),
        TrafficShifting.linear(instances=1, wait=cdk.Duration.minutes(1)),
    ],
)
def test_an_update_shifts_as_the_workflow_would(stack: cdk.Stack, make: Any, shifting: TrafficShifting) -> None:
    configuration = EndpointConfiguration(variants=[EndpointVariant(count=4)])
    make(configuration=configuration, traffic_shifting=shifting)
    sent = deployment_request(shifting, configuration)
    assert properties(stack, "AWS::SageMaker::Endpoint")["DeploymentConfig"] == sent


def test_alarms_that_measure_the_endpoint_take_its_update_back(stack: cdk.Stack, make: Any) -> None:
    metrics = cloudwatch.Metric(
        namespace="AWS/SageMaker", metric_name="ModelLatency", dimensions_map={"EndpointName": "moderation"}
    )
    alarm = cloudwatch.Alarm(stack, "Slow", alarm_name="slow", metric=metrics, threshold=1, evaluation_periods=1)
    endpoint = make(endpoint_name="moderation", traffic_shifting=TrafficShifting.all_at_once(rollback_alarms=[alarm]))
    # A circle of references would fail here.
    deployment = properties(stack, "AWS::SageMaker::Endpoint")["DeploymentConfig"]
    name = stack.resolve(alarm.alarm_name)
    assert deployment["AutoRollbackConfiguration"]["Alarms"] == [{"AlarmName": name}]
    assert statements(stack, endpoint)["cloudwatch:DescribeAlarms"] == [stack.resolve(alarm.alarm_arn)]


def test_alarms_that_are_made_later_take_its_update_back_too(stack: cdk.Stack, make: Any) -> None:
    first, second, third = (
        cloudwatch.Alarm.from_alarm_arn(stack, name, f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")
        for name in ("first", "second", "third")
    )
    endpoint = make(traffic_shifting=TrafficShifting.all_at_once(rollback_alarms=[first]))
    endpoint.roll_back_on([first, second])
    endpoint.roll_back_on([third, third])
    deployment = properties(stack, "AWS::SageMaker::Endpoint")["DeploymentConfig"]
    assert deployment["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "first"}, {"AlarmName": "second"}, {"AlarmName": "third"}]
    }
    assert statements(stack, endpoint)["cloudwatch:DescribeAlarms"] == [
        alarm.alarm_arn for alarm in (first, second, third)
    ]


def test_refuses_what_are_no_alarms_and_more_than_sagemaker_takes(stack: cdk.Stack, make: Any) -> None:
    endpoint = make()
    alarm = cloudwatch.Alarm.from_alarm_arn(stack, "One", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:one")
    for given, remedy in ((alarm, "put one in a list"), ("one", "put one in a list"), (["one"], "import one with")):
        with pytest.raises(
            ValueError, match=rf"alarms: got (an? \w+|'one'), allowed: EndpointAlarms, or a list of alarms; {remedy}"
        ):
            endpoint.roll_back_on(given)
    several = [
        cloudwatch.Alarm.from_alarm_arn(stack, name, f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")
        for name in "abcdefghijk"
    ]
    endpoint.roll_back_on(several[:10])
    with pytest.raises(ValueError, match="alarms: got 11 alarms, allowed: at most 10"):
        endpoint.roll_back_on(several[10:])


def test_sagemaker_may_read_the_model_before_it_makes_it(stack: cdk.Stack, make: Any) -> None:
    endpoint = make()
    (model,) = Template.from_stack(stack).find_resources("AWS::SageMaker::Model").values()
    policy = logical_id(endpoint.role.node.find_child("DefaultPolicy"))
    assert policy in model["DependsOn"]


def test_the_role_reads_this_model_alone(stack: cdk.Stack, make: Any, bucket: s3.IBucket) -> None:
    allowed = statements(stack, make(endpoint_name="moderation"))
    assert allowed["s3:GetObject"] == [stack.resolve(bucket.arn_for_objects("models/1/model.tar.gz"))]
    assert "s3:PutObject" not in allowed
    assert "cloudwatch:DescribeAlarms" not in allowed
    assert not any(action.startswith("ec2:") for action in allowed)
    (streams,) = allowed["logs:PutLogEvents"]
    assert streams["Fn::Join"][1][-1] == ":log-group:/aws/sagemaker/Endpoints/moderation:log-stream:*"
    assert [action for action, resources in allowed.items() if resources == ["*"]] == [
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
    ]


def test_only_sagemaker_of_this_account_takes_the_role(stack: cdk.Stack, make: Any) -> None:
    make()
    (statement,) = properties(stack, "AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_role_writes_captures_below_their_prefix(stack: cdk.Stack, make: Any, bucket: s3.IBucket) -> None:
    allowed = statements(
        stack, make(configuration=EndpointConfiguration(data_capture=DataCapture(bucket=bucket, prefix="seen/")))
    )
    assert allowed["s3:PutObject"] == [stack.resolve(bucket.arn_for_objects("seen/*"))]
    assert bucket.encryption_key is not None
    assert allowed["kms:GenerateDataKey"] == [stack.resolve(bucket.encryption_key.key_arn)]


def test_the_containers_are_placed_in_a_vpc(stack: cdk.Stack, make: Any, vpc: ec2.IVpc) -> None:
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
    endpoint = make(configuration=EndpointConfiguration(vpc=VpcPlacement(vpc=vpc, security_groups=[group])))
    model = properties(stack, "AWS::SageMaker::Model")
    assert model["VpcConfig"] == {
        "SecurityGroupIds": [stack.resolve(group.security_group_id)],
        "Subnets": ["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
    }
    allowed = statements(stack, endpoint)
    (interfaces,) = allowed["ec2:CreateNetworkInterface"]
    named = [arn["Fn::Join"][1][-1] for arn in interfaces[:3]]
    assert named == [":network-interface/*", ":subnet/subnet-aaaaaaaa", ":subnet/subnet-bbbbbbbb"]
    assert allowed["ec2:DescribeSubnets"] == ["*"]


def test_grant_invoke(stack: cdk.Stack, make: Any) -> None:
    caller = iam.Role(stack, "Caller", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    endpoint = make()
    endpoint.grant_invoke(caller)
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": [
                    {
                        "Action": "sagemaker:InvokeEndpoint",
                        "Effect": "Allow",
                        "Resource": stack.resolve(endpoint.endpoint_arn),
                    }
                ]
            },
            "Roles": [stack.resolve(caller.role_name)],
        },
    )


def test_without_a_name_the_path_makes_one(make: Any) -> None:
    assert make("Toxic").endpoint_name.startswith("stack-toxic-")


@pytest.mark.parametrize("name", ["Moderation", "-a", "a" * 64, "a_b"])
def test_fails_when_policies_could_not_name_the_endpoint(make: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"endpoint_name: got '{name}', allowed: lower-case letters"):
        make(endpoint_name=name)


@pytest.mark.parametrize("key", ["models/1/", "/models/model.tar.gz", "model.zip"])
def test_fails_when_it_is_no_key_of_an_archive(make: Any, key: str) -> None:
    with pytest.raises(ValueError, match=f"model_key: got '{key}', allowed: the key of the model's archive"):
        make(model_key=key)


def test_fails_when_the_instances_do_not_allow_the_step(make: Any) -> None:
    with pytest.raises(ValueError, match="traffic_shifting: got canary for the 1 instance of variant primary"):
        make(traffic_shifting=TrafficShifting.canary(percent=10))


def test_metrics_measure_this_endpoint(stack: cdk.Stack, make: Any) -> None:
    endpoint = make(endpoint_name="moderation")
    for metric, name in (
        (endpoint.metric_invocations(), "Invocations"),
        (endpoint.metric_client_errors(), "Invocation4XXErrors"),
        (endpoint.metric_server_errors(), "Invocation5XXErrors"),
        (endpoint.metric_model_latency().using_metrics["model_p99"], "ModelLatency"),
        (endpoint.metric_overhead_latency(50).using_metrics["overhead_p50"], "OverheadLatency"),
        (endpoint.metric_cpu(), "CPUUtilization"),
        (endpoint.metric_gpu(), "GPUUtilization"),
        (endpoint.metric_memory(), "MemoryUtilization"),
    ):
        assert metric.metric_name == name
        assert metric.dimensions == {"EndpointName": "moderation", "VariantName": "primary"}


def custom_resources(stack: cdk.Stack) -> dict[str, Any]:
    found = Template.from_stack(stack).find_resources("Custom::EndpointScaling")
    return {resource["Properties"]["Step"]: (id, resource) for id, resource in found.items()}


def test_scaling_is_registered_after_the_endpoint_and_lifted_before_it(stack: cdk.Stack, make: Any) -> None:
    endpoint = make(
        endpoint_name="moderation", configuration=EndpointConfiguration(variants=[EndpointVariant(scaling=SCALING)])
    )
    endpoint_id = stack.get_logical_id(endpoint.cfn_endpoint)
    steps = custom_resources(stack)
    (endpoint_resource,) = Template.from_stack(stack).find_resources("AWS::SageMaker::Endpoint").values()
    assert steps["lift"][0] in endpoint_resource["DependsOn"]
    assert endpoint_id in steps["register"][1]["DependsOn"]
    (variant,) = json.loads(steps["register"][1]["Properties"]["Variants"])
    assert variant["instance_type"] == "ml.m5.large"
    assert (variant["target"]["MinCapacity"], variant["target"]["MaxCapacity"]) == (2, 6)
    assert variant["target"]["ResourceId"] == "endpoint/moderation/variant/primary"
    assert variant["policy"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 600
    assert steps["lift"][1]["Properties"]["Variants"] == steps["register"][1]["Properties"]["Variants"]


def test_what_scales_the_endpoint_may_look_at_it(stack: cdk.Stack, make: Any) -> None:
    make(endpoint_name="moderation", configuration=EndpointConfiguration(variants=[EndpointVariant(scaling=SCALING)]))
    looks = {
        "Action": "sagemaker:DescribeEndpoint",
        "Effect": "Allow",
        "Resource": {"Fn::Join": ["", Match.array_with([Match.string_like_regexp(":endpoint/moderation$")])]},
    }
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {"Statement": Match.array_with([Match.object_like(looks)])},
            "Roles": [{"Ref": Match.string_like_regexp("EndpointScalingFunctionRole")}],
        },
    )


def test_an_update_keeps_the_instances_that_scaling_has_brought(stack: cdk.Stack, make: Any) -> None:
    make(configuration=EndpointConfiguration(variants=[EndpointVariant(scaling=SCALING)]))
    endpoint = properties(stack, "AWS::SageMaker::Endpoint")
    assert endpoint["RetainAllVariantProperties"] is True
    # A changed weight or capture is meant.
    assert endpoint["ExcludeRetainedVariantProperties"] == [
        {"VariantPropertyType": "DesiredWeight"},
        {"VariantPropertyType": "DataCaptureConfig"},
    ]


def test_one_variant_that_scales_keeps_the_counts_of_all(stack: cdk.Stack, make: Any) -> None:
    scaled = EndpointVariant(name="scaled", scaling=SCALING)
    make(configuration=EndpointConfiguration(variants=[EndpointVariant(), scaled]))
    assert properties(stack, "AWS::SageMaker::Endpoint")["RetainAllVariantProperties"] is True


def test_without_scaling_the_configuration_says_the_count(stack: cdk.Stack, make: Any) -> None:
    make()
    template = Template.from_stack(stack)
    template.resource_count_is("Custom::EndpointScaling", 0)
    template.resource_count_is("AWS::Lambda::Function", 0)
    template.has_resource_properties("AWS::SageMaker::Endpoint", {"RetainAllVariantProperties": Match.absent()})


@pytest.fixture
def every_option(vpc: ec2.IVpc, stack: cdk.Stack, bucket: s3.IBucket) -> EndpointConfiguration:
    return EndpointConfiguration(
        variants=[EndpointVariant(scaling=SCALING)],
        shadow=ShadowVariant(percent=10, variant=EndpointVariant(name="shadow", instance_type="ml.g5.xlarge")),
        data_capture=DataCapture(bucket=bucket),
        vpc=VpcPlacement(vpc=vpc, security_groups=[ec2.SecurityGroup(stack, "Group", vpc=vpc)]),
    )


def test_every_option_has_no_finding(stack: cdk.Stack, make: Any, every_option: EndpointConfiguration) -> None:
    app = cdk.Stage.of(stack)
    assert isinstance(app, cdk.App)
    alarm = cloudwatch.Alarm.from_alarm_name(stack, "Alarm", "slow")
    make(configuration=every_option, traffic_shifting=TrafficShifting.all_at_once(rollback_alarms=[alarm]))
    make("Plain")
    make(
        "Serverless", configuration=EndpointConfiguration(variants=[EndpointVariant(serverless=ServerlessInference())])
    )
    check_with_cdk_nag(app)
    with pytest.raises(RuntimeError, match="ValidationFailed") as caught:
        app.synth()
    report = json.loads(Path(str(caught.value).rpartition("found in: ")[2].strip()).read_text())
    found = {
        construct["constructPath"]
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }
    # How the bucket is kept is not the endpoint's; that it is found shows that the rules ran.
    assert found == {"Stack/Models/Resource"}


def test_cfn_lint_has_nothing_to_say(
    stack: cdk.Stack, make: Any, every_option: EndpointConfiguration, tmp_path: Path
) -> None:
    make(configuration=every_option, traffic_shifting=TrafficShifting.canary(percent=10))
    template = tmp_path / "endpoint.template.json"
    template.write_text(json.dumps(Template.from_stack(stack).to_json()))
    command = ["cfn-lint", "--config-file", str(PROJECT / ".cfnlintrc.yaml"), "--template", str(template)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_attribute_can_be_overwritten(make: Any) -> None:
    """Whoever sets one would believe that the endpoint is another now."""
    endpoint = make()
    names = [name for name in dir(type(endpoint)) if isinstance(getattr(type(endpoint), name), property)]
    assert {"cfn_endpoint", "encryption_key", "endpoint_name", "metrics", "role"} <= set(names)
    assert public_attributes(endpoint) == []
    for name in names:
        with pytest.raises(AttributeError):
            setattr(endpoint, name, None)


ELSEWHERE = "arn:aws:sagemaker:eu-west-1:444455556666:endpoint/reviews"


@pytest.mark.parametrize("imported", ["", "by name", "by arn"])
def test_api_gateway_takes_it_as_an_endpoint_of_the_cdk(stack: cdk.Stack, make: Any, imported: str) -> None:
    endpoint: sagemaker.IEndpoint
    match imported:
        case "by name":
            endpoint = InferenceEndpoint.from_endpoint_name(stack, "Imported", "reviews")
        case "by arn":
            arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/reviews"
            endpoint = InferenceEndpoint.from_endpoint_arn(stack, "Imported", arn)
        case _:
            endpoint = make(endpoint_name="reviews")
    api = apigateway.RestApi(stack, "Api", cloud_watch_role=False)
    api.root.add_method("POST", apigateway.SagemakerIntegration(endpoint))
    template = Template.from_stack(stack)
    (method,) = template.find_resources("AWS::ApiGateway::Method").values()
    integration = method["Properties"]["Integration"]
    assert integration["Uri"]["Fn::Join"][1][-1].endswith(":runtime.sagemaker:path/endpoints/reviews/invocations")
    role = integration["Credentials"]["Fn::GetAtt"][0]
    (policy,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if policy["Properties"]["Roles"] == [{"Ref": role}]
    )
    assert [(s["Action"], s["Resource"]) for s in policy] == [
        ("sagemaker:InvokeEndpoint", stack.resolve(endpoint.endpoint_arn))
    ]


def test_an_imported_endpoint_is_where_its_arn_says(stack: cdk.Stack) -> None:
    endpoint = InferenceEndpoint.from_endpoint_arn(stack, "Imported", ELSEWHERE)
    assert (endpoint.endpoint_name, endpoint.endpoint_arn) == ("reviews", ELSEWHERE)
    assert (endpoint.env.account, endpoint.env.region) == ("444455556666", "eu-west-1")
    assert endpoint.endpoint_ref.endpoint_arn == ELSEWHERE
    assert "Resources" not in Template.from_stack(stack).to_json()


def test_an_endpoint_is_imported_by_an_arn_that_is_known_at_deployment_only(stack: cdk.Stack) -> None:
    arn = cdk.CfnParameter(stack, "Arn").value_as_string
    name = stack.resolve(InferenceEndpoint.from_endpoint_arn(stack, "Imported", arn).endpoint_name)
    assert name == {"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::Select": [5, {"Fn::Split": [":", {"Ref": "Arn"}]}]}]}]}


def test_refuses_to_import_what_is_no_endpoint(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match=r"endpoint_arn: got .*, allowed: an endpoint's ARN"):
        InferenceEndpoint.from_endpoint_arn(stack, "Model", ELSEWHERE.replace("endpoint/", "model/"))
    with pytest.raises(ValueError, match="endpoint_name: got 'My_Endpoint'"):
        InferenceEndpoint.from_endpoint_name(stack, "Name", "My_Endpoint")


def test_a_removal_policy_reaches_the_endpoint(stack: cdk.Stack, make: Any) -> None:
    make().apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    (made,) = Template.from_stack(stack).find_resources("AWS::SageMaker::Endpoint").values()
    assert made["DeletionPolicy"] == "Retain"
