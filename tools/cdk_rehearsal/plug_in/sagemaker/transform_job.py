"""One transform job: sends each record of each input object to a model's program."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from cdk_rehearsal.permissions.needs.acting import ActingNeed, transform_job_role_needs
from cdk_rehearsal.plug_in.sagemaker.job import Job, JobError
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError, object_keys, split_s3_uri
from cdk_rehearsal.plug_in.sagemaker.model_server import ModelServer, ServingError
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings

_START_SECONDS = 120.0
_DEFAULT_PAYLOAD_MB = 6


class TransformJob(Job):
    KIND = "TransformJob"
    ARN_KIND = "transform-job"
    WORD = "Transform"

    def __init__(
        self,
        request: dict[str, Any],
        surroundings: Surroundings,
        *,
        model: dict[str, Any],
    ) -> None:
        source = surroundings.arn(self.ARN_KIND, request["TransformJobName"])
        super().__init__(request, surroundings, role=surroundings.acting(model["ExecutionRoleArn"], source=source))
        self._model = model

    def _role_needs(self) -> tuple[ActingNeed, ...]:
        return transform_job_role_needs(self._request, world=self._surroundings.permissions.world)

    def _work(self) -> str:
        request = self._request
        if request.get("DataProcessing"):
            raise TransferError("the embedded AWS has no DataProcessing: give the records as the model takes them")
        shutil.rmtree(self.folder, ignore_errors=True)
        server = ModelServer(
            model=self._model,
            folder=self.folder,
            surroundings=self._surroundings,
            role=self._role,
            log_group="/aws/sagemaker/TransformJobs",
            log_stream=f"{self.name}/i-0",
            environment={
                **request.get("Environment", {}),
                "SAGEMAKER_BATCH": "true",
                "SAGEMAKER_BATCH_STRATEGY": self._strategy,
                "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(request.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MB)),
                "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(request.get("MaxConcurrentTransforms", 1)),
            },
        )
        try:
            server.launch()
            server.wait_until_healthy(_START_SECONDS)
            self._begin()
            return self._transform(server)
        except ServingError as error:
            raise JobError(f"AlgorithmError: the model does not pass its health check. {error}") from error
        finally:
            server.stop()

    @property
    def _strategy(self) -> str:
        strategy: str = self._request.get("BatchStrategy", "MultiRecord")
        return strategy.upper()

    def _transform(self, server: ModelServer) -> str:
        given, output = self._request["TransformInput"], self._request["TransformOutput"]
        source = given["DataSource"]["S3DataSource"]
        if source["S3DataType"] != "S3Prefix" or given.get("CompressionType", "None") != "None":
            raise TransferError("the embedded AWS transforms S3 prefixes of plain objects only")
        bucket, prefix = split_s3_uri(source["S3Uri"])
        to_bucket, to_prefix = split_s3_uri(output["S3OutputPath"])
        above = prefix[: prefix.rfind("/") + 1]
        s3 = self._role.client("s3")
        for key in object_keys(source["S3Uri"], role=self._role):
            answers = []
            text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for record in self._records(text, given.get("SplitType", "None")):
                if self._stop_asked.is_set():
                    return "Stopped"
                answers.append(self._ask(server, record, key))
            name = f"{key.removeprefix(above)}.out"
            s3.put_object(
                Bucket=to_bucket,
                Key=f"{to_prefix.rstrip('/')}/{name}".lstrip("/"),
                Body=_assembled(answers, output.get("AssembleWith", "None")),
            )
        return "Completed"

    def _records(self, text: bytes, split: str) -> Iterator[bytes]:
        """The body of each request."""
        if split == "None":
            yield text
            return
        if split != "Line":
            raise TransferError(f"the embedded AWS splits by Line only, not by {split}")
        limit = int(self._request.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MB)) * 1024 * 1024
        batch: list[bytes] = []
        size = 0
        for line in text.split(b"\n"):
            if not line.strip():
                continue
            if self._strategy == "SINGLERECORD":
                yield line
                continue
            if batch and size + len(line) + 1 > limit:
                yield b"\n".join(batch)
                batch, size = [], 0
            batch.append(line)
            size += len(line) + 1
        if batch:
            yield b"\n".join(batch)

    def _ask(self, server: ModelServer, record: bytes, key: str) -> bytes:
        headers = {"Content-Type": self._request["TransformInput"].get("ContentType", "application/octet-stream")}
        if accept := self._request["TransformOutput"].get("Accept"):
            headers["Accept"] = accept
        status, _, answer = server.invoke(record, headers)
        if status != 200:
            said = answer.decode(errors="replace")
            raise JobError(f"ClientError: {key}: Bad HTTP status received from algorithm: {status}. {said}")
        return answer


def _assembled(answers: list[bytes], assemble: str) -> bytes:
    if assemble == "Line":
        return b"".join(answer + b"\n" for answer in answers)
    return b"".join(answers)
