import io
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.waiting import until

ROLE = "arn:aws:iam::123456789012:role/release"
PROGRAM = Path(__file__).parent / "program"


@dataclass
class Releases:
    """Releases as they lie in the table and in SageMaker; `n` makes their names this test's own."""

    module: ModuleType
    aws: Any
    table: str
    bucket: str
    unique: str
    started: int = 0
    endpoints: list[str] = field(default_factory=list)

    @property
    def sagemaker(self) -> Any:
        return self.aws.client("sagemaker")

    def name(self, release: str) -> str:
        return f"{release}-{self.unique}"

    def run(self, release: str) -> str:
        """The name of the execution that made the release, which is not the release's."""
        return f"run-of-{release}"

    def write_files(self, *releases: str) -> None:
        """What a release's jobs write: two versions of the posts, one of them deleted, and the model."""
        s3 = self.aws.client("s3")
        for release in releases:
            posts = f"runs/{self.run(release)}/train/posts.jsonl"
            for body in (b"a", b"b"):
                s3.put_object(Bucket=self.bucket, Key=posts, Body=body)
            s3.delete_object(Bucket=self.bucket, Key=posts)
            s3.put_object(Bucket=self.bucket, Key=f"runs/{self.run(release)}/test/posts.jsonl", Body=b"a")
            s3.put_object(Bucket=self.bucket, Key=f"models/{self.name(release)}/output/model.tar.gz", Body=b"a")

    def files(self) -> set[str]:
        """The second part of the key of each version and delete marker below runs/ and models/."""
        found: set[str] = set()
        for prefix in ("runs/", "models/"):
            page = self.aws.client("s3").list_object_versions(Bucket=self.bucket, Prefix=prefix)
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            found |= {version["Key"].split("/")[1] for version in versions}
        return found

    def add(self, *releases: str, outcome: str = "released", previous: str = "") -> None:
        for release in releases:
            self.started += 1
            item = {
                "endpoint": {"S": "moderation"},
                "entry": {"S": f"release#2026-01-01T00:00:{self.started:02}.000000Z#{self.name(release)}"},
                "release": {"S": self.name(release)},
                "outcome": {"S": outcome},
                "execution": {"S": f"arn:aws:states:us-east-1:123456789012:execution:release:{self.run(release)}"},
            }
            if previous:
                item["previous"] = {"S": self.name(previous)}
            self.aws.client("dynamodb").put_item(TableName=self.table, Item=item)
            self.make(release)

    def make(self, release: str) -> None:
        """The model and the endpoint configuration of a release."""
        container = {"Image": "cleaner:1", "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=self.name(release), ExecutionRoleArn=ROLE, PrimaryContainer=container)
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=self.name(release), ProductionVariants=[self.variant(release)]
        )

    def variant(self, release: str, name: str = "v") -> dict[str, Any]:
        return {
            "VariantName": name,
            "ModelName": self.name(release),
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }

    def serve(self, release: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts an endpoint of this test's own on the release."""
        endpoint = f"endpoint-{self.unique}"
        self.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=self.name(release))
        self.endpoints.append(endpoint)
        until(lambda: self.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService")
        items = self.aws.client("dynamodb").scan(TableName=self.table)["Items"]
        for item in items:
            self.aws.client("dynamodb").put_item(TableName=self.table, Item=item | {"endpoint": {"S": endpoint}})
        monkeypatch.setenv("ENDPOINT_NAME", endpoint)

    def current(self, release: str) -> None:
        self.put("current", release={"S": self.name(release)})

    def put(self, entry: str, **attributes: Any) -> None:
        item = {"endpoint": {"S": "moderation"}, "entry": {"S": entry}, **attributes}
        self.aws.client("dynamodb").put_item(TableName=self.table, Item=item)

    def left(self) -> set[str]:
        """The releases of which there is a model or a configuration."""
        models = self.sagemaker.list_models(NameContains=self.unique)["Models"]
        configurations = self.sagemaker.list_endpoint_configs(NameContains=self.unique)["EndpointConfigs"]
        names = {model["ModelName"] for model in models}
        assert names == {configuration["EndpointConfigName"] for configuration in configurations}
        return {name.removesuffix(f"-{self.unique}") for name in names}

    def marked(self, mark: str) -> set[str]:
        items = self.aws.client("dynamodb").scan(TableName=self.table)["Items"]
        return {item["release"]["S"].removesuffix(f"-{self.unique}") for item in items if mark in item}

    def clean_up(self, keep: int) -> list[str]:
        deleted: list[str] = self.module.handler({"operation": "clean_up", "keep": keep}, context())["deleted"]
        return deleted

    def discard(self, release: str, seconds: float = 90) -> list[str]:
        event = {"operation": "discard", "release": self.name(release)}
        deleted: list[str] = self.module.handler(event, context(seconds))["deleted"]
        return deleted


def context(seconds: float = 90) -> SimpleNamespace:
    return SimpleNamespace(get_remaining_time_in_millis=lambda: int(seconds * 1000))


@pytest.fixture
def releases(
    load_function: Callable[[str], ModuleType],
    releases_table: str,
    aws: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Releases]:
    aws.register_image("cleaner:1", PROGRAM)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz"):
        pass
    aws.client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=archive.getvalue())
    aws.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    monkeypatch.setenv("DATA_BUCKET", bucket)
    made = Releases(load_function("release_cleaner"), aws, releases_table, bucket, uuid.uuid4().hex[:8])
    yield made
    for endpoint in made.endpoints:
        made.sagemaker.delete_endpoint(EndpointName=endpoint)


def test_keeps_the_last_good_releases_and_deletes_the_others(releases: Releases) -> None:
    releases.add("one", "two")
    releases.add("bad", outcome="rolled_back")
    releases.add("three", "four")
    releases.add("refused", outcome="failed")
    releases.add("gone", outcome="stopped")
    releases.current("four")
    deleted = releases.clean_up(2)
    assert releases.left() == {"three", "four"}
    assert f"model {releases.name('one')}" in deleted
    assert f"endpoint configuration {releases.name('bad')}" in deleted
    assert releases.marked("cleaned") == {"one", "two", "bad", "refused", "gone"}
    assert releases.clean_up(2) == []


def test_keeps_the_current_release_the_one_before_it_and_one_that_runs(releases: Releases) -> None:
    releases.add("one")
    releases.add("two", previous="one")
    releases.add("three", "four")
    releases.add("now", outcome="running", previous="two")
    releases.current("two")
    releases.clean_up(1)
    assert releases.left() == {"one", "two", "four", "now"}


def test_deletes_nothing_that_the_table_does_not_name(releases: Releases) -> None:
    releases.make("somebody-elses")
    releases.add("one", "two")
    releases.clean_up(1)
    assert releases.left() == {"two", "somebody-elses"}


def test_never_deletes_what_the_endpoint_uses(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    releases.add("one", "shadow", "two")
    sagemaker = releases.sagemaker
    sagemaker.delete_endpoint_config(EndpointConfigName=releases.name("one"))
    sagemaker.create_endpoint_config(
        EndpointConfigName=releases.name("one"),
        ProductionVariants=[releases.variant("one")],
        ShadowProductionVariants=[releases.variant("shadow", "s")],
    )
    releases.serve("one", monkeypatch)
    releases.clean_up(1)
    assert releases.left() == {"one", "shadow", "two"}
    with pytest.raises(releases.module.ReleaseInUseError, match=r"runs release one-.*: release another one first"):
        releases.discard("one")
    assert "one" in releases.left()


def test_leaves_all_to_the_next_clean_up_while_the_endpoint_is_being_changed(releases: Releases) -> None:
    releases.add("one", "two")
    releases.put("lock", holder={"S": "arn:aws:states:us-east-1:000000000000:execution:rollback:now"})
    assert releases.clean_up(1) == []
    assert releases.left() == {"one", "two"}
    assert releases.marked("cleaning") == set()


def test_takes_up_a_clean_up_that_was_cut_short(releases: Releases) -> None:
    releases.add("one", "two")
    assert releases.module.Cleaner()._claim(f"release#2026-01-01T00:00:01.000000Z#{releases.name('one')}")
    releases.sagemaker.delete_endpoint_config(EndpointConfigName=releases.name("one"))
    assert releases.clean_up(1) == [f"model {releases.name('one')}"]
    assert releases.marked("cleaned") == {"one"}


def start_training(releases: Releases, release: str, **algorithm: Any) -> None:
    releases.sagemaker.create_training_job(
        TrainingJobName=releases.name(release),
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "cleaner:1", "TrainingInputMode": "File", **algorithm},
        OutputDataConfig={"S3OutputPath": f"s3://{releases.bucket}/models/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )


def test_discards_what_a_release_has_made_so_far(releases: Releases) -> None:
    releases.add("one")
    releases.add("failed", outcome="running")
    start_training(releases, "failed")
    assert releases.discard("failed") == [
        f"training job {releases.name('failed')}",
        f"endpoint configuration {releases.name('failed')}",
        f"model {releases.name('failed')}",
    ]
    job = releases.sagemaker.describe_training_job(TrainingJobName=releases.name("failed"))
    assert job["TrainingJobStatus"] == "Stopped"
    assert releases.left() == {"one"}
    assert releases.marked("cleaned") == {"failed"}
    assert releases.discard("failed") == []


def test_a_failed_release_leaves_no_copy_of_a_post(releases: Releases) -> None:
    releases.add("one")
    releases.add("on", outcome="failed")
    releases.write_files("one", "on")
    releases.aws.client("s3").put_object(Bucket=releases.bucket, Key="posts/posts.jsonl", Body=b"a")

    deleted = releases.discard("on")

    assert f"files in runs/{releases.run('on')}/" in deleted
    assert f"files in models/{releases.name('on')}/" in deleted
    assert releases.files() == {releases.run("one"), releases.name("one")}
    kept = releases.aws.client("s3").list_objects_v2(Bucket=releases.bucket, Prefix="posts/")["KeyCount"]
    assert kept == 1


def test_what_an_export_writes_after_its_release_was_discarded_goes_with_the_next_clean_up(releases: Releases) -> None:
    releases.add("one")
    releases.add("stopped", "older", outcome="stopped")
    releases.discard("stopped")
    releases.write_files("one", "stopped")

    releases.add("failed", outcome="failed")
    deleted = releases.discard("failed")

    assert f"files in runs/{releases.run('stopped')}/" in deleted
    assert releases.files() == {releases.run("one"), releases.name("one")}

    releases.write_files("stopped")
    assert f"files in runs/{releases.run('stopped')}/" in releases.clean_up(1)
    assert releases.files() == {releases.run("one"), releases.name("one")}


def test_files_of_kept_releases_stay_and_those_of_older_ones_go(releases: Releases) -> None:
    releases.add("one", "two", "three")
    releases.write_files("one", "two", "three")

    releases.clean_up(2)

    assert releases.files() == {part for kept in ("two", "three") for part in (releases.run(kept), releases.name(kept))}


def test_of_a_release_that_was_found_serving_no_run_is_known(releases: Releases) -> None:
    releases.add("found", "two", "three")
    table, client = releases.table, releases.aws.client("dynamodb")
    (found,) = [
        item for item in client.scan(TableName=table)["Items"] if item["release"]["S"] == releases.name("found")
    ]
    client.put_item(TableName=table, Item=found | {"execution": {"S": "-"}})
    releases.write_files("two")
    releases.aws.client("s3").put_object(Bucket=releases.bucket, Key="runs/other/posts.jsonl", Body=b"a")

    releases.clean_up(2)

    assert "other" in releases.files()


def test_discards_a_release_of_which_nothing_was_made(releases: Releases) -> None:
    assert releases.discard("never") == []


def test_fails_when_a_job_does_not_stop_in_time(releases: Releases) -> None:
    releases.add("slow", outcome="running")
    deaf = ["env", "--ignore-signal=TERM", "python", "program.py"]
    start_training(releases, "slow", ContainerEntrypoint=deaf)
    job = {"TrainingJobName": releases.name("slow")}
    until(lambda: releases.sagemaker.describe_training_job(**job)["SecondaryStatus"] == "Training")
    with pytest.raises(
        releases.module.JobStillRunningError, match=r"training job slow-.* was asked to stop and is still"
    ):
        releases.discard("slow", seconds=releases.module.REPORTING_RESERVE_S)
    assert releases.left() == {"slow"}
    releases.discard("slow")


def test_fails_when_sagemaker_refuses(
    releases: Releases, monkeypatch: pytest.MonkeyPatch, http_server: Any, answer: Any
) -> None:
    releases.add("one", "two")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", http_server.url)
    http_server.answers = [answer(400, b'{"__type": "AccessDeniedException", "message": "not authorized"}')]
    with pytest.raises(ClientError, match="AccessDeniedException"):
        releases.clean_up(1)


def test_fails_when_the_operation_is_unknown(releases: Releases) -> None:
    with pytest.raises(
        releases.module.UnknownOperationError, match="operation is 'clean': it must be clean_up or discard"
    ):
        releases.module.handler({"operation": "clean"}, context())
