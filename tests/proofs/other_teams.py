"""Do the wheels fit where other teams work: beside their packages, on their Pythons, with their releases of the CDK?

Asks the package index of this machine: what is newest there is newest here. `UV` names the uv that installs.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.consumers_app import EXAMPLES, PROJECT, flags, templates_of, write_app
from tests.layered_environment import LayeredEnvironment
from tests.proofs.proof import Suite

BESIDE = ("boto3", "awscli", "sagemaker", "aws-cdk-lib")
PIPX = "pipx==1.18.4"
SNAPSHOTS = PROJECT / "tests" / "examples" / "__snapshots__" / "test_examples"
_HASH = re.compile(r"\b[0-9a-f]{64}\b|<asset hash>")
_VERSION = re.compile(r"^([\w.-]+)==(\S+)", flags=re.MULTILINE)


def beside_the_newest(folder: Path) -> str:
    """Both wheels without extras, with what a team of AWS's tools has."""
    found = _resolved(folder, *BESIDE, *map(str, _wheels(folder)))
    return f"{_named(found, (*BESIDE, 'botocore'))}; {len(found)} packages"


def rehearsal_alone(folder: Path) -> str:
    """The tools with the embedded AWS, in an environment of its own."""
    _, tools = _wheels(folder)
    found = _resolved(folder, f"cdk-fargate-sagemaker-tools[rehearsal] @ {tools.as_uri()}")
    return f"{_named(found, ('ministack', 'botocore', 'duckdb'))}; {len(found)} packages"


def installed_alone(folder: Path) -> str:
    """What each wheel brings, in MB on disk."""
    constructs, tools = _wheels(folder)
    sizes = []
    for name, wanted in (
        ("constructs", constructs),
        ("tools", tools),
        ("tools[rehearsal]", f"cdk-fargate-sagemaker-tools[rehearsal] @ {tools.as_uri()}"),
    ):
        environment = folder / name
        _uv("venv", "--clear", "--python", sys.executable, environment)
        _uv("pip", "install", "--python", environment, wanted)
        size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
        sizes.append(f"{name} {size / 1e6:.0f} MB")
    kib = [f"{path.stat().st_size / 1024:.0f} KiB" for path in (constructs, tools)]
    return f"wheels {' and '.join(kib)}; installed with what they need: {', '.join(sizes)}"


def a_year_of_releases(folder: Path) -> str:
    """What was newest a year ago is taken, and what is newest today."""
    today = datetime.datetime.now(datetime.UTC).date()
    year_ago = today.replace(year=today.year - 1) if (today.month, today.day) != (2, 29) else today.replace(day=28)
    constructs, _ = _wheels(folder)
    old = _resolved(folder, "aws-cdk-lib", options=("--exclude-newer", f"{year_ago}T00:00:00Z"))["aws-cdk-lib"]
    new = _resolved(folder, "aws-cdk-lib")["aws-cdk-lib"]
    for release in (old, new):
        _resolved(folder, f"aws-cdk-lib=={release}", str(constructs))
    locked = dict(_VERSION.findall((PROJECT / "requirements.txt").read_text()))["aws-cdk-lib"]
    assert locked == new, f"aws-cdk-lib {new} is newer than the locked {locked}"
    return f"aws-cdk-lib {old}, newest on {year_ago}, to {new}, newest on {today} and locked"


def run_by_uvx(folder: Path) -> str:
    """Each command of the built wheel, without installing it."""
    _, tools = _wheels(folder)
    return _explained(folder, (_uv_path().with_name("uvx"), "--from", tools))


def run_by_pipx(folder: Path) -> str:
    """The same by pipx."""
    _, tools = _wheels(folder)
    return _explained(folder, (_uv_path().with_name("uvx"), PIPX, "run", "--spec", tools))


def on_python(python: str, folder: Path) -> str:
    """The app of every example from the wheel, with the newest releases, on another Python."""
    folder = folder / python
    constructs, _ = _wheels(folder)
    environment = folder / "environment"
    _uv("venv", "--clear", "--no-python-downloads", "--python", python, environment)
    _uv("pip", "install", "--python", environment, constructs, "aws-cdk-lib", "cdk-nag")
    _judge(_synthesised(folder, environment / "bin" / "python"))
    return f"{len(EXAMPLES)} examples in one app: the templates are those that were reviewed; cdk-nag finds nothing"


def typed(oldest: bool, folder: Path) -> str:
    """mypy --strict and pyright on the app of every example, from the wheels."""
    wheels = _wheels(folder)
    environment = LayeredEnvironment(folder / "environment", below=_below(oldest))
    environment.install(*wheels)
    app = folder / "app"
    write_app(app, cdk_nag=2 if oldest else 3)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder / "cache", "--python-executable"]
    _run(*mypy, environment.python, ".", cwd=app)
    (app / "pyrightconfig.json").write_text("{}")
    _run(PROJECT / "node_modules/.bin/pyright", "--pythonpath", environment.python, cwd=app)
    return f"{len(list(app.glob('*.py')))} modules, no error"


def _below(oldest: bool) -> Path:
    if not oldest:
        return Path(sys.executable)
    named = os.environ.get("OLDEST_PYTHON")
    assert named, "OLDEST_PYTHON is not set: name one, which `make oldest-environment` installs"
    return Path(named)


def _synthesised(folder: Path, python: Path) -> Path:
    app = folder / "app"
    write_app(app)
    _run(python, "app.py", cwd=app, more={"CDK_CONTEXT_JSON": json.dumps(flags())})
    return app


def _judge(app: Path) -> None:
    for example in EXAMPLES:
        reviewed = (SNAPSHOTS / f"test_example_is_what_was_reviewed[{example}.py].json").read_text()
        found = json.dumps(templates_of(app, example))
        same = json.loads(_HASH.sub("<hash>", found)) == json.loads(_HASH.sub("<hash>", reviewed))
        assert same, f"the templates of {example} are not those that were reviewed"


def _explained(folder: Path, way: Iterable[object]) -> str:
    commands = tomllib.loads((PROJECT / "tools" / "pyproject.toml").read_text())["project"]["scripts"]
    helped = [name for name in commands if name not in {"cdk-fargate-sagemaker-tools"}]
    for command in helped:
        said = _run(*way, command, "--help", cwd=folder)
        assert "usage" in said.lower(), f"{command} --help says nothing of its use"
    return f"{len(helped)} commands of the built wheel explain themselves in another folder"


@functools.cache
def _wheels(folder: Path) -> tuple[Path, Path]:
    """The constructs' and the tools', built for a case, whose folder is emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dist = folder / "dist"
    for project in (PROJECT, PROJECT / "tools"):
        _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, project, cwd=folder)
    constructs, tools = sorted(dist.glob("*.whl"))
    return constructs, tools


def _resolved(folder: Path, *wanted: str, options: Iterable[str] = ()) -> dict[str, str]:
    """The version of each package that all that is wanted takes."""
    (folder / "wanted.in").write_text("\n".join(wanted))
    compiled = _uv("pip", "compile", "--python-version", "3.11", *options, folder / "wanted.in")
    return dict(_VERSION.findall(compiled))


def _named(found: Mapping[str, str], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {found[name]}" for name in names)


def _uv_path() -> Path:
    uv = os.environ.get("UV")
    assert uv, "UV is not set: name one, which `make .venv-supply-chain/.python` installs"
    return Path(uv)


def _uv(*arguments: object) -> str:
    return _run(_uv_path(), *arguments, "--quiet", cwd=PROJECT)


def _run(*command: object, cwd: Path, more: Mapping[str, str] | None = None) -> str:
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, **(more or {})}, capture_output=True, text=True
    )
    if ran.returncode != 0:
        lines = (ran.stdout + ran.stderr).strip().splitlines() or [f"{command[0]} ended with {ran.returncode}"]
        raise AssertionError(next((line for line in lines if "error" in line.lower()), lines[-1]))
    return ran.stdout


OTHER_TEAMS = Suite(
    name="other-teams",
    question="Do the built wheels fit where other teams work? Beside the newest of what they have, by this machine's "
    "package index; with a year of releases of the CDK; run by uvx and pipx; on each Python that they name; typed "
    "by mypy --strict and pyright. The app is every example at once, in a folder where this repository is not.",
    cases={
        "beside the newest": beside_the_newest,
        "rehearsal alone": rehearsal_alone,
        "installed alone": installed_alone,
        "a year of releases": a_year_of_releases,
        "run by uvx": run_by_uvx,
        "run by pipx": run_by_pipx,
        "Python 3.12": functools.partial(on_python, "3.12"),
        "Python 3.13": functools.partial(on_python, "3.13"),
        "Python 3.14": functools.partial(on_python, "3.14"),
        "types with the newest": functools.partial(typed, False),
        "types with the oldest": functools.partial(typed, True),
    },
    samples={},
)
