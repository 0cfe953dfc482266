"""What only the image has: collected where `make test-containers` names one."""

from collections.abc import Callable

import pytest

from tests.container.api.conftest import Api, Runtime


@pytest.mark.image
def test_is_healthy_unprivileged_and_without_a_compiler(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(runtime.url)
    assert api.program.is_healthy()
    assert api.program.user(api.process) != 0
    assert api.program.finds("python", "cc", "gcc", "c++", "clang", "ld", "make") == ["/opt/venv/bin/python"]
