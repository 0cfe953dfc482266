import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws

# jsii takes `node` from PATH: the environment's own, not whatever the machine has.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def embedded_aws() -> Iterator[EmbeddedAws]:
    """One embedded AWS for all tests that want one: give your resources names of your own."""
    with EmbeddedAws() as aws:
        yield aws
