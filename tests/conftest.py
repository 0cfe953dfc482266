import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.denied_calls import DeniedCalls
from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[1]

# jsii takes `node` from PATH: the environment's own, not whatever the machine has.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def embedded_aws(shared_aws: list[EmbeddedAws]) -> Iterator[EmbeddedAws]:
    """One embedded AWS for all tests that want one: give your resources names of your own."""
    with EmbeddedAws() as aws:
        shared_aws.append(aws)
        yield aws
        shared_aws.remove(aws)


@pytest.fixture(scope="session")
def shared_aws() -> list[EmbeddedAws]:
    """`embedded_aws`, once a test has wanted it."""
    return []


@pytest.fixture(scope="session")
def denied_calls() -> DeniedCalls:
    """Where a test says which calls it wants to be denied: `denied_calls.expect("*role/reader", "s3:PutObject")`."""
    return DeniedCalls()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_denied_unexpectedly(shared_aws: list[EmbeddedAws], denied_calls: DeniedCalls) -> Iterator[None]:
    """After each module that uses the shared embedded AWS: a call may be denied, and no test have noticed."""
    yield
    for aws in shared_aws:
        assert denied_calls.unexpected(aws) == []


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both wheels: the constructs' and the tools'."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (PROJECT, PROJECT / "tools"):
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project)]
        subprocess.run(build, check=True, capture_output=True)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def consumer(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> LayeredEnvironment:
    """A virtual environment in a folder of its own that has both wheels, on top of this environment's packages."""
    environment = LayeredEnvironment(tmp_path_factory.mktemp("consumer") / ".venv")
    environment.install(*wheels)
    return environment


@pytest.fixture(scope="session")
def state_machine_faults(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], str]:
    """What asl-validator says against a `DefinitionString`, as a template has it; nothing where it is valid.

    It checks states, transitions and the syntax of each JSONata expression. What only a deployment knows is made up:
    the partition, which the validator looks at, and names, which it does not.
    """
    folder = tmp_path_factory.mktemp("definitions")

    def written(part: Any) -> str:
        match part:
            case str():
                return part
            case {"Fn::Join": ["", list(parts)]}:
                return "".join(map(written, parts))
            case {"Ref": "AWS::Partition"}:
                return "aws"
        return "made-up"

    def faults(definition: Any) -> str:
        path = folder / f"{len(list(folder.iterdir()))}.json"
        path.write_text(written(definition))
        validator = PROJECT / "node_modules/.bin/asl-validator"
        found = subprocess.run([validator, "--json-path", path], capture_output=True, text=True, check=False)
        return "" if found.returncode == 0 else found.stdout + found.stderr

    return faults


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names that are the same in each process that runs the tests: a token's own counts up, gzip writes the time."""
    if isinstance(val, bytes) and not val.isascii():
        return f"{len(val)}-bytes"
    text = isinstance(val, str) and "${Token[" in val
    number = isinstance(val, float) and 1e200 < abs(val) < float("inf")
    return "token" if text or number else None
