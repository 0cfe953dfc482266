"""What only the image has: collected where `make test-containers` names one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

Serving = Callable[..., AbstractContextManager[Any]]


@pytest.mark.image
def test_is_healthy_unprivileged_and_without_a_compiler(trained: Path, tmp_path: Path, serving: Serving) -> None:
    with serving(trained, MODEL_SERVER_WORKERS="1") as server:
        server.answer_of_ping(200)
        assert server.program.is_healthy()
        assert server.program.user(server.process) != 0
        assert server.program.finds("python", "nginx", "cc", "gcc", "c++", "clang", "ld", "make") == [
            "/opt/venv/bin/python",
            "/usr/sbin/nginx",
        ]
    (tmp_path / "model").mkdir()
    with serving(tmp_path, MODEL_SERVER_WORKERS="1") as server:
        server.answer_of_ping(503)
        assert not server.program.is_healthy()
