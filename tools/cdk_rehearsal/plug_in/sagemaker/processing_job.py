"""One processing job: its inputs downloaded, its program run, its outputs uploaded."""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cdk_rehearsal.engines import ContainerRequest
from cdk_rehearsal.permissions.needs.acting import ActingNeed, processing_job_role_needs
from cdk_rehearsal.plug_in.sagemaker.inner_path import text_inside
from cdk_rehearsal.plug_in.sagemaker.job import Job, JobError
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError, download_prefix, upload_prefix

_MESSAGE_LENGTH = 1024


class ProcessingJob(Job):
    """`/opt/ml` is the job's folder: in a container it is mounted there, a process finds it by SAGEMAKER_BASE_DIR."""

    KIND = "ProcessingJob"
    ARN_KIND = "processing-job"
    WORD = "Processing"

    def _role_needs(self) -> tuple[ActingNeed, ...]:
        return processing_job_role_needs(self._request, world=self._surroundings.permissions.world)

    def _work(self) -> str:
        self._prepare()
        specification = self._request["AppSpecification"]
        command = self._surroundings.engine.command(
            ContainerRequest(
                image_uri=specification["ImageUri"],
                entrypoint=tuple(specification.get("ContainerEntrypoint", ())),
                arguments=tuple(specification.get("ContainerArguments", ())),
                environment={
                    **self._surroundings.aws_environment,
                    **self._role.credentials,
                    **self._request.get("Environment", {}),
                    "PROCESSING_JOB_NAME": self.name,
                    "PROCESSING_JOB_ARN": self.arn,
                },
                base_folder=self.folder,
            )
        )
        if self._stop_asked.is_set():
            return "Stopped"
        self._begin()
        ended, status, log_tail = self._run_program(command, log_group="/aws/sagemaker/ProcessingJobs")
        if ended == "Failed":
            raise JobError(f"AlgorithmError: {self._exit_message() or log_tail}, exit code: {status}")
        if ended == "Completed":
            for local, uri in self._outputs():
                upload_prefix(local, uri, role=self._role)
        return "Completed" if ended == "Completed" else "Stopped"

    def _details(self) -> dict[str, Any]:
        message = self._exit_message() if self._ended else ""
        return {"ExitMessage": message} if message else {}

    def _exit_message(self) -> str:
        with contextlib.suppress(OSError):
            return text_inside(self.folder, "output/message")[:_MESSAGE_LENGTH]
        return ""

    def _prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("config", "output", "processing"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "config" / "processingjobconfig.json").write_text(json.dumps(self.describe()))
        (self.folder / "config" / "resourceconfig.json").write_text(
            json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]})
        )
        for given in self._request.get("ProcessingInputs", []):
            source = given.get("S3Input")
            if source is None or source["S3DataType"] != "S3Prefix" or "LocalPath" not in source:
                raise TransferError(f'input "{given["InputName"]}": the embedded AWS reads S3 prefixes only')
            folder = self._below(source["LocalPath"])
            folder.mkdir(parents=True, exist_ok=True)
            download_prefix(source["S3Uri"], folder, role=self._role)
            if source.get("S3CompressionType") == "Gzip":
                _unpack_all(folder)
        for folder, _ in self._outputs():
            folder.mkdir(parents=True, exist_ok=True)

    def _outputs(self) -> Iterator[tuple[Path, str]]:
        for wanted in self._request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            output = wanted.get("S3Output")
            if output is None or "LocalPath" not in output:
                raise TransferError(f'output "{wanted["OutputName"]}": the embedded AWS writes to S3 only')
            yield self._below(output["LocalPath"]), output["S3Uri"]


def _unpack_all(folder: Path) -> None:
    for archive in sorted(folder.rglob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            tar.extractall(archive.parent, filter="data")
        archive.unlink()
