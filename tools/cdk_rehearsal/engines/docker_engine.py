"""Runs an image in a container of the machine's Docker engine."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

from cdk_rehearsal.engines.container import ON_LOOPBACK, ContainerCommand, ContainerRequest

_LABEL = "cdk-rehearsal"


class DockerEngine:
    """The image has to be there: the deploy has built it.

    On Linux a container shares the machine's network, for the embedded AWS listens on loopback alone; elsewhere the
    engine's virtual machine reaches it as host.docker.internal.

    Args:
        program: docker, or a program that takes its command line.
        owner: labels the containers, so that those of one run can be removed without knowing their names.
        docker_host: the engine's address where it is not the default one.
    """

    def __init__(self, *, owner: str, program: str = "docker", docker_host: str | None = None) -> None:
        self._owner = owner
        self._program = program
        self._docker_host = docker_host

    def command(self, request: ContainerRequest) -> ContainerCommand:
        name = f"cdk-rehearsal-{uuid.uuid4().hex[:12]}"
        variables = dict(request.environment)
        words = [self._program, "run", "--rm", "--name", name, "--label", f"{_LABEL}={self._owner}"]
        if sys.platform == "linux":
            words += ["--network", "host"]
            if request.port is not None:
                variables |= {**ON_LOOPBACK, request.port_variable: str(request.port)}
        else:
            if request.port is not None:
                words += ["--publish", f"127.0.0.1:{request.port}:8080"]
                variables[request.port_variable] = "8080"
            if "AWS_ENDPOINT_URL" in variables:
                variables["AWS_ENDPOINT_URL"] = variables["AWS_ENDPOINT_URL"].replace(
                    "localhost", "host.docker.internal"
                )
        if request.base_folder is not None:
            words += ["--volume", f"{request.base_folder}:/opt/ml"]
            open_to_all(request.base_folder)
        # Values go through the environment, not through the command line, where every user of the machine reads them.
        for variable in sorted(variables):
            words += ["--env", variable]
        if request.entrypoint:  # the engine takes one word of it
            words += ["--entrypoint", request.entrypoint[0]]
        return ContainerCommand(
            command=(*words, request.image_uri, *request.entrypoint[1:], *request.arguments),
            environment=self._environment() | variables,
            clean_up=(self._program, "rm", "--force", name),
        )

    def remove_all(self) -> None:
        """Removes every container of the owner, running or not."""
        listed = subprocess.run(
            [self._program, "ps", "--all", "--quiet", "--filter", f"label={_LABEL}={self._owner}"],
            capture_output=True,
            text=True,
            env=self._environment(),
            check=False,
        )
        if ids := listed.stdout.split():
            subprocess.run(
                [self._program, "rm", "--force", *ids], capture_output=True, env=self._environment(), check=False
            )

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self._docker_host:
            environment["DOCKER_HOST"] = self._docker_host
        return environment


def open_to_all(folder: os.PathLike[str]) -> None:
    """Images run as a user of their own, who has to write into the folders that are mounted."""
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o777)  # noqa: S103
        for name in files:
            os.chmod(os.path.join(parent, name), 0o666)  # noqa: S103
