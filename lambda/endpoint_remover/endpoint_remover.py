"""Deletes an endpoint with the stack of its workflow, or reports what is kept and what it costs.

CloudFormation does not know the endpoint, its configurations and its models, because the workflow made them. A custom
resource that is deleted before the workflow calls this function. It first stops running executions, and has the
cleaner discard their releases, with their copies of people's posts. With `Keep` false, it deletes the endpoint, the
configurations and models that the releases' table names, the scaling of the variants, the parameter with the current
release, and the endpoint's log group. If no release has begun, as when a first deployment failed, an endpoint of that
name is not the stack's: it is left alone. With `Keep` true it publishes what is kept; a failure then does not stop the
deletion of the stack.

It waits for an endpoint that is being updated. If this takes longer than the function's time limit, the function
invokes itself again, for as long as CloudFormation waits.
"""

import functools
import json
import logging
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

RELEASE_PREFIX = "release#"
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
ANSWERING_RESERVE_S = 20.0
CLOUDFORMATION_WAITS_S = 3500.0
LONGEST_SUBJECT = 99


class _OutOfTimeError(Exception):
    pass


class NotDiscardedError(Exception):
    """The cleaner could not discard a release that was interrupted; the message says why."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Always answers CloudFormation, which would otherwise wait for an hour."""
    if event["RequestType"] != "Delete":
        answer(event, "SUCCESS", "")
        return
    left = CLOUDFORMATION_WAITS_S - (time.time() - event.setdefault("Began", time.time()))
    deadline = time.monotonic() + min(left, context.get_remaining_time_in_millis() / 1000 - ANSWERING_RESERVE_S)
    keep = event["ResourceProperties"]["Keep"] == "true"
    try:
        remover = Remover(deadline)
        if keep:
            try:
                remover.stop_executions()
                remover.discard_interrupted()
            except Exception:
                # What stays, and what it costs, is reported in any case.
                LOGGER.exception("a release that was running is not discarded")
            remover.notify_of_what_stays()
        else:
            remover.stop_executions()
            remover.remove()
    except _OutOfTimeError as busy:
        if time.time() - event["Began"] < CLOUDFORMATION_WAITS_S - LONGEST_PAUSE_S:
            LOGGER.info("%s: continues in another invocation", busy)
            boto3.client("lambda").invoke(
                FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=json.dumps(event).encode()
            )
            return
        answer(event, "FAILED", f"{busy}: delete the stack again once it is not")
    except Exception as error:
        LOGGER.exception("%s", "what is kept could not be reported" if keep else "the endpoint could not be deleted")
        # An endpoint that is kept on purpose does not block the deletion of the stack.
        answer(event, "SUCCESS" if keep else "FAILED", f"{type(error).__name__}: {error}")
    else:
        answer(event, "SUCCESS", "")


class Remover:
    """Acts on one endpoint; a resource that is already gone is no error."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._pause_s = FIRST_PAUSE_S
        self._endpoint = os.environ["ENDPOINT_NAME"]
        self._sagemaker = boto3.client("sagemaker")

    def stop_executions(self) -> None:
        """Stops releases and rollbacks until none is running: stopping one may start another."""
        states = boto3.client("stepfunctions")
        for machine in json.loads(os.environ["WORKFLOWS"]):
            while running := _running(states, machine):
                for execution in running:
                    LOGGER.info("stops %s", execution)
                    states.stop_execution(executionArn=execution, error="StackDeleted", cause="its stack is deleted")
                # The list of running executions lags behind.
                self._wait(f"{len(running)} executions of {machine} are being stopped")

    def discard_interrupted(self) -> None:
        """Has the cleaner discard releases that were running: their jobs, and what they wrote below `runs/`.

        The rule that rolls back a stopped release is already deleted. Raises NotDiscardedError.
        """
        for record in self._records():
            if record.get("outcome") != "running":
                continue
            seconds = self._deadline - time.monotonic()
            if seconds < 1:
                raise _OutOfTimeError(f"release {record['release']} is not discarded yet")
            cleaner = boto3.client("lambda", config=Config(read_timeout=seconds, retries={"total_max_attempts": 1}))
            request = {"operation": "discard", "release": record["release"]}
            try:
                result = cleaner.invoke(FunctionName=os.environ["CLEANER"], Payload=json.dumps(request).encode())
            except ReadTimeoutError:
                raise _OutOfTimeError(f"release {record['release']} is being discarded") from None
            if result.get("FunctionError"):
                error = json.load(result["Payload"])
                raise NotDiscardedError(f"{error.get('errorType')}: {error.get('errorMessage')}")
            LOGGER.info("discarded %s", record["release"])

    def remove(self) -> None:
        """Deletes all resources that the workflow made outside the stack."""
        records = self._records()
        if not records:
            LOGGER.info("no release has begun: an endpoint %s is not of this stack, and stays", self._endpoint)
            return
        releases = self._uncleaned(records)
        for release in releases:
            self._stop_jobs(release)
        serving = self._settled()
        configurations = {*releases, *(name for name in serving if self._is_own(name))}
        self._delete_endpoint()
        self.discard_interrupted()
        for name in sorted(configurations):
            models = {name, *(model for model in self._models(self._configuration(name)) if self._is_own(model))}
            _unless_missing(functools.partial(self._sagemaker.delete_endpoint_config, EndpointConfigName=name))
            for model in sorted(models):
                _unless_missing(functools.partial(self._sagemaker.delete_model, ModelName=model))
            LOGGER.info("deleted configuration and model %s", name)
        _unless_missing(functools.partial(boto3.client("ssm").delete_parameter, Name=os.environ["CURRENT_PARAMETER"]))
        # SageMaker makes it and never deletes it.
        _unless_missing(
            functools.partial(
                boto3.client("logs").delete_log_group, logGroupName=f"/aws/sagemaker/Endpoints/{self._endpoint}"
            )
        )

    def notify_of_what_stays(self) -> None:
        """Publishes and logs one message: endpoint, configurations, models, dollars per hour."""
        endpoint = self._described()
        configurations = {
            name: described
            for name in {*self._uncleaned(self._records()), *self._serving(endpoint)}
            if (described := self._configuration(name)) is not None
        }
        if endpoint is None and not configurations:
            LOGGER.info("there is no endpoint %s: nothing is kept", self._endpoint)
            return
        models = {model for described in configurations.values() for model in self._models(described)}
        lines = [
            f"The stack of the workflow is deleted. removal_policy keeps what it created in SageMaker, in "
            f"{os.environ['AWS_REGION']}:",
            f"endpoint: {self._endpoint} ({endpoint['EndpointStatus']})" if endpoint else "endpoint: none",
            f"configurations: {', '.join(sorted(configurations)) or 'none'}",
            f"models: {', '.join(sorted(models)) or 'none'}",
            f"costs: {self._cost(endpoint, configurations)}; configurations and models cost nothing",
        ]
        if endpoint is not None:
            lines += [
                "Its role is deleted with the stack: the endpoint keeps serving, and cannot be updated. To delete it:",
                f"aws sagemaker delete-endpoint --endpoint-name {self._endpoint}",
            ]
        kept = "is kept, and is billed" if endpoint else "does not exist; its configurations and models are kept"
        LOGGER.warning("%s", "\n".join(lines))
        boto3.client("sns").publish(
            TopicArn=os.environ["ALERTS_TOPIC"],
            Subject=f"{self._endpoint} {kept}"[:LONGEST_SUBJECT],
            Message="\n".join(lines),
        )

    def _cost(self, endpoint: dict[str, Any] | None, configurations: dict[str, dict[str, Any]]) -> str:
        if endpoint is None:
            return "nothing per hour"
        prices = json.loads((Path(__file__).parent / "instance_prices.json").read_text(encoding="utf-8"))
        counts = {variant["VariantName"]: variant.get("CurrentInstanceCount") for variant in _variants(endpoint)}
        dollars, unknown, serverless = 0.0, set(), set()
        for name in self._serving(endpoint):
            if configurations.get(name) == {}:
                unknown.add(f"the configuration {name}")
            for variant in _variants(configurations.get(name)):
                kind = variant.get("InstanceType")
                if kind is None:
                    serverless.add("by use")
                    if variant.get("ServerlessConfig", {}).get("ProvisionedConcurrency"):
                        serverless.add("for provisioned concurrency")
                elif kind in prices["instance_hour"]:
                    count = counts.get(variant["VariantName"])
                    count = variant.get("InitialInstanceCount", 1) if count is None else count
                    dollars += count * prices["instance_hour"][kind]
                else:
                    unknown.add(kind)
        parts = [f"{dollars:.3f} dollars per hour at the prices of {prices['region']}, {prices['dated']}"]
        if unknown:
            parts.append(f"and that of {', '.join(sorted(unknown))}, whose price is unknown here")
        if serverless:
            parts.append(f"and its serverless variants {' and '.join(sorted(serverless))}")
        return " ".join(parts)

    def _records(self) -> list[dict[str, str]]:
        """The attributes of all releases' records that are needed here."""
        pages = (
            boto3.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=os.environ["RELEASES_TABLE"],
                ConsistentRead=True,
                KeyConditionExpression="endpoint = :endpoint AND begins_with(entry, :prefix)",
                ExpressionAttributeValues={":endpoint": {"S": self._endpoint}, ":prefix": {"S": RELEASE_PREFIX}},
            )
        )
        names = ("release", "outcome", "cleaned")
        return [{name: item[name]["S"] for name in names if name in item} for page in pages for item in page["Items"]]

    @staticmethod
    def _uncleaned(records: list[dict[str, str]]) -> list[str]:
        """The names of all releases that may have left resources."""
        return [record["release"] for record in records if "cleaned" not in record]

    def _stop_jobs(self, release: str) -> None:
        """Stops the jobs of that name; they need no resource of the stack to stop."""
        sagemaker = self._sagemaker
        for stop in (
            functools.partial(sagemaker.stop_training_job, TrainingJobName=release),
            functools.partial(sagemaker.stop_processing_job, ProcessingJobName=release),
            functools.partial(sagemaker.stop_transform_job, TransformJobName=release),
        ):
            try:
                stop()
            except ClientError as fault:
                # The job does not exist, or it has ended.
                if fault.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
                    raise

    def _described(self) -> dict[str, Any] | None:
        described: dict[str, Any] | None = _unless_missing(
            functools.partial(self._sagemaker.describe_endpoint, EndpointName=self._endpoint)
        )
        return described

    def _settled(self) -> set[str]:
        """Waits until the endpoint can be deleted; returns its configurations."""
        serving: set[str] = set()
        while (endpoint := self._described()) is not None:
            serving |= self._serving(endpoint)
            if endpoint["EndpointStatus"] not in BUSY:
                break
            self._wait(f"endpoint {self._endpoint} is {endpoint['EndpointStatus']}")
        return serving

    def _delete_endpoint(self) -> None:
        endpoint = self._described()
        if endpoint is None:
            return
        scaled = json.loads(os.environ["SCALED_VARIANTS"])
        if scaled:
            scaling = boto3.client("application-autoscaling")
            for variant in scaled:
                deregister = functools.partial(
                    scaling.deregister_scalable_target,
                    ServiceNamespace="sagemaker",
                    ResourceId=f"endpoint/{self._endpoint}/variant/{variant}",
                    ScalableDimension="sagemaker:variant:DesiredInstanceCount",
                )
                _unless_missing(deregister)
        _unless_missing(functools.partial(self._sagemaker.delete_endpoint, EndpointName=self._endpoint))
        while self._described() is not None:
            self._wait(f"endpoint {self._endpoint} is being deleted")
        LOGGER.info("deleted endpoint %s", self._endpoint)

    def _wait(self, why: str) -> None:
        if time.monotonic() + self._pause_s > self._deadline:
            raise _OutOfTimeError(why)
        time.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 1.5, LONGEST_PAUSE_S)

    def _serving(self, endpoint: dict[str, Any] | None) -> set[str]:
        if endpoint is None:
            return set()
        pending = endpoint.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
        return {name for name in (endpoint.get("EndpointConfigName"), pending) if name}

    def _configuration(self, name: str) -> dict[str, Any] | None:
        """Its description; None if it does not exist, empty if it has no release's name and may not be described."""
        try:
            described: dict[str, Any] | None = _unless_missing(
                functools.partial(self._sagemaker.describe_endpoint_config, EndpointConfigName=name)
            )
        except ClientError as fault:
            if fault.response["Error"]["Code"] != "AccessDeniedException" or self._is_own(name):
                raise
            return {}
        return described

    def _models(self, configuration: dict[str, Any] | None) -> set[str]:
        return {variant["ModelName"] for variant in _variants(configuration) if "ModelName" in variant}

    def _is_own(self, name: str) -> bool:
        return name.startswith(f"{self._endpoint}-")


def _variants(described: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The variants of an endpoint or of a configuration, shadow variants too."""
    for kind in ("ProductionVariants", "ShadowProductionVariants"):
        yield from (described or {}).get(kind, [])


def _running(states: Any, machine: str) -> list[str]:
    """The running executions; none if the state machine is already deleted."""
    try:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        return [execution["executionArn"] for page in pages for execution in page["executions"]]
    except states.exceptions.StateMachineDoesNotExist:
        return []


def _unless_missing(call: Callable[[], Any]) -> Any:
    """The result of `call`; None if the resource does not exist.

    SageMaker has a separate error code for some resources; for others only the message shows it.
    """
    try:
        return call()
    except ClientError as fault:
        code, message = fault.response["Error"]["Code"], fault.response["Error"].get("Message", "").lower()
        if code in ("ResourceNotFound", "ResourceNotFoundException", "ParameterNotFound", "ObjectNotFoundException"):
            return None
        if code == "ValidationException" and ("could not find" in message or "not found" in message):
            return None
        raise


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Reports the result to the URL that CloudFormation gave."""
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["ResourceProperties"]["EndpointName"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The URL is signed for a request without a content type.
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=20):  # nosec B310  # CloudFormation's answer address
        pass
