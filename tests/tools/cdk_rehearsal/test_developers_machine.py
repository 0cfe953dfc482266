"""What the programs of a rehearsal find of the machine of whoever rehearses, and where they may write."""

import http.client
import io
import json
import os
import stat
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.engines import ContainerRequest, DockerEngine
from cdk_rehearsal.plug_in.sagemaker.inner_path import OutsideFolderError, inner_path, text_inside
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError, download_prefix, upload_prefix
from cdk_rehearsal.processes.minimal_environment import minimal_environment
from tests.access import EVERYTHING, make_role

HERE = Path(__file__).parent
FUNCTION = "import os\ndef handler(event, context): return dict(os.environ)\n"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
ENDED = ("Completed", "Failed", "Stopped")
# What every program needs, and what says nothing of who starts it.
KNOWN = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "NO_PROXY", "no_proxy", "PWD", "SHLVL", "_"}
OF_PYTHON = {"PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def of_the_developer(seen: dict[str, str]) -> set[str]:
    """The variables that a program has from this process; pytest puts some of its own here."""
    assert "PYTEST_VERSION" in os.environ
    return {name for name in seen if os.environ.get(name) == seen[name]} - KNOWN - OF_PYTHON


class ActsAs:
    """A role in whose name the embedded AWS's test client acts."""

    arn = ROLE

    def __init__(self, aws: EmbeddedAws) -> None:
        self.client: Callable[[str], Any] = aws.client


def test_a_function_finds_nothing_of_the_developer(embedded_aws: EmbeddedAws) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("f.py", FUNCTION)
    functions = embedded_aws.client("lambda")
    name = f"environment-{uuid.uuid4().hex[:6]}"
    role = make_role(embedded_aws, name, EVERYTHING, trusts="lambda.amazonaws.com")
    code = {"ZipFile": archive.getvalue()}
    functions.create_function(
        FunctionName=name, Runtime="python3.11", Role=role, Handler="f.handler", Code=code, Timeout=30
    )
    seen = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
    assert of_the_developer(seen) == set()
    assert seen["HOME"] == str(embedded_aws.work_folder / "home")


def test_a_job_finds_nothing_of_the_developer(
    embedded_aws: EmbeddedAws, bucket: str, training_job: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    request = training_job(name := f"environment-{uuid.uuid4().hex[:6]}")
    request["Environment"] = {"GREETING": "hello"}
    sagemaker = embedded_aws.client("sagemaker")
    sagemaker.create_training_job(**request)
    eventually(lambda: sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] in ENDED)
    seen = json.loads((embedded_aws.work_folder / "training" / name / "environment.json").read_text())
    assert of_the_developer(seen) == set()
    assert seen["HOME"] == str(embedded_aws.work_folder / "home")


def test_the_minimal_environment_is_a_list_of_what_is_kept(tmp_path: Path) -> None:
    of_somebody = {"PATH": "/bin", "HOME": "/home/somebody", "GITHUB_TOKEN": "s3cr3t", "SSH_AUTH_SOCK": "/run/agent"}
    seen = minimal_environment(tmp_path / "home", of_somebody)
    assert set(seen) == {"PATH", "HOME", "NO_PROXY", "no_proxy"}
    assert seen["HOME"] == str(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_nobody_else_writes_into_what_is_mounted(embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir(mode=0o700)
    (tmp_path / "model" / "model.json").write_text("{}")
    DockerEngine(owner="me").command(ContainerRequest(image_uri="image:1", base_folder=tmp_path))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, *tmp_path.rglob("*"))}
    # Readable to an image's own user; the folder above lets nobody of this machine through.
    assert modes == {tmp_path.name: 0o755, "model": 0o755, "model.json": 0o644}
    assert stat.S_IMODE(embedded_aws.work_folder.stat().st_mode) == 0o700


OUTSIDE = [
    "../outside",
    "part/../../outside",
    "part/..",
    "..",
    "./inside",
    "/etc/outside",
    "//etc/outside",
    "%2e%2e/outside",
    "%2E%2E%2Foutside",
    "%252e%252e%252foutside",
    "%2fetc/outside",
    "part%2f..%2f..%2foutside",
    "..\\outside",
    "part\\..\\..\\outside",
    "%2e%2e%5coutside",
    "\\\\server\\outside",
    "C:\\outside",
    "nul\0/outside",
    "nul%00/outside",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutsideFolderError):
        inner_path(tmp_path, name)


@pytest.mark.parametrize("name", ["posts.txt", "part/posts.txt", "..posts", "a..b/c", "50%/posts", "夜/泣き.txt"])
def test_other_names_are_kept(tmp_path: Path, name: str) -> None:
    assert inner_path(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("key", [key for key in OUTSIDE if "\0" not in key])
def test_a_key_that_leads_out_is_refused(embedded_aws: EmbeddedAws, bucket: str, tmp_path: Path, key: str) -> None:
    s3 = embedded_aws.client("s3")
    prefix = f"keys-{uuid.uuid4().hex[:6]}/"
    # boto3 passes over what its own rules take for a mistake: the key is sent as it is.
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": prefix + "KEY"})
    assert put(url.replace("KEY", quote(key, safe="/"))) == 200
    folder = tmp_path / "job" / "data"
    folder.mkdir(parents=True)
    with pytest.raises(TransferError, match="the object's key"):
        download_prefix(f"s3://{bucket}/{prefix}", folder, role=ActsAs(embedded_aws))  # type: ignore[arg-type]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def put(url: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", b"x", {"Host": parts.netloc})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_key_is_not_written_through_a_link(embedded_aws: EmbeddedAws, bucket: str, tmp_path: Path) -> None:
    embedded_aws.client("s3").put_object(Bucket=bucket, Key="through/link/posts.txt", Body=b"x")
    folder, outside = tmp_path / "data", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    with pytest.raises(TransferError, match="by a link"):
        download_prefix(f"s3://{bucket}/through/", folder, role=ActsAs(embedded_aws))  # type: ignore[arg-type]
    assert list(outside.iterdir()) == []


def test_what_a_program_links_is_not_read(embedded_aws: EmbeddedAws, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "id_secret").write_text("s3cr3t")
    folder = tmp_path / "job"
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "failure").symlink_to(tmp_path / "id_secret")
    with pytest.raises(OSError, match="symbolic links"):
        text_inside(folder, "output/failure")
    with pytest.raises(TransferError, match="a link out of its folder"):
        upload_prefix(folder / "output", f"s3://{bucket}/linked/", role=ActsAs(embedded_aws))  # type: ignore[arg-type]
    (folder / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(OSError, match="by a link"):
        text_inside(folder, "elsewhere/id_secret")


@pytest.mark.parametrize("local", ["/opt/ml/../outside", "/opt/ml/%2e%2e/outside", "/opt/mlx/outside", "/outside"])
def test_fails_when_a_local_path_leads_out(
    embedded_aws: EmbeddedAws, training_job: Callable[..., Any], eventually: Callable[..., Any], local: str
) -> None:
    request = training_job(name := f"out-{uuid.uuid4().hex[:6]}")
    request["CheckpointConfig"] = {"S3Uri": request["OutputDataConfig"]["S3OutputPath"], "LocalPath": local}
    sagemaker = embedded_aws.client("sagemaker")
    sagemaker.create_training_job(**request)
    job = eventually(
        lambda: (
            (answer := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] in ENDED and answer
        )
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert f'LocalPath "{local}" is outside of /opt/ml/' in job["FailureReason"]
