import json
import subprocess
import sys
from pathlib import Path

import pytest

from cdk_rehearsal.docker_stand_in import write_program
from cdk_rehearsal.engines import ContainerRequest, DockerEngine, ImageError, ImageSources, ProcessEngine
from cdk_rehearsal.engines.dockerfile import read_dockerfile

DOCKERFILE = """
# syntax=docker/dockerfile:1
ARG BASE=python:3.11-slim
FROM ${BASE} AS packages
ENV KEPT=1
ENTRYPOINT ["python", "old.py"]

FROM packages AS program
ENV NAME=model PATH=/opt/venv/bin:$PATH \\
    GREETING="hello ${NAME:-nobody} there"
# a comment between
ENV LEGACY some words
HEALTHCHECK --interval=5s \\
    CMD ["curl", "localhost"]
ENTRYPOINT ["python", "serve.py"]
CMD ["serve"]
"""


def _write(folder: Path, text: str, name: str = "Dockerfile") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_the_last_stage_is_what_runs(tmp_path: Path) -> None:
    program = read_dockerfile(_write(tmp_path, DOCKERFILE))
    assert program.entrypoint == ("python", "serve.py")
    assert program.arguments == ("serve",)
    assert program.environment["KEPT"] == "1"
    assert program.environment["LEGACY"] == "some words"
    assert program.environment["GREETING"] == "hello nobody there"


def test_fails_when_the_entrypoint_is_in_shell_form(tmp_path: Path) -> None:
    path = _write(tmp_path, "FROM x\nENTRYPOINT python serve.py\n")
    with pytest.raises(ImageError, match="is in shell form; write it in exec form"):
        read_dockerfile(path)


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    folder = tmp_path / "cdk.out"
    _write(
        folder / "asset.abc", 'FROM x\nENV PATH=/opt GREETING=hi\nENTRYPOINT ["python", "serve.py"]\n', "Dockerfile.cpu"
    )
    manifest = {
        "dockerImages": {
            "abc": {
                "source": {"directory": "asset.abc", "dockerFile": "Dockerfile.cpu"},
                "destinations": {"here": {"repositoryName": "assets", "imageTag": "abc"}},
            }
        }
    }
    nested = folder / "assembly-Stage"
    nested.mkdir()
    (nested / "../stack.assets.json").write_text(json.dumps(manifest))
    return folder


def test_an_image_runs_from_its_assets_folder(assembly: Path, tmp_path: Path) -> None:
    engine = ProcessEngine(
        ImageSources(cloud_assembly=assembly),
        base_environment={"PATH": "/usr/bin", "PYTHONPATH": "/elsewhere", "PYTHONPYCACHEPREFIX": "/cache"},
    )
    command = engine.command(
        ContainerRequest(
            image_uri="123.dkr.ecr.us-east-1.amazonaws.com/assets:abc",
            arguments=("serve",),
            environment={"MODEL_NAME": "m"},
            base_folder=tmp_path / "base",
            port=4711,
        )
    )
    assert command.command == (sys.executable, "serve.py", "serve")
    assert command.cwd == assembly / "asset.abc"
    environment = dict(command.environment)
    assert environment["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    assert "PYTHONPATH" not in environment
    # Nothing is written into the source folder, and what is installed is found compiled.
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "PYTHONPYCACHEPREFIX" not in environment
    assert (environment["GREETING"], environment["MODEL_NAME"]) == ("hi", "m")
    assert environment["SAGEMAKER_BIND_TO_PORT"] == "4711"
    assert environment["SAGEMAKER_BASE_DIR"] == str(tmp_path / "base")


def test_a_script_runs_with_the_python_that_was_given_for_it(assembly: Path, tmp_path: Path) -> None:
    pythons = tmp_path / "pythons.json"
    engine = ProcessEngine(
        ImageSources(cloud_assembly=assembly), base_environment={"PATH": "/usr/bin"}, pythons=pythons
    )
    request = ContainerRequest(image_uri="123.dkr.ecr.us-east-1.amazonaws.com/assets:abc", arguments=("serve",))
    assert engine.command(request).command[0] == sys.executable
    pythons.write_text(json.dumps({"train.py": "/elsewhere/bin/python"}))
    assert engine.command(request).command[0] == sys.executable
    pythons.write_text(json.dumps({"serve.py": "/elsewhere/bin/python"}))
    command = engine.command(request)
    assert command.command == ("/elsewhere/bin/python", "serve.py", "serve")
    assert command.environment["PATH"] == "/elsewhere/bin:/usr/bin"


def test_fails_when_the_image_is_no_asset(assembly: Path) -> None:
    with pytest.raises(ImageError, match=r"image nginx:latest is not an asset .* use --engine docker"):
        ImageSources(cloud_assembly=assembly).find("nginx:latest")


def test_values_are_not_on_dockers_command_line(tmp_path: Path) -> None:
    request = ContainerRequest(
        image_uri="image:1", arguments=("serve",), environment={"TOKEN": "s3cr3t"}, base_folder=tmp_path, port=4711
    )
    command = DockerEngine(owner="me").command(request)
    assert "s3cr3t" not in " ".join(command.command)
    assert command.environment["TOKEN"] == "s3cr3t"
    assert command.command[-2:] == ("image:1", "serve")
    assert f"{tmp_path}:/opt/ml" in command.command
    assert command.clean_up[:3] == ("docker", "rm", "--force")


@pytest.mark.parametrize(
    ("base_image", "expected"),
    [
        (None, ["build", "--tag", "t", "."]),
        ("python:3.11-slim", ["build", "--build-arg", "BASE_IMAGE", "--tag", "t", "."]),
    ],
)
def test_the_engine_builds_from_the_base_image_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base_image: str | None, expected: list[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    docker.chmod(0o755)
    stand_in = write_program(tmp_path / "stand-in", engine="docker", docker=str(docker))
    if base_image:
        monkeypatch.setenv("BASE_IMAGE", base_image)
    else:
        monkeypatch.delenv("BASE_IMAGE", raising=False)
    call: list[str | Path] = [stand_in, "build", "--tag", "t", "--output=type=docker", "."]
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout.split("\n")[:-1] == expected
