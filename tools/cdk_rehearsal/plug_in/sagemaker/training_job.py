"""One training job, from its input channels to its model archive."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

from cdk_rehearsal.engines import ContainerRequest
from cdk_rehearsal.permissions.needs.acting import ActingNeed, training_job_role_needs
from cdk_rehearsal.plug_in.sagemaker.inner_path import text_inside
from cdk_rehearsal.plug_in.sagemaker.job import ROOT, Job, JobError
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import (
    TransferError,
    download_prefix,
    upload_folder,
    upload_prefix,
)
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings

_CHECKPOINTS = "/opt/ml/checkpoints"


class TrainingJob(Job):
    KIND = "TrainingJob"
    ARN_KIND = "training-job"
    WORD = "Training"

    def __init__(self, request: dict[str, Any], surroundings: Surroundings) -> None:
        source = surroundings.arn(self.ARN_KIND, request["TrainingJobName"])
        super().__init__(request, surroundings, role=surroundings.acting(request["RoleArn"], source=source))
        self._secondary = "Starting"
        self._transitions: list[dict[str, Any]] = []
        self._artifact: str | None = None
        self._enter("Starting", "Launching requested ML instances")

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {
            "SecondaryStatus": self._secondary,
            "SecondaryStatusTransitions": list(self._transitions),
            "ModelArtifacts": {"S3ModelArtifacts": self._artifact} if self._artifact else {},
        }
        if self._ended:
            seconds = int(self._ended - (self._started or self.created)) + 1
            details |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        return details

    def _role_needs(self) -> tuple[ActingNeed, ...]:
        return training_job_role_needs(self._request, world=self._surroundings.permissions.world)

    def _work(self) -> str:
        self._prepare()
        with self._checkpoints():
            ended = self._train()
        self._upload()
        self._enter(ended, "Training job completed")
        return "Completed" if ended == "Completed" else "Stopped"

    def _prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        configuration = self.folder / "input" / "config"
        for part in (configuration, self.folder / "model", self.folder / "output" / "data"):
            part.mkdir(parents=True)
        channels = {}
        self._enter("Downloading", "Downloading input data")
        for channel in self._request.get("InputDataConfig", []):
            name = channel["ChannelName"]
            folder = self._below(f"{ROOT}input/data/{name}")
            folder.mkdir(parents=True)
            source = channel["DataSource"].get("S3DataSource")
            if source is None or source["S3DataType"] != "S3Prefix":
                raise TransferError(f'channel "{name}": the embedded AWS reads S3 prefixes only')
            download_prefix(source["S3Uri"], folder, role=self._role)
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
        """Returns the final secondary status."""
        algorithm = self._request["AlgorithmSpecification"]
        command = self._surroundings.engine.command(
            ContainerRequest(
                image_uri=algorithm["TrainingImage"],
                entrypoint=tuple(algorithm.get("ContainerEntrypoint", ())),
                arguments=tuple(algorithm.get("ContainerArguments", ["train"])),
                environment={
                    **self._credentials(),
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
        self._begin()
        ended, status, log_tail = self._run_program(command, log_group="/aws/sagemaker/TrainingJobs")
        if ended == "Stopped":
            self._enter("Stopping", "Stopping the training job")
        if ended == "Failed":
            reason = f"AlgorithmError: {self._written_failure() or log_tail}, exit code: {status}"
            self._enter("Failed", reason)
            raise JobError(reason)
        return ended

    def _credentials(self) -> dict[str, str]:
        """None for a program with network isolation, which could not reach AWS anyway:
        https://docs.aws.amazon.com/sagemaker/latest/dg/mkt-algo-model-internet-free.html
        """
        if self._request.get("EnableNetworkIsolation"):
            return {}
        return {**self._surroundings.aws_environment, **self._role.credentials}

    @contextlib.contextmanager
    def _checkpoints(self) -> Iterator[None]:
        """Downloads stored checkpoints before the program starts, and uploads its checkpoints after it ends, whatever
        its status. SageMaker also uploads while it runs; this emulator does not.
        """
        given = self._request.get("CheckpointConfig")
        if given is None:
            yield
            return
        local = given.get("LocalPath", _CHECKPOINTS)
        folder = self._below(local)
        folder.mkdir(parents=True)
        # The first run has no checkpoints.
        with contextlib.suppress(TransferError):
            download_prefix(given["S3Uri"], folder, role=self._role)
        try:
            yield
        finally:
            # Resolved again, because the program may have replaced the folder by a link.
            upload_prefix(self._below(local), given["S3Uri"], role=self._role)

    def _written_failure(self) -> str:
        """The failure reason from output/failure, in SageMaker's format."""
        with contextlib.suppress(OSError):
            return text_inside(self.folder, "output/failure")
        return ""

    def _upload(self) -> None:
        self._enter("Uploading", "Uploading generated training model")
        place = f"{self._request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"
        model, output = self._below(f"{ROOT}model"), self._below(f"{ROOT}output/data")
        if any(model.iterdir()):
            upload_folder(model, f"{place}/model.tar.gz", role=self._role)
            with self._lock:
                self._artifact = f"{place}/model.tar.gz"
        if any(output.iterdir()):
            upload_folder(output, f"{place}/output.tar.gz", role=self._role)

    def _finish(self, status: str, reason: str = "") -> None:
        with self._lock:
            if self._secondary != "Failed" and status == "Failed":
                self._enter("Failed", reason)
            self._transitions[-1]["EndTime"] = time.time()
        super()._finish(status, reason)

    def _enter(self, secondary: str, message: str) -> None:
        now = time.time()
        with self._lock:
            self._secondary = secondary
            self._changed = now
            if self._transitions:
                self._transitions[-1]["EndTime"] = now
            self._transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
