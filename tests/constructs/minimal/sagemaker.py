from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn

from cdk_fargate_sagemaker.sagemaker import (
    AthenaUnload,
    DataCapture,
    DynamoDbExport,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    EvaluationGate,
    InferenceEndpoint,
    LabelledData,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    ProcessingJob,
    ReleaseBinding,
    ReleaseRecords,
    ReleaseStage,
    ReviewDecisions,
    ReviewLimits,
    RollbackWorkflow,
    ServerlessInference,
    ShadowVariant,
    TrafficShifting,
    TrainingJob,
)
from tests.constructs.construct_tree import sibling


def bucket(stack: cdk.Stack) -> s3.IBucket:
    return s3.Bucket.from_bucket_name(stack, "Data", "data")


def table(stack: cdk.Stack) -> dynamodb.ITable:
    return dynamodb.Table.from_table_name(stack, "Items", "items")


def image(stack: cdk.Stack) -> ModelImage:
    return ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1")


def release_workflow(stack: cdk.Stack, **given: Any) -> ModelReleaseWorkflow:
    used = image(stack)
    least: dict[str, Any] = {
        "endpoint_name": "reviews",
        "train": TrainingJob(image=used),
        "inference_image": used,
        "data_bucket": bucket(stack),
        "alerts_topic": sns.Topic(stack, "Alerts"),
    }
    if "start_on_new_labels" in given:
        least["source"] = LabelledData(reviews=ReviewDecisions(table=table(stack)))
    return ModelReleaseWorkflow(stack, "Release", **(least | given))


def inference_endpoint(stack: cdk.Stack, **given: Any) -> InferenceEndpoint:
    least: dict[str, Any] = {
        "image": image(stack),
        "model_bucket": bucket(stack),
        "model_key": "models/1/model.tar.gz",
    }
    return InferenceEndpoint(stack, "Endpoint", **(least | given))


def release_records(stack: cdk.Stack, **given: Any) -> ReleaseRecords:
    least: dict[str, Any] = {"endpoint_name": "reviews", "workflow_names": ["reviews-release"]}
    if not given.keys() >= {"alerts_topic", "encryption_key"}:
        least |= {"alerts_topic": sns.Topic(stack, "Alerts"), "encryption_key": kms.Key(stack, "Key")}
    return ReleaseRecords(stack, "Records", **(least | {"data_bucket": bucket(stack)} | given))


def rollback_workflow(stack: cdk.Stack, **given: Any) -> RollbackWorkflow:
    key = kms.Key(stack, "Key")
    topic = sns.Topic(stack, "Alerts")
    records = release_records(stack, alerts_topic=topic, encryption_key=key)
    least: dict[str, Any] = {
        "endpoint_name": "reviews",
        "release_workflow_name": "reviews-release",
        "records": records,
        "alerts_topic": topic,
        "configuration": EndpointConfiguration(),
        "encryption_key": key,
    }
    return RollbackWorkflow(stack, "Rollback", **(least | given))


def _shifting(make: Callable[..., TrafficShifting], **least: Any) -> Callable[..., None]:
    """The shifting where it comes to: in an endpoint's template, and in the states of a workflow."""

    def endpoint(stack: cdk.Stack, **given: Any) -> None:
        step = {} if not least or "percent" in given or "instances" in given else {"percent": 10}
        shifting = make(**(least.get("always", {}) | step | given))
        configuration = EndpointConfiguration(variants=[EndpointVariant(count=10)])
        inference_endpoint(stack, configuration=configuration, traffic_shifting=shifting)
        release_workflow(
            sibling(stack, "Elsewhere"),
            configuration=configuration,
            traffic_shifting=shifting,
            in_service_within=cdk.Duration.hours(9),
        )

    return endpoint


def _variant(**given: Any) -> dict[str, Any]:
    return {"configuration": EndpointConfiguration(variants=[EndpointVariant(**given)])}


def athena_unload(stack: cdk.Stack, **given: Any) -> None:
    unload = AthenaUnload(query="SELECT 1", database="posts", tables=["posts"], bucket=bucket(stack), **given)
    release_workflow(stack, source=unload)


def data_capture(stack: cdk.Stack, **given: Any) -> None:
    captured = s3.Bucket.from_bucket_name(stack, "Captures", "captures")
    configuration = EndpointConfiguration(data_capture=DataCapture(bucket=captured, **given))
    inference_endpoint(stack, configuration=configuration)


def endpoint_scaling(stack: cdk.Stack, **given: Any) -> None:
    least = {"max_instances": 4, "invocations_per_instance": 600}
    inference_endpoint(stack, **_variant(scaling=EndpointScaling(**(least | given))))


def shadow_variant(stack: cdk.Stack, **given: Any) -> None:
    inference_endpoint(stack, configuration=EndpointConfiguration(shadow=ShadowVariant(**given)))


def serverless_inference(stack: cdk.Stack, **given: Any) -> None:
    inference_endpoint(stack, **_variant(serverless=ServerlessInference(**given)))


class OwnStage(ReleaseStage):
    """Does one thing with the workflow, and goes on."""

    slots = ("preprocess",)

    def __init__(self, use: Callable[[ReleaseBinding], Any]) -> None:
        self._use = use

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        state = self._use(release)
        if isinstance(state, sfn.CustomState):
            return state.next(then)
        return then


def own_stage(stack: cdk.Stack, use: Callable[[ReleaseBinding], Any]) -> ModelReleaseWorkflow:
    return release_workflow(stack, preprocess=OwnStage(use))


def evaluation_gate(stack: cdk.Stack, **given: Any) -> None:
    # A mapping of a path, as tests give where any mapping fits, is one of a metric here.
    bounds = {name: {"rmse": next(iter(mapping.values()))} for name, mapping in given.items()}
    release_workflow(stack, evaluate=ModelEvaluation(gate=EvaluationGate(**({"at_most": {"rmse": 3}} | bounds))))


MINIMAL = {
    "AthenaUnload": athena_unload,
    "DataCapture": data_capture,
    "DynamoDbExport": lambda stack, **given: release_workflow(
        stack, source=DynamoDbExport(table=table(stack), **given)
    ),
    "EndpointConfiguration": lambda stack, **given: inference_endpoint(
        stack, configuration=EndpointConfiguration(**given)
    ),
    "EndpointScaling": endpoint_scaling,
    "EvaluationGate": evaluation_gate,
    "InferenceEndpoint": inference_endpoint,
    "InferenceEndpoint.metric_model_latency": lambda stack, **given: inference_endpoint(stack).metric_model_latency(
        **given
    ),
    "InferenceEndpoint.metric_overhead_latency": lambda stack, **given: inference_endpoint(
        stack
    ).metric_overhead_latency(**given),
    "ModelReleaseWorkflow": release_workflow,
    "ReviewLimits": lambda stack, **given: release_workflow(
        stack, source=LabelledData(reviews=ReviewDecisions(table=table(stack), limits=ReviewLimits(**given)))
    ),
    "ProcessingJob": lambda stack, **given: release_workflow(
        stack, preprocess=ProcessingJob(image=image(sibling(stack, "Elsewhere")), **given)
    ),
    "ReleaseBinding": "is made by the workflow, for its stages",
    "ReleaseBinding.function": lambda stack, **given: own_stage(
        stack,
        lambda release: release.function(
            "Own", lambda_.Function.from_function_name(stack, "Function", "own"), {}, **({"assign": {}} | given)
        ),
    ),
    "ReleaseBinding.job": lambda stack, **given: own_stage(
        stack,
        lambda release: release.job(
            "Training",
            {},
            role=release.endpoint_role,
            **dict[str, Any](longest=cdk.Duration.hours(1), within=cdk.Duration.hours(1), assign={}) | given,
        ),
    ),
    "ReleaseBinding.lasts": lambda stack, **given: own_stage(stack, lambda release: release.lasts(**given)),
    "ReleaseBinding.task": lambda stack, **given: own_stage(
        stack, lambda release: release.task("Own", "glue:startJobRun.sync", {"JobName": "own"}, allowed=[], **given)
    ),
    "ReviewDecisions": lambda stack, **given: release_workflow(
        stack, source=LabelledData(reviews=ReviewDecisions(table=table(stack), **given))
    ),
    "ReleaseRecords": release_records,
    "RollbackWorkflow": rollback_workflow,
    "ServerlessInference": serverless_inference,
    "ShadowVariant": shadow_variant,
    "TrafficShifting": _shifting(TrafficShifting, always={"kind": "CANARY"}),
    "TrafficShifting.all_at_once": _shifting(TrafficShifting.all_at_once),
    "TrafficShifting.canary": _shifting(TrafficShifting.canary, always={}),
    "TrafficShifting.linear": _shifting(TrafficShifting.linear, always={}),
    "TrainingJob": lambda stack, **given: release_workflow(
        stack, train=TrainingJob(image=image(sibling(stack, "Elsewhere")), **given)
    ),
}
