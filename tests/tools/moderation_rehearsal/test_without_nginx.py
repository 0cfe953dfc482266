"""The inference image's own program, run as a process where nginx is missing."""

import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.engines import ContainerRequest, ImageSources, ProcessEngine
from cdk_rehearsal.processes.free_port import free_port
from cdk_rehearsal.processes.supervised_process import SupervisedProcess
from moderation_rehearsal.program_log import first_line_with

INFERENCE = Path(__file__).parents[3] / "container" / "inference"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[SupervisedProcess, int]]:
    (tmp_path / "images.json").write_text(
        json.dumps({"inference:1": {"directory": str(INFERENCE), "dockerfile": "Dockerfile.cpu"}})
    )
    engine = ProcessEngine(
        ImageSources(registered=tmp_path / "images.json"),
        base_environment={**os.environ, "NGINX_PROGRAM": ""},
    )
    port = free_port()
    (tmp_path / "base" / "model").mkdir(parents=True)
    command = engine.command(
        ContainerRequest(image_uri="inference:1", arguments=("serve",), base_folder=tmp_path / "base", port=port)
    )
    process = SupervisedProcess(
        command.command, log=tmp_path / "log.txt", environment=command.environment, cwd=command.cwd
    )
    yield process, port
    process.stop()


def _ping(port: int) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_gunicorn_serves_alone_on_loopback_and_says_so(
    served: tuple[SupervisedProcess, int], eventually: Callable[..., Any]
) -> None:
    process, port = served
    # Its folder holds no model: it answers, and is not healthy.
    assert eventually(lambda: _ping(port), seconds=30) == 503
    said = first_line_with("nginx", process.log)
    assert said is not None
    assert said.endswith("gunicorn alone: without nginx")
    rows = [row.split() for kind in ("tcp", "tcp6") for row in Path("/proc/net", kind).read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]
    assert [address.partition(":")[0] for address in listening] == ["0100007F"]


def test_a_log_that_does_not_say_it_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("serving\n")
    assert first_line_with("nginx", tmp_path / "log.txt") is None
