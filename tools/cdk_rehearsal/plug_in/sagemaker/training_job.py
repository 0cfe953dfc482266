"""One training job: from its input channels to its model archive."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.engines import ContainerRequest, ImageError
from cdk_rehearsal.plug_in.container_process import ContainerProcess
from cdk_rehearsal.plug_in.log_shipping import LogShipping
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError, download_prefix, upload_folder
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_REASON_LENGTH = 1024
_DEFAULT_MAX_RUNTIME_SECONDS = 86_400


class TrainingJob:
    """Runs on a thread of its own from the moment it is made. `describe` is the API's answer at any time."""

    def __init__(self, request: dict[str, Any], surroundings: Surroundings) -> None:
        self.name: str = request["TrainingJobName"]
        self._request = request
        self._surroundings = surroundings
        self.folder = surroundings.work_folder / "training" / self.name
        self._created = time.time()
        self._changed = self._created
        self._started: float | None = None
        self._ended: float | None = None
        self._status = "InProgress"
        self._secondary = "Starting"
        self._transitions: list[dict[str, Any]] = []
        self._reason = ""
        self._artifact: str | None = None
        self._stop_asked = threading.Event()
        self._lock = threading.Lock()
        self._enter("Starting", "Launching requested ML instances")
        threading.Thread(target=self._run, name=f"training {self.name}", daemon=True).start()

    @property
    def arn(self) -> str:
        return self._surroundings.arn("training-job", self.name)

    @property
    def in_progress(self) -> bool:
        return self._status in ("InProgress", "Stopping")

    def stop(self) -> None:
        """Takes effect soon after; a job that has ended stays as it is."""
        with self._lock:
            if self._status == "InProgress":
                self._status = "Stopping"
                self._stop_asked.set()

    def describe(self) -> dict[str, Any]:
        with self._lock:
            answer: dict[str, Any] = {
                **self._request,
                "TrainingJobArn": self.arn,
                "TrainingJobStatus": self._status,
                "SecondaryStatus": self._secondary,
                "SecondaryStatusTransitions": list(self._transitions),
                "CreationTime": self._created,
                "LastModifiedTime": self._changed,
                "ModelArtifacts": {"S3ModelArtifacts": self._artifact} if self._artifact else {},
            }
            answer.pop("Tags", None)
            if self._started:
                answer["TrainingStartTime"] = self._started
            if self._ended:
                answer["TrainingEndTime"] = self._ended
                seconds = int(self._ended - (self._started or self._created)) + 1
                answer |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
            if self._reason:
                answer["FailureReason"] = self._reason
            return answer

    def _run(self) -> None:
        try:
            self._prepare()
            ended = self._train()
            if ended == "Failed":
                return
            self._upload()
            self._end({"Completed": "Completed", "Stopped": "Stopped", "MaxRuntimeExceeded": "Stopped"}[ended], ended)
        except TransferError as error:
            self._end("Failed", "Failed", f"ClientError: {error}")
        except (ImageError, OSError) as error:
            self._end("Failed", "Failed", f"ClientError: {error}")
        except (ClientError, BotoCoreError) as error:
            self._end("Failed", "Failed", f"InternalServerError: {error}")

    def _prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        configuration = self.folder / "input" / "config"
        for part in (configuration, self.folder / "model", self.folder / "output" / "data"):
            part.mkdir(parents=True)
        channels = {}
        self._enter("Downloading", "Downloading input data")
        for channel in self._request.get("InputDataConfig", []):
            name = channel["ChannelName"]
            folder = self.folder / "input" / "data" / name
            folder.mkdir(parents=True)
            source = channel["DataSource"].get("S3DataSource")
            if source is None or source["S3DataType"] != "S3Prefix":
                raise TransferError(f'channel "{name}": the embedded AWS reads S3 prefixes only')
            download_prefix(source["S3Uri"], folder, role=self._request["RoleArn"])
            channels[name] = {
                "ContentType": channel.get("ContentType", ""),
                "TrainingInputMode": channel.get("InputMode", "File"),
                "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            }
        (configuration / "hyperparameters.json").write_text(json.dumps(self._request.get("HyperParameters", {})))
        (configuration / "inputdataconfig.json").write_text(json.dumps(channels))
        (configuration / "resourceconfig.json").write_text(
            json.dumps({"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"})
        )

    def _train(self) -> str:
        """The secondary status that it ended with."""
        algorithm = self._request["AlgorithmSpecification"]
        command = self._surroundings.engine.command(
            ContainerRequest(
                image_uri=algorithm["TrainingImage"],
                arguments=tuple(algorithm.get("ContainerArguments", ["train"])),
                environment={
                    **self._surroundings.aws_environment,
                    **self._request.get("Environment", {}),
                    "TRAINING_JOB_NAME": self.name,
                    "TRAINING_JOB_ARN": self.arn,
                },
                base_folder=self.folder,
            )
        )
        if self._stop_asked.is_set():
            return "Stopped"
        self._enter("Training", "Training image download completed. Training in progress.")
        with self._lock:
            self._started = time.time()
        log = self.folder / "log.txt"
        process = ContainerProcess(command, log=log, registry=self._surroundings.registry)
        shipping = LogShipping(log, group=LOG_GROUP, stream=f"{self.name}/algo-1-{int(self._created)}")
        try:
            return self._wait(process)
        finally:
            process.stop()
            shipping.stop()

    def _wait(self, process: ContainerProcess) -> str:
        limit = self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DEFAULT_MAX_RUNTIME_SECONDS)
        deadline = time.monotonic() + limit
        while (status := process.wait(timeout_seconds=0.1)) is None:
            if self._stop_asked.is_set():
                self._enter("Stopping", "Stopping the training job")
                return "Stopped"
            if time.monotonic() > deadline:
                return "MaxRuntimeExceeded"
        if status == 0:
            return "Completed"
        self._end("Failed", "Failed", self._failure(process, status))
        return "Failed"

    def _failure(self, process: ContainerProcess, status: int) -> str:
        """What the program wrote to output/failure, as SageMaker has it; else the end of its log."""
        written = ""
        with contextlib.suppress(OSError):
            written = (self.folder / "output" / "failure").read_text(errors="replace").strip()
        return f"AlgorithmError: {written or process.log_tail()}, exit code: {status}"

    def _upload(self) -> None:
        self._enter("Uploading", "Uploading generated training model")
        place = f"{self._request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"
        if any((self.folder / "model").iterdir()):
            upload_folder(self.folder / "model", f"{place}/model.tar.gz")
            with self._lock:
                self._artifact = f"{place}/model.tar.gz"
        if any((self.folder / "output" / "data").iterdir()):
            upload_folder(self.folder / "output" / "data", f"{place}/output.tar.gz")

    def _enter(self, secondary: str, message: str) -> None:
        now = time.time()
        with self._lock:
            self._secondary = secondary
            self._changed = now
            if self._transitions:
                self._transitions[-1]["EndTime"] = now
            self._transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})

    def _end(self, status: str, secondary: str, reason: str = "") -> None:
        self._enter(secondary, reason or "Training job completed")
        with self._lock:
            self._reason = reason[:_REASON_LENGTH]
            self._ended = self._changed
            self._transitions[-1]["EndTime"] = self._changed
            self._status = status
