"""Runs an image in a container of the machine's Docker engine."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping

from cdk_rehearsal.engines.container import ON_LOOPBACK, ContainerCommand, ContainerRequest

_LABEL = "cdk-rehearsal"


class DockerEngine:
    """The image must exist: the deployment built it.

    On Linux a container shares the machine's network, because the embedded AWS listens only on loopback. On other
    systems the engine's virtual machine reaches it as host.docker.internal.

    Args:
        program: docker, or a program with the same command line.
        owner: the label of the containers, so that those of one run can be removed without their names.
        client_environment: the environment of Docker's client; by default this process's. Containers do not get it.
    """

    def __init__(
        self, *, owner: str, program: str = "docker", client_environment: Mapping[str, str] | None = None
    ) -> None:
        self._owner = owner
        self._program = program
        self._client_environment = dict(os.environ if client_environment is None else client_environment)

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
            make_readable(request.base_folder)
        # Values are passed by environment variables: every user of the machine can read the command line.
        for variable in sorted(variables):
            words += ["--env", variable]
        if request.entrypoint:  # the engine takes a single word as entry point
            words += ["--entrypoint", request.entrypoint[0]]
        return ContainerCommand(
            command=(*words, request.image_uri, *request.entrypoint[1:], *request.arguments),
            environment=self._client_environment | variables,
            clean_up=(self._program, "rm", "--force", name),
        )

    def remove_all(self) -> None:
        """Removes every container of the owner, running or not."""
        listed = subprocess.run(
            [self._program, "ps", "--all", "--quiet", "--filter", f"label={_LABEL}={self._owner}"],
            capture_output=True,
            text=True,
            env=self._client_environment,
            check=False,
        )
        if ids := listed.stdout.split():
            subprocess.run(
                [self._program, "rm", "--force", *ids], capture_output=True, env=self._client_environment, check=False
            )


def make_readable(folder: os.PathLike[str]) -> None:
    """Makes mounted folders readable for an image that runs as a non-root user. As in SageMaker, root owns /opt/ml, so
    that such a user cannot write there. The parent folder is closed to other users of this machine.
    """
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: S103
        for name in files:
            os.chmod(os.path.join(parent, name), 0o644)
