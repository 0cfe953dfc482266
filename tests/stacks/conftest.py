import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from app import compose
from stacks.nag_packs import check_with_cdk_nag
from stacks.settings import load_settings

CONTEXT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]
Synth = Callable[[str], Path]


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """Synthesises the reference system of an environment, checked as `cdk synth` does; returns the cloud assembly."""

    @cache
    def synth_environment(environment: str) -> Path:
        folder = tmp_path_factory.mktemp(environment)
        context = {**CONTEXT, "environment": environment}
        app = cdk.App(context=context, outdir=str(folder))
        check_with_cdk_nag(app)
        compose(app, load_settings(context))
        app.synth()
        return folder

    return synth_environment
